//! Records each request when its response is known: in the statistics, and as a log line
//! (`GREENROOM_LOG=greenroom::decision=debug`).
//!
//! A response carries its [`DecisionOutcome`] as an extension from where that is known to [`InFlightRequest::finish`].

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::{CacheStatus, CacheStatusReason, LoadError, LoadErrorKind, LoadReason, Partition};
use greenroom_dialect::credential::Credential;
use greenroom_origin::body::Body;
use greenroom_origin::client_name::client_name;
use greenroom_request_log::minute_bucket::RequestSource;
use greenroom_request_log::{
    CacheResult, Decision, DecisionOutcome, DecisionReason, PassReason, RequestCategory, UserHash,
};
use http::{HeaderMap, Response};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::caller::Caller;
use crate::upstream::SendError;

/// Status recorded when the client left without a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The caller of a client's request; `partition` is that of its resource.
pub(crate) fn caller_of(
    server: &ApiServer,
    headers: &HeaderMap,
    partition: Option<&Partition>,
    category: RequestCategory,
) -> Caller {
    let now_ms = server.clock.now();
    let name = client_name(&Credential::default(), headers, |word| holds_credential(server, headers, word));
    let app = server.apps.get_or_insert_named(name, false, now_ms);
    let caller = Caller { app, user: partition.and_then(|partition| UserHash::parse(partition.as_str())), category };
    count(&caller, now_ms);
    caller
}

/// Counts a request of this caller.
pub(crate) fn count(caller: &Caller, now_ms: Timestamp) {
    let Caller { app, category, .. } = caller;
    app.record_seen(now_ms);
    app.requests.fetch_add(1, Ordering::Relaxed);
    app.first_asked.get_or_init(|| category.name());
}

/// Whether a word of the app's name is one of its credentials.
fn holds_credential(server: &ApiServer, headers: &HeaderMap, word: &str) -> bool {
    let named = server.settings.credential_headers.iter();
    named.flat_map(|name| headers.get_all(name)).any(|value| value.to_str().is_ok_and(|value| value.contains(word)))
}

/// The response to a request that is not forwarded.
pub(crate) fn refused(server: &Arc<ApiServer>, headers: &HeaderMap, response: Response<Body>) -> Response<Body> {
    let caller = caller_of(server, headers, None, RequestCategory::Refused);
    let outcome = DecisionOutcome::new(CacheResult::Refused, DecisionReason::Inadmissible);
    InFlightRequest::new(server, caller).finish(with_outcome(response, outcome))
}

/// A client's request without a response yet. If the client disconnects first, the drop records that.
#[derive(Debug)]
pub(crate) struct InFlightRequest {
    server: Arc<ApiServer>,
    caller: Caller,
    started_us: u64,
    is_answered: bool,
}

impl InFlightRequest {
    /// A request that begins now.
    pub(crate) fn new(server: &Arc<ApiServer>, caller: Caller) -> Self {
        Self::started(server, caller, server.clock.now_us(), server.clock.now())
    }

    /// A request that began at these two times, which are the same.
    pub(crate) fn started(server: &Arc<ApiServer>, caller: Caller, started_us: u64, now_ms: Timestamp) -> Self {
        server.counters.requests.fetch_add(1, Ordering::Relaxed);
        server.counters.last_request_ms.store(now_ms, Ordering::Relaxed);
        Self { started_us, server: Arc::clone(server), caller, is_answered: false }
    }

    /// Records the response.
    pub(crate) fn finish(mut self, mut response: Response<Body>) -> Response<Body> {
        let unknown = || DecisionOutcome::new(CacheResult::Passed, DecisionReason::Passed(PassReason::Unknown));
        let outcome = response.extensions_mut().remove::<DecisionOutcome>().unwrap_or_else(unknown);
        if outcome.result == CacheResult::Write {
            self.caller.category = RequestCategory::Write;
        }
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        self.record(outcome, response.status().as_u16(), bytes);
        response
    }

