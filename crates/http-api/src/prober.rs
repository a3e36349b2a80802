//! Probes of a suspected server: one request for the configured path, when the breaker says that it is due.

use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_origin::body::Body;
use greenroom_origin::breaker::{ProbeTransition, key_of};
use greenroom_origin::client::UpstreamRequestKind;
use http::{Request, StatusCode};

use crate::api_server::ApiServer;

/// Timeout of a probe.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Probes the server whenever the breaker requests it, until the server is stopped.
pub(crate) async fn run(server: &ApiServer) {
    tokio::select! {
        () = server.stop.cancelled() => {}
        () = probe_when_due(server) => {}
    }
}

async fn probe_when_due(server: &ApiServer) {
    let (breaker, clock) = (&server.upstream.breaker, &server.clock);
    loop {
        let Some(due_ms) = breaker.probe_due_ms() else {
            breaker.probe_wanted().await;
            continue;
        };
        let wait_ms = due_ms.saturating_sub(Duration::from_millis(clock.now().as_millis()));
        if wait_ms > Timestamp::UNIX_EPOCH {
            clock.sleep(Duration::from_millis(wait_ms.as_millis())).await;
            continue;
        }
        let now_ms = clock.now();
        breaker.begin_probe(now_ms, key_of(server.name()) ^ key_of(&now_ms.as_millis().to_string()));
        let is_up = clock.timeout(TIMEOUT, is_up(server)).await.unwrap_or(false);
        match breaker.probed(is_up, clock.now()) {
            (_, ProbeTransition::None) => {}
            (_, ProbeTransition::Opened) => {
                breaker.open();
                tracing::warn!(server = server.name(), "the server is down; reads are answered from the cache");
            }
            (before, ProbeTransition::Closed) => {
                breaker.close(before, clock).await;
                tracing::info!(server = server.name(), "the server is up again");
            }
        }
        breaker.publish_probe();
    }
}

async fn is_up(server: &ApiServer) -> bool {
    let Ok(uri) = server.upstream.client.uri(&server.settings.probe) else { return false };
    let Ok(request) = Request::builder().uri(uri).body(Body::empty()) else { return false };
    server.recorder.record_own(1, server.clock.now());
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.upstream.client.send(request, UpstreamRequestKind::Write).await;
    let is_up = response.is_ok_and(|response| response.status() < StatusCode::INTERNAL_SERVER_ERROR);
    if is_up {
        // Else it would be shown as down until an app's next read.
        server.counters.last_success_ms.store(server.clock.now(), Ordering::Relaxed);
    }
    is_up
}
