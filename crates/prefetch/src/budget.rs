//! Limits the prefetch loads of a server per minute.

use std::collections::VecDeque;

const MINUTE_MS: u64 = 60_000;

/// Loads allowed in any period of a minute.
#[derive(Debug)]
pub struct PrefetchBudget {
    per_minute: usize,
    /// Times of the loads of the last minute.
    spent_ms: VecDeque<u64>,
}

impl PrefetchBudget {
    /// A budget of this many loads per minute.
    pub fn new(per_minute: usize) -> Self {
        Self { per_minute, spent_ms: VecDeque::new() }
    }

    /// Spends one load. Returns false if the budget of the last minute is used up.
    pub fn try_acquire(&mut self, now_ms: u64) -> bool {
        while self.spent_ms.front().is_some_and(|spent_ms| spent_ms.saturating_add(MINUTE_MS) <= now_ms) {
            self.spent_ms.pop_front();
        }
        let is_left = self.spent_ms.len() < self.per_minute;
        if is_left {
            self.spent_ms.push_back(now_ms);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_holds_in_every_minute_and_does_not_accumulate() {
        let mut budget = PrefetchBudget::new(5);
        let spent = |budget: &mut PrefetchBudget, from_s: u64, to_s: u64| {
            (from_s..to_s).filter(|at_s| budget.try_acquire(at_s * 1000)).count()
        };
        assert_eq!(spent(&mut budget, 0, 60), 5);
        assert_eq!(spent(&mut budget, 60, 120), 5);
        assert_eq!(spent(&mut budget, 3600, 3660), 5);
        assert!(budget.spent_ms.len() <= 5);
    }

    #[test]
    fn a_budget_of_zero_allows_no_load() {
        assert!(!PrefetchBudget::new(0).try_acquire(1));
    }
}