    /// Records a response with this status and so many bytes.
    pub(crate) fn record(&mut self, outcome: DecisionOutcome, status: u16, bytes: u64) {
        self.is_answered = true;
        let Self { server, caller, started_us, .. } = self;
        let now_us = server.clock.now_us();
        let is_accepted = status < 400;
        server.counters.record(outcome);
        if outcome.is_saved {
            caller.app.saved.fetch_add(1, Ordering::Relaxed);
        }
        if outcome.result == CacheResult::Failed {
            caller.app.failed.fetch_add(1, Ordering::Relaxed);
        }
        // An app chooses its own name, so it counts only once a request of it succeeds.
        if is_accepted && server.apps.mark_authorized(&caller.app, None) {
            tracing::info!(server = server.name(), app = caller.app.name, "first request of an app");
        }
        let decision = Decision {
            at_ms: Timestamp::from_millis(server.clock.wall_us(now_us) / 1000),
            category: caller.category,
            app: Arc::clone(&caller.app),
            user: caller.user.filter(|_| is_accepted),
            request_hash: None,
            outcome,
            status,
            elapsed_us: now_us.saturating_sub(*started_us),
            bytes,
        };
        decision.log(server.name());
        server.recorder.record(decision);
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if !self.is_answered {
            self.record(DecisionOutcome::new(CacheResult::Failed, DecisionReason::Left), CLIENT_CLOSED_REQUEST, 0);
        }
    }
}

/// Records a request that was sent to the server: for the client that caused it, or as one of Greenroom's own.
pub(crate) fn record_sent<P>(
    server: &ApiServer,
    caller: Option<&Caller>,
    sent: &Result<(Response<Incoming>, P), SendError>,
) {
    let (is_answered, is_accepted) = match sent {
        Ok((response, _)) => (!response.status().is_server_error(), response.status().as_u16() < 400),
        Err(SendError::Down | SendError::QueueFull | SendError::OverBudget(_)) => return,
        Err(SendError::TimedOut | SendError::Failed(_)) => (false, false),
    };
    let now_ms = server.clock.now();
    if let Some(Caller { app, user, category }) = caller {
        app.upstream_requests.fetch_add(1, Ordering::Relaxed);
        let source = RequestSource { category: *category, app, user: user.filter(|_| is_accepted) };
        server.recorder.record_reached(source, now_ms);
    } else {
        server.counters.own.fetch_add(1, Ordering::Relaxed);
        server.recorder.record_own(1, now_ms);
    }
    let last = if is_answered { &server.counters.last_success_ms } else { &server.counters.last_failure_ms };
    last.store(now_ms, Ordering::Relaxed);
}

/// The caller of a load, unless it is one of Greenroom's own.
pub(crate) fn caller_of_load(request: &ApiRequest, reason: LoadReason) -> Option<&Caller> {
    let is_own = matches!(reason, LoadReason::Refresh | LoadReason::Warm | LoadReason::Prefetch);
    request.caller.as_ref().filter(|_| !is_own)
}

/// The outcome of a read that was answered with an entry.
pub(crate) fn cached_outcome(
    request: &ApiRequest,
    (served, reason): (CacheStatus, Option<CacheStatusReason>),
    age: Duration,
) -> DecisionOutcome {
    let has_waited = !matches!(reason, Some(CacheStatusReason::FailedRecently(_) | CacheStatusReason::Offline));
    let is_loaded = matches!(served, CacheStatus::Loaded | CacheStatus::Refreshed);
    let missed = request.load_reason.get().copied().map(DecisionReason::Missed);
    let has_cost = is_loaded || (served == CacheStatus::StaleOnError && has_waited);
    DecisionOutcome {
        result: CacheResult::from_served(served),
        reason: if is_loaded { missed } else { reason.map(DecisionReason::Cache) },
        age_ms: Some(age),
        is_saved: !has_cost,
    }
}

/// The outcome of a request that the server answers for this reason.
pub(crate) fn passed_outcome(reason: PassReason) -> DecisionOutcome {
    let result = if reason == PassReason::Write { CacheResult::Write } else { CacheResult::Passed };
    DecisionOutcome::new(result, DecisionReason::Passed(reason))
}

/// The response in place of one that could not be loaded.
pub(crate) fn failed(response: Response<Body>, error: &LoadError) -> Response<Body> {
    failed_with(response, error.kind)
}

/// The same for a failure of this kind.
pub(crate) fn failed_with(response: Response<Body>, kind: LoadErrorKind) -> Response<Body> {
    with_outcome(response, DecisionOutcome::new(CacheResult::Failed, DecisionReason::Failed(kind)))
}

/// The response with this outcome.
pub(crate) fn with_outcome(mut response: Response<Body>, outcome: DecisionOutcome) -> Response<Body> {
    response.extensions_mut().insert(outcome);
    response
}

/// The response with this outcome, unless it has one: an error of Greenroom's own has.
pub(crate) fn with_default_outcome(mut response: Response<Body>, outcome: DecisionOutcome) -> Response<Body> {
    response.extensions_mut().get_or_insert(outcome);
    response
}
