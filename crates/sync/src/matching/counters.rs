//! Counters of the matcher.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchCounter {
    /// A track was requested.
    Requested,
    /// The whole index was searched.
    WholeIndex,
    /// Only the items added since were searched.
    DeltaOnly,
    /// The negative cache knew the track is missing.
    KnownMiss,
    /// A pin decided.
    Pinned,
    /// A confirmed match decided.
    Confirmed,
    /// An item was found again under another key.
    Rekeyed,
    /// A confirmed match was deleted because its item is gone.
    Dropped,
    /// A confirmed match was judged again, because the index had gained rows.
    JudgedAgain,
    /// A confirmed match was deleted because another item is meant.
    Superseded,
    /// A pinned item is currently not in the library.
    PinLost,
    /// A candidate was left out because of a rejection.
    Rejected,
    /// A candidate was left out because the server does not have it.
    MissingOnServer,
    /// A live search ran.
    LiveAsked,
    /// A live search found a match.
    LiveFound,
    /// A live search was skipped because the budget was used up.
    LiveRefused,
    /// A live search failed, or the server was not available.
    LiveFailed,
    /// A path was looked up.
    Paths,
    /// An id was looked up.
    Ids,
    /// An override could not be saved.
    NotSaved,
}

impl MatchCounter {
    /// All events.
    pub const EVERY: [Self; 20] = [
        Self::Requested,
        Self::WholeIndex,
        Self::DeltaOnly,
        Self::KnownMiss,
        Self::Pinned,
        Self::Confirmed,
        Self::Rekeyed,
        Self::Dropped,
        Self::JudgedAgain,
        Self::Superseded,
        Self::PinLost,
        Self::Rejected,
        Self::MissingOnServer,
        Self::LiveAsked,
        Self::LiveFound,
        Self::LiveRefused,
        Self::LiveFailed,
        Self::Paths,
        Self::Ids,
        Self::NotSaved,
    ];

    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "asked",
            Self::WholeIndex => "whole_index",
            Self::DeltaOnly => "news_only",
            Self::KnownMiss => "known_miss",
            Self::Pinned => "pinned",
            Self::Confirmed => "confirmed",
            Self::Rekeyed => "rekeyed",
            Self::Dropped => "dropped",
            Self::JudgedAgain => "judged_again",
            Self::Superseded => "superseded",
            Self::PinLost => "pin_lost",
            Self::Rejected => "rejected",
            Self::MissingOnServer => "disowned",
            Self::LiveAsked => "live_asked",
            Self::LiveFound => "live_found",
            Self::LiveRefused => "live_refused",
            Self::LiveFailed => "live_failed",
            Self::Paths => "paths",
            Self::Ids => "ids",
            Self::NotSaved => "not_kept",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct MatchCounters {
    counts: [AtomicU64; MatchCounter::EVERY.len()],
}

impl MatchCounters {
    pub(super) fn increment(&self, counter: MatchCounter) {
        self.add(counter, 1);
    }

    pub(super) fn add(&self, counter: MatchCounter, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.counts[counter as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// The count of one event.
    pub fn get(&self, counter: MatchCounter) -> u64 {
        self.counts[counter as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_index_and_a_unique_name() {
        for (target, count) in MatchCounter::EVERY.into_iter().enumerate() {
            assert_eq!(count as usize, target);
        }
        let names: std::collections::BTreeSet<_> = MatchCounter::EVERY.map(MatchCounter::name).into();
        assert_eq!(names.len(), MatchCounter::EVERY.len());
    }
}
