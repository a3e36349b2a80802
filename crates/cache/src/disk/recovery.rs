//! Recovery: when the store fails, the writer logs it once with its remedy, and starts over where possible.

use crate::timestamp::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::error::{StorageError, StorageErrorKind};
use super::lock::{self, DirectoryLock, LockError};
use super::scope_codec;
use super::store::{self, DiskStore, FILE};
use super::write_batch::WriteBatch;
use super::writer::Writer;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::scope::Scope;
use crate::stored_invalidation::PendingInvalidation;

/// Min time between two new stores.
const RENEW_PAUSE: Duration = Duration::from_secs(1);

/// Max wait for another process that is about to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Treatment of a store that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecoveryAction {
    /// Move it aside and create a new one.
    SetAside,
    /// Leave it and retry later.
    Leave,
}

impl RecoveryAction {
    /// A store of another format was written by another version. If one replaces ours while we run, a person must
    /// decide.
    fn for_error(kind: StorageErrorKind, had_store: bool) -> Self {
        match kind {
            StorageErrorKind::Damaged => Self::SetAside,
            StorageErrorKind::Format if !had_store => Self::SetAside,
            _ => Self::Leave,
        }
    }
}

impl Writer {
    /// Opens the store for the first time. If that fails, it is retried while the cache runs without it.
    pub(super) fn start(&mut self) {
        let result = self.begin_or_set_aside(true);
        self.shared.queue.drop_writes(self.invalidation_replay.sequence_map.era());
        match result {
            Ok(()) => self.shared.is_open.store(true, Ordering::Release),
            Err(error) => {
                self.store = None;
                self.report_error(&error, self.shared.clock.now());
            }
        }
    }

    /// Locks the directory, unless it is locked and still the same directory.
    pub(super) fn lock_directory(&mut self) -> Result<(), LockError> {
        if !self.lock.as_ref().is_some_and(DirectoryLock::is_in_place) {
            self.lock = None;
            self.lock = Some(DirectoryLock::acquire(&self.shared.settings.dir, lock::FILE, LOCK_TIMEOUT)?);
        }
        Ok(())
    }

    fn begin_or_set_aside(&mut self, is_start: bool) -> Result<(), StorageError> {
        self.lock_directory().map_err(|error| match error {
            LockError::Failed(error) => error.into(),
            LockError::Held(holder) => {
                StorageError::new(StorageErrorKind::Locked, format!("the directory is in use by {holder}"))
            }
        })?;
        let inode = store::inode_in(&self.shared.settings.dir);
        let result = self.begin(is_start);
        let Err(error) = &result else { return result };
        self.store = None;
        if RecoveryAction::for_error(error.kind, self.had_store()) == RecoveryAction::Leave {
            return result;
        }
        self.set_aside(error, inode);
        self.begin(is_start)
    }

