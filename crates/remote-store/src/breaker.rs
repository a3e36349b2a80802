//! Whether requests may ask the store: after failures in a row they pass it over, until one of them finds it answering
//! again.

use greenroom_cache::Timestamp;
use std::time::Duration;

/// Failures in a row after which the store is passed over …
const MAX_FAILURES: u32 = 5;
/// … for this long, before one request asks again.
const PAUSE: Duration = Duration::from_secs(2);

/// The state. Pure: time is an argument.
#[derive(Debug, Default)]
pub(crate) struct ReadBreaker {
    failures: u32,
    /// End of the pause, in milliseconds; zero if there is none.
    closed_until_ms: Timestamp,
}

impl ReadBreaker {
    /// Whether a request may ask now. At the end of a pause, one may.
    pub(crate) fn allows(&mut self, now_ms: Timestamp) -> bool {
        if self.closed_until_ms == Timestamp::UNIX_EPOCH {
            return true;
        }
        let is_over = now_ms >= self.closed_until_ms;
        if is_over {
            self.closed_until_ms = Timestamp::from_millis(pause_end(now_ms));
        }
        is_over
    }

    /// Records an answer in time.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Records a failure. True if a pause begins with it.
    pub(crate) fn failed(&mut self, now_ms: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        let begins = self.failures >= MAX_FAILURES && self.closed_until_ms == Timestamp::UNIX_EPOCH;
        if self.failures >= MAX_FAILURES {
            self.closed_until_ms = Timestamp::from_millis(pause_end(now_ms));
        }
        begins
    }

    /// Whether requests pass the store over.
    pub(crate) fn is_open(&self) -> bool {
        self.closed_until_ms > Timestamp::UNIX_EPOCH
    }
}

fn pause_end(now_ms: Timestamp) -> u64 {
    now_ms.saturating_add(Duration::from_millis(u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX))).as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_begin_a_pause_at_whose_end_one_request_asks() {
        let mut breaker = ReadBreaker::default();
        assert!(
            !(0..4).any(|_| breaker.failed(Timestamp::from_millis(1_000)))
                && breaker.allows(Timestamp::from_millis(1_000))
        );
        assert!(breaker.failed(Timestamp::from_millis(1_000)) && breaker.is_open());
        assert!(!breaker.allows(Timestamp::from_millis(2_999)) && breaker.allows(Timestamp::from_millis(3_000)));
        assert!(!breaker.allows(Timestamp::from_millis(3_001)), "one asks, the others wait for what it finds");
        breaker.succeeded();
        assert!(breaker.allows(Timestamp::from_millis(3_002)) && !breaker.is_open());
    }

    #[test]
    fn an_answer_between_failures_begins_the_count_again() {
        let mut breaker = ReadBreaker::default();
        for _ in 0..20 {
            for _ in 0..4 {
                assert!(!breaker.failed(Timestamp::UNIX_EPOCH));
            }
            breaker.succeeded();
        }
    }
}
