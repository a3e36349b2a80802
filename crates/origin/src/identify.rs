//! Who answers at the configured address: asked once at start, so that a wrong address is seen at once, and by the page.
//! What the answers say is judged by [`server_identity`](greenroom_dialect::server_identity).

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::server_identity::{Answer, Inquiry, ServerIdentity, inquire, recognise};
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Request};

use crate::Origin;
use crate::body::{Body, Collected, collect};
use crate::client::{Lane, NoResponse};

/// How long the server may take to say who it is, and again for all further questions.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_BYTES: u64 = 256 * 1024;

/// What was found at the configured address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Something answers: this.
    Answered(ServerIdentity),
    /// Something is there whose certificate is not believed; why, and what to do.
    Distrusted(String),
    /// Nothing answers; why.
    Silent(String),
}

/// A response, whole.
struct Whole {
    status: u16,
    headers: HeaderMap,
    body: bytes::Bytes,
}

/// Asks the server who it is.
pub async fn greet(server: &Origin) -> Greeting {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let kind = server.settings.kind;
    let first = match server.clock.timeout(PATIENCE, ask(server, kind.identity_path())).await {
        Ok(Ok(first)) => first,
        Ok(Err(none)) => {
            server.note_failure();
            return if none.is_distrusted {
                Greeting::Distrusted(none.message)
            } else {
                Greeting::Silent(none.message)
            };
        }
        Err(_) => {
            server.note_failure();
            return Greeting::Silent(format!("no answer within {} s", PATIENCE.as_secs()));
        }
    };
    let mut heard = vec![first.recognised(server)];
    // What answers only half of the questions is judged by that half.
    drop(server.clock.timeout(PATIENCE, ask_further(server, &mut heard)).await);
    let identity = match inquire(kind, &heard) {
        Inquiry::Known(identity) => identity,
        Inquiry::Ask(_) => heard.swap_remove(0),
    };
    if let Some(found) = identity.expected() {
        server.note_success();
        server.note_introduction(&first.body);
        server.note_version(&found.version);
    }
    server.refuse_as_emby(matches!(identity, ServerIdentity::Emby { .. }));
    Greeting::Answered(identity)
}

/// Asks what is still to be asked, as long as there are answers.
async fn ask_further(server: &Origin, heard: &mut Vec<ServerIdentity>) {
    while let Inquiry::Ask(path) = inquire(server.settings.kind, heard) {
        let Ok(answer) = ask(server, path).await else { return };
        heard.push(answer.recognised(server));
    }
}

impl Whole {
    fn recognised(&self, server: &Origin) -> ServerIdentity {
        let answer = Answer { status: self.status, headers: &self.headers, body: &self.body };
        recognise(server.settings.kind, &answer)
    }
}

async fn ask(server: &Origin, path: &str) -> Result<Whole, NoResponse> {
    let uri = server.client.uri(path).map_err(|error| NoResponse::because(&error))?;
    let mut request =
        Request::builder().uri(uri).body(Body::empty()).map_err(|error| NoResponse::because(&error))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let (head, incoming) = server.client.send(request, Lane::Read).await?.into_parts();
    let body = match collect(incoming, MAX_BYTES).await {
        Collected::Whole(body) => body,
        // No server says so much of itself: the beginning tells what it is.
        Collected::TooLong(read, _) => read.into_iter().next().unwrap_or_default(),
        Collected::Broken(error) => return Err(NoResponse::because(&error)),
    };
    Ok(Whole { status: head.status.as_u16(), headers: head.headers, body })
}
