//! Counters of one cache, since the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppCacheEvent {
    /// A lookup found a fresh entry.
    Hit,
    /// A lookup found a stale entry.
    Stale,
    /// A lookup found neither.
    Miss,
    /// An entry was stored.
    Stored,
    /// A put was refused, by a condition, a fence or a limit.
    Refused,
    /// An entry was removed by a call.
    Removed,
    /// An entry was evicted.
    Evicted,
    /// A lease was given.
    Leased,
    /// A caller found a lease taken.
    Waited,
    /// A put was deferred.
    Deferred,
    /// A deferred put could not be written.
    Lost,
    /// An operation failed.
    Failed,
}

/// Counters of one cache.
#[derive(Debug, Default)]
pub(crate) struct AppCacheCounters([AtomicU64; AppCacheEvent::EVERY.len()]);

/// Counters of one cache at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AppCacheCounts)]
pub struct AppCacheCounts {
    /// Lookups that found a fresh entry.
    pub hits: u64,
    /// Lookups that found a stale entry.
    pub stale: u64,
    /// Lookups that found neither.
    pub misses: u64,
    /// Entries stored.
    pub stored: u64,
    /// Puts refused by a condition, a fence or a limit.
    pub refused: u64,
    /// Entries removed by calls.
    pub removed: u64,
    /// Entries evicted.
    pub evicted: u64,
    /// Leases given.
    pub leased: u64,
    /// Callers that found a lease taken.
    pub waited: u64,
    /// Deferred puts.
    pub deferred: u64,
    /// Deferred puts that could not be written.
    pub lost: u64,
    /// Operations that failed.
    pub failed: u64,
}

impl AppCacheEvent {
    /// All of them.
    pub const EVERY: [Self; 12] = [
        Self::Hit,
        Self::Stale,
        Self::Miss,
        Self::Stored,
        Self::Refused,
        Self::Removed,
        Self::Evicted,
        Self::Leased,
        Self::Waited,
        Self::Deferred,
        Self::Lost,
        Self::Failed,
    ];

    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Stored => "stored",
            Self::Refused => "refused",
            Self::Removed => "removed",
            Self::Evicted => "evicted",
            Self::Leased => "leased",
            Self::Waited => "waited",
            Self::Deferred => "deferred",
            Self::Lost => "lost",
            Self::Failed => "failed",
        }
    }
}

impl AppCacheCounters {
    pub(crate) fn count(&self, event: AppCacheEvent) {
        self.add(event, 1);
    }

    pub(crate) fn add(&self, event: AppCacheEvent, number: u64) {
        self.0[event as usize].fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> AppCacheCounts {
        let of = |event: AppCacheEvent| self.0[event as usize].load(Ordering::Relaxed);
        AppCacheCounts {
            hits: of(AppCacheEvent::Hit),
            stale: of(AppCacheEvent::Stale),
            misses: of(AppCacheEvent::Miss),
            stored: of(AppCacheEvent::Stored),
            refused: of(AppCacheEvent::Refused),
            removed: of(AppCacheEvent::Removed),
            evicted: of(AppCacheEvent::Evicted),
            leased: of(AppCacheEvent::Leased),
            waited: of(AppCacheEvent::Waited),
            deferred: of(AppCacheEvent::Deferred),
            lost: of(AppCacheEvent::Lost),
            failed: of(AppCacheEvent::Failed),
        }
    }
}

impl AppCacheCounts {
    /// Each count with its name in metrics.
    pub fn named(&self) -> [(&'static str, u64); AppCacheEvent::EVERY.len()] {
        let counts = [
            self.hits,
            self.stale,
            self.misses,
            self.stored,
            self.refused,
            self.removed,
            self.evicted,
            self.leased,
            self.waited,
            self.deferred,
            self.lost,
            self.failed,
        ];
        let mut named = AppCacheEvent::EVERY.map(|event| (event.name(), 0));
        named.iter_mut().zip(counts).for_each(|(named, count)| named.1 = count);
        named
    }
}
