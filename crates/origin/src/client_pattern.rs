//! Recent read pattern of an app, from its reads that needed the server.

use greenroom_cache::Timestamp;
use std::time::Duration;

/// An app floods if it makes more upstream reads than this …
const FLOOD_READS: u32 = 60;
/// … within this time …
const FLOOD_WITHIN: Duration = Duration::from_secs(10);
/// … or if more than this many of its reads wait at once.
const FLOOD_WAITING: usize = 16;
/// Keys remembered per app: a poller has few.
const POLLED_KEYS: usize = 8;
/// Reads less than this apart count as one visit.
const SAME_READ: Duration = Duration::from_secs(1);
/// An interval may differ from the previous one by this fraction (1/n) and still count as steady.
const STEADY_SHARE: u32 = 5;

/// Read pattern of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessPattern {
    /// Occasional reads.
    Browses,
    /// The same few reads at a steady interval.
    Polls,
    /// Very many reads.
    Floods,
}

/// Recent reads of one app.
#[derive(Debug, Default)]
pub struct RecentReads {
    /// Time at which the app's reads are paid for, at one [`FLOOD_READS`]th of the period each.
    allowance_ms: Timestamp,
    polled: [PolledKey; POLLED_KEYS],
}

/// A key that was read.
#[derive(Debug, Clone, Copy, Default)]
struct PolledKey {
    key: u64,
    last_ms: Timestamp,
    /// Interval of the last two reads; 0 before the second.
    interval_ms: Duration,
}

impl RecentReads {
    /// Records a read that needs the server, and returns the app's pattern. `waiting` counts its reads already waiting.
    pub fn record(&mut self, key: u64, waiting: usize, now_ms: Timestamp) -> AccessPattern {
        let is_flood = self.spend(now_ms) || waiting > FLOOD_WAITING;
        if self.is_in_rhythm(key, now_ms) {
            AccessPattern::Polls
        } else if is_flood {
            AccessPattern::Floods
        } else {
            AccessPattern::Browses
        }
    }

    /// Whether the app exceeds the flood rate.
    pub fn is_flood(&self, now_ms: Timestamp) -> bool {
        self.allowance_ms > now_ms.saturating_add(FLOOD_WITHIN)
    }

    /// Whether the app exceeds the flood rate. Debt is capped at twice the limit, so an app that stops soon counts as
    /// any other.
    fn spend(&mut self, now_ms: Timestamp) -> bool {
        let cost_ms = FLOOD_WITHIN / FLOOD_READS;
        let max_ms = now_ms + FLOOD_WITHIN * 2;
        self.allowance_ms = (self.allowance_ms.max(now_ms) + cost_ms).min(max_ms);
        self.is_flood(now_ms)
    }

    fn is_in_rhythm(&mut self, key: u64, now_ms: Timestamp) -> bool {
        let Some(polled) =
            self.polled.iter_mut().find(|polled| polled.key == key && polled.last_ms > Timestamp::UNIX_EPOCH)
        else {
            let oldest = self.polled.iter_mut().min_by_key(|polled| polled.last_ms);
            if let Some(oldest) = oldest {
                *oldest = PolledKey { key, last_ms: now_ms, interval_ms: Duration::ZERO };
            }
            return false;
        };
        let interval_ms = now_ms.duration_since(polled.last_ms);
        let previous_ms = std::mem::replace(&mut polled.interval_ms, interval_ms);
        polled.last_ms = now_ms;
        previous_ms >= SAME_READ && interval_ms.abs_diff(previous_ms) <= previous_ms / STEADY_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: u64 = 1_000_000;

    #[test]
    fn sixty_reads_at_once_are_browsing_and_the_next_is_a_flood() {
        let mut patterns = RecentReads::default();
        for key in 0..FLOOD_READS {
            assert_eq!(
                patterns.record(u64::from(key), 0, Timestamp::from_millis(START_MS)),
                AccessPattern::Browses,
                "{key}"
            );
        }
        assert_eq!(patterns.record(99, 0, Timestamp::from_millis(START_MS)), AccessPattern::Floods);
    }

    #[test]
    fn a_flood_is_over_soon_after_it_stops_however_long_it_lasted() {
        let mut patterns = RecentReads::default();
        let mut now_ms = START_MS;
        for key in 0..100_000 {
            now_ms = START_MS + key;
            patterns.record(key, 0, Timestamp::from_millis(now_ms));
        }
        assert_eq!(patterns.record(1, 0, Timestamp::from_millis(now_ms)), AccessPattern::Floods);
        assert_eq!(patterns.record(2, 0, Timestamp::from_millis(now_ms) + FLOOD_WITHIN * 2), AccessPattern::Browses);
    }

    #[test]
    fn a_read_every_second_is_no_flood() {
        let mut patterns = RecentReads::default();
        assert!((0..500).all(
            |key| patterns.record(key, 0, Timestamp::from_millis(START_MS + key * 1000)) == AccessPattern::Browses
        ));
    }

    #[test]
    fn many_waiting_requests_are_a_flood() {
        let mut patterns = RecentReads::default();
        assert_eq!(patterns.record(1, FLOOD_WAITING, Timestamp::from_millis(START_MS)), AccessPattern::Browses);
        assert_eq!(patterns.record(2, FLOOD_WAITING + 1, Timestamp::from_millis(START_MS)), AccessPattern::Floods);
    }

    #[test]
    fn the_same_read_in_a_rhythm_is_a_poll() {
        let mut patterns = RecentReads::default();
        let read = |patterns: &mut RecentReads, at_s: u64| {
            patterns.record(7, 0, Timestamp::from_millis(START_MS + at_s * 1000))
        };
        assert_eq!(read(&mut patterns, 0), AccessPattern::Browses);
        assert_eq!(read(&mut patterns, 60), AccessPattern::Browses, "twice is no rhythm");
        assert_eq!(read(&mut patterns, 122), AccessPattern::Polls);
        assert_eq!(read(&mut patterns, 400), AccessPattern::Browses, "it came when it liked");
    }

    #[test]
    fn reads_in_quick_succession_are_no_rhythm() {
        let mut patterns = RecentReads::default();
        assert!(
            (0..5)
                .all(|at| patterns.record(7, 0, Timestamp::from_millis(START_MS + at * 200)) == AccessPattern::Browses)
        );
    }

    #[test]
    fn a_walk_over_many_keys_is_no_poll_even_if_repeated() {
        let mut patterns = RecentReads::default();
        for round in 0..5 {
            for key in 0..40 {
                let at_ms = START_MS + (round * 40 + key) * 1000;
                assert_eq!(patterns.record(key, 0, Timestamp::from_millis(at_ms)), AccessPattern::Browses);
            }
        }
    }
}