    /// Handles a failure. Damage and loss are repaired where possible; other failures pass by themselves or persist.
    pub(super) fn handle_error(&mut self, error: &StorageError, now_ms: Timestamp) {
        if !matches!(error.kind, StorageErrorKind::Damaged | StorageErrorKind::Gone) {
            return self.report_error(error, now_ms);
        }
        let is_in_place = self.store.as_ref().is_some_and(DiskStore::is_in_place);
        if is_in_place && error.kind == StorageErrorKind::Gone {
            // A reader could not open it, but we could: a passing failure.
            return;
        }
        let inode = self.store.take().map(|store| store.inode);
        if now_ms < self.renew_at_ms {
            // The disk damages every new store: do not loop.
            self.shared.is_open.store(false, Ordering::Release);
            return self.report_error(error, now_ms);
        }
        self.renew_at_ms = now_ms + RENEW_PAUSE;
        if error.kind == StorageErrorKind::Damaged && is_in_place {
            self.set_aside(error, inode);
        }
        self.reopen(now_ms);
        if error.kind == StorageErrorKind::Gone && self.store.is_some() {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = error.message,
                remedy = error.kind.remedy(),
                "the disk cache was removed; a new one was created"
            );
        }
    }

    /// Everything was purged, and there is no space to delete row by row or even to record it: deletes the store and
    /// creates a new one.
    pub(super) fn make_room(&mut self, error: &StorageError, now_ms: Timestamp) {
        let inode = self.store.as_ref().map(|store| store.inode);
        let Some(inode) = inode.filter(|_| now_ms >= self.renew_at_ms) else {
            return self.report_error(error, now_ms);
        };
        self.renew_at_ms = now_ms + RENEW_PAUSE;
        self.store = None;
        // Errors of readers whose file is deleted under them are expected.
        self.shared.is_open.store(false, Ordering::Release);
        let dir = &self.shared.settings.dir;
        match store::delete_files(dir, inode) {
            Ok(false) => {}
            Ok(true) => tracing::info!(
                dir = %dir.display(),
                "the disk was too full to clear the disk cache entry by entry; it was replaced by an empty one"
            ),
            Err(error) => self.report_error(&error, now_ms),
        }
        drop(self.shared.take_pending_error());
        self.reopen(now_ms);
    }

    /// Opens the file now in the store's place, or creates a new one if it is unusable.
    pub(super) fn reopen(&mut self, now_ms: Timestamp) {
        self.shared.is_open.store(false, Ordering::Release);
        self.store = None;
        let result = self.begin_or_set_aside(false);
        // Only now: from here on, known sequences are in the numbers of this store.
        self.shared.queue.drop_writes(self.invalidation_replay.sequence_map.era());
        match result {
            Ok(()) => {
                self.shared.generation.fetch_add(1, Ordering::Release);
                self.shared.is_open.store(true, Ordering::Release);
                if self.shared.health.reset_writes() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "disk writes work again");
                }
            }
            Err(error) => {
                self.store = None;
                self.report_error(&error, now_ms);
            }
        }
    }

    /// Purges a store that has missed invalidations.
    pub(super) fn distrust(&mut self, reason: &str) -> Result<(), StorageError> {
        let now_ms = self.shared.clock.now();
        let Some(store) = &mut self.store else { return Ok(()) };
        if store.is_empty()? {
            return Ok(());
        }
        let purge = purge_of_all(self.invalidation_replay.sequence.next(now_ms));
        store.write(&WriteBatch { invalidations: vec![purge], ..WriteBatch::default() }, self.origin, now_ms)?;
        tracing::warn!(
            dir = %self.shared.settings.dir.display(),
            reason,
            "entries on disk may be outdated and were purged; {}",
            StorageErrorKind::Damaged.remedy()
        );
        self.read_invalidations()
    }

    /// Logs an error once, and turns writes off if retrying at once would be pointless.
    fn report_error(&self, error: &StorageError, now_ms: Timestamp) {
        if self.shared.health.record_write_failure(error.kind, now_ms) {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = error.message,
                remedy = error.kind.remedy(),
                "disk writes are paused ({}); requests are still answered",
                error.kind
            );
        }
    }

    /// Moves the failed file aside, if it is still in place.
    fn set_aside(&self, error: &StorageError, inode: Option<u64>) {
        let dir = &self.shared.settings.dir;
        let Some(inode) = inode else { return };
        match store::set_aside(dir, inode) {
            Ok(None) => return,
            Ok(Some(moved)) => tracing::warn!(
                file = %dir.join(FILE).display(),
                reason = error.message,
                moved = %moved.display(),
                "the disk cache is damaged or has another format; it was set aside and a new one created; {}",
                StorageErrorKind::Damaged.remedy()
            ),
            Err(error) => return self.report_error(&error, self.shared.clock.now()),
        }
        self.shared.counters.set_aside.fetch_add(1, Ordering::Relaxed);
    }
}

/// A purge of everything older than it.
pub(super) fn purge_of_all(stamp: HybridTimestamp) -> PendingInvalidation {
    PendingInvalidation {
        scope: scope_codec::encode(&Scope::All),
        purges: true,
        stamp,
        hold_until: HybridTimestamp::default(),
        grace_until_ms: Timestamp::UNIX_EPOCH,
        grace_fresh_ms: Duration::ZERO,
    }
}
