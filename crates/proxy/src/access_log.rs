//! Records each request when its response is known: in the statistics, as a log line
//! (`GREENROOM_LOG=greenroom::decision=debug`), and as a span for a trace collector.

use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;

use greenroom_cache::{CacheStatus, CacheStatusReason, LoadErrorKind};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Classification;
use http::{Response, StatusCode};
use http_body::Body as _;

use crate::identity::Identity;
use crate::otlp::traceparent::TraceParent;
use crate::proxy_request::ProxyRequest;
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_origin::body::Body;
use greenroom_request_log::minute_bucket::RequestSource;
use greenroom_request_log::{CacheResult, Decision, DecisionOutcome, DecisionReason, RequestCategory};

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
    pub(super) fn new(server: &'a Server, classified: &'a ClassifiedRequest, start: RequestStart) -> Self {
        Self { server, classified, start, is_answered: false }
    }

    /// Records the response.
    pub(super) fn finish(mut self, response: &mut Response<Body>, outcome: DecisionOutcome) {
        let generated = response.extensions_mut().remove::<GeneratedResponse>();
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        self.record(final_outcome(outcome, generated), response.status().as_u16(), bytes);
    }

    /// Records the result of an internal read, which counts as a request of the app that caused it.
    pub(super) fn finish_internal(mut self, outcome: DecisionOutcome, status: StatusCode, bytes: u64) {
        self.record(outcome, status.as_u16(), bytes);
    }

    fn record(&mut self, outcome: DecisionOutcome, status: u16, bytes: u64) {
        self.is_answered = true;
        let Self { server, classified, start, .. } = *self;
        let now_us = server.origin.clock.now_us();
        let decision = Decision {
            at_ms: Timestamp::from_millis(server.origin.clock.wall_us(now_us) / 1000),
            category: RequestCategory::from_classification(&classified.classification),
            app: classified.app.clone(),
            user: classified.user.filter(|_| classified.identity.is_member()),
            request_hash: classified.request_hash,
            outcome,
            status,
            elapsed_us: now_us.saturating_sub(start.started_us),
            bytes,
        };
        decision.log(server.name());
        server.recorders.otlp.record(&server.origin, &decision, start.parent);
        if let Some(user) = decision.user {
            server.recorders.requests.attribute_reached(user, classified.identity.drain_unattributed(), decision.at_ms);
        }
        // Own requests are in no row of the statistics.
        if !server.is_own_app(&classified.app) {
            server.recorders.requests.record(decision);
        }
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
pub(super) fn record_auth_status(server: &Server, classified: &ClassifiedRequest, status: StatusCode) {
    if !classified.needs_token || status.as_u16() >= 400 {
        return;
    }
    classified.app.authorized.fetch_add(1, Ordering::Relaxed);
    // Some pass-through responses are given to any token, and so are redirects.
    let is_success = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if is_success && is_for_users_only(&classified.classification) {
        classified.identity.mark_member();
    }
    if classified.identity.is_member() {
        admit_app(server, classified);
    }
}

/// Whether the server gives this response to valid tokens only. Unknown for paths in no table (a plugin's own, say):
/// success of such a write proves nothing.
fn is_for_users_only(classification: &Classification) -> bool {
    match classification {
        Classification::Read(_) => true,
        Classification::Write(write) => write.name != UNKNOWN_WRITE,
        Classification::Stream(_) | Classification::Refuse(_) => false,
    }
}

/// Counts this app under its own name from now on.
pub(super) fn admit_app(server: &Server, classified: &ClassifiedRequest) {
    let client_name = classified.client_name.as_deref();
    if server.apps.mark_authorized(&classified.app, client_name) {
        let name = client_name.unwrap_or(&classified.app.name);
        tracing::info!(server = server.name(), app = name, "first request of an app");
    }
}

/// Records that a client's request reaches the server.
pub(super) fn record_reached(request: &ProxyRequest) {
    let source = RequestSource {
        category: RequestCategory::from_classification(&request.classified.classification),
        app: &request.classified.app,
        user: request.classified.user,
    };
    record_reached_by(&request.server, &request.classified.identity, source);
}

/// Like [`record_reached`], for this identity. Until its token is known to be valid, the request stays unattributed to
/// a user.
pub(super) fn record_reached_by(server: &Server, identity: &Identity, source: RequestSource<'_>) {
    if server.is_own_app(source.app) {
        server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let is_member = identity.is_member();
    if !is_member && source.user.is_some() {
        identity.add_unattributed();
    }
    let source = RequestSource { user: source.user.filter(|_| is_member), ..source };
    server.recorders.requests.record_reached(source, server.origin.clock.now());
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

/// Whether responses to this request depend on the library: only such reads are worth asking the server what changed.
fn is_followed(classification: &Classification) -> bool {
    let Classification::Read(read) = classification else { return false };
    !matches!(read.class, Class::Sessions | Class::Activities | Class::Identity | Class::Images | Class::Assets)
}

/// Counts responses that were served without asking the server.
pub(crate) fn record_saved(request: &ProxyRequest, served: CacheStatus, reason: Option<CacheStatusReason>) {
    if is_saved(served, reason) {
        record_saved_by(&request.server, &request.classified);
    }
}

/// Counts a response that was served without asking the server.
pub(crate) fn record_saved_by(server: &Server, classified: &ClassifiedRequest) {
    if server.is_own_app(&classified.app) {
        return;
    }
    server.counters.saved.fetch_add(1, Ordering::Relaxed);
    classified.app.saved.fetch_add(1, Ordering::Relaxed);
    if classified.needs_token {
        classified.app.authorized_saved.fetch_add(1, Ordering::Relaxed);
    }
    if is_followed(&classified.classification) {
        server.feed.pulse.record_read(&classified.credential, &classified.identity);
    }
}

/// Corrects the result of a pass-through request that got a response of Greenroom's own.
fn final_outcome(outcome: DecisionOutcome, generated: Option<GeneratedResponse>) -> DecisionOutcome {
    let stale_on_error = |reason| DecisionOutcome::new(CacheResult::StaleOnError, DecisionReason::Cache(reason));
    match (outcome.result, generated) {
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::Error)) => {
            DecisionOutcome::new(CacheResult::Failed, DecisionReason::Unanswered)
        }
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::WhileOffline)) => {
            DecisionOutcome { is_saved: true, ..stale_on_error(CacheStatusReason::Offline) }
        }
        (CacheResult::Passed | CacheResult::Write, Some(GeneratedResponse::AfterFailure)) => {
            stale_on_error(CacheStatusReason::Failed(LoadErrorKind::Unreachable))
        }
        _ => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_request_log::PassReason;

    #[test]
    fn a_response_of_the_gateway_does_not_count_as_passed() {
        for pass_through in [
            DecisionOutcome::new(CacheResult::Passed, DecisionReason::Passed(PassReason::Media)),
            DecisionOutcome::new(CacheResult::Write, DecisionReason::Passed(PassReason::Write)),
        ] {
            let summary = |generated| {
                let DecisionOutcome { result, reason, is_saved, .. } = final_outcome(pass_through, generated);
                (result, reason.map(DecisionReason::name), is_saved)
            };
            assert_eq!(final_outcome(pass_through, None), pass_through);
            assert_eq!(summary(Some(GeneratedResponse::Error)), (CacheResult::Failed, Some("unanswered"), false));
            let offline = (CacheResult::StaleOnError, Some("offline"), true);
            assert_eq!(summary(Some(GeneratedResponse::WhileOffline)), offline);
            assert_eq!(
                summary(Some(GeneratedResponse::AfterFailure)),
                (CacheResult::StaleOnError, Some("unreachable"), false)
            );
        }
        let rejected = DecisionOutcome::new(CacheResult::Refused, DecisionReason::NoToken);
        assert_eq!(final_outcome(rejected, Some(GeneratedResponse::Error)), rejected);
    }
}
