//! Adapts the page size of a crawl and the rest between pages: as large as the server answers in time, smaller where
//! requests fail.

use std::time::Duration;

/// Rows of the first page. Slow servers get no smaller one, because their time is not spent on rows.
const INITIAL_SIZE: u64 = 250;
/// Max rows of a page.
const MAX_SIZE: u64 = 1_000;
/// Min rows of a page, where larger ones fail.
const MIN_SIZE: u64 = 32;
/// A page within this time may be followed by a larger one.
const SLOW_PAGE: Duration = Duration::from_secs(2);
/// Pages in time before a size that was too slow is tried again.
const RAISE_AFTER_SLOW: u32 = 30;
/// The same for a size that failed: mostly the size was not the cause.
const RAISE_AFTER_FAILED: u32 = 3;
/// Shortest and longest rest between pages; the rest is a quarter of the last page's time.
const REQUEST_DELAY: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(2));

/// Page size of one crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdaptivePageSize {
    size: u64,
    /// Larger pages were too slow or failed.
    ceiling: u64,
    in_time: u32,
    pages_until_raise: u32,
}

impl Default for AdaptivePageSize {
    fn default() -> Self {
        Self { size: INITIAL_SIZE, ceiling: MAX_SIZE, in_time: 0, pages_until_raise: RAISE_AFTER_SLOW }
    }
}

impl AdaptivePageSize {
    /// Rows of the next page.
    pub(super) fn size(self) -> u64 {
        self.size
    }

    /// Records a page. Returns how long to rest.
    pub(super) fn record_success(&mut self, took: Duration) -> Duration {
        if took > SLOW_PAGE {
            (self.in_time, self.pages_until_raise) = (0, RAISE_AFTER_SLOW);
            self.size = (self.size / 2).max(INITIAL_SIZE.min(self.size));
            self.ceiling = self.size;
        } else {
            self.in_time += 1;
            if self.in_time >= self.pages_until_raise {
                self.in_time = 0;
                self.ceiling = (self.ceiling * 2).min(MAX_SIZE);
            }
            self.size = (self.size * 2).min(self.ceiling);
        }
        (took / 4).clamp(REQUEST_DELAY.0, REQUEST_DELAY.1)
    }

    /// Records a failed page: the next one is smaller.
    pub(super) fn record_failure(&mut self) {
        (self.in_time, self.pages_until_raise) = (0, RAISE_AFTER_FAILED);
        self.size = (self.size / 2).max(MIN_SIZE);
        self.ceiling = self.size;
    }

    /// Reverts a failure that had nothing to do with the size, because the whole server was down.
    pub(super) fn ignore_failure(&mut self) {
        *self = Self { size: INITIAL_SIZE.max(self.size), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(100);
    const SLOW: Duration = Duration::from_secs(3);

    #[test]
    fn the_page_size_grows_to_a_thousand_while_pages_are_fast() {
        let mut page_size = AdaptivePageSize::default();
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                let size = page_size.size();
                page_size.record_success(QUICK);
                size
            })
            .collect();
        assert_eq!(sizes, [250, 500, 1_000, 1_000]);
    }

    #[test]
    fn slow_pages_are_halved_but_never_below_the_initial_size() {
        let mut page_size = AdaptivePageSize::default();
        for _ in 0..3 {
            page_size.record_success(QUICK);
        }
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                page_size.record_success(SLOW);
                page_size.size()
            })
            .collect();
        assert_eq!(sizes, [500, 250, 250, 250]);
    }

    #[test]
    fn a_size_that_was_too_slow_is_tried_again_only_after_many_fast_pages() {
        let mut page_size = AdaptivePageSize::default();
        page_size.record_success(QUICK);
        page_size.record_success(QUICK);
        page_size.record_success(SLOW);
        page_size.record_success(QUICK);
        assert_eq!(page_size.size(), 500);
        for _ in 0..RAISE_AFTER_SLOW {
            page_size.record_success(QUICK);
        }
        assert_eq!(page_size.size(), 1_000);
    }

    #[test]
    fn failed_pages_are_halved_down_to_the_minimum() {
        let mut page_size = AdaptivePageSize::default();
        for _ in 0..10 {
            page_size.record_failure();
        }
        assert_eq!(page_size.size(), MIN_SIZE);
        page_size.record_success(QUICK);
        assert_eq!(page_size.size(), MIN_SIZE, "what failed is not doubled at once");
        page_size.record_success(QUICK);
        page_size.record_success(QUICK);
        assert_eq!(page_size.size(), 2 * MIN_SIZE);
        page_size.ignore_failure();
        assert_eq!(page_size.size(), INITIAL_SIZE);
    }

    #[test]
    fn the_delay_between_requests_follows_the_latency_within_bounds() {
        let mut page_size = AdaptivePageSize::default();
        assert_eq!(page_size.record_success(Duration::from_millis(400)), Duration::from_millis(100));
        assert_eq!(page_size.record_success(Duration::ZERO), REQUEST_DELAY.0);
        assert_eq!(page_size.record_success(Duration::from_secs(60)), REQUEST_DELAY.1);
    }
}
