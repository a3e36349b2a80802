//! Makes spot checks after hits: see [`crate::shadow::spot_checks`]. No client waits for one, and it changes no entry;
//! only a rejected token is revoked, as everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::{CacheStatus, Entry};
use greenroom_dialect::classification::Read;
use http::header::{
    ACCEPT_ENCODING, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::forward;
use crate::proxy_request::ProxyRequest;
use crate::read::loader;
use crate::read::origin_loader;
use crate::record::RequestCategory;
use crate::request::base_path::target_from_uri;
use crate::response::CacheHitDetails;
use crate::shadow::comparison::PredictedResponse;
use crate::shadow::spot_checks::{OriginResponse, SpotCheckDecision, SpotCheckResult, classify};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;

/// Headers that request less than the whole response.
const CONDITIONS: [HeaderName; 6] = [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Checks this response if a spot check is due.
pub(super) fn schedule(
    visit: &ProxyRequest,
    read: &Arc<Read>,
    entry: &Arc<Entry>,
    history: CacheHitDetails,
    parts: &request::Parts,
) {
    if !matches!(history.served, CacheStatus::Hit | CacheStatus::Stale) || parts.method != Method::GET {
        return;
    }
    let age_ms = u64::try_from(history.age.as_millis()).unwrap_or(u64::MAX);
    match visit.server.recorders.spot_checks.decide(read.class, age_ms, visit.server.origin.clock.now_ms()) {
        SpotCheckDecision::No => {}
        SpotCheckDecision::TooMany => record_result(visit, read, SpotCheckResult::Skipped),
        SpotCheckDecision::Now => {
            let policy = visit.server.policy(read, &visit.identity);
            let check = SpotCheck {
                target: target_from_uri(&visit.server.origin.settings, &parts.uri),
                headers: forward::headers_for_server(visit, &parts.headers),
                served: PredictedResponse {
                    class: read.class,
                    body: Some(entry.body().clone()),
                    is_same_request: true,
                    is_in_time: history.age <= policy.fresh + policy.stale,
                },
                read: Arc::clone(read),
                visit: visit.clone(),
            };
            visit.server.origin.tasks.spawn(check.run());
        }
    }
}

/// One response to check.
struct SpotCheck {
    visit: ProxyRequest,
    read: Arc<Read>,
    served: PredictedResponse,
    /// The client's own target.
    target: String,
    headers: HeaderMap,
}

impl SpotCheck {
    async fn run(self) {
        let finding = self.find().await.unwrap_or(SpotCheckResult::Skipped);
        let Self { visit, read, .. } = &self;
        if finding == SpotCheckResult::Wrong {
            tracing::warn!(
                server = visit.server.name(),
                class = read.class.name(),
                app = visit.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cache answered otherwise than the server, and nothing explains it"
            );
        }
        record_result(visit, read, finding);
    }

    async fn find(&self) -> Option<SpotCheckResult> {
        let Self { visit, read, served, .. } = self;
        let server = &visit.server;
        let errand = QueueRequest::background(Some(&visit.app), read.class);
        // Only with a spare permit, so that no request waits for it.
        let _place = server.origin.queue.try_acquire_spare(&errand)?;
        let said = self.collected(self.in_its_own_words().await?).await?;
        let first = classify(served, &said, None);
        if first != SpotCheckResult::Changed || said.status != StatusCode::OK {
            return Some(first);
        }
        let again = self.in_our_words().await?;
        let again = self.collected(again).await?;
        Some(classify(served, &said, Some(&again)))
    }

    /// Sends the client's own request, but for the whole, uncompressed response.
    async fn in_its_own_words(&self) -> Option<Response<Incoming>> {
        let server = &self.visit.server;
        let mut request = Request::builder().uri(self.visit.uri(&self.target).ok()?).body(Body::empty()).ok()?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        for condition in CONDITIONS {
            headers.remove(condition);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !self.may_ask() {
            return None;
        }
        let sending = server.origin.send(request, UpstreamRequestKind::Read, breaker::key_of(&self.read.key));
        server.origin.clock.timeout(server.origin.settings.load_timeout, sending).await.ok()?.ok()
    }

    /// Sends the request that a load would send.
    async fn in_our_words(&self) -> Option<Response<Incoming>> {
        if !self.may_ask() {
            return None;
        }
        let loader = loader(&self.visit, &self.read);
        let is_told = AtomicBool::new(false);
        let asking = loader.ask(&is_told);
        self.visit.server.origin.clock.timeout(self.visit.server.origin.settings.load_timeout, asking).await.ok()?.ok()
    }

    /// Whether a request may be sent; counts it as an own request.
    fn may_ask(&self) -> bool {
        let server = &self.visit.server;
        let may = server.origin.breaker.allows_requests() && !self.visit.identity.is_refused();
        if may {
            server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    async fn collected(&self, response: Response<Incoming>) -> Option<OriginResponse> {
        let server = &self.visit.server;
        let status = response.status();
        // A rejected token is revoked, whatever the reason of the request.
        origin_loader::apply_refusal(server, &self.visit.identity, &self.read, status);
        let body = collect(response.into_body(), server.origin.settings.max_body_bytes);
        match server.origin.clock.timeout(server.origin.settings.load_timeout, body).await {
            Ok(CollectedBody::Whole(body)) => Some(OriginResponse { status, body }),
            _ => None,
        }
    }
}

fn record_result(visit: &ProxyRequest, read: &Read, finding: SpotCheckResult) {
    visit.server.recorders.spot_checks.record(finding);
    let now_ms = visit.server.origin.clock.now_ms();
    visit.server.recorders.requests.record_count(RequestCategory::Read(read.class), finding.counter(), 1, now_ms);
}
