//! How much a crawl asks for at a time, and how long it rests in between: as much as the server gives in time, and less
//! where it struggles.

use std::time::Duration;

/// Rows of the first page. Slow servers get no smaller ones: the time of an answer is then not in its rows.
const FIRST: u64 = 250;
/// Most rows of a page.
const MOST: u64 = 1_000;
/// Least rows of a page, where larger ones fail.
const LEAST: u64 = 32;
/// A page that comes within so long may be followed by a larger one.
const IN_TIME: Duration = Duration::from_secs(2);
/// After so many pages in time a size that was too slow is tried again.
const FORGIVE_SLOW: u32 = 30;
/// The same for one that failed: mostly it was not the size.
const FORGIVE_FAILED: u32 = 3;
/// Shortest and longest rest between pages; between them it is a quarter of what the last page took.
const REST: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(2));

/// The pace of one crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    size: u64,
    /// What was too much lies above.
    ceiling: u64,
    in_time: u32,
    forgive: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { size: FIRST, ceiling: MOST, in_time: 0, forgive: FORGIVE_SLOW }
    }
}

impl Pace {
    /// Rows of the next page.
    pub(super) fn size(self) -> u64 {
        self.size
    }

    /// A page came. Returns how long to rest.
    pub(super) fn came(&mut self, took: Duration) -> Duration {
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

    /// A page failed: the next one is smaller.
    pub(super) fn failed(&mut self) {
        (self.in_time, self.forgive) = (0, FORGIVE_FAILED);
        self.size = (self.size / 2).max(LEAST);
        self.ceiling = self.size;
    }

    /// The failure had nothing to do with the size: the server was away as a whole.
    pub(super) fn forgiven(&mut self) {
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
        let mut pace = Pace::default();
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                let size = pace.size();
                pace.came(QUICK);
                size
            })
            .collect();
        assert_eq!(sizes, [250, 500, 1_000, 1_000]);
    }

    #[test]
    fn slow_pages_are_halved_but_never_below_the_first_size() {
        let mut pace = Pace::default();
        for _ in 0..3 {
            pace.came(QUICK);
        }
        let sizes: Vec<u64> = (0..4)
            .map(|_| {
                pace.came(SLOW);
                pace.size()
            })
            .collect();
        assert_eq!(sizes, [500, 250, 250, 250]);
    }

    #[test]
    fn what_was_too_much_is_not_tried_again_at_once_but_in_the_end() {
        let mut pace = Pace::default();
        pace.came(QUICK);
        pace.came(QUICK);
        pace.came(SLOW);
        pace.came(QUICK);
        assert_eq!(pace.size(), 500);
        for _ in 0..FORGIVE_SLOW {
            pace.came(QUICK);
        }
        assert_eq!(pace.size(), 1_000);
    }

    #[test]
    fn failed_pages_are_halved_down_to_the_least() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.failed();
        }
        assert_eq!(pace.size(), LEAST);
        pace.came(QUICK);
        assert_eq!(pace.size(), LEAST, "what failed is not doubled at once");
        pace.came(QUICK);
        pace.came(QUICK);
        assert_eq!(pace.size(), 2 * LEAST);
        pace.forgiven();
        assert_eq!(pace.size(), FIRST);
    }

    #[test]
    fn the_rest_follows_the_latency_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.came(Duration::from_millis(400)), Duration::from_millis(100));
        assert_eq!(pace.came(Duration::ZERO), REST.0);
        assert_eq!(pace.came(Duration::from_secs(60)), REST.1);
    }
}
