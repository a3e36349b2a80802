//! Limits the requests to a server in any second and in any day. Pure: time is an argument.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::VecDeque;
use std::time::Duration;

const SECOND_MS: u64 = 1000;
const HOUR_MS: u64 = 3600 * SECOND_MS;
const DAY_HOURS: u64 = 24;

/// Count of the requests that a server was sent lately.
#[derive(Debug, Default)]
pub(crate) struct RequestBudget {
    per_second: u64,
    per_day: u64,
    /// Times of the last requests, one for each that is allowed in a second.
    last_ms: VecDeque<u64>,
    /// Requests by hour since 1970, the oldest first.
    hours: VecDeque<(u64, u64)>,
}

/// Reason for which a request may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetRefusal {
    /// The second is used up; there is room after this time, in milliseconds.
    Second(u64),
    /// The day is used up; there is room after this time, in milliseconds.
    Day(u64),
}

impl BudgetRefusal {
    /// When there is room, in milliseconds from now.
    pub(crate) fn wait_ms(self) -> Duration {
        match self {
            Self::Second(ms) | Self::Day(ms) => Duration::from_millis(ms),
        }
    }
}

impl RequestBudget {
    /// A budget of this number of requests, with nothing used; 0 is no limit.
    pub(crate) fn new(per_second: u64, per_day: u64) -> Self {
        Self { per_second, per_day, ..Self::default() }
    }

    /// When there is room again, in milliseconds from now, if the day is used up.
    pub(crate) fn day_wait_ms(&self, now_ms: Timestamp) -> Option<Duration> {
        let hour = now_ms.as_millis() / HOUR_MS;
        let in_window = || self.hours.iter().filter(|(at, _)| at + DAY_HOURS >= hour);
        let today: u64 = in_window().map(|(_, count)| count).sum();
        let oldest = in_window().next().map_or(hour, |(at, _)| *at);
        let is_used_up = self.per_day > 0 && today >= self.per_day;
        is_used_up
            .then(|| ((oldest + DAY_HOURS + 1) * HOUR_MS).saturating_sub(now_ms.as_millis()).max(1))
            .map(Duration::from_millis)
    }

    /// Takes one request.
    ///
    /// # Errors
    /// There is no room now.
    pub(crate) fn try_take(&mut self, now_ms: Timestamp) -> Result<(), BudgetRefusal> {
        let hour = now_ms.as_millis() / HOUR_MS;
        while self.hours.front().is_some_and(|(at, _)| at + DAY_HOURS < hour) {
            self.hours.pop_front();
        }
        if let Some(wait_ms) = self.day_wait_ms(now_ms) {
            return Err(BudgetRefusal::Day(millis(wait_ms)));
        }
        if self.per_second > 0 {
            while self.last_ms.front().is_some_and(|at_ms| at_ms + SECOND_MS <= now_ms.as_millis()) {
                self.last_ms.pop_front();
            }
            if let Some(first_ms) = self.last_ms.front()
                && self.last_ms.len() as u64 >= self.per_second
            {
                return Err(BudgetRefusal::Second((first_ms + SECOND_MS).saturating_sub(now_ms.as_millis()).max(1)));
            }
            self.last_ms.push_back(now_ms.as_millis());
        }
        if self.per_day > 0 {
            match self.hours.back_mut().filter(|(at, _)| *at == hour) {
                Some((_, count)) => *count += 1,
                None => self.hours.push_back((hour, 1)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_limits_there_is_always_room() {
        let mut budget = RequestBudget::new(0, 0);
        assert!((0..10_000).all(|_| budget.try_take(Timestamp::from_millis(5)).is_ok()));
    }

    #[test]
    fn a_second_and_a_day_have_room_again_after_the_time_that_is_told() {
        let mut budget = RequestBudget::new(1, 0);
        assert_eq!(budget.try_take(Timestamp::from_millis(100)), Ok(()));
        assert_eq!(budget.try_take(Timestamp::from_millis(400)), Err(BudgetRefusal::Second(700)));
        assert_eq!(budget.try_take(Timestamp::from_millis(1100)), Ok(()));
        let mut budget = RequestBudget::new(0, 2);
        assert_eq!(
            (budget.try_take(Timestamp::UNIX_EPOCH), budget.try_take(Timestamp::from_millis(HOUR_MS))),
            (Ok(()), Ok(()))
        );
        let Err(BudgetRefusal::Day(wait_ms)) = budget.try_take(Timestamp::from_millis(HOUR_MS + 1)) else {
            panic!("used up")
        };
        assert_eq!(budget.try_take(Timestamp::from_millis(HOUR_MS + wait_ms)), Err(BudgetRefusal::Day(1)));
        assert_eq!(budget.try_take(Timestamp::from_millis(HOUR_MS + 1 + wait_ms)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_second_and_no_day_ever_has_more_requests_than_allowed(
            steps in proptest::collection::vec(0_u64..2_000_000, 1..200),
            (per_second, per_day) in (0_u64..4, 0_u64..30),
        ) {
            let mut budget = RequestBudget::new(per_second, per_day);
            let (mut now_ms, mut sent) = (0, Vec::new());
            for step in steps {
                now_ms += step % 3 * step / 7;
                if budget.try_take(Timestamp::from_millis(now_ms)).is_ok() {
                    sent.push(now_ms);
                }
            }
            for (limit, window_ms) in [(per_second, SECOND_MS), (per_day, DAY_HOURS * HOUR_MS)] {
                for first in sent.iter().filter(|_| limit > 0) {
                    let within = sent.iter().filter(|at| **at >= *first && **at < first + window_ms).count() as u64;
                    prop_assert!(within <= limit, "{} in a window", within);
                }
            }
        }
    }
}
