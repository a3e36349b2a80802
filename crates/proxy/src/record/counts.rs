//! What is counted of some requests. Rows add up: an hour is the sum of its minutes, exactly.

use greenroom_cache::LoadReason;

use super::decision::{Decision, Outcome, Verdict, Why};
use super::histogram::Histogram;
use crate::record::pass_reason::Passage;

/// One thing that is counted, beside passages, which are counted by what they are. Its number is how it is kept on disk:
/// new ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Requests that were answered, in whatever way: the sum of the six that follow.
    Asked,
    /// Answered from the cache, fresh.
    Hits,
    /// Answered from the cache, older than fresh.
    Stale,
    /// Answered by waiting for somebody else's question.
    Joined,
    /// Answered by asking the server, for keeping.
    Missed,
    /// Answered with an error, or refused.
    Failed,
    /// Answered by the server, past the cache.
    Passed,
    /// Requests to the server that these caused.
    Reached,
    /// Answered without asking the server.
    Saved,
    /// What asking would have taken, all together.
    SavedMs,
    /// Bytes of the answers.
    Bytes,
    /// Of our own loads, those whose answer was read.
    RefreshesUseful,
    /// Of our own loads, those whose answer nobody read.
    RefreshesUseless,
    /// Misses because nothing was kept.
    Absent,
    /// Misses because what was kept was too old.
    Expired,
    /// Misses because what was kept had been invalidated.
    Invalidated,
    /// Misses because the client wanted a new answer, or its token had to be proven again.
    Demanded,
    /// Misses of which nobody says why.
    Unexplained,
    /// Spot checks that found the same bytes.
    SpotSame,
    /// … of a class that moves by itself.
    SpotMoved,
    /// … that found a change on the server, within the age its answers may have.
    SpotChanged,
    /// … that found an answer which nothing explains.
    SpotWrong,
    /// Spot checks that were due and not made.
    SpotSkipped,
    /// Requests that were refused for want of a token.
    Unauthorised = 34,
}

/// Where the counts of passages begin among the others.
const FIRST_PASSAGE: usize = Count::SpotSkipped as usize + 1;
/// How many counts there are, those of passages included.
const PLACES: usize = Count::EVERY.len() + Passage::EVERY.len();

impl Count {
    /// What is answered in the cache's way.
    pub(super) const JUDGED: [Self; 4] = [Self::Hits, Self::Stale, Self::Joined, Self::Missed];

    /// Every one, in the order in which they are kept.
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

    fn of_miss(why: Option<Why>) -> Self {
        match why {
            Some(Why::Missed(LoadReason::Absent)) => Self::Absent,
            Some(Why::Missed(LoadReason::Expired)) => Self::Expired,
            Some(Why::Missed(LoadReason::Invalidated)) => Self::Invalidated,
            Some(Why::Missed(LoadReason::Demanded)) => Self::Demanded,
            _ => Self::Unexplained,
        }
    }

    /// Under which of the six an answer counts.
    pub(super) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome.verdict {
            Verdict::Hit => Self::Hits,
            Verdict::Stale | Verdict::StaleOnError => Self::Stale,
            Verdict::Joined => Self::Joined,
            Verdict::Shared if outcome.is_saved => Self::Joined,
            Verdict::Shared | Verdict::Loaded | Verdict::Refreshed => Self::Missed,
            Verdict::Passed | Verdict::Write => Self::Passed,
            Verdict::Failed | Verdict::Refused => Self::Failed,
        }
    }
}

/// What was counted of some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    pub(super) counted: [u64; PLACES],
    /// How old answers were that had been kept, in milliseconds.
    pub ages: Histogram,
    /// How long answers took, in microseconds.
    pub latencies: Histogram,
    /// The oldest of them.
    pub oldest_ms: u64,
    /// When the last one was given.
    pub last_ms: u64,
}

impl Default for Counts {
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

impl Counts {
    /// So many of these.
    pub fn of(&self, count: Count) -> u64 {
        self.counted[count as usize]
    }

    /// So many more of these.
    pub fn add(&mut self, count: Count, more: u64) {
        self.add_at(count as usize, more);
    }

    /// So many passed for this reason.
    pub fn passed(&self, passage: Passage) -> u64 {
        self.counted[place_of(passage)]
    }

    /// So many more passed for this reason.
    pub fn add_passed(&mut self, passage: Passage, more: u64) {
        self.add_at(place_of(passage), more);
    }

    fn add_at(&mut self, place: usize, more: u64) {
        let counted = &mut self.counted[place];
        *counted = counted.saturating_add(more);
    }

