//! Library changes that the server reported and the library index has not read yet.

use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_dialect::crawl::ChangeHint;
use greenroom_dialect::request::ServerKind;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Max pending hints. Beyond it only the fact that something changed is stored.
const MAX_HINTS: usize = 20_000;

/// Library changes that were not read yet.
#[derive(Debug, Default)]
pub struct LibraryChangeQueue {
    changes: Mutex<LibraryChanges>,
    /// Without a consumer nothing is queued.
    has_consumer: AtomicBool,
    notify: Notify,
}

/// Changes since the last read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LibraryChanges {
    /// Changes named by single events.
    pub hints: Vec<ChangeHint>,
    /// Hints were dropped because the queue was full.
    pub has_overflowed: bool,
    /// The event stream was interrupted, so events may be missing.
    pub has_gap: bool,
}

impl LibraryChanges {
    fn is_empty(&self) -> bool {
        self.hints.is_empty() && !self.has_overflowed && !self.has_gap
    }
}

impl LibraryChangeQueue {
    /// Starts queueing, because a consumer exists from now on.
    pub fn set_has_consumer(&self) {
        self.has_consumer.store(true, Ordering::Release);
    }

    /// Queues the hints of one frame of the event stream.
    pub fn record_frame(&self, kind: ServerKind, frame: &[u8]) {
        if !self.has_consumer.load(Ordering::Acquire) {
            return;
        }
        let hints = kind.hints(frame);
        if hints.is_empty() {
            return;
        }
        let mut changes = self.changes.lock();
        if changes.hints.len() + hints.len() > MAX_HINTS {
            changes.has_overflowed = true;
            changes.hints.clear();
        } else if !changes.has_overflowed {
            changes.hints.extend(hints);
        }
        drop(changes);
        self.notify.notify_one();
    }

    /// Records an interruption of the event stream: events since then are lost.
    pub fn record_gap(&self) {
        if self.has_consumer.load(Ordering::Acquire) {
            self.changes.lock().has_gap = true;
            self.notify.notify_one();
        }
    }

    /// Waits for changes and takes them.
    pub async fn recv(&self) -> LibraryChanges {
        loop {
            let changes = std::mem::take(&mut *self.changes.lock());
            if !changes.is_empty() {
                return changes;
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELETED: &str = r#"{"NotificationContainer":{"type":"timeline","size":1,"TimelineEntry":[{"identifier":"com.plexapp.plugins.library","sectionID":"3","itemID":"583","type":10,"title":"x","state":9,"metadataState":"deleted","updatedAt":1516554117}]}}"#;

    #[tokio::test]
    async fn changes_wait_until_they_are_received() {
        let queue = LibraryChangeQueue::default();
        queue.record_frame(ServerKind::Plex, DELETED.as_bytes());
        queue.set_has_consumer();
        queue.record_frame(ServerKind::Plex, DELETED.as_bytes());
        let changes = queue.recv().await;
        assert_eq!(
            changes.hints,
            [ChangeHint::Removed { shelf: Some("3".into()), key: "583".into() }],
            "changes are queued once there is a consumer"
        );
        queue.record_gap();
        assert!(queue.recv().await.has_gap);
    }

    #[tokio::test]
    async fn an_overflow_is_reported_as_a_flag() {
        let queue = LibraryChangeQueue::default();
        queue.set_has_consumer();
        for _ in 0..=MAX_HINTS {
            queue.record_frame(ServerKind::Plex, DELETED.as_bytes());
        }
        let changes = queue.recv().await;
        assert!(changes.has_overflowed && changes.hints.len() < MAX_HINTS);
    }
}
