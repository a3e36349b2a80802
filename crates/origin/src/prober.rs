//! Probes of a suspected server: one cheap request without a token, on a new connection, sent when the breaker says it
//! is due.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::server_identity::{IdentityProbeResponse, ServerIdentity, identify_server};
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};

use crate::body::{Body, CollectedBody, collect};
use crate::breaker::{Outage, ProbeTransition, key_of};
use crate::client::UpstreamRequestKind;
use crate::origin::Origin;
use crate::system_event::SystemEvent;

/// Timeout of a probe. Longer than any response of a slow server: slow is not down.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Max bytes of a response.
const MAX_BYTES: u64 = 64 * 1024;

/// Probes the server whenever the breaker requests it, until the server is stopped.
pub async fn run(server: Arc<Origin>) {
    let stop = server.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = probe_when_due(&server) => {}
    }
}

async fn probe_when_due(server: &Origin) {
    let breaker = &server.breaker;
    loop {
        let Some(due_ms) = breaker.probe_due_ms() else {
            breaker.probe_wanted().await;
            continue;
        };
        let wait_ms = due_ms.duration_since(server.clock.now());
        if wait_ms > Duration::ZERO {
            server.clock.sleep(wait_ms).await;
            continue;
        }
        let now_ms = server.clock.now();
        breaker.begin_probe(now_ms, jitter(server, now_ms));
        let is_up = is_up(server).await;
        let now_ms = server.clock.now();
        match breaker.probed(is_up, now_ms) {
            (_, ProbeTransition::None) => {}
            (_, ProbeTransition::Opened) => open(server),
            (before, ProbeTransition::Closed) => close(server, before, now_ms).await,
        }
        breaker.publish_probe();
    }
}

fn open(server: &Origin) {
    server.breaker.open();
    tracing::warn!(server = server.name(), "the media server is down; reads are answered from the cache");
    server.events.notify(&SystemEvent::ServerDown { server: server.name().to_owned() });
}

async fn close(server: &Origin, outage: Option<Outage>, now_ms: Timestamp) {
    server.breaker.close(outage, &server.clock).await;
    tracing::info!(server = server.name(), "the media server is up again");
    let after_ms = outage.map_or(Duration::ZERO, |outage| now_ms.duration_since(outage.since_ms));
    server.events.notify(&SystemEvent::ServerUp { server: server.name().to_owned(), after_ms });
}

/// A number that differs by server and time.
fn jitter(server: &Origin, now_ms: Timestamp) -> u64 {
    key_of(server.name()) ^ key_of(&now_ms.as_millis().to_string())
}

/// Whether the server answers the probe.
async fn is_up(server: &Origin) -> bool {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let is_up = server.clock.timeout(TIMEOUT, send_probe(server)).await.unwrap_or(false);
    if is_up {
        server.record_success();
    } else {
        server.record_failure();
    }
    is_up
}

async fn send_probe(server: &Origin) -> bool {
    let kind = server.settings.kind;
    let Ok(uri) = server.client.uri(kind.probe_path()) else { return false };
    let Ok(mut request) = Request::builder().uri(uri).body(Body::empty()) else { return false };
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_static(concat!("Greenroom/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    // A pooled connection may be dying with the server.
    let Ok(response) = server.client.send(request, UpstreamRequestKind::Write).await else { return false };
    let (head, body) = response.into_parts();
    let is_up_status = head.status < StatusCode::INTERNAL_SERVER_ERROR;
    match collect(body, MAX_BYTES).await {
        CollectedBody::Whole(body) => {
            if head.status == StatusCode::OK {
                server.record_identity(&body);
            }
            let response = IdentityProbeResponse { status: head.status.as_u16(), headers: &head.headers, body: &body };
            is_up_status && !matches!(identify_server(kind, &response), ServerIdentity::Starting { .. })
        }
        CollectedBody::TooLong(..) => is_up_status,
        CollectedBody::Broken(_) => false,
    }
}
