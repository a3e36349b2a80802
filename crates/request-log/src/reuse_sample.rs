//! Samples the times of repeated requests within a day, so that they can be replayed under other TTLs.
//!
//! A request is in the sample by its hash. With too many times, every second request leaves with all its times; the
//! rest are complete. A day later the peak is over: if little is left, requests that had to leave may return.

use greenroom_cache::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::time_series::{DAY_MS, MINUTE_MS};

/// Max times of one class.
pub const MAX_TIMES: usize = 2_048;
/// If fewer than one time in this many would stay when every second request leaves, older times go instead.
const LEAST_LEFT: usize = 8;
/// Max level: at least one request in two to this power is in the sample.
const MAX_LEVEL: u32 = 62;
/// With fewer times than this, a day after requests had to leave, some may return.
const FEW_TIMES: usize = MAX_TIMES / 4;
/// Interval of the sweep of old times.
const SWEEP: Duration = Duration::from_millis(10 * MINUTE_MS);

/// Sample of one class.
#[derive(Debug, Default)]
pub struct ReuseSample {
    times_ms: HashMap<u64, VecDeque<Timestamp>>,
    count: usize,
    /// One request in two to this power is sampled.
    level: u32,
    /// Time of the last change of the level.
    level_since_ms: Timestamp,
    since_ms: Timestamp,
    swept_ms: Timestamp,
}

/// A sample, for replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedTrace {
    /// Start of the sample. A request that entered later is complete since its first time.
    pub since_ms: Timestamp,
    /// Times of each request, in order.
    pub requests: Vec<Vec<Timestamp>>,
}

impl ReuseSample {
    /// Records a request.
    pub fn record(&mut self, request_hash: u64, now_ms: Timestamp) {
        if self.since_ms == Timestamp::UNIX_EPOCH {
            self.since_ms = now_ms;
        }
        if now_ms.duration_since(self.swept_ms) >= SWEEP {
            self.sweep(now_ms);
        }
        if request_hash & ((1 << self.level) - 1) != 0 {
            return;
        }
        self.times_ms.entry(request_hash).or_default().push_back(now_ms);
        self.count += 1;
        if self.count > MAX_TIMES {
            self.forget_before(now_ms.saturating_sub(Duration::from_millis(DAY_MS)));
        }
        while self.count > MAX_TIMES {
            let mask = (2 << self.level) - 1;
            let staying = self.times_ms.iter().filter(|(request_hash, _)| *request_hash & mask == 0);
            let left: usize = staying.map(|(_, times)| times.len()).sum();
            if left >= self.count / LEAST_LEFT && left < self.count && self.level < MAX_LEVEL {
                self.level += 1;
                self.level_since_ms = now_ms;
                self.times_ms.retain(|request_hash, _| request_hash & mask == 0);
                self.count = left;
            } else {
                // A few requests are so frequent that they alone are too much: the older half of all times goes.
                let mut times_ms: Vec<Timestamp> = self.times_ms.values().flatten().copied().collect();
                times_ms.sort_unstable();
                self.since_ms =
                    times_ms.get(times_ms.len() / 2).map_or(now_ms, |time_ms| *time_ms + Duration::from_millis(1));
                self.forget_before(self.since_ms);
            }
        }
    }

    /// Sample of the last day.
    pub fn trace(&mut self, now_ms: Timestamp) -> RecordedTrace {
        let oldest_ms = now_ms.saturating_sub(Duration::from_millis(DAY_MS));
        self.forget_before(oldest_ms);
        let requests = self.times_ms.values().map(|times| times.iter().copied().collect()).collect();
        RecordedTrace { since_ms: self.since_ms.max(oldest_ms).min(now_ms), requests }
    }

    /// Drops old times. A day after a peak little may be left: then requests return until half the capacity is used, if
    /// they are as frequent as those that stayed.
    fn sweep(&mut self, now_ms: Timestamp) {
        self.swept_ms = now_ms;
        self.forget_before(now_ms.saturating_sub(Duration::from_millis(DAY_MS)));
        if self.level == 0 || now_ms.duration_since(self.level_since_ms) < Duration::from_millis(DAY_MS) {
            return;
        }
        let mut expected = self.count;
        if expected < FEW_TIMES {
            while self.level > 0 && 2 * expected <= MAX_TIMES / 2 {
                self.level -= 1;
                expected *= 2;
            }
            self.level_since_ms = now_ms;
        }
    }

