//! Records each request when its response is known: in the statistics, as a log line
//! (`GREENROOM_LOG=greenroom::decision=debug`), and as a span for a trace collector.

use std::sync::atomic::Ordering;

use greenroom_cache::{CacheStatus, CacheStatusReason, LoadErrorKind};
use greenroom_dialect::classification as classified;
use http::{Response, StatusCode};
use http_body::Body as _;

use crate::identity::Identity;
use crate::otlp::traceparent::TraceParent;
use crate::proxy_request::ProxyRequest;
use crate::record::minute_bucket::RequestSource;
use crate::record::{CacheResult, Decision, DecisionOutcome, DecisionReason, RequestCategory};
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_origin::body::Body;

/// Log target that selects these lines.
const TARGET: &str = "greenroom::decision";

/// Marks a response made by Greenroom on the pass-through path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GeneratedResponse {
    /// An error.
    Error,
    /// Offline response, made without asking the server.
    WhileOffline,
    /// Offline response, made after the server failed to answer.
    AfterFailure,
}

/// Request data known before the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestStart {
    /// Start time.
    pub(super) started_us: u64,
    /// Parent of the request's span.
    pub(super) parent: Option<TraceParent>,
}

/// Name the dialects give to a write that is in no table.
const UNKNOWN_WRITE: &str = "unknown";
/// Status recorded when the client left without a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A request without a response yet. If the client disconnects first, nothing continues the request: the drop records
/// that.
#[derive(Debug)]
pub(super) struct InFlightRequest<'a> {
    server: &'a Server,
    classified: &'a ClassifiedRequest,
    start: RequestStart,
    is_answered: bool,
}

impl<'a> InFlightRequest<'a> {
    pub(super) fn new(server: &'a Server, meaning: &'a ClassifiedRequest, asked: RequestStart) -> Self {
        Self { server, classified: meaning, start: asked, is_answered: false }
    }

    /// Records the response.
    pub(super) fn finish(mut self, response: &mut Response<Body>, outcome: DecisionOutcome) {
        let ours = response.extensions_mut().remove::<GeneratedResponse>();
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        self.record(final_outcome(outcome, ours), response.status().as_u16(), bytes);
    }

    /// Records the result of an internal read, which counts as a request of the app that caused it.
    pub(super) fn finish_internal(mut self, outcome: DecisionOutcome, status: StatusCode, bytes: u64) {
        self.record(outcome, status.as_u16(), bytes);
    }

    fn record(&mut self, outcome: DecisionOutcome, status: u16, bytes: u64) {
        self.is_answered = true;
        let Self { server, classified: meaning, start: asked, .. } = *self;
        let now_us = server.origin.clock.now_us();
        let decision = Decision {
            at_ms: server.origin.clock.wall_us(now_us) / 1000,
            category: RequestCategory::from_classification(&meaning.classification),
            app: meaning.app.clone(),
            user: meaning.user.filter(|_| meaning.identity.is_member()),
            request_hash: meaning.request_hash,
            outcome,
            status,
            elapsed_us: now_us.saturating_sub(asked.started_us),
            bytes,
        };
        log(server, &decision);
        server.recorders.otlp.record(&server.origin, &decision, asked.parent);
        if let Some(user) = decision.user {
            server.recorders.requests.attribute_reached(user, meaning.identity.drain_unattributed(), decision.at_ms);
        }
        server.recorders.requests.record(decision);
    }
}

impl Drop for InFlightRequest<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.record(DecisionOutcome::new(CacheResult::Failed, DecisionReason::Left), CLIENT_CLOSED_REQUEST, 0);
        }
    }
}

/// Applies what this response status says about the token, before the request is counted.
pub(super) fn record_auth_status(server: &Server, meaning: &ClassifiedRequest, status: StatusCode) {
    if !meaning.needs_token || status.as_u16() >= 400 {
        return;
    }
    meaning.app.authorized.fetch_add(1, Ordering::Relaxed);
    // Some pass-through responses are given to any token, and so are redirects.
    let is_given = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if is_given && is_for_users_only(&meaning.classification) {
        meaning.identity.mark_member();
    }
    if meaning.identity.is_member() {
        admit_app(server, meaning);
    }
}

/// Whether the server gives this response to valid tokens only. Unknown for paths in no table (a plugin's own, say):
/// success of such a write proves nothing.
fn is_for_users_only(verdict: &classified::Classification) -> bool {
    match verdict {
        classified::Classification::Read(_) => true,
        classified::Classification::Write(write) => write.name != UNKNOWN_WRITE,
        classified::Classification::Stream(_) | classified::Classification::Refuse(_) => false,
    }
}

