//! Loads one resource from the server, or validates the stored response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    Entry, Key, LoadError, LoadErrorKind, LoadReason, LoadResult, LoadedValue, Loader, Policy, Value,
};
use greenroom_http_caching::cache_groups::{CACHE_GROUPS, groups};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::reuse;
use greenroom_http_caching::storage::{self, Exchange, StorageRefusal};
use greenroom_http_caching::stored_head::{StaleOnErrorRule, StoredHead};
use greenroom_http_caching::validation::{self, CONDITIONS};
use greenroom_http_caching::variant::SelectingFields;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_request_log::RequestCategory;
use http::header::{AGE, DATE, HeaderMap, IF_RANGE, RANGE, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::SemaphorePermit;

use crate::access_log;
use crate::api_request::{
    ANY_OBJECT, ApiRequest, hide_added_query, object_tag, part_key, with_added_headers, with_added_query,
};
use crate::api_server::ApiServer;
use crate::caller::Caller;
use crate::graphql::result::{GraphqlResult, ResultKind};
use crate::response;
use crate::upstream::{BudgetPatience, SendError};

/// How long past its use a response with a validator is kept, to be validated.
const KEPT_FOR_VALIDATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// Max bytes of an error's body that is kept beside a good response.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// What a load is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadTarget {
    /// The whole resource.
    Whole,
    /// The range that the client asks for.
    Part,
}

/// Loads the resource of one request.
#[derive(Debug)]
pub(crate) struct ApiLoader {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) request: Arc<ApiRequest>,
    pub(crate) target: LoadTarget,
}

impl Loader for ApiLoader {
    type Pass = Response<Body>;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let is_invalidated = reason == LoadReason::Invalidated;
        let caller = access_log::caller_of_load(&self.request, reason);
        if caller.is_some() {
            self.request.load_reason.get_or_init(|| reason);
        }
        let began_us = self.server.clock.now_us();
        let old = old.and_then(|entry| {
            let head = StoredHead::decode(entry.meta())?;
            // After a write, a validator that counts seconds may still match what the write changed.
            let is_usable = !is_invalidated || validation::has_strong_validator(&head.headers);
            (head.part.is_none() && is_usable && self.request.selects(&head)).then_some((head, entry))
        });
        let request_ms = self.server.clock.now();
        let has_fallback = !is_invalidated
            && old.as_ref().is_some_and(|(head, _)| reuse::is_usable_on_error(head, request_ms.as_millis()));
        let patience = if has_fallback { BudgetPatience::None } else { BudgetPatience::Wait };
        let mut answer = self.ask(old.as_ref().map(|(head, _)| head), patience, caller).await?;
        let is_unfit = |head: &StoredHead| validation::is_of_another_version(answer.0.headers(), &head.headers);
        if answer.0.status() == StatusCode::NOT_MODIFIED && old.as_ref().is_some_and(|(head, _)| is_unfit(head)) {
            drop(answer);
            answer = self.ask(None, patience, caller).await?;
        }
        let (answer, _permit) = answer;
        let times =
            ExchangeTimes { request_ms: request_ms.as_millis(), response_ms: self.server.clock.now().as_millis() };
        let status = answer.status();
        let loaded = match old {
            Some((head, entry)) if status == StatusCode::NOT_MODIFIED => {
                self.store_validated(&head, &entry, answer, times).await
            }
            Some(_) if is_outage(status) && has_fallback => Err(self.outage_error(answer).await),
            _ => self.store(answer, times, has_fallback).await,
        };
        let category = RequestCategory::Route(self.request.route.route.name);
        self.server.recorder.record_load(category, self.server.clock.now_us().saturating_sub(began_us));
        loaded
    }
}

impl ApiLoader {
    /// The server's response, to a conditional request if there is a stored one.
    async fn ask(
        &self,
        old: Option<&StoredHead>,
        patience: BudgetPatience,
        caller: Option<&Caller>,
    ) -> Result<(Response<Incoming>, SemaphorePermit<'_>), LoadError> {
        let request = self.upstream_request(old)?;
        let sent = self.server.upstream.send(request, UpstreamRequestKind::Read, patience).await;
        access_log::record_sent(&self.server, caller, &sent);
        let (mut answer, permit) = sent.map_err(|error| load_error(&error))?;
        hide_added_query(&self.server.settings, answer.headers_mut());
        Ok((answer, permit))
    }

