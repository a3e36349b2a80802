//! Whether the feed hears what it must: a confirmed write of its own user comes back as an event.
//!
//! A server may deliver a session's events to another connection. Nothing tells that but the silence.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Time within which a confirmed write must be heard back. Jellyfin reports half a second after the last write.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// A user whose event was heard within this time is heard, in milliseconds.
const JUST_HEARD: Duration = Duration::from_secs(1);
/// Names of Jellyfin's writes that are reported to the user at once.
const ECHOED_WRITES: [&str; 4] = ["played", "favorite", "rating", "user-data"];

/// Field of the user state of folders only.
const FOLDER_FIELD: &[u8] = b"\"UnplayedItemCount\"";

/// Watches whether writes of the feed's own user are heard back.
#[derive(Debug, Default)]
pub struct EchoWatch {
    /// Time of the last write that was not heard back yet, in milliseconds.
    awaited_ms: Mutex<Option<Timestamp>>,
    /// Time of the last event of the feed's own user, in milliseconds.
    heard_ms: AtomicTimestamp,
    expected: Notify,
}

impl EchoWatch {
    /// Whether a write of this name, with this response, is reported back to its user. A folder is not sure to be: it
    /// may be empty.
    pub fn is_echoed(write: &str, response: &[u8]) -> bool {
        let is_folder = response.windows(FOLDER_FIELD.len()).any(|part| part.eq_ignore_ascii_case(FOLDER_FIELD));
        ECHOED_WRITES.contains(&write) && !is_folder
    }

    /// A write was confirmed that must be heard back.
    pub fn expect(&self, now_ms: Timestamp) {
        // The report may be faster than the response.
        if now_ms.duration_since(self.heard_ms.load(Ordering::Relaxed)) < JUST_HEARD {
            return;
        }
        // Each write postpones the server's report of those before it.
        *self.awaited_ms.lock() = Some(now_ms);
        self.expected.notify_one();
    }

    /// Another user's write postpones the report of those before it, too: the server has one timer for all.
    pub fn postpone(&self, now_ms: Timestamp) {
        if let Some(awaited_ms) = self.awaited_ms.lock().as_mut() {
            *awaited_ms = now_ms;
        }
    }

    /// An event of the feed's own user was heard. Returns whether it was awaited.
    pub fn heard(&self, now_ms: Timestamp) -> bool {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
        self.awaited_ms.lock().take().is_some()
    }

    /// The awaited event was not heard in time.
    pub fn give_up(&self) {
        *self.awaited_ms.lock() = None;
    }

    /// Time by which the awaited event must be heard, in milliseconds.
    pub fn due_ms(&self) -> Option<Timestamp> {
        self.awaited_ms.lock().map(|at_ms| at_ms + HEARD_WITHIN)
    }

    /// Waits until a write must be heard back.
    pub async fn expected(&self) {
        while self.due_ms().is_none() {
            self.expected.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_must_be_heard_back_within_five_seconds_of_the_last_one() {
        let echo = EchoWatch::default();
        assert_eq!(echo.due_ms(), None);
        assert!(!echo.heard(Timestamp::from_millis(500)), "nothing was awaited");
        echo.expect(Timestamp::from_millis(1_000));
        assert_eq!(echo.due_ms(), None, "it may have been this one's");
        echo.expect(Timestamp::from_millis(2_000));
        echo.expect(Timestamp::from_millis(3_000));
        assert_eq!(echo.due_ms(), Some(Timestamp::from_millis(8_000)), "the server reports after the last of several");
        assert!(echo.heard(Timestamp::from_millis(3_500)));
        assert_eq!(echo.due_ms(), None);
    }

    #[test]
    fn only_writes_that_are_sure_to_be_reported_are_awaited() {
        assert!(EchoWatch::is_echoed("played", br#"{"Played":true}"#));
        assert!(!EchoWatch::is_echoed("played", br#"{"UnplayedItemCount":0,"Played":true}"#), "an empty folder");
        assert!(!EchoWatch::is_echoed("playback-progress", b""));
    }
}
