//! Checks whether a Plex server answers its local network without a token. Behind a gateway every client seems local,
//! so the user is warned.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::request::ServerKind;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, StatusCode};

use crate::body::Body;
use crate::breaker;
use crate::client::UpstreamRequestKind;
use crate::origin::Origin;
use crate::scheduler::QueueRequest;
use greenroom_state::warnings::{Severity, Warning};

/// Interval of checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Timeout of a check.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A path that must not be readable without a token.
const PROBE_TARGET: &str = "/library/sections";

/// The warning about an open server.
pub const OPEN: Warning = Warning {
    code: "server-answers-without-a-token",
    severity: Severity::Urgent,
    action: None,
    subject: None,
    text: Cow::Borrowed(
        "Anonymous access: the media server accepts requests without a token. Greenroom still demands one from every app but cannot \
         check it, because the server treats all requests from Greenroom as local.",
    ),
    remedy: Cow::Borrowed(
        "Empty \"List of IP addresses and networks that are allowed without auth\" in the server's network \
             settings, or remove this machine from it; claim the server if it is unclaimed.",
    ),
};

/// Checks now and every hour until the process stops. Only Plex gives local clients full access.
pub async fn watch(server: Arc<Origin>) {
    if server.settings.kind != ServerKind::Plex {
        return;
    }
    loop {
        check(&server).await;
        tokio::select! {
            () = server.stop.cancelled() => return,
            () = server.clock.sleep(CHECK_INTERVAL) => {}
        }
    }
}

/// Checks once; no response leaves the result as it was.
pub async fn check(server: &Origin) {
    match server.clock.timeout(TIMEOUT, probe(server)).await.ok().flatten() {
        Some(StatusCode::OK) if server.warnings.raise(OPEN) => {
            tracing::warn!(server = server.name(), remedy = %OPEN.remedy, "{}", OPEN.text);
        }
        Some(status) if status.is_client_error() => server.warnings.lower(OPEN.code),
        _ => {}
    }
}

async fn probe(server: &Origin) -> Option<StatusCode> {
    let uri = server.client.uri(PROBE_TARGET).ok()?;
    let mut request = Request::builder().uri(uri).body(Body::empty()).ok()?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Only the status matters, so no rows are requested.
    headers.insert("x-plex-container-start", HeaderValue::from_static("0"));
    headers.insert("x-plex-container-size", HeaderValue::from_static("0"));
    if !server.breaker.allows_requests() {
        return None;
    }
    let _permit = server.queue.acquire(QueueRequest::background(None, Class::Sections)).await.ok()?;
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.send(request, UpstreamRequestKind::Read, breaker::key_of(PROBE_TARGET)).await.ok()?;
    Some(response.status())
}
