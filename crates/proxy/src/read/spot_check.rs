//! Makes spot checks after hits: see [`crate::shadow::spot_checks`]. No client waits for one, and it changes no entry;
//! only a rejected token is revoked, as everywhere.

use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
use crate::read::refusal;
use crate::request::base_path::target_from_uri;
use crate::response::CacheHitDetails;
use crate::shadow::comparison::PredictedResponse;
use crate::shadow::spot_checks::{OriginResponse, SpotCheckDecision, SpotCheckResult, classify};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_request_log::RequestCategory;

/// Headers that request less than the whole response.
const CONDITIONS: [HeaderName; 6] = [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Checks this response if a spot check is due.
pub(super) fn schedule(
    request: &ProxyRequest,
    read: &Arc<Read>,
    entry: &Arc<Entry>,
    hit: CacheHitDetails,
    parts: &request::Parts,
) {
    if !matches!(hit.served, CacheStatus::Hit | CacheStatus::Stale) || parts.method != Method::GET {
        return;
    }
    let age_ms = millis(hit.age);
    match request.server.recorders.spot_checks.decide(
        read.class,
        Duration::from_millis(age_ms),
        request.server.origin.clock.now(),
    ) {
        SpotCheckDecision::No => {}
        SpotCheckDecision::TooMany => record_result(request, read, SpotCheckResult::Skipped),
        SpotCheckDecision::Now => {
            let policy = request.server.policy(read, &request.classified.identity);
            let check = SpotCheck {
                target: target_from_uri(&request.server.origin.settings, &parts.uri),
                headers: forward::headers_for_server(request, &parts.headers),
                served: PredictedResponse {
                    class: read.class,
                    body: Some(entry.body().clone()),
                    is_same_request: true,
                    is_in_time: hit.age <= policy.fresh + policy.stale,
                },
                read: Arc::clone(read),
                request: request.clone(),
            };
            request.server.origin.tasks.spawn(check.run());
        }
    }
}

/// One response to check.
struct SpotCheck {
    request: ProxyRequest,
    read: Arc<Read>,
    served: PredictedResponse,
    /// The client's own target.
    target: String,
    headers: HeaderMap,
}

impl SpotCheck {
    async fn run(self) {
        let result = self.check().await.unwrap_or(SpotCheckResult::Skipped);
        let Self { request, read, .. } = &self;
        if result == SpotCheckResult::Wrong {
            tracing::warn!(
                server = request.server.name(),
                class = read.class.name(),
                app = request.classified.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cached response differs from the server's, and nothing explains it"
            );
        }
        record_result(request, read, result);
    }

    async fn check(&self) -> Option<SpotCheckResult> {
        let Self { request, read, served, .. } = self;
        let server = &request.server;
        let queue_request = QueueRequest::background(Some(&request.classified.app), read.class);
        // Only with a spare permit, so that no request waits for it.
        let _permit = server.origin.queue.try_acquire_spare(&queue_request)?;
        let first_response = self.collect_response(self.send_client_request().await?).await?;
        let first_result = classify(served, &first_response, None);
        if first_result != SpotCheckResult::Changed || first_response.status != StatusCode::OK {
            return Some(first_result);
        }
        let second_response = self.collect_response(self.send_load_request().await?).await?;
        Some(classify(served, &first_response, Some(&second_response)))
    }

    /// Sends the client's own request, but for the whole, uncompressed response.
    async fn send_client_request(&self) -> Option<Response<Incoming>> {
        let server = &self.request.server;
        let mut upstream_request =
            Request::builder().uri(self.request.uri(&self.target).ok()?).body(Body::empty()).ok()?;
        let headers = upstream_request.headers_mut();
        headers.clone_from(&self.headers);
        for condition in CONDITIONS {
            headers.remove(condition);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !self.may_send() {
            return None;
        }
        let sending = server.origin.send(upstream_request, UpstreamRequestKind::Read, breaker::key_of(&self.read.key));
        server.origin.clock.timeout(server.origin.settings.load_timeout, sending).await.ok()?.ok()
    }

    /// Sends the request that a load would send.
    async fn send_load_request(&self) -> Option<Response<Incoming>> {
        if !self.may_send() {
            return None;
        }
        let server = &self.request.server;
        let loader = loader(&self.request, &self.read);
        let is_timeout_handled = AtomicBool::new(false);
        let sending = loader.send(&is_timeout_handled);
        server.origin.clock.timeout(server.origin.settings.load_timeout, sending).await.ok()?.ok()
    }

    /// Whether a request may be sent; counts it as an own request.
    fn may_send(&self) -> bool {
        let server = &self.request.server;
        let may = server.origin.breaker.allows_requests() && !self.request.classified.identity.is_refused();
        if may {
            server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    async fn collect_response(&self, response: Response<Incoming>) -> Option<OriginResponse> {
        let server = &self.request.server;
        let status = response.status();
        // A rejected token is revoked, whatever the reason of the request. Only cached responses are compared.
        refusal::apply_refusal(
            server,
            &self.request.classified.identity,
            &self.read,
            (status, response.headers()),
            true,
        );
        let body = collect(response.into_body(), server.origin.settings.max_body_bytes);
        match server.origin.clock.timeout(server.origin.settings.load_timeout, body).await {
            Ok(CollectedBody::Whole(body)) => Some(OriginResponse { status, body }),
            _ => None,
        }
    }
}

fn record_result(request: &ProxyRequest, read: &Read, result: SpotCheckResult) {
    request.server.recorders.spot_checks.record(result);
    let now_ms = request.server.origin.clock.now();
    request.server.recorders.requests.record_count(RequestCategory::Read(read.class), result.counter(), 1, now_ms);
}
