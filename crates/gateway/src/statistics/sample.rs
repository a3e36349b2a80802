//! When the same questions were asked again: of a bounded sample of questions all times within a day, so that they can be
//! played once more under other lifetimes.
//!
//! A question is in the sample by its hash. When there are too many times, every second question leaves it, with all of
//! its times; those that stay are complete.

use std::collections::{HashMap, VecDeque};

use super::points::DAY_MS;

/// Times kept of one class.
pub const MAX_TIMES: usize = 2_048;
/// If fewer than one time in so many would stay when every second question leaves, older times go instead.
const LEAST_LEFT: usize = 8;
/// One question in two to the power of this is the fewest there are in it.
const MAX_LEVEL: u32 = 62;

/// The sample of one class.
#[derive(Debug, Default)]
pub struct Sample {
    times_ms: HashMap<u64, VecDeque<u64>>,
    count: usize,
    /// One question in two to the power of this is in it.
    level: u32,
    since_ms: u64,
}

/// What was sampled, to be played again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Since when it is complete.
    pub since_ms: u64,
    /// The times of each question, in their order.
    pub questions: Vec<Vec<u64>>,
}

impl Sample {
    /// A question was asked.
    pub fn note(&mut self, question: u64, now_ms: u64) {
        if self.since_ms == 0 {
            self.since_ms = now_ms;
        }
        if question & ((1 << self.level) - 1) != 0 {
            return;
        }
        self.times_ms.entry(question).or_default().push_back(now_ms);
        self.count += 1;
        if self.count > MAX_TIMES {
            self.forget_before(now_ms.saturating_sub(DAY_MS));
        }
        while self.count > MAX_TIMES {
            let mask = (2 << self.level) - 1;
            let staying = self.times_ms.iter().filter(|(question, _)| *question & mask == 0);
            let left: usize = staying.map(|(_, times)| times.len()).sum();
            if left >= self.count / LEAST_LEFT && left < self.count && self.level < MAX_LEVEL {
                self.level += 1;
                self.times_ms.retain(|question, _| question & mask == 0);
                self.count = left;
            } else {
                // A few questions asked so often that they alone are too much: the older half of all times goes.
                let mut times_ms: Vec<u64> = self.times_ms.values().flatten().copied().collect();
                times_ms.sort_unstable();
                self.since_ms = times_ms.get(times_ms.len() / 2).map_or(now_ms, |time_ms| time_ms + 1);
                self.forget_before(self.since_ms);
            }
        }
    }

    /// What is known of the last day.
    pub fn recorded(&mut self, now_ms: u64) -> Recorded {
        let oldest_ms = now_ms.saturating_sub(DAY_MS);
        self.forget_before(oldest_ms);
        let questions = self.times_ms.values().map(|times| times.iter().copied().collect()).collect();
        Recorded { since_ms: self.since_ms.max(oldest_ms).min(now_ms), questions }
    }

    fn forget_before(&mut self, oldest_ms: u64) {
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

    fn question(number: u64) -> u64 {
        xxh3_64(&number.to_le_bytes())
    }

    #[test]
    fn it_is_bounded_and_the_questions_in_it_are_complete() {
        let mut sample = Sample::default();
        let rounds = 20;
        for round in 0..rounds {
            for number in 0..10_000 {
                sample.note(question(number), 1_000_000 + round * 1_000);
            }
        }
        let recorded = sample.recorded(2_000_000);
        let times: usize = recorded.questions.iter().map(Vec::len).sum();
        assert!((MAX_TIMES / 4..=MAX_TIMES).contains(&times), "{times}");
        assert!(recorded.questions.iter().all(|times| times.len() as u64 == rounds), "{recorded:?}");
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten() {
        let mut sample = Sample::default();
        sample.note(question(1), 1);
        sample.note(question(1), DAY_MS + 5);
        let recorded = sample.recorded(DAY_MS + 6);
        assert_eq!(recorded.questions, [[DAY_MS + 5]]);
        assert_eq!(recorded.since_ms, 6);
    }

    #[test]
    fn a_few_hot_questions_stay_in_it_whatever_their_hashes() {
        let mut sample = Sample::default();
        for time_ms in 1..100_000 {
            sample.note(1 + 2 * (time_ms % 2), time_ms);
        }
        let recorded = sample.recorded(100_000);
        assert_eq!(recorded.questions.len(), 2, "both are still there");
        assert!(sample.count <= MAX_TIMES && sample.count >= MAX_TIMES / 4, "{}", sample.count);
    }

    #[test]
    fn one_question_alone_cannot_fill_it() {
        let mut sample = Sample::default();
        for time_ms in 1..100_000 {
            sample.note(0, time_ms);
        }
        assert!(sample.count <= MAX_TIMES && sample.count >= MAX_TIMES / 2, "{}", sample.count);
        let recorded = sample.recorded(100_000);
        assert_eq!(recorded.questions[0].first(), Some(&recorded.since_ms));
    }
}
