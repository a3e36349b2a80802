//! Stores a response of the server, or passes it on.

use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{Entry, Key, LoadError, LoadErrorKind, LoadResult, LoadedValue, Policy, Value};
use greenroom_http_caching::cache_groups::{CACHE_GROUPS, groups};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::partial_body;
use greenroom_http_caching::search_variance::{NO_VARY_SEARCH, SearchVariance};
use greenroom_http_caching::storage::{self, Exchange, StorageRefusal};
use greenroom_http_caching::stored_head::{StaleOnErrorRule, StoredHead};
use greenroom_http_caching::trailer_fields;
use greenroom_http_caching::validation;
use greenroom_http_caching::variant::SelectingFields;
use greenroom_origin::body::{Body, CollectedBody, collect_trailed};
use http::header::{AGE, DATE, HeaderMap, RANGE};
use http::{Method, Response, StatusCode};

use super::load_failure::{error_head, is_outage, outage_error};
use super::stored_part::StoredPart;
use super::{ApiLoader, KEPT_FOR_VALIDATION, LoadTarget, StoredState, UpstreamAnswer};
use crate::api_request::{ANY_OBJECT, object_tag, part_key};
use crate::graphql::result::{GraphqlResult, ResultKind};
use crate::response;

impl ApiLoader {
    /// Stores a response, or passes it on.
    pub(super) async fn store(
        &self,
        answer: UpstreamAnswer<'_>,
        stored: &StoredState,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let UpstreamAnswer { response, times, redirects, _permit } = answer;
        let (parts, body) = response.into_parts();
        let is_configured = self.request.lifetimes.fresh.is_some();
        let evaluated = match redirects.refusal(is_configured) {
            Some(refusal) => Err(refusal),
            None => self.evaluate(parts.status, &parts.headers, times).and_then(|(head, fields)| {
                let head = if is_configured { head } else { redirects.shorten(head) };
                redirects.select((head, fields), &self.request).ok_or(StorageRefusal::VaryStar)
            }),
        };
        let kept = match evaluated {
            Ok((head, fields)) if is_worth_storing(&head) => self.kept_head(head, &fields).await,
            Ok(_) => Err(StorageRefusal::NotCacheable),
            Err(refusal) => Err(refusal),
        };
        let (mut head, key) = match kept {
            Ok(kept) => kept,
            Err(refusal) => {
                self.record_refusal(refusal);
                return self.pass(Response::from_parts(parts, body), stored).await;
            }
        };
        let (collected, trailers) = collect_trailed(body, self.server.settings.max_body_bytes).await;
        if head.status != StatusCode::PARTIAL_CONTENT && self.server.settings.add_query.is_empty() {
            head.trailers = trailer_fields::storable(trailers, &parts.headers, self.request.audience);
        }
        match collected {
            CollectedBody::Whole(bytes) if self.request.is_graphql_query => {
                self.store_graphql(head, parts, bytes, (&key, stored.has_fallback))
            }
            CollectedBody::Whole(bytes) => match self.joined(head, bytes.clone(), stored.part.as_ref()) {
                Ok((head, bytes)) => Ok(self.stored(&head, bytes, &key, redirects.tags)),
                Err(refusal) => {
                    self.record_refusal(refusal);
                    if is_rest(stored) && parts.status == StatusCode::PARTIAL_CONTENT {
                        return Err(LoadError::new(LoadErrorKind::Malformed, "the rest of the response is cut"));
                    }
                    Ok(LoadResult::Pass(response::passed(Response::from_parts(parts, bytes.into()))))
                }
            },
            CollectedBody::TooLong(..) if is_rest(stored) && parts.status == StatusCode::PARTIAL_CONTENT => {
                // The client did not ask for this part.
                Err(LoadError::new(LoadErrorKind::Malformed, "the rest of the response is too long"))
            }
            CollectedBody::TooLong(read, rest) => {
                let body = Body::Resumed { read, rest };
                Ok(LoadResult::Pass(response::passed(Response::from_parts(parts, body))))
            }
            CollectedBody::Broken(_) => Err(LoadError::new(LoadErrorKind::Malformed, "the response ended early")),
        }
    }

