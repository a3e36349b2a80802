//! Lookups in the index of one library, for the pages of apps that count the use of their own index.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lookups that the index answered, since start or the last reset.
#[derive(Debug, Default)]
pub struct LookupCounters {
    hits: AtomicU64,
    misses: AtomicU64,
    last_ms: AtomicTimestamp,
}

/// Their values at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// Lookups that found an item.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Time of the last lookup, in milliseconds since 1970; zero if there was none.
    pub last_ms: Timestamp,
}

impl LookupCounters {
    /// Counts one batch of lookups by whether each found an item.
    pub(crate) fn record(&self, found: impl IntoIterator<Item = bool>, now_ms: Timestamp) {
        let (mut hits, mut misses) = (0, 0);
        for has_found in found {
            if has_found {
                hits += 1;
            } else {
                misses += 1;
            }
        }
        if hits + misses == 0 {
            return;
        }
        self.hits.fetch_add(hits, Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
        self.last_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// The counts.
    pub fn get(&self) -> LookupCounts {
        LookupCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            last_ms: self.last_ms.load(Ordering::Relaxed),
        }
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        for count in [&self.hits, &self.misses] {
            count.store(0, Ordering::Relaxed);
        }
        self.last_ms.store(Timestamp::UNIX_EPOCH, Ordering::Relaxed);
    }
}

impl LookupCounts {
    /// The counts of several libraries together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            last_ms: self.last_ms.max(other.last_ms),
        }
    }

    /// Share of the lookups that found an item, from 0 to 1; `None` without lookups.
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    pub fn hit_rate(self) -> Option<f64> {
        let all = self.hits + self.misses;
        (all > 0).then(|| (self.hits as f64 / all as f64 * 10_000.0).round() / 10_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_lookups_that_found_an_item_is_between_zero_and_one() {
        let counters = LookupCounters::default();
        counters.record([], Timestamp::from_millis(5));
        assert_eq!((counters.get(), counters.get().hit_rate()), (LookupCounts::default(), None));
        counters.record([true, false, true], Timestamp::from_millis(7));
        counters.record([false], Timestamp::from_millis(6));
        assert_eq!(counters.get(), LookupCounts { hits: 2, misses: 2, last_ms: Timestamp::from_millis(7) });
        assert_eq!(
            counters.get().plus(LookupCounts { hits: 1, misses: 1, last_ms: Timestamp::from_millis(9) }).hit_rate(),
            Some(0.5)
        );
        counters.reset();
        assert_eq!(counters.get(), LookupCounts::default());
    }
}
