//! Loads one resource from the server, or validates the stored response.

mod load_failure;
mod redirect;
mod store;
mod stored_part;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Entry, LoadError, LoadErrorKind, LoadReason, LoadResult, Loader};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::reuse;
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::validation::{self, CONDITIONS};
use greenroom_origin::body::Body;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_request_log::RequestCategory;
use http::header::{CONNECTION, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE, TE};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::SemaphorePermit;

use crate::access_log;
use crate::added_secrets::{hide_added_query, with_added_headers, with_added_query};
use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::caller::Caller;
use crate::upstream::BudgetPatience;
use load_failure::{is_outage, load_error, outage_error};
use redirect::{MAX_REDIRECTS, RedirectTerms};
use stored_part::StoredPart;

/// Time past its use for which a response with a validator is kept, to be validated.
const KEPT_FOR_VALIDATION: Duration = Duration::from_secs(7 * 24 * 3600);

/// Purpose of a load.
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

/// Condition of the request to the server, beside the client's question.
#[derive(Debug, Clone, Copy)]
enum UpstreamCondition<'a> {
    /// Nothing.
    None,
    /// Whether this stored response is current.
    Validates(&'a StoredHead),
    /// Only for the bytes that this part lacks, if it is current.
    Completes(&'a StoredPart),
}

/// The server's response.
struct UpstreamAnswer<'a> {
    response: Response<Incoming>,
    times: ExchangeTimes,
    /// Terms of the redirects on the way to it.
    redirects: RedirectTerms,
    _permit: SemaphorePermit<'a>,
}

/// Stored responses when a load begins.
struct StoredState {
    /// The response to validate.
    whole: Option<(StoredHead, Arc<Entry>)>,
    /// A part of it.
    part: Option<StoredPart>,
    /// Whether there is anything that a failed load leaves in place.
    has_entry: bool,
    /// Whether the response may be used if the server fails.
    has_fallback: bool,
}

impl Loader for ApiLoader {
    type Pass = Response<Body>;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let caller = access_log::caller_of_load(&self.request, reason);
        if caller.is_some() {
            self.request.load_reason.get_or_init(|| reason);
        }
        let began_us = self.server.clock.now_us();
        let loaded = self.exchange(reason, old, caller).await;
        let category = RequestCategory::Route(self.request.route.route.name);
        self.server.recorder.record_load(category, self.server.clock.now_us().saturating_sub(began_us));
        loaded
    }
}

impl ApiLoader {
    async fn exchange(
        &self,
        reason: LoadReason,
        old: Option<Arc<Entry>>,
        caller: Option<&Caller>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let mut stored = self.stored_state(reason == LoadReason::Invalidated, old).await;
        // A load that no client waits for leaves the budget to the requests of clients.
        let is_patient = !stored.has_fallback && reason != LoadReason::Prefetch;
        let patience = if is_patient { BudgetPatience::Wait } else { BudgetPatience::None };
        let mut answer = self.ask(stored.condition(), patience, caller).await?;
        if self.is_unfit(stored.condition(), &answer) {
            drop(answer);
            stored.part = None;
            answer = self.ask(UpstreamCondition::None, patience, caller).await?;
        }
        let status = answer.response.status();
        match &stored.whole {
            Some((head, entry)) if status == StatusCode::NOT_MODIFIED => {
                self.store_validated(head, entry, answer).await
            }
            Some(_) if is_outage(status) && stored.has_fallback => Err(outage_error(answer.response).await),
            _ => self.store(answer, &stored).await,
        }
    }

    async fn stored_state(&self, is_invalidated: bool, old: Option<Arc<Entry>>) -> StoredState {
        let has_entry = old.is_some();
        let whole = old.and_then(|entry| {
            let head = StoredHead::decode(entry.meta())?;
            // After a write, a validator that counts seconds may still match what the write changed.
            let is_usable = !is_invalidated || validation::has_strong_validator(&head.headers);
            (head.part.is_none() && is_usable && self.request.selects(&head)).then_some((head, entry))
        });
        let now_ms = self.server.clock.now_ms();
        let has_fallback =
            !is_invalidated && whole.as_ref().is_some_and(|(head, _)| reuse::is_usable_on_error(head, now_ms));
        let part =
            if whole.is_none() { stored_part::find(&self.server, &self.request, self.target).await } else { None };
        StoredState { whole, part, has_entry, has_fallback }
    }