    /// Passes a response on that is not stored.
    async fn pass(
        &self,
        answer: Response<hyper::body::Incoming>,
        stored: &StoredState,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        if is_outage(answer.status()) {
            // It answers all waiting requests, so that a failing server is not asked once for each.
            let error = outage_error(answer).await;
            return match error.response.clone() {
                Some(value) if !stored.has_entry => Ok(LoadResult::Share(value)),
                _ => Err(error),
            };
        }
        if is_rest(stored) && answer.status() == StatusCode::PARTIAL_CONTENT {
            // The client did not ask for this part.
            return Err(LoadError::new(LoadErrorKind::Malformed, "the rest of the response may not be used"));
        }
        Ok(LoadResult::Pass(response::passed(answer.map(Body::Stream))))
    }

    /// Stores a GraphQL response, unless it has errors.
    fn store_graphql(
        &self,
        head: StoredHead,
        parts: http::response::Parts,
        body: Bytes,
        (key, has_fallback): (&Key, bool),
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let result = GraphqlResult::of_body(&body);
        let graphql = self.request.route.settings().and_then(|route| route.graphql.as_ref());
        let stores_partial = graphql.is_some_and(|graphql| graphql.store_partial);
        match result.kind {
            ResultKind::Failed if has_fallback => {
                let mut error = LoadError::new(LoadErrorKind::ServerError, "the response has errors");
                error.response = Some(Value { body, meta: error_head(parts.status, head.headers).encode() });
                Err(error)
            }
            ResultKind::Partial if stores_partial => {
                Ok(self.with_objects(self.stored(&head, body, key, Vec::new()), &result))
            }
            ResultKind::Good => Ok(self.with_objects(self.stored(&head, body, key, Vec::new()), &result)),
            ResultKind::Failed | ResultKind::Partial => {
                Ok(LoadResult::Pass(response::passed(Response::from_parts(parts, body.into()))))
            }
        }
    }

    /// Adds the tags of a response's objects, if that is configured.
    fn with_objects(&self, loaded: LoadResult<Response<Body>>, result: &GraphqlResult) -> LoadResult<Response<Body>> {
        let graphql = self.request.route.settings().and_then(|route| route.graphql.as_ref());
        match (loaded, &result.objects) {
            (LoadResult::Store(mut loaded), Some(objects)) if graphql.is_some_and(|graphql| graphql.tag_objects) => {
                loaded.tags.extend(objects.iter().map(|object| object_tag(object)));
                LoadResult::Store(loaded)
            }
            (LoadResult::Store(mut loaded), None) if graphql.is_some_and(|graphql| graphql.tag_objects) => {
                loaded.tags.push(object_tag(ANY_OBJECT));
                LoadResult::Store(loaded)
            }
            (loaded, _) => loaded,
        }
    }

    /// Stores the old response again, as the server's 304 changes it.
    pub(super) async fn store_validated(
        &self,
        old: &StoredHead,
        entry: &Entry,
        answer: UpstreamAnswer<'_>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let mut stored = old.headers.clone();
        // They are about the old exchange.
        stored.remove(AGE);
        stored.remove(DATE);
        let headers = validation::updated_headers(&stored, answer.response.headers());
        let kept = match self.evaluate(old.status, &headers, answer.times) {
            Ok((head, fields)) => self.kept_head(head, &fields).await,
            Err(refusal) => Err(refusal),
        };
        match kept {
            Ok((head, key)) => {
                // A 304 says nothing of what comes after the body.
                let head = StoredHead { trailers: old.trailers.clone(), ..head };
                Ok(self.stored(&head, entry.body().clone(), &key, Vec::new()))
            }
            Err(refusal) => {
                self.record_refusal(refusal);
                let head = StoredHead { headers, ..old.clone() };
                Ok(LoadResult::Pass(response::from_loaded(&self.request, &head, entry.body())))
            }
        }
    }

    pub(super) fn evaluate(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        times: ExchangeTimes,
    ) -> Result<(StoredHead, SelectingFields), StorageRefusal> {
        let request = &self.request;
        let (mut head, fields) = storage::evaluate(&Exchange {
            // A read in the body of a POST is a read.
            method: if request.body.is_some() { &Method::GET } else { &request.method },
            request: &request.headers,
            request_forbids: request.directives.no_store,
            status,
            response: headers,
            times,
            audience: request.audience,
            configured: request.lifetimes,
            default_error: self.server.settings.stale_if_error,
        })?;
        for (name, value) in &mut head.selected_by {
            *value = request.digest(name, value);
        }
        Ok((head, fields))
    }

