//! What a caller may ask for, and the words in which he is answered.

use std::sync::Arc;
use std::time::Duration;

use crate::leaving::Leaving;
use crate::load::FailureKind;
use crate::refusal::Refusal;
use crate::value::{Entry, Value};

/// What a caller is content with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Demand {
    /// Whatever the policy allows.
    #[default]
    Any,
    /// Nothing kept, unless it was loaded a moment ago; a load under way is welcome.
    Reload,
    /// The same, and what is kept stands in only for a source that does not say anything: its errors have the last word.
    Ask,
    /// Nothing kept and nobody else's load: the caller's own, whose value is stored as usual.
    Own,
    /// Only what is kept.
    OnlyIfCached,
    /// Whatever is kept and may stand in for a failure, however old, at once: the source is known not to answer, so
    /// nothing is loaded and nobody waits.
    Offline,
}

/// How a value came to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Served {
    /// From the cache, fresh.
    Hit,
    /// From the cache, past its fresh time, with one refresh behind.
    Stale,
    /// This caller's load; nothing usable was kept before.
    Loaded,
    /// Another caller's load, which was under way.
    Joined,
    /// This caller's load, in place of something kept that had to give way.
    Refreshed,
    /// From the cache although too old, because loading failed or takes too long.
    StaleOnError,
}

impl Served {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Loaded => "loaded",
            Self::Joined => "joined",
            Self::Refreshed => "refreshed",
            Self::StaleOnError => "stale-on-error",
        }
    }
}

/// Where a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// In memory.
    Memory,
    /// On disk, or on its way there.
    Disk,
    /// At the source: it was loaded.
    Source,
}

impl Tier {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Source => "source",
        }
    }
}

/// Why an answer is not simply a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Past its fresh time.
    Age,
    /// Past its fresh time, and the refresh waits because the last one failed.
    BackingOff,
    /// The load takes longer than the soft timeout; its result will be kept.
    SlowLoad,
    /// The load failed.
    Failed(FailureKind),
    /// A load failed a moment ago, and is not tried again yet.
    FailedLately(FailureKind),
    /// The source is known not to answer, and was not asked.
    Offline,
    /// It was loaded, but not stored.
    NotStored(Refusal),
}

impl Reason {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::BackingOff => "backing-off",
            Self::SlowLoad => "slow-load",
            Self::Offline => FailureKind::Offline.name(),
            Self::Failed(kind) | Self::FailedLately(kind) => kind.name(),
            Self::NotStored(refusal) => refusal.name(),
        }
    }
}

/// An answer, and everything there is to say about it.
#[derive(Debug)]
pub enum Answer<P> {
    /// A value that is kept (or, with [`Reason::NotStored`], could not be).
    Kept {
        /// The value with its tags and times.
        entry: Arc<Entry>,
        /// How it came to be served.
        served: Served,
        /// Where it was found.
        tier: Tier,
        /// How old it can be at most.
        age: Duration,
        /// Fresh time left in milliseconds; negative when it is over.
        left_ms: i64,
        /// Why it is not simply a fresh one.
        reason: Option<Reason>,
        /// To be held until the answer has left, if it waited for a load: what was loaded is written after that.
        leaving: Option<Leaving>,
    },
    /// A value that is not kept, but was shared with everybody who waited for it.
    Shared {
        /// The value.
        value: Value,
        /// [`Served::Loaded`], [`Served::Refreshed`] or [`Served::Joined`].
        served: Served,
    },
    /// What is not for keeping, for the caller whose load it was.
    Passed(P),
}

impl<P> Answer<P> {
    pub(crate) fn kept(
        entry: Arc<Entry>,
        served: Served,
        tier: Tier,
        now_ms: u64,
        reason: Option<Reason>,
    ) -> Self {
        let (age, left_ms) = (entry.age(now_ms), entry.left_ms(now_ms));
        Self::Kept { age, left_ms, entry, served, tier, reason, leaving: None }
    }

    /// The same, to be written when it has left.
    pub(crate) fn and_leaving(self, is_leaving: Option<Leaving>) -> Self {
        match self {
            Self::Kept { age, left_ms, entry, served, tier, reason, .. } => {
                Self::Kept { age, left_ms, entry, served, tier, reason, leaving: is_leaving }
            }
            other => other,
        }
    }

    /// The value, where there is one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Kept { entry, .. } => Some(entry.value()),
            Self::Shared { value, .. } => Some(value),
            Self::Passed(_) => None,
        }
    }

    /// How it came to be served; `None` where it passed through.
    pub fn served(&self) -> Option<Served> {
        match self {
            Self::Kept { served, .. } | Self::Shared { served, .. } => Some(*served),
            Self::Passed(_) => None,
        }
    }
}
