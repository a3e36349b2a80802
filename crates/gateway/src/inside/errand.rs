//! What we ask a server of our own accord, past the cache: in our own rank, counted as our own work, never while it is
//! down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_upstream::class::Class;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, StatusCode};

use crate::body::{Body, Collected, collect};
use crate::breaker;
use crate::mode::Mode;
use crate::origin::Lane;
use crate::queue::Errand;
use crate::server::Server;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No token is configured.
    NoToken,
    /// It is only observed, or bypassed: nothing is asked that no app asks.
    Observed,
    /// The server is down, or there is no place in its queue.
    Away,
    /// It does not answer in time, or breaks off.
    Silent,
    /// It does not let the configured token do this.
    Refused,
    /// It has no such thing.
    Missing,
    /// It answers with something else.
    Unfit,
}

impl Trouble {
    /// What to tell a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoToken => "no token is configured for the server",
            Self::Observed => {
                "the server is only observed or bypassed now, and is asked nothing but what apps ask"
            }
            Self::Away => "the server is down or too busy",
            Self::Silent => "the server did not answer",
            Self::Refused => "the server refuses the configured token: it needs the owner's",
            Self::Missing => "the server does not offer this",
            Self::Unfit => "the server answered with something else than was asked for",
        }
    }
}

/// Asks once, with the configured token.
///
/// # Errors
/// Why there is no answer.
pub async fn run(server: &Arc<Server>, target: &str, class: Class) -> Result<Bytes, Trouble> {
    if server.mode() != Mode::Cache {
        return Err(Trouble::Observed);
    }
    if !server.breaker.admits() {
        return Err(Trouble::Away);
    }
    let place = server.queue.place(Errand::own(None, class)).await.map_err(|_| Trouble::Away)?;
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let answered = server.clock.timeout(PATIENCE, exchange(server, target)).await;
    drop(place);
    answered.map_err(|_| Trouble::Silent)?
}

async fn exchange(server: &Server, target: &str) -> Result<Bytes, Trouble> {
    let credential = server.own_credential().ok_or(Trouble::NoToken)?;
    let uri = server.origin.uri(target).map_err(|_| Trouble::Unfit)?;
    let mut request = Request::builder().uri(uri).body(Body::empty()).map_err(|_| Trouble::Unfit)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in server.settings.kind.credential_headers(&credential, true) {
        request.headers_mut().insert(name, value);
    }
    // What is asked for differs from page to page; for the breaker they are one.
    let key = breaker::key_of(target.split('?').next().unwrap_or_default());
    let response = server.send(request, Lane::Read, key).await.map_err(|_| Trouble::Silent)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Trouble::Refused),
        StatusCode::NOT_FOUND => return Err(Trouble::Missing),
        status if status.as_u16() == 498 => return Err(Trouble::Refused),
        status if status.is_server_error() => return Err(Trouble::Silent),
        _ => return Err(Trouble::Unfit),
    }
    match collect(response.into_body(), MAX_BYTES).await {
        Collected::Whole(body) => {
            server.note_success();
            Ok(body)
        }
        Collected::TooLong(..) => Err(Trouble::Unfit),
        Collected::Broken(_) => Err(Trouble::Silent),
    }
}
