//! Counts of a set of requests. Rows add up: an hour is exactly the sum of its minutes.

use greenroom_cache::LoadReason;

use super::decision::{CacheResult, Decision, DecisionOutcome, DecisionReason};
use super::histogram::Histogram;
use crate::record::pass_reason::PassReason;

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
    /// Misses with an invalidated entry.
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
const FIRST_PASSAGE: usize = RequestCounter::SpotSkipped as usize + 1;
/// Number of counters, including those of pass-through requests.
const PLACES: usize = RequestCounter::EVERY.len() + PassReason::EVERY.len();

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

    fn for_miss(why: Option<DecisionReason>) -> Self {
        match why {
            Some(DecisionReason::Missed(LoadReason::Absent)) => Self::Absent,
            Some(DecisionReason::Missed(LoadReason::Expired)) => Self::Expired,
            Some(DecisionReason::Missed(LoadReason::Invalidated)) => Self::Invalidated,
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
    pub(super) counted: [u64; PLACES],
    /// Ages of responses from the cache, in milliseconds.
    pub ages: Histogram,
    /// Latencies, in microseconds.
    pub latencies: Histogram,
    /// Age of the oldest response, in milliseconds.
    pub oldest_ms: u64,
    /// Time of the last request.
    pub last_ms: u64,
}

impl Default for RequestCounts {
    fn default() -> Self {
        Self {
            counted: [0; PLACES],
            ages: Histogram::default(),
            latencies: Histogram::default(),
            oldest_ms: 0,
            last_ms: 0,
        }
    }
}

impl RequestCounts {
    /// Value of a counter.
    pub fn get(&self, count: RequestCounter) -> u64 {
        self.counted[count as usize]
    }

    /// Adds to a counter.
    pub fn add(&mut self, count: RequestCounter, more: u64) {
        self.add_at(count as usize, more);
    }

    /// Pass-through requests with this reason.
    pub fn passed(&self, passage: PassReason) -> u64 {
        self.counted[index_of(passage)]
    }

    /// Adds pass-through requests with this reason.
    pub fn add_passed(&mut self, passage: PassReason, more: u64) {
        self.add_at(index_of(passage), more);
    }

    fn add_at(&mut self, place: usize, more: u64) {
        let counted = &mut self.counted[place];
        *counted = counted.saturating_add(more);
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (place, more) in other.counted.iter().enumerate() {
            self.add_at(place, *more);
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
    pub fn record(&mut self, decision: &Decision, load_ms: u64) {
        let outcome = &decision.outcome;
        let kind = RequestCounter::for_outcome(outcome);
        self.add(RequestCounter::Asked, 1);
        self.add(kind, 1);
        self.add(RequestCounter::Bytes, decision.bytes);
        if outcome.is_saved {
            self.add(RequestCounter::Saved, 1);
            self.add(RequestCounter::SavedMs, load_ms);
        }
        if kind == RequestCounter::Missed {
            self.add(RequestCounter::for_miss(outcome.reason), 1);
        }
        match outcome.reason {
            Some(DecisionReason::Passed(passage)) => self.add_passed(passage, 1),
            Some(DecisionReason::NoToken) => self.add(RequestCounter::Unauthorised, 1),
            _ => {}
        }
        if let Some(age_ms) = outcome.age_ms {
            self.ages.record(age_ms);
            if decision.category.has_meaningful_age() {
                self.oldest_ms = self.oldest_ms.max(age_ms);
            }
        }
        self.latencies.record(decision.elapsed_us);
        self.last_ms = self.last_ms.max(decision.at_ms);
    }

    /// Reason why most of these were not answered from the cache, if most were not.
    pub fn not_cacheable(&self) -> Option<&'static str> {
        let kept = [RequestCounter::Hits, RequestCounter::Stale, RequestCounter::Joined, RequestCounter::Missed];
        let kept: u64 = kept.into_iter().map(|count| self.get(count)).sum();
        let past = self.get(RequestCounter::Passed) + self.get(RequestCounter::Unauthorised);
        if past <= kept {
            return None;
        }
        let commonest = PassReason::EVERY.into_iter().max_by_key(|passage| self.passed(*passage))?;
        if self.get(RequestCounter::Unauthorised) > self.passed(commonest) {
            return Some("it shows no token where one is needed");
        }
        Some(commonest.explanation())
    }
}

/// Index of a pass-through reason's counter.
fn index_of(passage: PassReason) -> usize {
    FIRST_PASSAGE + passage as usize
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::record) fn counts() -> impl Strategy<Value = RequestCounts> {
        let sizes = || proptest::collection::vec(0_u64..1 << 40, 0..20);
        (proptest::collection::vec(0_u64..1 << 50, PLACES), sizes(), sizes(), any::<u32>()).prop_map(
            |(counted, ages, latencies, last)| {
                let mut counts = RequestCounts { last_ms: last.into(), oldest_ms: 7, ..RequestCounts::default() };
                counted.into_iter().enumerate().for_each(|(place, more)| counts.add_at(place, more));
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
            let (mut sum, mut turned) = (one.clone(), other.clone());
            sum.merge(&other);
            turned.merge(&one);
            prop_assert_eq!(&sum, &turned);
            for count in RequestCounter::EVERY {
                prop_assert_eq!(sum.get(count), one.get(count) + other.get(count));
            }
            for passage in PassReason::EVERY {
                prop_assert_eq!(sum.passed(passage), one.passed(passage) + other.passed(passage));
            }
        }
    }

    #[test]
    fn every_count_stands_at_its_own_place() {
        let counts = RequestCounter::EVERY.into_iter().map(|count| count as usize);
        let passages = PassReason::EVERY.into_iter().map(index_of);
        let places: BTreeSet<usize> = counts.chain(passages).collect();
        assert_eq!(places, (0..PLACES).collect(), "each has one, and none is left out");
        // Rows on disk depend on these numbers.
        let kept = (RequestCounter::SpotSkipped as usize, index_of(PassReason::Bypassed));
        assert_eq!((kept, RequestCounter::Unauthorised as usize), ((22, 33), 34));
    }

    #[test]
    fn an_app_is_told_why_most_of_what_it_asks_passes() {
        let mut counts = RequestCounts::default();
        counts.add(RequestCounter::Hits, 5);
        counts.add(RequestCounter::Passed, 5);
        counts.add_passed(PassReason::Media, 5);
        assert_eq!(counts.not_cacheable(), None, "half of it is");
        counts.add(RequestCounter::Passed, 9);
        counts.add_passed(PassReason::TwoTokens, 9);
        assert_eq!(counts.not_cacheable(), Some(PassReason::TwoTokens.explanation()));
        counts.add(RequestCounter::Unauthorised, 10);
        assert!(counts.not_cacheable().expect("a reason").contains("no token"));
    }
}
