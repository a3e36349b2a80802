//! What we ask a server of our own accord, past the cache: in our own rank, counted as our own work, never while it is
//! down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::class::Class;

use crate::server::Server;
use greenroom_config::Mode;
use greenroom_origin::own_read::NoAnswer;
use greenroom_origin::scheduler::Errand;

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

impl From<NoAnswer> for Trouble {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Away => Self::Away,
            NoAnswer::Silent => Self::Silent,
            NoAnswer::Refused => Self::Refused,
            NoAnswer::Missing => Self::Missing,
            NoAnswer::Unfit => Self::Unfit,
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
    if !server.origin.breaker.admits() {
        return Err(Trouble::Away);
    }
    let place = server.origin.queue.place(Errand::own(None, class)).await.map_err(|_| Trouble::Away)?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let answered = server.origin.clock.timeout(PATIENCE, exchange(server, target)).await;
    drop(place);
    answered.map_err(|_| Trouble::Silent)?
}

async fn exchange(server: &Server, target: &str) -> Result<Bytes, Trouble> {
    let credential = server.origin.own_credential().ok_or(Trouble::NoToken)?;
    let (_, body) = server.origin.read_own(target, &credential, MAX_BYTES).await?;
    server.origin.note_success();
    Ok(body)
}