/// Counts this app under its own name from now on.
pub(super) fn admit_app(server: &Server, meaning: &ClassifiedRequest) {
    let called = meaning.client_name.as_deref();
    if server.apps.mark_authorized(&meaning.app, called) {
        let name = called.unwrap_or(&meaning.app.name);
        tracing::info!(server = server.name(), app = name, "first request of an app");
    }
}

/// Records that a client's request reaches the server.
pub(super) fn record_reached(visit: &ProxyRequest) {
    let cause = RequestSource {
        category: RequestCategory::from_classification(&visit.classification),
        app: &visit.app,
        user: visit.user,
    };
    record_reached_by(&visit.server, &visit.identity, cause);
}

/// Like [`record_reached`], for this identity. Until its token is known to be valid, the request stays unattributed to
/// a user.
pub(super) fn record_reached_by(server: &Server, identity: &Identity, cause: RequestSource<'_>) {
    let is_member = identity.is_member();
    if !is_member && cause.user.is_some() {
        identity.add_unattributed();
    }
    let cause = RequestSource { user: cause.user.filter(|_| is_member), ..cause };
    server.recorders.requests.record_reached(cause, server.origin.clock.now_ms());
}

/// Whether the response was served without asking the server.
pub(crate) fn is_saved(served: CacheStatus, reason: Option<CacheStatusReason>) -> bool {
    match served {
        CacheStatus::Hit | CacheStatus::Stale | CacheStatus::Joined => true,
        CacheStatus::StaleOnError => {
            matches!(reason, Some(CacheStatusReason::FailedRecently(_) | CacheStatusReason::Offline))
        }
        CacheStatus::Loaded | CacheStatus::Refreshed => false,
    }
}

/// Counts responses that were served without asking the server.
pub(crate) fn record_saved(visit: &ProxyRequest, served: CacheStatus, reason: Option<CacheStatusReason>) {
    if is_saved(served, reason) {
        visit.server.counters.saved.fetch_add(1, Ordering::Relaxed);
        visit.app.saved.fetch_add(1, Ordering::Relaxed);
        if visit.needs_token {
            visit.app.authorized_saved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A request that was to pass but got a response of Greenroom's own did not pass.
fn final_outcome(outcome: DecisionOutcome, ours: Option<GeneratedResponse>) -> DecisionOutcome {
    let stood_in = |reason| DecisionOutcome::new(CacheResult::StaleOnError, DecisionReason::Cache(reason));
    match (outcome.result, ours) {
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::Error)) => {
            DecisionOutcome::new(CacheResult::Failed, DecisionReason::Unanswered)
        }
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::WhileOffline)) => {
            DecisionOutcome { is_saved: true, ..stood_in(CacheStatusReason::Offline) }
        }
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::AfterFailure)) => {
            stood_in(CacheStatusReason::Failed(LoadErrorKind::Unreachable))
        }
        _ => outcome,
    }
}

fn log(server: &Server, decision: &Decision) {
    tracing::debug!(
        target: TARGET,
        server = server.name(),
        class = decision.category.name(),
        app = decision.app.name,
        user = decision.user.map(tracing::field::display),
        verdict = decision.outcome.result.name(),
        reason = decision.outcome.reason.map(DecisionReason::name),
        status = decision.status,
        age_s = decision.outcome.age_ms.map(|age_ms| age_ms / 1000),
        elapsed_us = decision.elapsed_us,
        bytes = decision.bytes,
        "decided"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PassReason;

    #[test]
    fn what_we_answer_in_the_servers_place_did_not_pass() {
        for passed in [
            DecisionOutcome::new(CacheResult::Passed, DecisionReason::Passed(PassReason::Media)),
            DecisionOutcome::new(CacheResult::Write, DecisionReason::Passed(PassReason::Write)),
        ] {
            let as_is = |ours| {
                let DecisionOutcome { result: verdict, reason: why, is_saved, .. } = final_outcome(passed, ours);
                (verdict, why.map(DecisionReason::name), is_saved)
            };
            assert_eq!(final_outcome(passed, None), passed);
            assert_eq!(as_is(Some(GeneratedResponse::Error)), (CacheResult::Failed, Some("unanswered"), false));
            let absent = (CacheResult::StaleOnError, Some("offline"), true);
            assert_eq!(as_is(Some(GeneratedResponse::WhileOffline)), absent);
            assert_eq!(
                as_is(Some(GeneratedResponse::AfterFailure)),
                (CacheResult::StaleOnError, Some("unreachable"), false)
            );
        }
        let refused = DecisionOutcome::new(CacheResult::Refused, DecisionReason::NoToken);
        assert_eq!(final_outcome(refused, Some(GeneratedResponse::Error)), refused);
    }
}