    /// All that the other counted, too.
    pub fn merge(&mut self, other: &Self) {
        for (place, more) in other.counted.iter().enumerate() {
            self.add_at(place, *more);
        }
        self.ages.add(&other.ages);
        self.latencies.add(&other.latencies);
        self.oldest_ms = self.oldest_ms.max(other.oldest_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counted.iter().all(|count| *count == 0)
    }

    /// One answer more. Asking the server would have taken `load_ms`.
    pub fn note(&mut self, decision: &Decision, load_ms: u64) {
        let outcome = &decision.outcome;
        let kind = Count::of_outcome(outcome);
        self.add(Count::Asked, 1);
        self.add(kind, 1);
        self.add(Count::Bytes, decision.bytes);
        if outcome.is_saved {
            self.add(Count::Saved, 1);
            self.add(Count::SavedMs, load_ms);
        }
        if kind == Count::Missed {
            self.add(Count::of_miss(outcome.why), 1);
        }
        match outcome.why {
            Some(Why::Passed(passage)) => self.add_passed(passage, 1),
            Some(Why::NoToken) => self.add(Count::Unauthorised, 1),
            _ => {}
        }
        if let Some(age_ms) = outcome.age_ms {
            self.ages.note(age_ms);
            if decision.subject.ages() {
                self.oldest_ms = self.oldest_ms.max(age_ms);
            }
        }
        self.latencies.note(decision.elapsed_us);
        self.last_ms = self.last_ms.max(decision.at_ms);
    }

    /// Why most of these were not answered from the cache, if that is so.
    pub fn not_cacheable(&self) -> Option<&'static str> {
        let kept = [Count::Hits, Count::Stale, Count::Joined, Count::Missed];
        let kept: u64 = kept.into_iter().map(|count| self.of(count)).sum();
        let past = self.of(Count::Passed) + self.of(Count::Unauthorised);
        if past <= kept {
            return None;
        }
        let commonest = Passage::EVERY.into_iter().max_by_key(|passage| self.passed(*passage))?;
        if self.of(Count::Unauthorised) > self.passed(commonest) {
            return Some("it shows no token where one is needed");
        }
        Some(commonest.sentence())
    }
}

/// Where passages of this kind are counted.
fn place_of(passage: Passage) -> usize {
    FIRST_PASSAGE + passage as usize
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::record) fn counts() -> impl Strategy<Value = Counts> {
        let sizes = || proptest::collection::vec(0_u64..1 << 40, 0..20);
        (proptest::collection::vec(0_u64..1 << 50, PLACES), sizes(), sizes(), any::<u32>()).prop_map(
            |(counted, ages, latencies, last)| {
                let mut counts = Counts { last_ms: last.into(), oldest_ms: 7, ..Counts::default() };
                counted.into_iter().enumerate().for_each(|(place, more)| counts.add_at(place, more));
                for age in ages {
                    counts.ages.note(age);
                }
                for latency in latencies {
                    counts.latencies.note(latency);
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
            for count in Count::EVERY {
                prop_assert_eq!(sum.of(count), one.of(count) + other.of(count));
            }
            for passage in Passage::EVERY {
                prop_assert_eq!(sum.passed(passage), one.passed(passage) + other.passed(passage));
            }
        }
    }

    #[test]
    fn every_count_stands_at_its_own_place() {
        let counts = Count::EVERY.into_iter().map(|count| count as usize);
        let passages = Passage::EVERY.into_iter().map(place_of);
        let places: BTreeSet<usize> = counts.chain(passages).collect();
        assert_eq!(places, (0..PLACES).collect(), "each has one, and none is left out");
        // What lies on disk is read by these.
        let kept = (Count::SpotSkipped as usize, place_of(Passage::Bypassed));
        assert_eq!((kept, Count::Unauthorised as usize), ((22, 33), 34));
    }

    #[test]
    fn an_app_is_told_why_most_of_what_it_asks_passes() {
        let mut counts = Counts::default();
        counts.add(Count::Hits, 5);
        counts.add(Count::Passed, 5);
        counts.add_passed(Passage::Media, 5);
        assert_eq!(counts.not_cacheable(), None, "half of it is");
        counts.add(Count::Passed, 9);
        counts.add_passed(Passage::TwoTokens, 9);
        assert_eq!(counts.not_cacheable(), Some(Passage::TwoTokens.sentence()));
        counts.add(Count::Unauthorised, 10);
        assert!(counts.not_cacheable().expect("a reason").contains("no token"));
    }
}
