//! Whether the server's own events reach us, and what they say about its libraries until the libraries' keeper takes it.

use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_dialect::ask::Kind;
use greenroom_dialect::crawl::Hint;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Hints that wait at most. Beyond, it is only known that something changed.
const MAX_HINTS: usize = 20_000;

/// Whether the server's events reach us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Events {
    /// Nobody asked, or nobody answered.
    #[default]
    Unknown,
    /// They do.
    Followed,
    /// The server answers this to the configured token.
    Refused(u16),
    /// The token is a key that belongs to no user, so no user's events reach it.
    NobodysKey,
}

/// What a server's own events say, and whether they reach us.
#[derive(Debug, Default)]
pub struct ChangeFeed {
    /// What they say about its libraries.
    pub tidings: Tidings,
    /// Whether they reach us.
    events: Mutex<Events>,
}

impl ChangeFeed {
    /// Whether they reach us.
    pub fn events(&self) -> Events {
        *self.events.lock()
    }

    /// This became of asking for them.
    pub fn note_events(&self, events: Events) {
        *self.events.lock() = events;
    }
}

/// What came and was not taken yet.
#[derive(Debug, Default)]
pub struct Tidings {
    held: Mutex<News>,
    /// Nothing is held while nobody takes it.
    is_attended: AtomicBool,
    bell: Notify,
}

/// What came since it was taken last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// What single events say.
    pub hints: Vec<Hint>,
    /// More came than could be held.
    pub has_overflowed: bool,
    /// For a while nobody heard anything.
    pub was_deaf: bool,
}

impl News {
    fn is_empty(&self) -> bool {
        self.hints.is_empty() && !self.has_overflowed && !self.was_deaf
    }
}

impl Tidings {
    /// From now on somebody takes what comes.
    pub fn attend(&self) {
        self.is_attended.store(true, Ordering::Release);
    }

    /// A frame of the server's own events came.
    pub fn hear(&self, kind: Kind, frame: &[u8]) {
        if !self.is_attended.load(Ordering::Acquire) {
            return;
        }
        let hints = kind.hints(frame);
        if hints.is_empty() {
            return;
        }
        let mut held = self.held.lock();
        if held.hints.len() + hints.len() > MAX_HINTS {
            held.has_overflowed = true;
            held.hints.clear();
        } else if !held.has_overflowed {
            held.hints.extend(hints);
        }
        drop(held);
        self.bell.notify_one();
    }

    /// The events broke off: whatever happened since was told to nobody.
    pub fn was_deaf(&self) {
        if self.is_attended.load(Ordering::Acquire) {
            self.held.lock().was_deaf = true;
            self.bell.notify_one();
        }
    }

    /// Waits until something is there, and takes it.
    pub async fn take(&self) -> News {
        loop {
            let news = std::mem::take(&mut *self.held.lock());
            if !news.is_empty() {
                return news;
            }
            self.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELETED: &str = r#"{"NotificationContainer":{"type":"timeline","size":1,"TimelineEntry":[{"identifier":"com.plexapp.plugins.library","sectionID":"3","itemID":"583","type":10,"title":"x","state":9,"metadataState":"deleted","updatedAt":1516554117}]}}"#;

    #[tokio::test]
    async fn what_comes_waits_until_it_is_taken() {
        let tidings = Tidings::default();
        tidings.hear(Kind::Plex, DELETED.as_bytes());
        tidings.attend();
        tidings.hear(Kind::Plex, DELETED.as_bytes());
        let news = tidings.take().await;
        assert_eq!(
            news.hints,
            [Hint::Removed { shelf: Some("3".into()), key: "583".into() }],
            "once attended"
        );
        tidings.was_deaf();
        assert!(tidings.take().await.was_deaf);
    }

    #[tokio::test]
    async fn more_than_can_be_held_is_one_word() {
        let tidings = Tidings::default();
        tidings.attend();
        for _ in 0..=MAX_HINTS {
            tidings.hear(Kind::Plex, DELETED.as_bytes());
        }
        let news = tidings.take().await;
        assert!(news.has_overflowed && news.hints.len() < MAX_HINTS);
    }
}
