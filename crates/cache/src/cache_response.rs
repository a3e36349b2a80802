//! Directives of a caller, and the terms that describe a response.

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery_guard::DeliveryGuard;
use crate::freshness::fresh_left_ms;
use crate::load::LoadErrorKind;
use crate::not_stored_reason::NotStoredReason;
use crate::policy::Policy;
use crate::value::{Entry, Value};

/// Responses that a caller accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheDirective {
    /// Whatever the policy allows.
    #[default]
    Any,
    /// A new response, or one loaded a moment ago; joining a load in progress is fine.
    Reload,
    /// Like [`Self::Reload`], but an old value is served only if the source does not respond: the source's errors are
    /// passed on.
    ReloadStrict,
    /// Neither a cached value nor another caller's load, but a load of the caller's own. Its value is stored as usual.
    LoadUnshared,
    /// A cached value only.
    OnlyIfCached,
    /// Any cached value that may replace a failed load, whatever its age, at once. The source is known to be down, so
    /// nothing is loaded and no caller waits.
    Offline,
}

/// Way in which a value was obtained: from the cache, or by a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheStatus {
    /// From the cache, fresh.
    Hit,
    /// From the cache, past its fresh time, with one background refresh.
    Stale,
    /// By this caller's load; nothing usable was cached.
    Loaded,
    /// By another caller's load that was in progress.
    Joined,
    /// By this caller's load, which replaced an entry that could not be served.
    Refreshed,
    /// From the cache although expired or invalidated, because loading failed or takes too long.
    StaleOnError,
}

impl CacheStatus {
    /// Name on the wire and in statistics.
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

/// Tier in which a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// In memory.
    Memory,
    /// On disk, or queued to be written.
    Disk,
    /// In the remote store.
    Remote,
    /// At the source: it was loaded.
    Source,
}

impl Tier {
    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Remote => "remote",
            Self::Source => "source",
        }
    }
}

/// Reason for which a response is not a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheStatusReason {
    /// Past its fresh time.
    Age,
    /// Past its fresh time, and the refresh backs off because the last one failed.
    BackingOff,
    /// The load takes longer than the soft timeout; its result will be stored.
    SlowLoad,
    /// The load failed.
    Failed(LoadErrorKind),
    /// A load failed recently and is not retried yet.
    FailedRecently(LoadErrorKind),
    /// The source is known to be down and was not asked.
    Offline,
    /// Confirmed by the source, which was not asked for the value itself.
    Confirmed,
    /// Loaded because the cached value was unconfirmed.
    Unconfirmed,
    /// Loaded, but not stored.
    NotStored(NotStoredReason),
}

impl CacheStatusReason {
    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::BackingOff => "backing-off",
            Self::SlowLoad => "slow-load",
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
            Self::Offline => LoadErrorKind::Offline.name(),
            Self::Failed(kind) | Self::FailedRecently(kind) => kind.name(),
            Self::NotStored(reason) => reason.name(),
        }
    }
}

/// A response, and how it was obtained.
#[derive(Debug)]
pub enum CacheResponse<P> {
    /// A cacheable value. With [`CacheStatusReason::NotStored`] it could not be stored.
    Cached {
        /// The value with its tags and times.
        entry: Arc<Entry>,
        /// Its cache status.
        served: CacheStatus,
        /// Tier in which it was found.
        tier: Tier,
        /// Maximum age.
        age: Duration,
        /// Fresh time left in milliseconds; negative once it is over.
        left_ms: i64,
        /// Reason for which it is not a fresh one.
        reason: Option<CacheStatusReason>,
        /// Present if the response waited for a load. Hold it until the response is delivered; the value is written
        /// after that.
        delivery_guard: Option<DeliveryGuard>,
    },
    /// A value that is no entry, but was shared with every waiter or is remembered for a short time.
    Shared {
        /// The value.
        value: Value,
        /// [`CacheStatus::Loaded`], [`CacheStatus::Refreshed`] or [`CacheStatus::Joined`]; [`CacheStatus::Hit`] if the
        /// source said it a short time ago of something that it does not have.
        served: CacheStatus,
        /// Whether it is what the source says of something that it does not have, worth remembering.
        is_absent: bool,
    },
    /// An uncacheable result, for the caller that loaded it.
    Passed(P),
}

impl<P> CacheResponse<P> {
    pub(crate) fn cached(
        entry: Arc<Entry>,
        served: CacheStatus,
        tier: Tier,
        (policy, now_ms): (&Policy, Timestamp),
        reason: Option<CacheStatusReason>,
    ) -> Self {
        let (age, left_ms) = (entry.age(now_ms), fresh_left_ms(&entry, policy, now_ms));
        Self::Cached { age, left_ms, entry, served, tier, reason, delivery_guard: None }
    }

    /// The same response with this delivery guard.
    pub(crate) fn with_delivery_guard(self, guard: Option<DeliveryGuard>) -> Self {
        match self {
            Self::Cached { age, left_ms, entry, served, tier, reason, .. } => {
                Self::Cached { age, left_ms, entry, served, tier, reason, delivery_guard: guard }
            }
            other => other,
        }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Cached { entry, .. } => Some(entry.value()),
            Self::Shared { value, .. } => Some(value),
            Self::Passed(_) => None,
        }
    }

    /// Its cache status; `None` if it was passed through.
    pub fn served(&self) -> Option<CacheStatus> {
        match self {
            Self::Cached { served, .. } | Self::Shared { served, .. } => Some(*served),
            Self::Passed(_) => None,
        }
    }
}