    fn forget_before(&mut self, oldest_ms: Timestamp) {
        self.times_ms.retain(|_, times| {
            while times.front().is_some_and(|time_ms| *time_ms < oldest_ms) {
                times.pop_front();
            }
            !times.is_empty()
        });
        self.count = self.times_ms.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn request_hash(number: u64) -> u64 {
        xxh3_64(&number.to_le_bytes())
    }

    #[test]
    fn the_sample_is_bounded_and_its_requests_are_complete() {
        let mut sample = ReuseSample::default();
        let rounds = 20;
        for round in 0..rounds {
            for number in 0..10_000 {
                sample.record(request_hash(number), Timestamp::from_millis(1_000_000 + round * 1_000));
            }
        }
        let recorded = sample.trace(Timestamp::from_millis(2_000_000));
        let times: usize = recorded.requests.iter().map(Vec::len).sum();
        assert!((MAX_TIMES / 4..=MAX_TIMES).contains(&times), "{times}");
        assert!(recorded.requests.iter().all(|times| times.len() as u64 == rounds), "{recorded:?}");
    }

    #[test]
    fn times_older_than_a_day_are_dropped() {
        let mut sample = ReuseSample::default();
        sample.record(request_hash(1), Timestamp::from_millis(1));
        sample.record(request_hash(1), Timestamp::from_millis(DAY_MS + 5));
        let recorded = sample.trace(Timestamp::from_millis(DAY_MS + 6));
        assert_eq!(recorded.requests, [[Timestamp::from_millis(DAY_MS + 5)]]);
        assert_eq!(recorded.since_ms, Timestamp::from_millis(6));
    }

    #[test]
    fn a_few_frequent_requests_stay_in_the_sample_whatever_their_hashes() {
        let mut sample = ReuseSample::default();
        for time_ms in 1..100_000 {
            sample.record(1 + 2 * (time_ms % 2), Timestamp::from_millis(time_ms));
        }
        let recorded = sample.trace(Timestamp::from_millis(100_000));
        assert_eq!(recorded.requests.len(), 2, "both are still sampled");
        assert!(sample.count <= MAX_TIMES && sample.count >= MAX_TIMES / 4, "{}", sample.count);
    }

    /// Many requests that never repeat, from `at_ms` on.
    fn burst(sample: &mut ReuseSample, at_ms: Timestamp) {
        for number in 0..200_000 {
            sample.record(request_hash(number), at_ms + Duration::from_millis(number / 100));
        }
    }

    /// Requests with odd hashes, which leave first, each repeated every ten minutes for a day.
    fn frequent(sample: &mut ReuseSample, requests: &[u64], from_ms: Timestamp) {
        for round in 0..144 {
            for request_hash in requests {
                assert_eq!(request_hash % 2, 1);
                sample.record(*request_hash, from_ms + Duration::from_millis(round * 10 * MINUTE_MS));
            }
        }
    }

    #[test]
    fn frequent_requests_evicted_by_a_burst_return_after_a_day() {
        let mut sample = ReuseSample::default();
        burst(&mut sample, Timestamp::from_millis(1_000_000));
        assert!(sample.level >= 5, "the burst raised the level: {}", sample.level);
        sample.record(1, Timestamp::from_millis(1_900_000));
        assert!(!sample.times_ms.contains_key(&1), "the burst fills the sample");
        frequent(&mut sample, &[1, 3], Timestamp::from_millis(2_000_000));
        frequent(&mut sample, &[1, 3], Timestamp::from_millis(2_000_000 + DAY_MS));
        let recorded = sample.trace(Timestamp::from_millis(2_000_000 + 2 * DAY_MS));
        let repeats: Vec<usize> = recorded.requests.iter().map(Vec::len).collect();
        assert_eq!((repeats.len(), sample.level), (2, 0));
        assert!(repeats.iter().all(|count| *count >= 140), "{repeats:?}");
    }

    #[test]
    fn after_a_burst_no_more_requests_return_than_the_sample_has_room_for() {
        let mut sample = ReuseSample::default();
        let mut day = |day: u64, has_burst: bool| {
            let started_ms = 1_000_000 + day * DAY_MS;
            if has_burst {
                burst(&mut sample, Timestamp::from_millis(started_ms));
            }
            // Usual traffic: 300 requests, each repeated six times.
            for round in 0..6 {
                for number in 0..300 {
                    sample.record(
                        request_hash(1_000_000 + number),
                        Timestamp::from_millis(started_ms + (1 + round * 3) * 60 * MINUTE_MS),
                    );
                }
            }
            let recorded = sample.trace(Timestamp::from_millis(started_ms + DAY_MS - 1));
            let usual = recorded.requests.iter().filter(|times| times.len() > 1).count();
            let times: usize = recorded.requests.iter().map(Vec::len).sum();
            assert!(times <= MAX_TIMES, "{times} on day {day}");
            usual
        };
        assert!(day(0, true) < 40, "the burst fills the sample");
        let quiet: Vec<usize> = (1..5).map(|number| day(number, false)).collect();
        assert!(quiet[3] >= 120, "half of them or more: {quiet:?}");
    }

    #[test]
    fn one_request_alone_cannot_fill_the_sample() {
        let mut sample = ReuseSample::default();
        for time_ms in 1..100_000 {
            sample.record(0, Timestamp::from_millis(time_ms));
        }
        assert!(sample.count <= MAX_TIMES && sample.count >= MAX_TIMES / 2, "{}", sample.count);
        let recorded = sample.trace(Timestamp::from_millis(100_000));
        assert_eq!(recorded.requests[0].first(), Some(&recorded.since_ms));
    }
}
