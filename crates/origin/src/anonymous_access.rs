//! Whether a Plex server lets its neighbours in without a token. Behind a gateway everybody looks like one, so
//! somebody should know.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::Class;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, StatusCode};

use crate::Origin;
use crate::body::Body;
use crate::breaker;
use crate::client::Lane;
use crate::scheduler::Errand;
use greenroom_state::warnings::{Severity, Warning};

/// How often it is asked again.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What nobody should be told without a token.
const ASKED_FOR: &str = "/library/sections";

/// What is said about a server that is open.
pub const OPEN: Warning = Warning {
    code: "server-answers-without-a-token",
    severity: Severity::Urgent,
    action: None,
    subject: None,
    text: Cow::Borrowed(
        "The server answers without a token. Greenroom still asks every app for one, but cannot say whether it is \
           a right one: the server takes whoever comes through here for a neighbour.",
    ),
    remedy: Cow::Borrowed(
        "Empty \"List of IP addresses and networks that are allowed without auth\" in the server's network \
             settings, or take this machine off it; claim the server if nobody has yet.",
    ),
};

/// Asks now and every hour, until the process stops. Only Plex trusts its neighbours with everything.
pub async fn watch(server: Arc<Origin>) {
    if server.settings.kind != Kind::Plex {
        return;
    }
    loop {
        check(&server).await;
        tokio::select! {
            () = server.stop.cancelled() => return,
            () = server.clock.sleep(EVERY) => {}
        }
    }
}

/// Asks once; a server that does not answer says nothing either way.
pub async fn check(server: &Origin) {
    match server.clock.timeout(PATIENCE, ask(server)).await.ok().flatten() {
        Some(StatusCode::OK) if server.warnings.raise(OPEN) => {
            tracing::warn!(server = server.name(), remedy = %OPEN.remedy, "{}", OPEN.text);
        }
        Some(status) if status.is_client_error() => server.warnings.lower(OPEN.code),
        _ => {}
    }
}

async fn ask(server: &Origin) -> Option<StatusCode> {
    let uri = server.client.uri(ASKED_FOR).ok()?;
    let mut request = Request::builder().uri(uri).body(Body::empty()).ok()?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // No rows are wanted, only the answer.
    headers.insert("x-plex-container-start", HeaderValue::from_static("0"));
    headers.insert("x-plex-container-size", HeaderValue::from_static("0"));
    if !server.breaker.admits() {
        return None;
    }
    let _place = server.queue.place(Errand::own(None, Class::Sections)).await.ok()?;
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.send(request, Lane::Read, breaker::key_of(ASKED_FOR)).await.ok()?;
    Some(response.status())
}
