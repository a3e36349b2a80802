//! State of a server's own events, without the connection itself: see [`crate::feed_worker`].
//!
//! Modules: `change_queue` (library changes for the index), `echo` (whether own writes are heard back), `sessions` (the
//! last told sessions), `pulse_demand` (whether reads are answered from the cache).

mod change_queue;
mod echo;
mod pulse_demand;
mod sessions;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::request::ServerKind;
use parking_lot::Mutex;

pub use change_queue::{LibraryChangeQueue, LibraryChanges};
pub use echo::EchoWatch;
pub use pulse_demand::{PulseDemand, PulseReader};
pub use sessions::{SessionFeed, SessionRights};

/// Whether the server's events arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventStreamState {
    /// Not subscribed yet, or the server did not answer.
    #[default]
    Unknown,
    /// Events arrive.
    Subscribed,
    /// They arrived until the connection was lost; it is tried again.
    Lost,
    /// The connection is open, but a write of the token's own user was not reported back.
    Deaf,
    /// The server rejected the configured token with this status.
    Refused(u16),
    /// The token is an API key without a user, so no user's events arrive.
    TokenWithoutUser,
}

/// Events of one server, and whether they arrive.
#[derive(Debug, Default)]
pub struct EventFeed {
    /// Changes of its libraries.
    pub pending: LibraryChangeQueue,
    /// Whether own writes are heard back.
    pub echo: EchoWatch,
    /// Sessions as last told.
    pub sessions: SessionFeed,
    /// Whether reads are answered from the cache.
    pub pulse: PulseDemand,
    events: Mutex<EventStreamState>,
    /// Since when events are heard without a gap, in milliseconds; 0 while they are not.
    whole_since_ms: AtomicTimestamp,
    /// Account of the token while it is subscribed (Jellyfin).
    own_account: Mutex<Option<Arc<str>>>,
    /// The app whose session the configured token belongs to, if it is not Greenroom's own.
    borrowed_from: Mutex<Option<String>>,
}

impl EventFeed {
    /// Whether events arrive.
    pub fn events_state(&self) -> EventStreamState {
        *self.events.lock()
    }

    /// Sets the state. Events are heard without a gap only while the state stays [`EventStreamState::Subscribed`].
    pub fn set_events_state(&self, events: EventStreamState, now_ms: Timestamp) {
        let mut state = self.events.lock();
        if events != EventStreamState::Subscribed {
            self.whole_since_ms.store(Timestamp::UNIX_EPOCH, Ordering::Release);
            self.sessions.end();
        } else if *state != events {
            self.whole_since_ms.store(now_ms.max(Timestamp::from_millis(1)), Ordering::Release);
        }
        *state = events;
    }

    /// Whether every event that concerns the token's user is heard now.
    pub fn is_whole(&self) -> bool {
        self.whole_since_ms().is_some()
    }

    /// Since when every event has been heard, in milliseconds: no gap lies between then and now.
    pub fn whole_since_ms(&self) -> Option<Timestamp> {
        Some(self.whole_since_ms.load(Ordering::Acquire)).filter(|since_ms| *since_ms > Timestamp::UNIX_EPOCH)
    }

    /// Account whose events arrive, if any.
    pub fn own_account(&self) -> Option<Arc<str>> {
        self.own_account.lock().clone()
    }

    /// Sets the account whose events arrive.
    pub fn set_own_account(&self, account: Option<Arc<str>>) {
        *self.own_account.lock() = account;
        self.echo.give_up();
    }

    /// Since when every change of a session is told, in milliseconds.
    pub fn sessions_since_ms(&self, kind: ServerKind) -> Option<Timestamp> {
        match kind {
            ServerKind::Plex => self.whole_since_ms(),
            ServerKind::Jellyfin => self.sessions.since_ms(),
        }
    }

    /// The app whose session the configured token belongs to, if it is not Greenroom's own.
    pub fn borrowed_from(&self) -> Option<String> {
        self.borrowed_from.lock().clone()
    }

    /// Records the app whose session the configured token belongs to. Returns whether that is news.
    pub fn set_borrowed_from(&self, app: Option<String>) -> bool {
        let mut borrowed_from = self.borrowed_from.lock();
        let is_news = *borrowed_from != app;
        *borrowed_from = app;
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_whole_from_its_subscription_until_anything_else_happens() {
        let feed = EventFeed::default();
        assert!(!feed.is_whole(), "nothing was heard yet");
        feed.set_events_state(EventStreamState::Subscribed, Timestamp::from_millis(1_000));
        feed.set_events_state(EventStreamState::Subscribed, Timestamp::from_millis(9_000));
        assert_eq!(feed.whole_since_ms(), Some(Timestamp::from_millis(1_000)), "no gap in between");
        for end in [EventStreamState::Lost, EventStreamState::Deaf, EventStreamState::TokenWithoutUser] {
            feed.set_events_state(end, Timestamp::from_millis(10_000));
            assert!(!feed.is_whole(), "{end:?}");
            feed.set_events_state(EventStreamState::Subscribed, Timestamp::from_millis(11_000));
            assert_eq!(feed.whole_since_ms(), Some(Timestamp::from_millis(11_000)));
        }
    }
}