    /// Whether a response is about another version than the stored one, so that it has to be asked for without a
    /// condition.
    fn is_unfit(&self, condition: UpstreamCondition<'_>, answer: &UpstreamAnswer<'_>) -> bool {
        let (status, headers) = (answer.response.status(), answer.response.headers());
        match condition {
            UpstreamCondition::None => false,
            UpstreamCondition::Validates(head) => {
                status == StatusCode::NOT_MODIFIED && validation::is_of_another_version(headers, &head.headers)
            }
            UpstreamCondition::Completes(part) => match status {
                StatusCode::PARTIAL_CONTENT => {
                    !part.missing.is_some_and(|missing| missing.are_in(&part.head.headers, headers))
                        || self.evaluate(status, headers, answer.times).is_err()
                }
                StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED => true,
                _ => false,
            },
        }
    }

    /// The server's response, after the redirects that are followed.
    async fn ask(
        &self,
        condition: UpstreamCondition<'_>,
        patience: BudgetPatience,
        caller: Option<&Caller>,
    ) -> Result<UpstreamAnswer<'_>, LoadError> {
        let mut target = self.request.target.clone();
        let mut redirects = RedirectTerms::default();
        loop {
            // A validator is of what is stored, which a redirect may not lead to any more.
            let condition = if redirects.count() == 0 { condition } else { UpstreamCondition::None };
            let request = self.upstream_request(&target, condition)?;
            let request_ms = self.server.clock.now_ms();
            let sent = self.server.upstream.send(request, UpstreamRequestKind::Read, patience).await;
            access_log::record_sent(&self.server, caller, &sent);
            let (mut response, permit) = sent.map_err(|error| load_error(&error))?;
            hide_added_query(&self.server.settings, response.headers_mut());
            let times = ExchangeTimes { request_ms, response_ms: self.server.clock.now_ms() };
            let next = redirect::next_target(&self.server, &self.request, &target, &response);
            match next.filter(|_| redirects.count() < MAX_REDIRECTS) {
                Some(next) => {
                    let evaluated = self.evaluate(response.status(), response.headers(), times);
                    redirects.add((response.headers(), evaluated), &self.server, &next, times);
                    target = next;
                }
                None => return Ok(UpstreamAnswer { response, times, redirects, _permit: permit }),
            }
        }
    }

    fn upstream_request(&self, target: &str, condition: UpstreamCondition<'_>) -> Result<Request<Body>, LoadError> {
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
        self.set_condition(&mut headers, condition);
        // A trailer could repeat the secrets that are added to the address.
        if request.accepts_trailers && self.server.settings.add_query.is_empty() {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            // RFC 9110, section 10.1.4. HTTP/2 has no such field.
            if self.server.upstream.client.is_http1_only() {
                headers.insert(CONNECTION, HeaderValue::from_static("te"));
            }
        }
        let malformed = || LoadError::new(LoadErrorKind::Refused, "the request cannot be forwarded");
        let target = with_added_query(&self.server.settings, target);
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

    fn set_condition(&self, headers: &mut HeaderMap, condition: UpstreamCondition<'_>) {
        match condition {
            UpstreamCondition::Validates(head)
                if self.target == LoadTarget::Whole && self.request.method == Method::GET =>
            {
                validation::set_conditions(headers, &head.headers);
            }
            UpstreamCondition::Completes(part) => {
                let range = part.missing.and_then(|missing| HeaderValue::from_str(&missing.range_value()).ok());
                if let (Some(range), Some(etag)) = (range, part.head.headers.get(ETAG)) {
                    headers.insert(RANGE, range);
                    headers.insert(IF_RANGE, etag.clone());
                }
            }
            UpstreamCondition::None | UpstreamCondition::Validates(_) => {}
        }
    }
}

impl StoredState {
    fn condition(&self) -> UpstreamCondition<'_> {
        match (&self.whole, &self.part) {
            (Some((head, _)), _) => UpstreamCondition::Validates(head),
            (None, Some(part)) if part.missing.is_some() => UpstreamCondition::Completes(part),
            (None, _) => UpstreamCondition::None,
        }
    }
}
