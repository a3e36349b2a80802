//! Own invalidations between their number and the moment when every gateway has heard it. Pure: no clock, no
//! connection.

use crate::agreement::{HeartbeatReply, LogEntry, SequencePosition, is_acknowledged};
use crate::sabotage;

/// Result of announced invalidations.
#[derive(Debug, PartialEq, Eq)]
pub enum AnnouncementResult<B> {
    /// Every gateway that serves has heard them.
    Acknowledged(B),
    /// The store lost their numbers: they must be announced again.
    Lost(B),
}

/// A batch of invalidations with their newest number.
#[derive(Debug)]
struct AnnouncedBatch<B> {
    epoch: u64,
    seq: u64,
    /// Token under which the store has the number.
    token: String,
    /// Whether the log showed the number: with our token, or another.
    shown: Option<bool>,
    batch: B,
}

/// The batch that waits, if any. It outlives a session: only an acknowledgement ends the wait, never a reconnection.
#[derive(Debug)]
pub struct Announcements<B> {
    waiting: Option<AnnouncedBatch<B>>,
}

impl<B> Default for Announcements<B> {
    fn default() -> Self {
        Self { waiting: None }
    }
}

impl<B> Announcements<B> {
    /// Whether a batch waits. Until it does not, no other is announced.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// A batch was announced: `seq` is its newest number, `token` what the store has under it.
    pub fn begin(&mut self, epoch: u64, seq: u64, token: String, batch: B) {
        self.waiting = Some(AnnouncedBatch { epoch, seq, token, shown: None, batch });
    }

    /// The log showed a number.
    pub fn hear(&mut self, entry: &LogEntry) {
        if let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.seq == entry.seq) {
            waiting.shown = Some(waiting.token == entry.token);
        }
    }

    /// Concludes from an answer of the store; `standing` is where this gateway stands after it has caught up.
    pub fn conclude(
        &mut self,
        heartbeat: &HeartbeatReply,
        standing: &SequencePosition,
    ) -> Option<AnnouncementResult<B>> {
        let waiting = self.waiting.take()?;
        if waiting.is_lost(heartbeat, standing) && !sabotage::is_disabled("lost") {
            return Some(AnnouncementResult::Lost(waiting.batch));
        }
        // An answer of another epoch says nothing of these numbers.
        if heartbeat.epoch == waiting.epoch && is_acknowledged(heartbeat, waiting.seq) {
            return Some(AnnouncementResult::Acknowledged(waiting.batch));
        }
        self.waiting = Some(waiting);
        None
    }
}

impl<B> AnnouncedBatch<B> {
    /// Whether the store may have lost the numbers: it has another epoch, or none so high, or this one is another's, or
    /// the log went past it without showing it.
    fn is_lost(&self, heartbeat: &HeartbeatReply, standing: &SequencePosition) -> bool {
        let is_of_epoch = heartbeat.epoch == self.epoch;
        standing.epoch != self.epoch
            || (is_of_epoch && heartbeat.seq < self.seq)
            || self.shown == Some(false)
            || (standing.heard >= self.seq && self.shown.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(epoch: u64, seq: u64, acked: u64) -> HeartbeatReply {
        HeartbeatReply { epoch, seq, acked, ..HeartbeatReply::default() }
    }

    fn standing(epoch: u64, heard: u64) -> SequencePosition {
        SequencePosition { epoch, heard, token: String::new() }
    }

    fn entry(seq: u64, token: &str) -> LogEntry {
        let (token, scope) = (token.to_owned(), String::new());
        LogEntry { seq, token, scope, purges: false, durations_ms: [0; 3] }
    }

    fn waiting() -> Announcements<&'static str> {
        let mut announcements = Announcements::default();
        announcements.begin(1, 62, "a:7".to_owned(), "batch");
        announcements
    }

    #[test]
    fn only_an_acknowledgement_in_the_same_epoch_ends_the_wait() {
        let mut announcements = waiting();
        announcements.hear(&entry(62, "a:7"));
        assert_eq!(announcements.conclude(&heartbeat(1, 62, 61), &standing(1, 62)), None);
        assert_eq!(announcements.conclude(&heartbeat(2, 99, 99), &standing(1, 62)), None, "of another epoch");
        let ended = announcements.conclude(&heartbeat(1, 62, 62), &standing(1, 62));
        assert_eq!(ended, Some(AnnouncementResult::Acknowledged("batch")));
        assert!(!announcements.is_waiting());
    }

    #[test]
    fn numbers_that_the_store_lost_are_announced_again_and_never_waited_for() {
        let lost = Some(AnnouncementResult::Lost("batch"));
        assert_eq!(waiting().conclude(&heartbeat(2, 0, 0), &standing(2, 0)), lost, "another epoch");
        assert_eq!(waiting().conclude(&heartbeat(1, 61, 61), &standing(1, 61)), lost, "a failover without the number");
        let mut announcements = waiting();
        announcements.hear(&entry(62, "b:1"));
        assert_eq!(announcements.conclude(&heartbeat(1, 62, 62), &standing(1, 62)), lost, "the number is another's");
        assert_eq!(waiting().conclude(&heartbeat(1, 70, 70), &standing(1, 70)), lost, "it was never shown");
    }
}
