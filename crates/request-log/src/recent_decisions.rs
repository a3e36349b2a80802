//! The last decisions, for the request log. Bounded: each new one drops the oldest.

use greenroom_cache::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::Decision;

/// Max decisions, per server in memory and of all servers in a response.
pub const MAX_DECISIONS: usize = 500;

/// Numbers begin at the time of the first decision, so that they grow over a restart: a process would need a million
/// decisions a second to catch up. They stay exact in JavaScript.
const NUMBERS_PER_MS: u64 = 1000;

/// All servers share one sequence of numbers, so that a reader knows which are new.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// A decision with its number.
#[derive(Debug, Clone)]
pub struct NumberedDecision {
    /// Greater than every earlier number, also of earlier processes.
    pub number: u64,
    /// The decision.
    pub decision: Decision,
}

/// Next number of a sequence, starting it if needed.
fn next_number(numbered: &AtomicU64, at_ms: Timestamp) -> u64 {
    let begin = at_ms.as_millis().saturating_mul(NUMBERS_PER_MS);
    // A concurrent caller may have started it.
    let _begun = numbered.compare_exchange(0, begin, Ordering::Relaxed, Ordering::Relaxed);
    numbered.fetch_add(1, Ordering::Relaxed) + 1
}

/// The next number, for a decision at this moment.
pub(super) fn next_number_at(at_ms: Timestamp) -> u64 {
    next_number(&NUMBERED, at_ms)
}

/// The last decisions of one server.
#[derive(Debug, Default)]
pub(super) struct RecentDecisions(VecDeque<NumberedDecision>);

impl RecentDecisions {
    /// Appends a decision with a greater number than all before it.
    pub(super) fn push(&mut self, numbered: NumberedDecision) {
        if self.0.len() >= MAX_DECISIONS {
            self.0.pop_front();
        }
        self.0.push_back(numbered);
    }

    /// Decisions with a greater number, newest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &NumberedDecision> {
        self.0.iter().rev().take_while(move |numbered| numbered.number > number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_over_a_restart_and_stay_exact_in_javascript() {
        const NOW_MS: u64 = 1_900_000_000_000;
        const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
        let before = AtomicU64::new(0);
        let numbers: Vec<u64> =
            (0..3).map(|more| next_number(&before, Timestamp::from_millis(NOW_MS + more))).collect();
        assert_eq!(numbers[2], numbers[0] + 2, "consecutive, whatever the time");
        let after = next_number(&AtomicU64::new(0), Timestamp::from_millis(NOW_MS + 10));
        assert!(numbers[2] < after && after < MAX_SAFE_INTEGER);
    }
}
