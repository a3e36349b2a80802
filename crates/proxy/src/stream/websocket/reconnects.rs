//! Reconnect delays after a lost upstream socket.

use std::time::Duration;

/// First and longest pause between attempts while the server does not count as down.
pub(super) const RETRY_PAUSE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// A socket that the server drops sooner counts as rejected: the next one has to wait.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// History of earlier upstream sockets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReconnectHistory {
    /// Number of short-lived ones in a row.
    pub(super) short_lived: u32,
    /// Whether the last one was short-lived after the client's subscriptions were repeated to it.
    pub(super) failed_after_resubscribe: bool,
}

impl ReconnectHistory {
    /// The server dropped a socket after this time.
    pub(super) fn record(&mut self, lived_ms: Duration, has_resubscribed: bool) {
        let is_short_lived = lived_ms < STABLE_AFTER;
        self.short_lived = if is_short_lived { self.short_lived.saturating_add(1) } else { 0 };
        self.failed_after_resubscribe = is_short_lived && has_resubscribed;
    }

    /// Delay before the next attempt.
    pub(super) fn retry_delay(self) -> Option<Duration> {
        let doublings = self.short_lived.checked_sub(1)?.min(5);
        Some((RETRY_PAUSE.0 * 2_u32.pow(doublings)).min(RETRY_PAUSE.1))
    }

    /// Whether the server itself may have trouble, not just with this socket.
    pub(super) fn suggests_outage(self) -> bool {
        self.short_lived <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_of_short_lived_sockets_back_off() {
        let mut history = ReconnectHistory::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            history.record(Duration::from_millis(10), false);
            pauses.push(history.retry_delay().map_or(0, |pause| pause.as_secs()));
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60, 60]);
        assert!(!history.suggests_outage());
        history.record(STABLE_AFTER, false);
        assert_eq!(history.retry_delay(), None, "a long-lived socket is reconnected at once");
        assert!(history.suggests_outage());
    }

    #[test]
    fn subscriptions_that_may_have_closed_the_socket_are_not_repeated() {
        let mut history = ReconnectHistory::default();
        history.record(Duration::from_millis(10), false);
        assert!(!history.failed_after_resubscribe, "the client sent its own messages");
        history.record(Duration::from_millis(10), true);
        assert!(history.failed_after_resubscribe);
        history.record(STABLE_AFTER, true);
        assert!(!history.failed_after_resubscribe);
    }
}
