//! Records what the server's listing and its events say of a library.

use greenroom_cache::Timestamp;
use greenroom_dialect::crawl::LibraryInfo;

use super::status::ItemChanges;
use super::{IndexError, Library};

/// Max items of one library named at a time; beyond, the library is compared in full.
const MAX_NAMED_CHANGES: usize = 20_000;

impl Library {
    /// Takes over the listing of the server. Returns whether its content changed.
    pub(super) fn update_from_server(&self, info: LibraryInfo) -> bool {
        info.title.clone_into(&mut self.title.lock());
        let mut status = self.status.lock();
        let has_changed = info.stamp.is_none() || status.metadata.stamp != info.stamp;
        status.info = Some(info);
        if status.failure.take_if(|(failure, _)| *failure == IndexError::Gone).is_some() {
            // The library is back: nothing has to wait for a person or the schedule.
            (status.build_at_ms, status.follow_at_ms, status.attempts) =
                (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, 0);
            status.is_confirmed = false;
        }
        has_changed && self.generation.read().is_some()
    }

    /// Records an event that names an added, changed or removed item, or only says that something changed.
    pub(super) fn record_change(&self, changed: Option<&str>, removed: Option<&str>, now_ms: Timestamp) {
        let mut pending = self.pending.lock();
        let changes = &mut pending.changes;
        match (changed, removed) {
            // The last event counts: a key may be reused for another item.
            (Some(key), _) => {
                changes.removed.remove(key);
                changes.changed.insert(key.to_owned());
            }
            (None, Some(key)) => {
                changes.changed.remove(key);
                changes.removed.insert(key.to_owned());
            }
            (None, None) => changes.has_unnamed_changes = true,
        }
        changes.mark_changed(now_ms);
        if changes.changed.len() + changes.removed.len() > MAX_NAMED_CHANGES {
            *changes = ItemChanges::default();
            changes.moved(now_ms);
            drop(pending);
            self.request_compare(now_ms);
        }
    }

    /// Requests a full comparison because too many items changed.
    pub(super) fn request_compare(&self, now_ms: Timestamp) {
        self.status.lock().compare_at_ms.get_or_insert(now_ms);
    }
}

impl ItemChanges {
    pub(super) fn moved(&mut self, now_ms: Timestamp) {
        self.has_unnamed_changes = true;
        self.mark_changed(now_ms);
    }
}
