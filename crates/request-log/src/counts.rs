//! Counts of a set of requests. Rows add up: an hour is exactly the sum of its minutes.

use greenroom_cache::LoadReason;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::time::Duration;

use super::decision::{CacheResult, Decision, DecisionOutcome, DecisionReason};
use super::histogram::Histogram;
use crate::pass_reason::PassReason;

/// One counter, besides those of pass-through requests by reason. Its number is its format on disk: append new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestCounter {
    /// All requests: the sum of the next six.
    Asked,
    /// Served from the cache, fresh.
    Hits,
    /// Served from the cache, stale.
    Stale,
    /// Joined another request's load.
    Joined,
    /// Loaded from the server.
    Missed,
    /// Failed or rejected.
    Failed,
    /// Answered by the server, past the cache.
    Passed,
    /// Requests to the server caused by these.
    Reached,
    /// Served without asking the server.
    Saved,
    /// Total time that asking would have taken.
    SavedMs,
    /// Bytes of the responses.
    Bytes,
    /// Own loads whose response was read.
    RefreshesUseful,
    /// Own loads whose response was never read.
    RefreshesUseless,
    /// Misses without an entry.
    Absent,
    /// Misses with an expired entry.
    Expired,
    /// Misses with an invalidated or unconfirmed entry.
    Invalidated,
    /// Misses because the client demanded a new response, or its token needed a new grant.
    Demanded,
    /// Misses without a known reason.
    Unexplained,
    /// Spot checks with the same bytes.
    SpotSame,
    /// … of a class that changes by itself.
    SpotMoved,
    /// … with a change on the server, within the allowed age.
    SpotChanged,
    /// … with a difference that nothing explains.
    SpotWrong,
    /// Spot checks that were due but skipped.
    SpotSkipped,
    /// Requests rejected because they had no token.
    Unauthorised = 34,
}

/// Index of the first pass-through counter.
const FIRST_PASS_REASON: usize = RequestCounter::SpotSkipped as usize + 1;
/// Number of counters, including those of pass-through requests.
const COUNTERS: usize = RequestCounter::EVERY.len() + PassReason::EVERY.len();

impl RequestCounter {
    /// Requests answered by way of the cache.
    pub(super) const JUDGED: [Self; 4] = [Self::Hits, Self::Stale, Self::Joined, Self::Missed];

    /// Every counter, in the order on disk.
    pub const EVERY: [Self; 24] = [
        Self::Asked,
        Self::Hits,
        Self::Stale,
        Self::Joined,
        Self::Missed,
        Self::Failed,
        Self::Passed,
        Self::Reached,
        Self::Saved,
        Self::SavedMs,
        Self::Bytes,
        Self::RefreshesUseful,
        Self::RefreshesUseless,
        Self::Absent,
        Self::Expired,
        Self::Invalidated,
        Self::Demanded,
        Self::Unexplained,
        Self::SpotSame,
        Self::SpotMoved,
        Self::SpotChanged,
        Self::SpotWrong,
        Self::SpotSkipped,
        Self::Unauthorised,
    ];

    /// Misses, by reason.
    pub const MISSES: [(&'static str, Self); 5] = [
        ("absent", Self::Absent),
        ("expired", Self::Expired),
        ("invalidated", Self::Invalidated),
        ("demanded", Self::Demanded),
        ("unexplained", Self::Unexplained),
    ];

    fn for_miss(reason: Option<DecisionReason>) -> Self {
        match reason {
            Some(DecisionReason::Missed(LoadReason::Absent)) => Self::Absent,
            Some(DecisionReason::Missed(LoadReason::Expired)) => Self::Expired,
            Some(DecisionReason::Missed(LoadReason::Invalidated | LoadReason::Unconfirmed)) => Self::Invalidated,
            Some(DecisionReason::Missed(LoadReason::Demanded)) => Self::Demanded,
            _ => Self::Unexplained,
        }
    }

    /// Counter for a result, one of the six.
    pub(super) fn for_outcome(outcome: &DecisionOutcome) -> Self {
        match outcome.result {
            CacheResult::Hit => Self::Hits,
            CacheResult::Stale | CacheResult::StaleOnError => Self::Stale,
            CacheResult::Joined => Self::Joined,
            CacheResult::Shared if outcome.is_saved => Self::Joined,
            CacheResult::Shared | CacheResult::Loaded | CacheResult::Refreshed => Self::Missed,
            CacheResult::Passed | CacheResult::Write => Self::Passed,
            CacheResult::Failed | CacheResult::Refused => Self::Failed,
        }
    }
}

/// Counts of a set of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCounts {
    pub(super) counted: [u64; COUNTERS],
    /// Ages of responses from the cache, in milliseconds.
    pub ages: Histogram,
    /// Latencies, in microseconds.
    pub latencies: Histogram,
    /// Age of the oldest response, in milliseconds.
    pub oldest_ms: Duration,
    /// Time of the last request.
    pub last_ms: Timestamp,
}

impl Default for RequestCounts {
    fn default() -> Self {
        Self {
            counted: [0; COUNTERS],
            ages: Histogram::default(),
            latencies: Histogram::default(),
            oldest_ms: Duration::ZERO,
            last_ms: Timestamp::UNIX_EPOCH,
        }
    }
}

impl RequestCounts {
    /// Value of a counter.
    pub fn get(&self, counter: RequestCounter) -> u64 {
        self.counted[counter as usize]
    }

    /// Adds to a counter.
    pub fn add(&mut self, counter: RequestCounter, count: u64) {
        self.add_at(counter as usize, count);
    }

    /// Pass-through requests with this reason.
    pub fn passed(&self, reason: PassReason) -> u64 {
        self.counted[index_of(reason)]
    }

