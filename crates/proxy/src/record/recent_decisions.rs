//! The last decisions, for whoever watches. Bounded: the oldest goes for each that comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::Decision;

/// Decisions kept of each server, and shown of all together.
pub const MAX_DECISIONS: usize = 500;

/// Numbers begin at the time of the first decision, so that those after a restart are greater than those before: a
/// process would have to decide a million times a second to catch up. Scripts still count them exactly.
const NUMBERS_PER_MS: u64 = 1000;

/// Decisions of all servers are numbered in one row, so that whoever watches knows what is new.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// A decision with its number.
#[derive(Debug, Clone)]
pub struct Told {
    /// Greater than that of every earlier one, also of the process before.
    pub number: u64,
    /// What was decided.
    pub decision: Decision,
}

/// The next number of a row that may not have begun.
fn next_number(numbered: &AtomicU64, at_ms: u64) -> u64 {
    let begin = at_ms.saturating_mul(NUMBERS_PER_MS);
    // Whoever comes second finds that it has begun.
    let _begun = numbered.compare_exchange(0, begin, Ordering::Relaxed, Ordering::Relaxed);
    numbered.fetch_add(1, Ordering::Relaxed) + 1
}

/// The last decisions of one server.
#[derive(Debug, Default)]
pub(super) struct Ring(VecDeque<Told>);

impl Ring {
    pub(super) fn push(&mut self, decision: Decision) {
        if self.0.len() >= MAX_DECISIONS {
            self.0.pop_front();
        }
        let number = next_number(&NUMBERED, decision.at_ms);
        self.0.push_back(Told { number, decision });
    }

    /// Those with a greater number, the newest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Told> {
        self.0.iter().rev().take_while(move |told| told.number > number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_a_restart_and_a_script_can_count_them() {
        const NOW_MS: u64 = 1_900_000_000_000;
        const SAFE_IN_A_SCRIPT: u64 = (1 << 53) - 1;
        let before = AtomicU64::new(0);
        let numbers: Vec<u64> = (0..3).map(|more| next_number(&before, NOW_MS + more)).collect();
        assert_eq!(numbers[2], numbers[0] + 2, "one after the other, whatever the time");
        let after = next_number(&AtomicU64::new(0), NOW_MS + 10);
        assert!(numbers[2] < after && after < SAFE_IN_A_SCRIPT);
    }
}
