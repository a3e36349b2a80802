//! What was counted. Whether a prefetched answer was useful the engine counts, where the answer is kept.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::prefetch::policy::Skip;

/// The counters of one server.
#[derive(Debug, Default)]
pub struct Tally {
    started: AtomicU64,
    failed: AtomicU64,
    unheard: AtomicU64,
    skipped: [AtomicU64; Skip::EVERY.len()],
}

/// What was counted until now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Loads that were started.
    pub started: u64,
    /// Loads that failed.
    pub failed: u64,
    /// Answers that were not looked at because too many left at once.
    pub unheard: u64,
    /// Likely requests that were not loaded, by reason, in the order of [`Skip::EVERY`].
    pub skipped: Vec<(&'static str, u64)>,
}

impl Tally {
    pub(crate) fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unheard(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn skip(&self, why: Skip, count: usize) {
        self.skipped[why as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub fn counted(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            started: read(&self.started),
            failed: read(&self.failed),
            unheard: read(&self.unheard),
            skipped: Skip::EVERY
                .iter()
                .zip(&self.skipped)
                .map(|(why, count)| (why.name(), read(count)))
                .collect(),
        }
    }
}