    /// Adds pass-through requests with this reason.
    pub fn add_passed(&mut self, reason: PassReason, count: u64) {
        self.add_at(index_of(reason), count);
    }

    fn add_at(&mut self, index: usize, count: u64) {
        let counted = &mut self.counted[index];
        *counted = counted.saturating_add(count);
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (index, count) in other.counted.iter().enumerate() {
            self.add_at(index, *count);
        }
        self.ages.add(&other.ages);
        self.latencies.add(&other.latencies);
        self.oldest_ms = self.oldest_ms.max(other.oldest_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
    }

    /// Whether all counters are zero.
    pub fn is_empty(&self) -> bool {
        self.counted.iter().all(|count| *count == 0)
    }

    /// Adds one request. Asking the server would have taken `load_ms`.
    pub fn record(&mut self, decision: &Decision, load_ms: Duration) {
        let outcome = &decision.outcome;
        let kind = RequestCounter::for_outcome(outcome);
        self.add(RequestCounter::Asked, 1);
        self.add(kind, 1);
        self.add(RequestCounter::Bytes, decision.bytes);
        if outcome.is_saved {
            self.add(RequestCounter::Saved, 1);
            self.add(RequestCounter::SavedMs, millis(load_ms));
        }
        if kind == RequestCounter::Missed {
            self.add(RequestCounter::for_miss(outcome.reason), 1);
        }
        match outcome.reason {
            Some(DecisionReason::Passed(reason)) => self.add_passed(reason, 1),
            Some(DecisionReason::NoToken) => self.add(RequestCounter::Unauthorised, 1),
            _ => {}
        }
        if let Some(age_ms) = outcome.age_ms {
            self.ages.record(millis(age_ms));
            if decision.category.has_meaningful_age() {
                self.oldest_ms = self.oldest_ms.max(age_ms);
            }
        }
        self.latencies.record(decision.elapsed_us);
        self.last_ms = self.last_ms.max(decision.at_ms);
    }

    /// Reason why most of these were not answered from the cache, if most were not.
    pub fn not_cacheable(&self) -> Option<&'static str> {
        let cacheable: u64 = RequestCounter::JUDGED.into_iter().map(|counter| self.get(counter)).sum();
        let passed_through = self.get(RequestCounter::Passed) + self.get(RequestCounter::Unauthorised);
        if passed_through <= cacheable {
            return None;
        }
        let commonest = PassReason::EVERY.into_iter().max_by_key(|reason| self.passed(*reason))?;
        if self.get(RequestCounter::Unauthorised) > self.passed(commonest) {
            return Some("its requests have no token where one is needed");
        }
        Some(commonest.explanation())
    }
}

/// Index of a pass-through reason's counter.
fn index_of(reason: PassReason) -> usize {
    FIRST_PASS_REASON + reason as usize
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn counts() -> impl Strategy<Value = RequestCounts> {
        let sizes = || proptest::collection::vec(0_u64..1 << 40, 0..20);
        (proptest::collection::vec(0_u64..1 << 50, COUNTERS), sizes(), sizes(), any::<u32>()).prop_map(
            |(counted, ages, latencies, last)| {
                let mut counts = RequestCounts {
                    last_ms: Timestamp::from_millis(last.into()),
                    oldest_ms: Duration::from_millis(7),
                    ..RequestCounts::default()
                };
                counted.into_iter().enumerate().for_each(|(index, count)| counts.add_at(index, count));
                for age in ages {
                    counts.ages.record(age);
                }
                for latency in latencies {
                    counts.latencies.record(latency);
                }
                counts
            },
        )
    }

    proptest! {
        #[test]
        fn rows_add_up_in_any_order(one in counts(), other in counts()) {
            let (mut sum, mut reversed) = (one.clone(), other.clone());
            sum.merge(&other);
            reversed.merge(&one);
            prop_assert_eq!(&sum, &reversed);
            for counter in RequestCounter::EVERY {
                prop_assert_eq!(sum.get(counter), one.get(counter) + other.get(counter));
            }
            for reason in PassReason::EVERY {
                prop_assert_eq!(sum.passed(reason), one.passed(reason) + other.passed(reason));
            }
        }
    }

    #[test]
    fn every_counter_has_its_own_index() {
        let counts = RequestCounter::EVERY.into_iter().map(|counter| counter as usize);
        let reasons = PassReason::EVERY.into_iter().map(index_of);
        let indexes: BTreeSet<usize> = counts.chain(reasons).collect();
        assert_eq!(indexes, (0..COUNTERS).collect(), "each index is used once");
        // Rows on disk depend on these numbers.
        let on_disk = (RequestCounter::SpotSkipped as usize, index_of(PassReason::Bypassed));
        assert_eq!((on_disk, RequestCounter::Unauthorised as usize), ((22, 33), 34));
        assert_eq!(index_of(PassReason::OtherPage), 35);
    }

    #[test]
    fn the_explanation_names_why_most_requests_of_an_app_bypass_the_cache() {
        let mut counts = RequestCounts::default();
        counts.add(RequestCounter::Hits, 5);
        counts.add(RequestCounter::Passed, 5);
        counts.add_passed(PassReason::Media, 5);
        assert_eq!(counts.not_cacheable(), None, "half of them are");
        counts.add(RequestCounter::Passed, 9);
        counts.add_passed(PassReason::TwoTokens, 9);
        assert_eq!(counts.not_cacheable(), Some(PassReason::TwoTokens.explanation()));
        counts.add(RequestCounter::Unauthorised, 10);
        assert!(counts.not_cacheable().expect("a reason").contains("no token"));
    }
}
