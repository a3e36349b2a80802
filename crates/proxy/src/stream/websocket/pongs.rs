//! Drops duplicate pongs. Greenroom's own end of a socket answers a ping, and passes it on so that the other end sees it;
//! the pong of the other end would be a second answer.

use tokio_tungstenite::tungstenite::Message;

/// Pings of one side that were passed on and are not answered yet.
#[derive(Debug, Default)]
pub(super) struct PongFilter {
    passed_on: u32,
}

impl PongFilter {
    /// Records a message that is passed on to the other side.
    pub(super) fn record_sent(&mut self, message: &Message) {
        if matches!(message, Message::Ping(_)) {
            self.passed_on = self.passed_on.saturating_add(1);
        }
    }

    /// Whether a message from the other side is the pong of such a ping, which has its answer already.
    pub(super) fn is_answered(&mut self, message: &Message) -> bool {
        let answers = matches!(message, Message::Pong(_)) && self.passed_on > 0;
        self.passed_on -= u32::from(answers);
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pong_of_each_ping_that_was_passed_on_is_held_back() {
        let mut filter = PongFilter::default();
        let (ping, pong) = (Message::Ping("a".into()), Message::Pong("a".into()));
        assert!(!filter.is_answered(&pong), "a pong nobody asked for is a sign of life");
        filter.record_sent(&ping);
        assert!(!filter.is_answered(&Message::text("x")));
        assert!(filter.is_answered(&pong) && !filter.is_answered(&pong));
    }
}
