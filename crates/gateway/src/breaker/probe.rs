//! The probe: one cheap question without a token, on a connection of its own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};

use crate::body::{Body, Collected, collect};
use crate::origin::Lane;
use crate::server::Server;

/// How long the server may take to answer. Longer than a slow server takes for anything: slow is not down.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer.
const MAX_BYTES: u64 = 64 * 1024;

/// Whether the server answers as one that can be asked.
pub(super) async fn is_well(server: &Server) -> bool {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let is_well = server.clock.timeout(PATIENCE, ask(server)).await.unwrap_or(false);
    if is_well {
        server.note_success();
    } else {
        server.note_failure();
    }
    is_well
}

async fn ask(server: &Server) -> bool {
    let kind = server.settings.kind;
    let Ok(uri) = server.origin.uri(kind.probe_path()) else { return false };
    let Ok(mut request) = Request::builder().uri(uri).body(Body::empty()) else { return false };
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_static(concat!("Greenroom/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    // A pooled connection may be dying with the server that made it.
    let Ok(response) = server.origin.send(request, Lane::Write).await else { return false };
    let answers = response.status() < StatusCode::INTERNAL_SERVER_ERROR;
    let is_whole = response.status() == StatusCode::OK;
    match collect(response.into_body(), MAX_BYTES).await {
        Collected::Whole(body) => {
            if is_whole {
                server.note_introduction(&body);
            }
            answers && !kind.is_starting(&body)
        }
        Collected::TooLong(..) => answers,
        Collected::Broken(_) => false,
    }
}