    fn upstream_request(&self, old: Option<&StoredHead>) -> Result<Request<Body>, LoadError> {
        let request = &self.request;
        let mut headers = with_added_headers(&self.server.settings, &request.headers);
        for name in &CONDITIONS {
            // Whether a part is of the version that the client has is the server's to say.
            if *name != IF_RANGE || self.target == LoadTarget::Whole {
                headers.remove(name);
            }
        }
        if self.target == LoadTarget::Whole {
            headers.remove(RANGE);
        }
        if let Some(head) = old.filter(|_| self.target == LoadTarget::Whole && request.method == Method::GET) {
            validation::set_conditions(&mut headers, &head.headers);
        }
        let malformed = || LoadError::new(LoadErrorKind::Refused, "the request cannot be forwarded");
        let target = with_added_query(&self.server.settings, &request.target);
        let uri = self.server.upstream.client.uri(&target).map_err(|_| malformed())?;
        let body = request.body.clone().map_or_else(Body::empty, Body::from);
        let mut upstream = Request::new(body);
        *upstream.method_mut() = request.method.clone();
        *upstream.uri_mut() = uri;
        *upstream.headers_mut() = headers;
        if let Some(interim) = request.interim.clone() {
            hyper::ext::on_informational(&mut upstream, move |told| interim.send(told.status(), told.headers()));
        }
        Ok(upstream)
    }

    /// Stores a response, or passes it on.
    async fn store(
        &self,
        answer: Response<Incoming>,
        times: ExchangeTimes,
        has_fallback: bool,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let (parts, body) = answer.into_parts();
        let evaluated = self.evaluate(parts.status, &parts.headers, times);
        let kept = match evaluated {
            Ok((head, fields)) if is_worth_storing(&head) => self.kept_head(head, &fields).await,
            Ok(_) => Err(StorageRefusal::NotCacheable),
            Err(refusal) => Err(refusal),
        };
        let (head, key) = match kept {
            Ok(kept) => kept,
            Err(refusal) => {
                self.record_refusal(refusal);
                let answer = Response::from_parts(parts, body);
                if is_outage(answer.status()) {
                    // It answers all waiting requests, so that a failing server is not asked once for each.
                    return Err(self.outage_error(answer).await);
                }
                return Ok(LoadResult::Pass(response::passed(answer.map(Body::Stream))));
            }
        };
        match collect(body, self.server.settings.max_body_bytes).await {
            CollectedBody::Whole(bytes) if self.request.is_graphql_query => {
                self.store_graphql(head, parts, bytes, (key, has_fallback))
            }
            CollectedBody::Whole(bytes) => match self.with_part(head, &bytes) {
                Ok(head) => Ok(self.stored(&head, bytes, key)),
                Err(refusal) => {
                    self.record_refusal(refusal);
                    Ok(LoadResult::Pass(response::passed(Response::from_parts(parts, bytes.into()))))
                }
            },
            CollectedBody::TooLong(read, rest) => {
                let body = Body::Resumed { read, rest };
                Ok(LoadResult::Pass(response::passed(Response::from_parts(parts, body))))
            }
            CollectedBody::Broken(_) => Err(LoadError::new(LoadErrorKind::Malformed, "the response ended early")),
        }
    }

