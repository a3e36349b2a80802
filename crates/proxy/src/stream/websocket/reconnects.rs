//! Reconnect delays after a lost upstream socket.

use std::time::Duration;

/// First and longest pause between attempts while the server does not count as down.
pub(super) const PAUSE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// A socket that the server drops sooner counts as rejected: the next one has to wait.
const SETTLED_MS: u64 = 30_000;

/// History of earlier upstream sockets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReconnectHistory {
    /// Number of short-lived ones in a row.
    pub(super) short: u32,
    /// Whether the last one was short-lived after the client's subscriptions were repeated to it.
    pub(super) failed_after_resubscribe: bool,
}

impl ReconnectHistory {
    /// The server dropped a socket after this time.
    pub(super) fn record(&mut self, lived_ms: u64, has_repeated: bool) {
        let is_short = lived_ms < SETTLED_MS;
        self.short = if is_short { self.short.saturating_add(1) } else { 0 };
        self.failed_after_resubscribe = is_short && has_repeated;
    }

    /// Delay before the next attempt.
    pub(super) fn retry_delay(self) -> Option<Duration> {
        let doublings = self.short.checked_sub(1)?.min(5);
        Some((PAUSE.0 * 2_u32.pow(doublings)).min(PAUSE.1))
    }

    /// Whether the server itself may have trouble, not just with this socket.
    pub(super) fn suggests_outage(self) -> bool {
        self.short <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_do_not_last_are_asked_for_less_and_less_often() {
        let mut losses = ReconnectHistory::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            losses.record(10, false);
            pauses.push(losses.retry_delay().map_or(0, |pause| pause.as_secs()));
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60, 60]);
        assert!(!losses.suggests_outage());
        losses.record(SETTLED_MS, false);
        assert_eq!(losses.retry_delay(), None, "one that lasted is taken up again at once");
        assert!(losses.suggests_outage());
    }

    #[test]
    fn what_may_have_cost_the_last_socket_is_not_repeated() {
        let mut losses = ReconnectHistory::default();
        losses.record(10, false);
        assert!(!losses.failed_after_resubscribe, "the client's own words");
        losses.record(10, true);
        assert!(losses.failed_after_resubscribe);
        losses.record(SETTLED_MS, true);
        assert!(!losses.failed_after_resubscribe);
    }
}
