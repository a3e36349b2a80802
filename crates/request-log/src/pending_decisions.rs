//! Decisions that were recorded and are not counted yet. Each thread appends to a list of its own, so that requests on
//! different threads wait neither for each other nor for a reader; they are counted together, later.

use std::array;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::decision::Decision;
use crate::recent_decisions::{NumberedDecision, next_number_at};

/// Number of lists. Threads beyond it share one.
const LISTS: usize = 8;
/// A list of this length is to be counted.
const MAX_PENDING: usize = 64;

/// A decision, and the mean duration of a load when it was made.
#[derive(Debug)]
pub(crate) struct PendingDecision {
    pub(crate) numbered: NumberedDecision,
    pub(crate) load_ms: Duration,
}

/// A list in cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct PendingList(Mutex<Vec<PendingDecision>>);

/// Decisions that are not counted yet, by thread.
#[derive(Debug, Default)]
pub(crate) struct PendingDecisions([PendingList; LISTS]);

impl PendingDecisions {
    /// Appends a decision to the list of this thread. Returns whether the list is to be counted.
    pub(crate) fn push(&self, decision: Decision, load_ms: Duration) -> bool {
        let mut list = self.0[own_list()].0.lock();
        // Under the lock, so that a thread that holds all of them sees every number that was given.
        let number = next_number_at(decision.at_ms);
        list.push(PendingDecision { numbered: NumberedDecision { number, decision }, load_ms });
        list.len() >= MAX_PENDING
    }

    /// Moves all of them to `all`, in the order of their numbers.
    pub(crate) fn drain(&self, all: &mut Vec<PendingDecision>) {
        let mut lists: [_; LISTS] = array::from_fn(|at| self.0[at].0.lock());
        for list in &mut lists {
            all.append(&mut **list);
        }
        drop(lists);
        all.sort_unstable_by_key(|pending| pending.numbered.number);
    }
}

/// The list of this thread.
fn own_list() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LIST: usize = THREADS.fetch_add(1, Ordering::Relaxed) % LISTS;
    }
    LIST.with(|list| *list)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use greenroom_cache::Timestamp;

    use super::*;
    use crate::decision::{CacheResult, DecisionOutcome, RequestCategory};
    use crate::recorder::RequestRecorder;

    /// The beginning of a minute.
    const MINUTE: Timestamp = Timestamp::from_millis(60_000 * 16_666_667);

    /// A decision so many milliseconds later.
    fn decision(after_ms: u64) -> Decision {
        Decision {
            at_ms: MINUTE + Duration::from_millis(after_ms),
            category: RequestCategory::Write,
            app: Arc::default(),
            user: None,
            request_hash: None,
            outcome: DecisionOutcome::without_reason(CacheResult::Write),
            status: 200,
            elapsed_us: 0,
            bytes: 0,
        }
    }

    #[test]
    fn decisions_of_several_threads_are_counted_once_each_and_listed_in_the_order_of_their_numbers() {
        const EACH: u64 = 2_000;
        let recorder = Arc::new(RequestRecorder::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let recorder = Arc::clone(&recorder);
                std::thread::spawn(move || (0..EACH).for_each(|after_ms| recorder.record(decision(after_ms))))
            })
            .collect();
        let mut listed = Vec::new();
        while !threads.iter().all(std::thread::JoinHandle::is_finished) {
            let after = listed.last().copied().unwrap_or(0);
            listed.extend(recorder.decisions(after, usize::MAX, |_| true).iter().rev().map(|newest| newest.number));
        }
        for thread in threads {
            thread.join().expect("it records");
        }
        assert_eq!(recorder.sum(Timestamp::UNIX_EPOCH).asked, 4 * EACH, "none twice");
        assert!(listed.is_sorted_by(|before, after| before < after), "a reader that asks for newer ones misses none");
        let buckets = recorder.unwritten_buckets();
        assert_eq!(buckets.len(), 1, "all are of one minute");
    }

    #[test]
    fn a_decision_is_counted_in_its_minute_although_it_waits() {
        let recorder = RequestRecorder::default();
        recorder.record(decision(59_999));
        recorder.record(decision(60_000));
        let minutes: Vec<_> = recorder.unwritten_buckets().iter().map(|bucket| bucket.minute_ms).collect();
        assert_eq!(minutes, [MINUTE, MINUTE + Duration::from_secs(60)]);
        recorder.record(decision(119_999));
        recorder.record_own(1, MINUTE + Duration::from_secs(120));
        assert_eq!(recorder.unwritten_buckets().len(), 3, "the own request is counted after it");
    }
}
