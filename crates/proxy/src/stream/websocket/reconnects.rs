//! Sockets to the server that were lost: how long to wait before the next one.

use std::time::Duration;

/// First and longest pause between attempts to attach again, as long as the server does not count as down.
pub(super) const PAUSE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// A socket that the server drops sooner than this was not taken: the next one has to wait.
const SETTLED_MS: u64 = 30_000;

/// What became of the sockets to the server before this one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Losses {
    /// How many in a row did not last.
    pub(super) short: u32,
    /// Whether what the client subscribed to was repeated to the last one, and it did not last.
    pub(super) by_repeating: bool,
}

impl Losses {
    /// The server dropped a socket that it had for so long.
    pub(super) fn note(&mut self, lived_ms: u64, has_repeated: bool) {
        let is_short = lived_ms < SETTLED_MS;
        self.short = if is_short { self.short.saturating_add(1) } else { 0 };
        self.by_repeating = is_short && has_repeated;
    }

    /// How long to wait before the server is asked for another one.
    pub(super) fn pause(self) -> Option<Duration> {
        let doublings = self.short.checked_sub(1)?.min(5);
        Some((PAUSE.0 * 2_u32.pow(doublings)).min(PAUSE.1))
    }

    /// Whether the server itself may be in trouble, and not just with this socket.
    pub(super) fn looks_like_trouble(self) -> bool {
        self.short <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_do_not_last_are_asked_for_less_and_less_often() {
        let mut losses = Losses::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            losses.note(10, false);
            pauses.push(losses.pause().map_or(0, |pause| pause.as_secs()));
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60, 60]);
        assert!(!losses.looks_like_trouble());
        losses.note(SETTLED_MS, false);
        assert_eq!(losses.pause(), None, "one that lasted is taken up again at once");
        assert!(losses.looks_like_trouble());
    }

    #[test]
    fn what_may_have_cost_the_last_socket_is_not_repeated() {
        let mut losses = Losses::default();
        losses.note(10, false);
        assert!(!losses.by_repeating, "the client's own words");
        losses.note(10, true);
        assert!(losses.by_repeating);
        losses.note(SETTLED_MS, true);
        assert!(!losses.by_repeating);
    }
}
