//! When the server's events arrived.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};

/// When the server's events arrived.
#[derive(Debug, Default)]
pub(super) struct FeedTimes {
    /// Since when they arrive without a gap; zero while they do not.
    whole_since_ms: AtomicTimestamp,
    /// End of the last gap; zero before the first.
    gap_end_ms: AtomicTimestamp,
    is_lost: AtomicBool,
}

impl FeedTimes {
    pub(super) fn started(&self, now_ms: Timestamp) {
        self.gap_end_ms.fetch_max(now_ms, Ordering::AcqRel);
        self.whole_since_ms.store(now_ms.max(Timestamp::from_millis(1)), Ordering::Release);
        self.is_lost.store(false, Ordering::Release);
    }

    pub(super) fn lost(&self) {
        if self.whole_since_ms.swap(Timestamp::UNIX_EPOCH, Ordering::AcqRel) > Timestamp::UNIX_EPOCH {
            self.is_lost.store(true, Ordering::Release);
        }
    }

    pub(super) fn whole_since_ms(&self) -> Option<Timestamp> {
        Some(self.whole_since_ms.load(Ordering::Acquire)).filter(|since_ms| *since_ms > Timestamp::UNIX_EPOCH)
    }

    pub(super) fn gap_end_ms(&self) -> Timestamp {
        self.gap_end_ms.load(Ordering::Acquire)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_loaded_before_a_feed_that_opens_late_or_again_is_from_before_a_gap() {
        let feed = FeedTimes::default();
        feed.started(Timestamp::from_millis(1_000_100));
        assert_eq!(
            (feed.gap_end_ms(), feed.whole_since_ms()),
            (Timestamp::from_millis(1_000_100), Some(Timestamp::from_millis(1_000_100)))
        );
        feed.lost();
        assert!(feed.is_lost() && feed.whole_since_ms().is_none());
        feed.started(Timestamp::from_millis(1_050_200));
        assert_eq!((feed.gap_end_ms(), feed.is_lost()), (Timestamp::from_millis(1_050_200), false));
        let late = FeedTimes::default();
        late.lost();
        assert!(!late.is_lost(), "it was never open");
        late.started(Timestamp::from_millis(1_006_000));
        assert_eq!(late.gap_end_ms(), Timestamp::from_millis(1_006_000));
    }
}
