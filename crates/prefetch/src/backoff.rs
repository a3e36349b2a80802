//! Backoff after the server failed.

const FIRST_MS: u64 = 30_000;
const LONGEST_MS: u64 = 10 * 60_000;

/// A pause that doubles with every failure in a row.
#[derive(Debug, Default)]
pub struct PrefetchBackoff {
    until_ms: u64,
    failures: u32,
}

impl PrefetchBackoff {
    /// Whether the pause lasts.
    pub fn is_active(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// Records a failed load. Concurrent loads count as the same failure.
    pub fn record_failure(&mut self, now_ms: u64) {
        if !self.is_active(now_ms) {
            let wait_ms = FIRST_MS.checked_shl(self.failures).unwrap_or(LONGEST_MS).min(LONGEST_MS);
            self.until_ms = now_ms.saturating_add(wait_ms);
            self.failures = self.failures.saturating_add(1).min(16);
        }
    }

    /// Records a successful load.
    pub fn record_success(&mut self, now_ms: u64) {
        if !self.is_active(now_ms) {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_a_limit_and_ends_with_a_success() {
        let mut backoff = PrefetchBackoff::default();
        let mut now_ms = 1_000;
        for expected_s in [30, 60, 120, 240, 480, 600, 600] {
            assert!(!backoff.is_active(now_ms));
            backoff.record_failure(now_ms);
            backoff.record_failure(now_ms);
            assert!(backoff.is_active(now_ms + expected_s * 1000 - 1), "{expected_s}");
            now_ms += expected_s * 1000;
        }
        backoff.record_success(now_ms);
        backoff.record_failure(now_ms);
        assert!(!backoff.is_active(now_ms + FIRST_MS));
    }

    #[test]
    fn a_load_in_flight_at_the_failure_does_not_end_the_backoff() {
        let mut backoff = PrefetchBackoff::default();
        backoff.record_failure(1_000);
        backoff.record_success(1_001);
        assert!(backoff.is_active(1_002));
    }
}
