//! Reads of our own: what a dashboard wants to know of a server, asked with the configured token through the same
//! function and the same engine that apps' reads go through. So it has the same key and partition as what the owner's
//! apps ask, joins their loads, and is answered from what is kept while the server is down.
//!
//! A read that a dashboard causes counts as a request of that dashboard, not as our own work. While somebody asked
//! [`recent`], what he asked is kept warm; that is our own work and counts as nobody's question.
//!
//! Rooms: [`recent`] (who is expected again), [`fetch`] (what is asked past the cache, as our own work).

pub mod fetch;
mod recent;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{Answer, Entry, FailureKind, Reason, Served, Value};
use greenroom_dialect::ask::Ask;
use greenroom_dialect::verdict::{Read, Sharing, Verdict};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;

use crate::read::internal;
use crate::request::meaning::Meaning;
use crate::server::Server;
use crate::visit::{Visit, classify};
use crate::{read, response};
use greenroom_config::Mode;
use recent::Lately;

/// How often it is looked whether something that was asked lately is due: often enough that what lives five seconds is
/// refreshed before it ends.
const TICK: Duration = Duration::from_millis(250);

/// The way in for dashboards.
#[derive(Debug, Default)]
pub struct Inside {
    servers: Vec<Arc<Server>>,
    lately: Lately,
}

/// Who wants to know. What pages say of caches is not heeded: many say with every poll that they want nothing kept.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The headers that say which app it is.
    said: &'a HeaderMap,
    /// Whether nothing will do that is kept.
    is_insistent: bool,
}

impl<'a> Asker<'a> {
    /// Somebody who is content with what is kept.
    pub fn of(said: &'a HeaderMap) -> Self {
        Self { said, is_insistent: false }
    }

    /// Somebody who wants the server to be asked.
    pub fn insistent(said: &'a HeaderMap) -> Self {
        Self { said, is_insistent: true }
    }
}

/// What came of a read.
#[derive(Debug, Clone)]
pub struct Found {
    /// The answer.
    pub body: Bytes,
    /// What it says to be.
    pub content_type: Option<HeaderValue>,
    /// How old it can be.
    pub age: Duration,
    /// When it was loaded, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it was kept, and not loaded for this read.
    pub is_cached: bool,
    /// Whether it is older than it should be.
    pub is_stale: bool,
    /// Why.
    pub reason: Option<&'static str>,
}

/// Why there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No token is configured for the server.
    NoToken,
    /// It is nothing that may be kept.
    NoRead,
    /// The server did not say it, and nothing is kept.
    Failed(FailureKind),
}

impl Missing {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::NoRead => "not-cacheable",
            Self::Failed(kind) => kind.name(),
        }
    }

    /// What to tell a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoToken => "no token is configured for this server",
            Self::NoRead => "this cannot be kept",
            Self::Failed(FailureKind::Denied) => "the server refuses the configured token",
            Self::Failed(FailureKind::Offline | FailureKind::Unreachable) => {
                "the server cannot be reached, and nothing was kept of this"
            }
            Self::Failed(_) => "the server gave no usable answer, and nothing was kept of this",
        }
    }
}

impl Inside {
    /// The way to these servers.
    pub fn of(servers: Vec<Arc<Server>>) -> Self {
        Self { servers, lately: Lately::default() }
    }

    /// The servers there are.
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server of this name.
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// Asks as an app would, with the configured token, on behalf of who wants to know.
    ///
    /// # Errors
    /// If there is neither an answer nor anything kept.
    pub async fn ask(&self, server: &Arc<Server>, target: &str, asker: Asker<'_>) -> Result<Found, Missing> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (visit, read) = visit(server, target, &headers, Some(asker.said))?;
        let is_kept = server.manner(read.class, &visit.app) == Mode::Cache;
        // Past the cache goes who reads what is bypassed or only observed, dashboards too.
        if asker.is_insistent || !is_kept {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let now_ms = server.origin.clock.now_ms();
        let outcome = internal::answer(&visit, &read, &headers).await;
        if is_kept && read.sharing == Sharing::Identity {
            self.lately.note(server, read::key(&visit, &read), now_ms);
        }
        match outcome {
            Ok(answer) => Found::of(answer, now_ms),
            Err(failure) => {
                if !failure.kind.serves_old() {
                    self.lately.forget(&read::key(&visit, &read));
                }
                Err(Missing::Failed(failure.kind))
            }
        }
    }

    /// Asks of our own accord: kept, and joined with who asks the same, as an app's read is, but nobody's question. What
    /// it costs the server is our own work. Nothing is asked of a server that is bypassed or only observed.
    ///
    /// # Errors
    /// If there is neither an answer nor anything kept.
    pub async fn ask_ourselves(&self, server: &Arc<Server>, target: &str) -> Result<Found, Missing> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (visit, read) = visit(server, target, &headers, None)?;
        if server.manner(read.class, &visit.app) != Mode::Cache {
            return Err(Missing::NoRead);
        }
        let now_ms = server.origin.clock.now_ms();
        match internal::answer_ourselves(&visit, &read, &headers).await {
            Ok(answer) => Found::of(answer, now_ms),
            Err(failure) => Err(Missing::Failed(failure.kind)),
        }
    }

