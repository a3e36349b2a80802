//! Loaders, and the results of a load.

use crate::timestamp::Timestamp;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::key::{Key, Tag};
use crate::load_reason::LoadReason;
use crate::policy::Policy;
use crate::settings::CacheSettings;
use crate::value::{Entry, Value};

/// Loads the value of one key. The loader of a warm key is kept and called again, so it may hold what a reload needs.
pub trait Loader: Send + Sync + 'static {
    /// An uncacheable response, for the caller that started the load.
    type Pass: Send + 'static;

    /// Loads the value, or confirms the cached one. `old` is the cached entry of the key, whatever its age, unless it was purged.
    fn load(
        &self,
        reason: LoadReason,
        old: Option<Arc<Entry>>,
    ) -> impl Future<Output = Result<LoadResult<Self::Pass>, LoadError>> + Send;

    /// Whether another cache's load of the same key can replace this one, so that of several caches one loads.
    fn is_replaceable(&self) -> bool {
        true
    }
}

/// Result of a load.
#[derive(Debug)]
pub enum LoadResult<P> {
    /// A cacheable value.
    Store(LoadedValue),
    /// A value for all waiters that is not cached; the current entry stays.
    Share(Value),
    /// Like [`LoadResult::Share`], but the current entry is dropped, because the source says that it does not exist.
    NotFound(Value),
    /// Like [`LoadResult::NotFound`], and remembered: for [`CacheSettings::absence_ttl`] later callers get the same
    /// value without a load, unless it is invalidated.
    Absent(AbsentValue),
    /// The source vouches for `old`, which is not invalidated: the engine stores the same value again, as if it had been
    /// loaded at that moment. If `old` may not be confirmed, because it was invalidated meanwhile or loaded while a write
    /// settled, the loader is called again with [`LoadReason::Invalidated`] and must load.
    Confirmed(ConfirmedValue),
    /// Uncacheable: for the caller that started the load. Waiters are released at once and load for themselves; the key
    /// is remembered as uncacheable for a while.
    Pass(P),
}

/// Metadata of a value that the source need not send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfirmedValue {
    /// The moment for which it vouches, in wall-clock milliseconds: the one before it was asked.
    pub checked_ms: Timestamp,
}

/// The response of a source that does not have a value.
#[derive(Debug, Clone)]
pub struct AbsentValue {
    /// The value.
    pub value: Value,
    /// The tags by which it is invalidated: those of everything that could make what is missing.
    pub tags: Vec<Tag>,
}

/// A cacheable value.
#[derive(Debug, Clone)]
pub struct LoadedValue {
    /// The value.
    pub value: Value,
    /// The tags by which it is invalidated.
    pub tags: Vec<Tag>,
    /// Its TTL policy, if it is not the caller's.
    pub policy: Option<Policy>,
    /// The key to store it under, if only its source could tell which of several values the loaded one is; one of
    /// another partition is ignored. Waiters for
    /// the requested key get it too, and judge for themselves whether it is theirs.
    pub stored_under: Option<Key>,
}

impl LoadedValue {
    /// A value without tags, under the caller's policy.
    pub fn new(value: Value) -> Self {
        Self { value, tags: Vec::new(), policy: None, stored_under: None }
    }
}

/// A failed load.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// The kind of failure.
    pub kind: LoadErrorKind,
    /// One line for people; holds no secret.
    pub message: Arc<str>,
    /// The source's response, if there is one that callers should see.
    pub response: Option<Value>,
}

impl LoadError {
    /// A failure without a response.
    pub fn new(kind: LoadErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, message: message.into(), response: None }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for LoadError {}

/// Kinds of load failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadErrorKind {
    /// The source cannot be reached.
    Unreachable,
    /// The source took too long.
    TimedOut,
    /// The source reported a failure of its own.
    ServerError,
    /// The response does not match the request: truncated, or meant for another one.
    Malformed,
    /// The source is starting up.
    Starting,
    /// The source is known to be down and was not asked. Says nothing about the key.
    Offline,
    /// The response is complete, but so unlikely at this moment that the cached value is trusted instead.
    Implausible,
    /// The source does not accept the caller's credentials.
    Denied,
    /// The source rejects the request as wrong.
    Refused,
    /// The loader panicked, or was dropped before it finished.
    Panicked,
    /// A limit of the cache, or the loader's own queue, was reached.
    Overloaded,
    /// The caller accepts only a cached value, and there is none.
    NotCached,
    /// The source refers to another place, as it does where a login is needed.
    Redirected,
    /// The response is complete, but in a form that was not requested: without a value, a part of it, or encoded.
    Unrequested,
}

impl LoadErrorKind {
    /// Every kind.
    pub const EVERY: [Self; 14] = [
        Self::Unreachable,
        Self::TimedOut,
        Self::ServerError,
        Self::Malformed,
        Self::Starting,
        Self::Offline,
        Self::Implausible,
        Self::Denied,
        Self::Refused,
        Self::Panicked,
        Self::Overloaded,
        Self::NotCached,
        Self::Redirected,
        Self::Unrequested,
    ];

    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::ServerError => "server-error",
            Self::Malformed => "malformed",
            Self::Starting => "starting",
            Self::Offline => "offline",
            Self::Implausible => "doubted",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Panicked => "panicked",
            Self::Overloaded => "overloaded",
            Self::NotCached => "not-cached",
            Self::Redirected => "redirected",
            Self::Unrequested => "unrequested",
        }
    }

    /// Whether an old value may be served instead. Not if the source gave a definite answer (denied, refused), nor if
    /// the cache has no value to serve.
    pub fn allows_stale(self) -> bool {
        match self {
            Self::Unreachable
            | Self::TimedOut
            | Self::ServerError
            | Self::Malformed
            | Self::Starting
            | Self::Offline
            | Self::Implausible
            | Self::Panicked
            | Self::Overloaded
            | Self::Redirected
            | Self::Unrequested => true,
            Self::Denied | Self::Refused | Self::NotCached => false,
        }
    }

    /// Whether an old value may be served even to a caller that wants the source's errors passed on
    /// (`CacheDirective::ReloadStrict`): the source did not respond, or responded with an implausible value.
    pub fn is_unanswered(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Offline | Self::Implausible)
    }

    /// Time for which later requests for the key get the same failure without another load.
    pub fn negative_ttl(self, settings: &CacheSettings) -> Duration {
        match self {
            Self::Unreachable | Self::TimedOut | Self::ServerError | Self::Implausible => settings.error_ttl,
            Self::Denied => settings.denied_ttl,
            Self::Malformed
            | Self::Starting
            | Self::Offline
            | Self::Refused
            | Self::Panicked
            | Self::Overloaded
            | Self::NotCached
            | Self::Redirected
            | Self::Unrequested => Duration::ZERO,
        }
    }
}
