//! The time before which stored counts are deleted, and its delay after a jump of the clock.

use greenroom_cache::Timestamp;
use greenroom_request_log::time_series::DAY_MS;
use std::time::Duration;

/// Rows age with the clock. After a jump of more than a day, the cutoff stays for another day: a wrong clock can be
/// noticed and corrected before years of rows are deleted.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    seen_ms: Option<Timestamp>,
    pause: Option<RetentionPause>,
}

#[derive(Debug)]
struct RetentionPause {
    /// Time before the jump.
    at_ms: Timestamp,
    until_ms: Timestamp,
}

impl Retention {
    /// Current cutoff: older rows are deleted.
    pub(crate) fn cutoff_ms(&mut self, now_ms: Timestamp) -> Timestamp {
        let seen_ms = self.seen_ms.replace(now_ms).unwrap_or(now_ms);
        if now_ms > seen_ms + Duration::from_millis(DAY_MS) {
            let at_ms = self.pause.as_ref().map_or(seen_ms, |pause| pause.at_ms);
            self.pause = Some(RetentionPause { at_ms, until_ms: now_ms + Duration::from_millis(DAY_MS) });
        }
        self.pause = self.pause.take().filter(|pause| now_ms < pause.until_ms);
        self.pause.as_ref().map_or(now_ms, |pause| pause.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 20_000 * DAY_MS;

    #[test]
    fn after_a_clock_jump_the_cutoff_stays_for_a_day() {
        let mut retention = Retention::default();
        let mut cutoff_ms = |now_ms| retention.cutoff_ms(now_ms);
        assert_eq!(cutoff_ms(Timestamp::from_millis(NOW_MS)), Timestamp::from_millis(NOW_MS));
        assert_eq!(
            cutoff_ms(Timestamp::from_millis(NOW_MS + DAY_MS)),
            Timestamp::from_millis(NOW_MS + DAY_MS),
            "an idle day is no jump"
        );
        let (before_ms, after_ms) = (NOW_MS + DAY_MS, NOW_MS + 9 * DAY_MS);
        assert_eq!(cutoff_ms(Timestamp::from_millis(after_ms)), Timestamp::from_millis(before_ms));
        assert_eq!(cutoff_ms(Timestamp::from_millis(after_ms + DAY_MS - 1)), Timestamp::from_millis(before_ms));
        assert_eq!(
            cutoff_ms(Timestamp::from_millis(after_ms + 4 * DAY_MS)),
            Timestamp::from_millis(before_ms),
            "it jumped again"
        );
        assert_eq!(
            cutoff_ms(Timestamp::from_millis(after_ms + 5 * DAY_MS)),
            Timestamp::from_millis(after_ms + 5 * DAY_MS)
        );
    }
}