    /// What is kept of a read, of whatever age. Leaves no trace, and asks nobody.
    pub fn peek(&self, server: &Arc<Server>, target: &str) -> Option<Found> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let credential = server.origin.own_credential()?;
        let identity = server.identities.known(&credential)?;
        let ask = Ask { method: &Method::GET, target, headers: &headers, body: &[] };
        let account = identity.account();
        let Verdict::Read(read) = server.origin.settings.kind.classify(&ask, account.as_deref()) else {
            return None;
        };
        let partition = server.partition_of(&identity, &read);
        let entry = server.cache.peek(&greenroom_cache::Key::new(server.name(), partition, &read.key))?;
        let now_ms = server.origin.clock.now_ms();
        let age = Duration::from_millis(now_ms.saturating_sub(entry.created_ms()));
        let is_fresh = now_ms < entry.horizons().fresh_until_ms;
        Some(Found::kept(&entry, age, if is_fresh { Served::Hit } else { Served::Stale }, None))
    }

    /// Keeps warm what somebody asked lately, until the process stops. It sleeps while nobody asks.
    pub async fn keep_warm(self: Arc<Self>, stop: CancellationToken) {
        let Some(clock) = self.servers.first().map(|server| server.origin.clock.clone()) else { return };
        loop {
            let expected = self.lately.expected(clock.now_ms());
            let rest = async {
                if expected.is_empty() {
                    self.lately.asked().await;
                } else {
                    clock.sleep(TICK).await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = rest => {}
            }
            for (server, key) in expected {
                if server.mode() == Mode::Cache && server.origin.breaker.admits() {
                    server.cache.refresh_due(&key);
                }
            }
        }
    }
}

/// Who asks for what, as if an app with the configured token did. `said` are the headers that say which app it is; without
/// it is ourselves.
fn visit(
    server: &Arc<Server>,
    target: &str,
    headers: &HeaderMap,
    said: Option<&HeaderMap>,
) -> Result<(Visit, Arc<Read>), Missing> {
    let credential = server.origin.own_credential().ok_or(Missing::NoToken)?;
    if server.origin.is_emby() {
        return Err(Missing::NoRead);
    }
    let ask = Ask { method: &Method::GET, target, headers, body: &[] };
    let meaning: Meaning = classify::inside(server, &ask, credential, said);
    let Verdict::Read(read) = &meaning.verdict else { return Err(Missing::NoRead) };
    let read = Arc::clone(read);
    let visit = Visit {
        server: Arc::clone(server),
        meaning: Arc::new(meaning),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_encrypted: false,
        origin: None,
    };
    Ok((visit, read))
}

impl Found {
    fn of<P>(answer: Answer<P>, now_ms: u64) -> Result<Self, Missing> {
        match answer {
            Answer::Kept { entry, served, age, reason, leaving, .. } => {
                // The answer is on its way: what was loaded may be written down.
                drop(leaving);
                Ok(Self::kept(&entry, age, served, reason))
            }
            Answer::Shared { value, .. } => Ok(Self::fresh(&value, now_ms)),
            Answer::Passed(_) => Err(Missing::NoRead),
        }
    }

    fn kept(entry: &Entry, age: Duration, served: Served, reason: Option<Reason>) -> Self {
        let (_, headers) = response::head_of(entry.meta());
        Self {
            body: entry.body().clone(),
            content_type: headers.get(CONTENT_TYPE).cloned(),
            age,
            at_ms: entry.created_ms(),
            is_cached: matches!(served, Served::Hit | Served::Stale | Served::StaleOnError),
            is_stale: matches!(served, Served::Stale | Served::StaleOnError),
            reason: reason.map(Reason::name),
        }
    }

    fn fresh(value: &Value, now_ms: u64) -> Self {
        let (_, headers) = response::head_of(&value.meta);
        Self {
            body: value.body.clone(),
            content_type: headers.get(CONTENT_TYPE).cloned(),
            age: Duration::ZERO,
            at_ms: now_ms,
            is_cached: false,
            is_stale: false,
            reason: None,
        }
    }
}
