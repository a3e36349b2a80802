//! What resolving did, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Tracks that were asked for.
    Asked,
    /// The whole index was asked.
    WholeIndex,
    /// Only what came since was asked.
    NewsOnly,
    /// It was known that it is not there.
    KnownMiss,
    /// A pin said so.
    Pinned,
    /// It was confirmed before.
    Confirmed,
    /// An item was found again under another key.
    Rekeyed,
    /// What was confirmed is not in the library any more.
    Dropped,
    /// A pinned item is not in the library at the moment.
    PinLost,
    /// A candidate was left out because somebody said so.
    Rejected,
    /// A candidate was left out because the server does not have it.
    Disowned,
    /// The server was searched.
    LiveAsked,
    /// It was found there.
    LiveFound,
    /// A search had to be left because the budget was used up.
    LiveRefused,
    /// A search failed, or the server could not be asked.
    LiveFailed,
    /// Paths that were looked up.
    Paths,
    /// Names that were looked up.
    Ids,
    /// A decision could not be kept.
    NotKept,
}

impl Count {
    /// All of them.
    pub const EVERY: [Self; 18] = [
        Self::Asked,
        Self::WholeIndex,
        Self::NewsOnly,
        Self::KnownMiss,
        Self::Pinned,
        Self::Confirmed,
        Self::Rekeyed,
        Self::Dropped,
        Self::PinLost,
        Self::Rejected,
        Self::Disowned,
        Self::LiveAsked,
        Self::LiveFound,
        Self::LiveRefused,
        Self::LiveFailed,
        Self::Paths,
        Self::Ids,
        Self::NotKept,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::WholeIndex => "whole_index",
            Self::NewsOnly => "news_only",
            Self::KnownMiss => "known_miss",
            Self::Pinned => "pinned",
            Self::Confirmed => "confirmed",
            Self::Rekeyed => "rekeyed",
            Self::Dropped => "dropped",
            Self::PinLost => "pin_lost",
            Self::Rejected => "rejected",
            Self::Disowned => "disowned",
            Self::LiveAsked => "live_asked",
            Self::LiveFound => "live_found",
            Self::LiveRefused => "live_refused",
            Self::LiveFailed => "live_failed",
            Self::Paths => "paths",
            Self::Ids => "ids",
            Self::NotKept => "not_kept",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; Count::EVERY.len()],
}

impl Tally {
    pub(super) fn note(&self, what: Count) {
        self.add(what, 1);
    }

    pub(super) fn add(&self, what: Count, times: usize) {
        let times = u64::try_from(times).unwrap_or(u64::MAX);
        self.counts[what as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// How often it happened.
    pub fn of(&self, what: Count) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place_and_its_word() {
        for (place, count) in Count::EVERY.into_iter().enumerate() {
            assert_eq!(count as usize, place);
        }
        let words: std::collections::BTreeSet<_> = Count::EVERY.map(Count::word).into();
        assert_eq!(words.len(), Count::EVERY.len());
    }
}
