//! The probe: one cheap question without a token, on a connection of its own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::server_identity::{Answer, ServerIdentity, recognise};
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};

use crate::Origin;
use crate::body::{Body, Collected, collect};
use crate::client::Lane;

/// How long the server may take to answer. Longer than a slow server takes for anything: slow is not down.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer.
const MAX_BYTES: u64 = 64 * 1024;

/// Whether the server answers as one that can be asked.
pub(super) async fn is_well(server: &Origin) -> bool {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let is_well = server.clock.timeout(PATIENCE, ask(server)).await.unwrap_or(false);
    if is_well {
        server.note_success();
    } else {
        server.note_failure();
    }
    is_well
}

async fn ask(server: &Origin) -> bool {
    let kind = server.settings.kind;
    let Ok(uri) = server.client.uri(kind.probe_path()) else { return false };
    let Ok(mut request) = Request::builder().uri(uri).body(Body::empty()) else { return false };
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_static(concat!("Greenroom/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    // A pooled connection may be dying with the server that made it.
    let Ok(response) = server.client.send(request, Lane::Write).await else { return false };
    let (head, incoming) = response.into_parts();
    let answers = head.status < StatusCode::INTERNAL_SERVER_ERROR;
    match collect(incoming, MAX_BYTES).await {
        Collected::Whole(body) => {
            if head.status == StatusCode::OK {
                server.note_introduction(&body);
            }
            let answer = Answer { status: head.status.as_u16(), headers: &head.headers, body: &body };
            answers && !matches!(recognise(kind, &answer), ServerIdentity::Starting { .. })
        }
        Collected::TooLong(..) => answers,
        Collected::Broken(_) => false,
    }
}
