//! Who answers at the configured address: asked once at start, so that a wrong address is seen at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::ask::Kind;
use greenroom_upstream::greeting::{EMBY_INFO, Introduced};
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
    /// The relative of Jellyfin that is not spoken yet. Nothing is asked of it.
    Emby {
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
    match server.clock.timeout(PATIENCE, ask(server, introduction_path(server.settings.kind))).await {
        Ok(Ok((503, _))) => Greeting::Troubled(503),
        Ok(Ok((status, body))) => {
            if status == 200 {
                server.note_introduction(&body);
            }
            let greeting = recognise(server, &body).await;
            if let Greeting::Found { version, .. } = &greeting {
                server.note_version(version);
            }
            greeting
        }
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

async fn recognise(server: &Server, body: &[u8]) -> Greeting {
    let kind = server.settings.kind;
    let greeting = match kind.greeting(body) {
        Introduced::AsExpected { name, version } => {
            server.note_success();
            Greeting::Found { name, version }
        }
        Introduced::Emby { version } => Greeting::Emby { version },
        Introduced::Foreign if kind == Kind::Jellyfin => below_embys_prefix(server).await,
        Introduced::Foreign => Greeting::Foreign,
    };
    server.refuse_as_emby(matches!(greeting, Greeting::Emby { .. }));
    greeting
}

/// An Emby may answer below its own prefix only.
async fn below_embys_prefix(server: &Server) -> Greeting {
    let body = server.clock.timeout(PATIENCE, ask(server, EMBY_INFO)).await;
    match body.map(|answer| answer.map(|(_, body)| server.settings.kind.greeting(&body))) {
        Ok(Ok(Introduced::Emby { version })) => Greeting::Emby { version },
        _ => Greeting::Foreign,
    }
}

fn introduction_path(kind: Kind) -> &'static str {
    match kind {
        Kind::Plex => "/identity",
        Kind::Jellyfin => "/System/Info/Public",
    }
}

async fn ask(server: &Server, path: &str) -> Result<(u16, bytes::Bytes), NoResponse> {
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
