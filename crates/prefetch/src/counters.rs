//! Counters. The engine counts whether a prefetched response was useful, with its entry.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::policy::SkipReason;

/// Counters of one server.
#[derive(Debug, Default)]
pub struct PrefetchCounters {
    started: AtomicU64,
    failed: AtomicU64,
    overflowed: AtomicU64,
    skipped: [AtomicU64; SkipReason::EVERY.len()],
}

/// Values of the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrefetchSnapshot {
    /// Started loads.
    pub started: u64,
    /// Failed loads.
    pub failed: u64,
    /// Responses dropped unread because too many were sent at once.
    pub overflowed: u64,
    /// Predictions that were not loaded, by reason, in the order of [`SkipReason::EVERY`].
    pub skipped: Vec<(&'static str, u64)>,
}

impl PrefetchCounters {
    /// Counts a started load.
    pub fn record_started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failed load.
    pub fn record_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response dropped unread.
    pub fn record_overflowed(&self) {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts `count` predictions that were not loaded for `reason`.
    pub fn record_skipped(&self, reason: SkipReason, count: usize) {
        self.skipped[reason as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Current values.
    pub fn snapshot(&self) -> PrefetchSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PrefetchSnapshot {
            started: read(&self.started),
            failed: read(&self.failed),
            overflowed: read(&self.overflowed),
            skipped: SkipReason::EVERY
                .iter()
                .zip(&self.skipped)
                .map(|(reason, count)| (reason.name(), read(count)))
                .collect(),
        }
    }
}
