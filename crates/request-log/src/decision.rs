//! Result of one request. Holds nothing of its target: no path, no query, no token.

use greenroom_cache::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{CacheStatus, CacheStatusReason, LoadErrorKind, LoadReason};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Classification;
use serde::Serialize;

use crate::pass_reason::PassReason;
use crate::route_name::RouteName;
use greenroom_origin::client_apps::ClientApp;

/// Category in which a request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestCategory {
    /// A read of this class.
    Read(Class),
    /// A read of an HTTP API by this route.
    Route(RouteName),
    /// A write.
    Write,
    /// Pass-through.
    Stream,
    /// Rejected.
    Refused,
}

impl RequestCategory {
    /// Number of categories, routes left out.
    pub const COUNT: usize = Class::EVERY.len() + 3;

    /// Category of a request.
    pub fn from_classification(classification: &Classification) -> Self {
        match classification {
            Classification::Read(read) => Self::Read(read.class),
            Classification::Write(_) => Self::Write,
            Classification::Stream(_) => Self::Stream,
            Classification::Refuse(_) => Self::Refused,
        }
    }

    /// Name, beside those of the classes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read(class) => class.name(),
            Self::Route(route) => route.text(),
            Self::Write => "writes",
            Self::Stream => "streams",
            Self::Refused => "refused",
        }
    }

    /// Every category but the routes, in the order of [`RequestCategory::index`].
    pub fn every() -> impl Iterator<Item = Self> {
        let others = [Self::Write, Self::Stream, Self::Refused];
        Class::EVERY.into_iter().map(Self::Read).chain(others)
    }

    /// Its index among the categories that are no routes; the route, if it is one.
    pub(super) fn index(self) -> Result<usize, RouteName> {
        match self {
            Self::Read(class) => Ok(class as usize),
            Self::Route(route) => Err(route),
            Self::Write => Ok(Class::EVERY.len()),
            Self::Stream => Ok(Class::EVERY.len() + 1),
            Self::Refused => Ok(Class::EVERY.len() + 2),
        }
    }

    /// Whether the age of its responses says anything about the library: images and files are meant to be old.
    pub(super) fn has_meaningful_age(self) -> bool {
        !matches!(self, Self::Read(Class::Images | Class::Assets))
    }
}

/// Result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// From the cache, fresh.
    Hit,
    /// From the cache, with one background refresh.
    Stale,
    /// Loaded from the server.
    Loaded,
    /// Joined another request's load.
    Joined,
    /// Loaded from the server, replacing an entry.
    Refreshed,
    /// From the cache although expired, because the server failed.
    StaleOnError,
    /// Loaded once for all waiting requests, but not stored.
    Shared,
    /// Passed through.
    Passed,
    /// Write, answered by the server.
    Write,
    /// Error.
    Failed,
    /// Rejected.
    Refused,
}

impl CacheResult {
    /// Every result.
    pub const EVERY: [Self; 11] = [
        Self::Hit,
        Self::Stale,
        Self::Loaded,
        Self::Joined,
        Self::Refreshed,
        Self::StaleOnError,
        Self::Shared,
        Self::Passed,
        Self::Write,
        Self::Failed,
        Self::Refused,
    ];

    /// Name; the engine's where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => CacheStatus::Hit.name(),
            Self::Stale => CacheStatus::Stale.name(),
            Self::Loaded => CacheStatus::Loaded.name(),
            Self::Joined => CacheStatus::Joined.name(),
            Self::Refreshed => CacheStatus::Refreshed.name(),
            Self::StaleOnError => CacheStatus::StaleOnError.name(),
            Self::Shared => "shared",
            Self::Passed => "passed",
            Self::Write => "write",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// Result for an entry served in this way.
    pub fn from_served(served: CacheStatus) -> Self {
        match served {
            CacheStatus::Hit => Self::Hit,
            CacheStatus::Stale => Self::Stale,
            CacheStatus::Loaded => Self::Loaded,
            CacheStatus::Joined => Self::Joined,
            CacheStatus::Refreshed => Self::Refreshed,
            CacheStatus::StaleOnError => Self::StaleOnError,
        }
    }
}

/// Reason of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionReason {
    /// Reason of the load.
    Missed(LoadReason),
    /// The engine's reason for serving an entry.
    Cache(CacheStatusReason),
    /// The load failed.
    Failed(LoadErrorKind),
    /// It bypassed the cache.
    Passed(PassReason),
    /// A token is required, and there was none.
    NoToken,
    /// Not forwarded.
    Inadmissible,
    /// An error of Greenroom's own: the server did not answer, or the request was incomplete.
    Unanswered,
    /// The client disconnected before the response.
    Left,
}

impl DecisionReason {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missed(reason) => reason.name(),
            Self::Cache(reason) => reason.name(),
            Self::Failed(kind) => kind.name(),
            Self::Passed(reason) => reason.name(),
            Self::NoToken => "no-token",
            Self::Inadmissible => "inadmissible",
            Self::Unanswered => "unanswered",
            Self::Left => "left",
        }
    }
}

/// Result of a request, known to its handler only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionOutcome {
    /// The result.
    pub result: CacheResult,
    /// Its reason.
    pub reason: Option<DecisionReason>,
    /// Upper bound of the response's age, if it came from the cache.
    pub age_ms: Option<Duration>,
    /// Whether it took no request to the server.
    pub is_saved: bool,
}

impl DecisionOutcome {
    /// Outcome of a response that did not come from the cache.
    pub fn new(result: CacheResult, reason: DecisionReason) -> Self {
        Self { reason: Some(reason), ..Self::without_reason(result) }
    }

    /// The same, without a reason.
    pub fn without_reason(result: CacheResult) -> Self {
        Self { result, reason: None, age_ms: None, is_saved: false }
    }
}

/// A user: the beginning of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserHash(u32);

impl UserHash {
    /// User with these first bytes of the hash.
    pub fn new(hash: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(hash))
    }

    /// Parses a keyed hash in hexadecimal; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        u32::from_str_radix(text.get(..8)?, 16).ok().map(Self)
    }
}

impl fmt::Display for UserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Serialize for UserHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One finished request.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Time of the response.
    pub at_ms: Timestamp,
    /// Category.
    pub category: RequestCategory,
    /// The app.
    pub app: Arc<ClientApp>,
    /// The user, if the server is known to accept the token.
    pub user: Option<UserHash>,
    /// Hash of the request, if its response is cacheable.
    pub request_hash: Option<u64>,
    /// Result, with its reason.
    pub outcome: DecisionOutcome,
    /// Status of the response.
    pub status: u16,
    /// Time until the response began.
    pub elapsed_us: u64,
    /// Length of the body, as far as known when it begins.
    pub bytes: u64,
}

impl Decision {
    /// Writes its log line, which `GREENROOM_LOG=greenroom::decision=debug` shows.
    pub fn log(&self, server: &str) {
        tracing::debug!(
            target: "greenroom::decision",
            server,
            class = self.category.name(),
            app = self.app.name,
            user = self.user.map(tracing::field::display),
            classification = self.outcome.result.name(),
            reason = self.outcome.reason.map(DecisionReason::name),
            status = self.status,
            age_s = self.outcome.age_ms.map(|age| age.as_secs()),
            elapsed_us = self.elapsed_us,
            bytes = self.bytes,
            "request answered"
        );
    }
}
