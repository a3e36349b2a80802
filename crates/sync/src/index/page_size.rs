//! Adapts the page size of a crawl and the rest between pages: as large as the server answers in time, smaller where
//! requests fail.

use std::time::Duration;

/// Rows of the first page. Slow servers get no smaller one, because their time is not spent on rows.
const FIRST: u64 = 250;
/// Max rows of a page.
const MOST: u64 = 1_000;
/// Min rows of a page, where larger ones fail.
const LEAST: u64 = 32;
/// A page within this time may be followed by a larger one.
const IN_TIME: Duration = Duration::from_secs(2);
/// Pages in time before a size that was too slow is tried again.
const FORGIVE_SLOW: u32 = 30;
/// The same for a size that failed: mostly the size was not the cause.
const FORGIVE_FAILED: u32 = 3;
/// Shortest and longest rest between pages; the rest is a quarter of the last page's time.
const REST: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(2));

/// Page size of one crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdaptivePageSize {
    size: u64,
    /// Larger pages were too slow or failed.
    ceiling: u64,
    in_time: u32,
    forgive: u32,
}

impl Default for AdaptivePageSize {
    fn default() -> Self {
        Self { size: FIRST, ceiling: MOST, in_time: 0, forgive: FORGIVE_SLOW }
    }
}

impl AdaptivePageSize {
    /// Rows of the next page.
    pub(super) fn size(self) -> u64 {
        self.size
    }

    /// Records a page. Returns how long to rest.
    pub(super) fn record_success(&mut self, took: Duration) -> Duration {
        if took > IN_TIME {
            (self.in_time, self.forgive) = (0, FORGIVE_SLOW);
            self.size = (self.size / 2).max(FIRST.min(self.size));
            self.ceiling = self.size;
        } else {
            self.in_time += 1;
            if self.in_time >= self.forgive {
                self.in_time = 0;
                self.ceiling = (self.ceiling * 2).min(MOST);
            }
            self.size = (self.size * 2).min(self.ceiling);
        }
        (took / 4).clamp(REST.0, REST.1)
    }

    /// Records a failed page: the next one is smaller.
    pub(super) fn record_failure(&mut self) {
        (self.in_time, self.forgive) = (0, FORGIVE_FAILED);
        self.size = (self.size / 2).max(LEAST);
        self.ceiling = self.size;
    }

    /// Reverts a failure that had nothing to do with the size, because the whole server was down.
    pub(super) fn ignore_failure(&mut self) {
        *self = Self { size: FIRST.max(self.size), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(100);
    const SLOW: Duration = Duration::from_secs(3);

    #[test]
    fn it_grows_to_a_thousand_while_pages_come_in_time() {
        let mut pace = AdaptivePageSize::default();
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                let size = pace.size();
                pace.record_success(QUICK);
                size
            })
            .collect();
        assert_eq!(sizes, [250, 500, 1_000, 1_000]);
    }

    #[test]
    fn slow_pages_are_halved_but_never_below_the_first_size() {
        let mut pace = AdaptivePageSize::default();
        for _ in 0..3 {
            pace.record_success(QUICK);
        }
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                pace.record_success(SLOW);
                pace.size()
            })
            .collect();
        assert_eq!(sizes, [500, 250, 250, 250]);
    }

    #[test]
    fn what_was_too_much_is_not_tried_again_at_once_but_in_the_end() {
        let mut pace = AdaptivePageSize::default();
        pace.record_success(QUICK);
        pace.record_success(QUICK);
        pace.record_success(SLOW);
        pace.record_success(QUICK);
        assert_eq!(pace.size(), 500);
        for _ in 0..FORGIVE_SLOW {
            pace.record_success(QUICK);
        }
        assert_eq!(pace.size(), 1_000);
    }

    #[test]
    fn failed_pages_are_halved_down_to_the_least() {
        let mut pace = AdaptivePageSize::default();
        for _ in 0..10 {
            pace.record_failure();
        }
        assert_eq!(pace.size(), LEAST);
        pace.record_success(QUICK);
        assert_eq!(pace.size(), LEAST, "what failed is not doubled at once");
        pace.record_success(QUICK);
        pace.record_success(QUICK);
        assert_eq!(pace.size(), 2 * LEAST);
        pace.ignore_failure();
        assert_eq!(pace.size(), FIRST);
    }

    #[test]
    fn the_rest_follows_the_latency_within_bounds() {
        let mut pace = AdaptivePageSize::default();
        assert_eq!(pace.record_success(Duration::from_millis(400)), Duration::from_millis(100));
        assert_eq!(pace.record_success(Duration::ZERO), REST.0);
        assert_eq!(pace.record_success(Duration::from_secs(60)), REST.1);
    }
}