    /// Stores a GraphQL response, unless it has errors.
    fn store_graphql(
        &self,
        head: StoredHead,
        parts: http::response::Parts,
        body: Bytes,
        (key, has_fallback): (Key, bool),
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
            ResultKind::Partial if stores_partial => Ok(self.with_objects(self.stored(&head, body, key), &result)),
            ResultKind::Good => Ok(self.with_objects(self.stored(&head, body, key), &result)),
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
    async fn store_validated(
        &self,
        old: &StoredHead,
        entry: &Entry,
        answer: Response<Incoming>,
        times: ExchangeTimes,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let mut stored = old.headers.clone();
        // They are about the old exchange.
        stored.remove(AGE);
        stored.remove(DATE);
        let headers = validation::updated_headers(&stored, answer.headers());
        let evaluated = self.evaluate(old.status, &headers, times);
        let kept = match evaluated {
            Ok((head, fields)) => self.kept_head(head, &fields).await,
            Err(refusal) => Err(refusal),
        };
        match kept {
            Ok((head, key)) => Ok(self.stored(&head, entry.body().clone(), key)),
            Err(refusal) => {
                self.record_refusal(refusal);
                let head = StoredHead { headers, ..old.clone() };
                Ok(LoadResult::Pass(response::from_loaded(&self.request, &head, entry.body())))
            }
        }
    }

    fn evaluate(
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

    /// The head to store, and its key, now that it is known by what it varies.
    async fn kept_head(&self, head: StoredHead, fields: &SelectingFields) -> Result<(StoredHead, Key), StorageRefusal> {
        let (server, request) = (&self.server, &self.request);
        let all = server.variants.add(&server.cache, &request.resource, fields).await;
        let all = all.ok_or(StorageRefusal::VaryStar)?;
        let key = request.variant_key(&all);
        if head.status == StatusCode::PARTIAL_CONTENT {
            return Ok((head, part_key(&key)));
        }
        Ok((head, key))
    }

    fn with_part(&self, head: StoredHead, body: &Bytes) -> Result<StoredHead, StorageRefusal> {
        if head.status != StatusCode::PARTIAL_CONTENT {
            return Ok(head);
        }
        if self.target != LoadTarget::Part {
            return Err(StorageRefusal::Status);
        }
        let mut head = storage::with_part(head, body.len() as u64)?;
        head.selected_by.push((RANGE, response::requested_text(&self.request)));
        Ok(head)
    }

    fn record_refusal(&self, refusal: StorageRefusal) {
        let request = &self.request;
        self.server.record_storage(&request.group(), &request.resource, Some(refusal));
    }

    fn stored(&self, head: &StoredHead, body: Bytes, key: Key) -> LoadResult<Response<Body>> {
        self.server.record_storage(&self.request.group(), &self.request.resource, None);
        let now_ms = self.server.clock.now();
        let millis = Duration::from_millis;
        let fresh = millis(u64::try_from(head.fresh_left_ms(now_ms.as_millis())).unwrap_or_default());
        let stale = millis(head.stale_while_revalidate_ms);
        let error = match head.stale_on_error {
            StaleOnErrorRule::Forbidden => Duration::ZERO,
            StaleOnErrorRule::Within(time) => time,
        };
        let kept = if validation::has_validator(&head.headers) { KEPT_FOR_VALIDATION } else { Duration::ZERO };
        let settings = self.request.route.settings();
        let policy = self.server.policy(self.request.route.route.name.text(), settings.is_some_and(|route| route.warm));
        LoadResult::Store(LoadedValue {
            value: Value { body, meta: head.encode() },
            tags: self.request.tags(&groups(&head.headers, &CACHE_GROUPS)),
            policy: Some(Policy { fresh, stale, stale_on_error: error.max(kept), ..policy }),
            stored_under: Some(key),
        })
    }

    /// A failure that carries the server's own response, for the case that the stored one may not be used.
    async fn outage_error(&self, answer: Response<Incoming>) -> LoadError {
        let (parts, body) = answer.into_parts();
        let message = format!("the server answered with {}", parts.status);
        let mut error = LoadError::new(LoadErrorKind::ServerError, message);
        if let CollectedBody::Whole(body) = collect(body, MAX_ERROR_BYTES).await {
            let mut headers = parts.headers;
            greenroom_http_caching::hop_by_hop::strip(&mut headers);
            // It may answer other requests that wait for this load.
            headers.remove(SET_COOKIE);
            error.response = Some(Value { body, meta: error_head(parts.status, headers).encode() });
        }
        error
    }
}

/// A head that carries an error to its client and is never stored.
fn error_head(status: StatusCode, headers: HeaderMap) -> StoredHead {
    StoredHead {
        status,
        headers,
        response_ms: 0,
        initial_age_ms: 0,
        lifetime_ms: 0,
        stale_while_revalidate_ms: 0,
        stale_on_error: StaleOnErrorRule::Forbidden,
        needs_validation: true,
        selected_by: Vec::new(),
        part: None,
    }
}

/// Whether a stored response could ever be used.
fn is_worth_storing(head: &StoredHead) -> bool {
    head.lifetime_ms > head.initial_age_ms
        || head.stale_while_revalidate_ms > 0
        || head.stale_on_error != StaleOnErrorRule::Forbidden
        || validation::has_validator(&head.headers)
}

/// Whether a status says that the server cannot answer now.
fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn load_error(error: &SendError) -> LoadError {
    match error {
        SendError::Down => LoadError::new(LoadErrorKind::Offline, "the server is down"),
        SendError::QueueFull => LoadError::new(LoadErrorKind::Overloaded, "too many requests wait for the server"),
        SendError::OverBudget(wait) => {
            let seconds = wait.as_millis().div_ceil(1000);
            let head = response::problem(
                StatusCode::TOO_MANY_REQUESTS,
                "the budget of requests to the server is used up",
                u64::try_from(seconds).ok(),
            );
            let (parts, _) = head.into_parts();
            let mut error = LoadError::new(LoadErrorKind::Overloaded, "the budget of requests is used up");
            let body = Bytes::from_static(b"the budget of requests to the server is used up\n");
            error.response = Some(Value { body, meta: error_head(parts.status, parts.headers).encode() });
            error
        }
        SendError::TimedOut => LoadError::new(LoadErrorKind::TimedOut, "the server is slow"),
        SendError::Failed(error) => LoadError::new(LoadErrorKind::Unreachable, error.message.as_str()),
    }
}
