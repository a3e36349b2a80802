//! Who answers at the configured address: asked once at start, so that a wrong address is seen at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::ask::Kind;
use http::Request;
use http::header::{ACCEPT, HeaderValue};

use crate::body::{Body, Collected, collect};
use crate::origin::{Lane, NoResponse};
use crate::server::Server;

/// How long the server may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_BYTES: u64 = 256 * 1024;

/// What was found at the configured address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// The server that was configured.
    Found {
        /// What it calls itself, where it says so without a token.
        name: Option<String>,
        /// Its version.
        version: String,
    },
    /// Something else answers there.
    Foreign,
    /// The server is there, but starting or in trouble.
    Troubled(u16),
    /// Something is there whose certificate is not believed; why, and what to do.
    Distrusted(String),
    /// Nothing answers; why.
    Silent(String),
}

/// Asks the server who it is.
pub async fn greet(server: &Server) -> Greeting {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    match server.clock.timeout(PATIENCE, ask(server)).await {
        Ok(Ok((503, _))) => Greeting::Troubled(503),
        Ok(Ok((_, body))) => match server.settings.kind.greeting(&body) {
            Some((name, version)) => {
                server.note_success();
                Greeting::Found { name, version }
            }
            None => Greeting::Foreign,
        },
        Ok(Err(none)) => {
            server.note_failure();
            if none.is_distrusted {
                Greeting::Distrusted(none.message)
            } else {
                Greeting::Silent(none.message)
            }
        }
        Err(_) => {
            server.note_failure();
            Greeting::Silent(format!("no answer within {} s", PATIENCE.as_secs()))
        }
    }
}

async fn ask(server: &Server) -> Result<(u16, bytes::Bytes), NoResponse> {
    let path = match server.settings.kind {
        Kind::Plex => "/identity",
        Kind::Jellyfin => "/System/Info/Public",
    };
    let uri = server.origin.uri(path).map_err(|error| NoResponse::because(&error))?;
    let mut request =
        Request::builder().uri(uri).body(Body::empty()).map_err(|error| NoResponse::because(&error))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let response = server.origin.send(request, Lane::Read).await?;
    let status = response.status().as_u16();
    match collect(response.into_body(), MAX_BYTES).await {
        Collected::Whole(body) => Ok((status, body)),
        Collected::TooLong(..) => Ok((status, bytes::Bytes::new())),
        Collected::Broken(error) => Err(NoResponse::because(&error)),
    }
}