    /// The head to store, and the key of its variant, now that it is known by what it varies.
    async fn kept_head(
        &self,
        mut head: StoredHead,
        fields: &SelectingFields,
    ) -> Result<(StoredHead, Key), StorageRefusal> {
        let (server, request) = (&self.server, &self.request);
        let mut resource = request.resource.clone();
        if let Some(path) = request.path_key() {
            let told = SearchVariance::of_response(&head.headers);
            let known = server.search_variances.learn(&server.cache, &path, told.clone()).await;
            // Without a digest it is for the letters of its key: see `is_searched`.
            resource = request.searched_resource(&known);
            if !known.is_default() {
                head.selected_by.push((NO_VARY_SEARCH, request.search_digest(&told)));
            }
        }
        let all = server.variants.add(&server.cache, &resource, fields).await;
        let all = all.ok_or(StorageRefusal::VaryStar)?;
        Ok((head, request.variant_key_of(&resource, &all)))
    }

    /// A response as it is stored: with its range if it is a part, together with the part that is stored if both are of
    /// one version.
    fn joined(
        &self,
        head: StoredHead,
        body: Bytes,
        stored: Option<&StoredPart>,
    ) -> Result<(StoredHead, Bytes), StorageRefusal> {
        if head.status != StatusCode::PARTIAL_CONTENT {
            return Ok((head, body));
        }
        let mut head = storage::with_part(head, body.len() as u64)?;
        let joined = stored.and_then(|old| partial_body::combine((&old.head, old.entry.body()), (&head, &body)));
        let joined = joined.filter(|(_, body)| body.len() as u64 <= self.server.settings.max_body_bytes);
        match (joined, self.target) {
            (Some((head, body)), LoadTarget::Part) => Ok((head, body)),
            (Some((head, body)), LoadTarget::Whole) if head.part.is_none() => Ok((head, body)),
            // The client gets this part, whatever it asked for.
            (None, LoadTarget::Part) if stored.is_none_or(|stored| stored.missing.is_none()) => {
                head.selected_by.push((RANGE, response::requested_text(&self.request)));
                Ok((head, body))
            }
            _ => Err(StorageRefusal::Status),
        }
    }

    fn record_refusal(&self, refusal: StorageRefusal) {
        let request = &self.request;
        self.server.record_storage(&request.group(), &request.resource, Some(refusal));
    }

    fn stored(
        &self,
        head: &StoredHead,
        body: Bytes,
        variant: &Key,
        more_tags: Vec<greenroom_cache::Tag>,
    ) -> LoadResult<Response<Body>> {
        self.server.record_storage(&self.request.group(), &self.request.resource, None);
        let now_ms = self.server.clock.now_ms();
        let millis = Duration::from_millis;
        let fresh = millis(u64::try_from(head.fresh_left_ms(now_ms)).unwrap_or_default());
        let stale = millis(head.stale_while_revalidate_ms);
        let error = match head.stale_on_error {
            StaleOnErrorRule::Forbidden => Duration::ZERO,
            StaleOnErrorRule::Within(time) => time,
        };
        let kept = if validation::has_validator(&head.headers) { KEPT_FOR_VALIDATION } else { Duration::ZERO };
        let settings = self.request.route.settings();
        let policy = self.server.policy(self.request.route.route.name.text(), settings.is_some_and(|route| route.warm));
        let mut tags = self.request.tags(&groups(&head.headers, &CACHE_GROUPS), head, &body);
        tags.extend(more_tags);
        let key = if head.part.is_some() { part_key(variant) } else { variant.clone() };
        LoadResult::Store(LoadedValue {
            value: Value { body, meta: head.encode() },
            tags,
            policy: Some(Policy { fresh, stale, stale_on_error: error.max(kept), ..policy }),
            stored_under: Some(key),
        })
    }
}

/// Whether only the rest of what is stored was asked for.
fn is_rest(stored: &StoredState) -> bool {
    stored.part.as_ref().is_some_and(|part| part.missing.is_some())
}

/// Whether a stored response could ever be used.
fn is_worth_storing(head: &StoredHead) -> bool {
    head.lifetime_ms > head.initial_age_ms
        || head.stale_while_revalidate_ms > 0
        || head.stale_on_error != StaleOnErrorRule::Forbidden
        || validation::has_validator(&head.headers)
}
