//! What a caller brings: how a value is loaded, and what may come of it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::key::Tag;
use crate::load_reason::LoadReason;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::value::{Entry, Value};

/// Loads one value. Kept while the key is warm, so it may hold what a reload needs, and is asked again.
pub trait Loader: Send + Sync + 'static {
    /// What an uncacheable answer is, for the one caller whose load it was.
    type Pass: Send + 'static;

    /// Loads. `old` is what is kept under the key, of whatever age, unless it was purged.
    fn load(
        &self,
        why: LoadReason,
        old: Option<Arc<Entry>>,
    ) -> impl Future<Output = Result<Load<Self::Pass>, Failure>> + Send;
}

/// What a load came to.
#[derive(Debug)]
pub enum Load<P> {
    /// A value to keep.
    Store(Fill),
    /// A value for everybody who waits; not kept, and what is kept stays.
    Share(Value),
    /// Like [`Load::Share`], but what is kept is dropped: there is no such thing any more.
    Gone(Value),
    /// Not for keeping: for the caller that started the load. Everybody else is released at once and loads for
    /// himself; this is remembered for a while.
    Pass(P),
}

/// A value to keep.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The value.
    pub value: Value,
    /// The tags by which it goes stale.
    pub tags: Vec<Tag>,
    /// Its lifetime, where it differs from what the caller's policy says.
    pub policy: Option<Policy>,
}

impl Fill {
    /// A value without tags, living as the caller's policy says.
    pub fn new(value: Value) -> Self {
        Self { value, tags: Vec::new(), policy: None }
    }
}

/// A load that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In which way.
    pub kind: FailureKind,
    /// One line for people; holds no secret.
    pub message: Arc<str>,
    /// What the source answered, where it did and callers should see it.
    pub answer: Option<Value>,
}

impl Failure {
    /// A failure without an answer.
    pub fn new(kind: FailureKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, message: message.into(), answer: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for Failure {}

/// The ways a load fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The source cannot be reached.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The source says it failed.
    ServerError,
    /// What came is not what was asked for: truncated, or somebody else's.
    Malformed,
    /// The source is starting up.
    Starting,
    /// The source is known not to answer, so it was not asked: says nothing about the key.
    Offline,
    /// What came is whole, but so unlikely at this moment that what is kept is believed instead.
    Doubted,
    /// The source does not accept this identity.
    Denied,
    /// The source says the question is wrong.
    Refused,
    /// The loader panicked, or was dropped before it was done.
    Panicked,
    /// A limit of ours was reached.
    Overloaded,
    /// The caller wanted only what is kept, and nothing is.
    NotCached,
}

impl FailureKind {
    /// Every kind.
    pub const EVERY: [Self; 12] = [
        Self::Unreachable,
        Self::TimedOut,
        Self::ServerError,
        Self::Malformed,
        Self::Starting,
        Self::Offline,
        Self::Doubted,
        Self::Denied,
        Self::Refused,
        Self::Panicked,
        Self::Overloaded,
        Self::NotCached,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::ServerError => "server-error",
            Self::Malformed => "malformed",
            Self::Starting => "starting",
            Self::Offline => "offline",
            Self::Doubted => "doubted",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Panicked => "panicked",
            Self::Overloaded => "overloaded",
            Self::NotCached => "not-cached",
        }
    }

    /// Whether an old value may stand in. Where the source has spoken (denied, refused), it has the last word.
    pub fn serves_old(self) -> bool {
        match self {
            Self::Unreachable
            | Self::TimedOut
            | Self::ServerError
            | Self::Malformed
            | Self::Starting
            | Self::Offline
            | Self::Doubted
            | Self::Panicked
            | Self::Overloaded => true,
            Self::Denied | Self::Refused | Self::NotCached => false,
        }
    }

    /// Whether an old value may stand in even for who insists on being told: the source said nothing, or said yes with
    /// a value that is not believed.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Offline | Self::Doubted)
    }

    /// How long callers of the same key are spared the same failure.
    pub fn remembered_for(self, settings: &Settings) -> Duration {
        match self {
            Self::Unreachable | Self::TimedOut | Self::ServerError | Self::Doubted => settings.error_memory,
            Self::Denied => settings.denied_memory,
            Self::Malformed
            | Self::Starting
            | Self::Offline
            | Self::Refused
            | Self::Panicked
            | Self::Overloaded
            | Self::NotCached => Duration::ZERO,
        }
    }
}
