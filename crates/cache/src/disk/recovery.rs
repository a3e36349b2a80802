//! Recovery: when the store fails, the writer logs it once with its remedy, and starts over where possible.

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
const RENEW_PAUSE_MS: u64 = 1_000;

/// Max wait for another process that is about to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// What to do about a store that cannot be opened.
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
    fn for_error(trouble: StorageErrorKind, had_one: bool) -> Self {
        match trouble {
            StorageErrorKind::Damaged => Self::SetAside,
            StorageErrorKind::Format if !had_one => Self::SetAside,
            _ => Self::Leave,
        }
    }
}

impl Writer {
    /// Opens the store for the first time. If that fails, it is retried while the cache runs without it.
    pub(super) fn start(&mut self) {
        let begun = self.begin_or_set_aside(true);
        self.shared.queue.drop_writes(self.invalidation_replay.sequence_map.era());
        match begun {
            Ok(()) => self.shared.is_open.store(true, Ordering::Release),
            Err(failing) => {
                self.store = None;
                self.report_error(&failing, self.shared.clock.now_ms());
            }
        }
    }

    /// Locks the directory, unless it is locked and still the same directory.
    pub(super) fn lock_directory(&mut self) -> Result<(), LockError> {
        if !self.lock.as_ref().is_some_and(DirectoryLock::is_in_place) {
            self.lock = None;
            self.lock = Some(DirectoryLock::acquire(&self.shared.settings.dir, lock::FILE, LOCK_PATIENCE)?);
        }
        Ok(())
    }

    fn begin_or_set_aside(&mut self, is_start: bool) -> Result<(), StorageError> {
        self.lock_directory().map_err(|error| match error {
            LockError::Failed(error) => error.into(),
            LockError::Held(holder) => {
                StorageError::new(StorageErrorKind::Locked, format!("{holder} uses this directory"))
            }
        })?;
        let inode = store::inode_in(&self.shared.settings.dir);
        let begun = self.begin(is_start);
        let Err(failing) = &begun else { return begun };
        self.store = None;
        if RecoveryAction::for_error(failing.kind, self.had_store()) == RecoveryAction::Leave {
            return begun;
        }
        self.set_aside(failing, inode);
        self.begin(is_start)
    }

    /// Handles a failure. Damage and loss are repaired where possible; other failures pass by themselves or persist.
    pub(super) fn handle_error(&mut self, failing: &StorageError, now_ms: u64) {
        if !matches!(failing.kind, StorageErrorKind::Damaged | StorageErrorKind::Gone) {
            return self.report_error(failing, now_ms);
        }
        let is_ours = self.store.as_ref().is_some_and(DiskStore::is_in_place);
        if is_ours && failing.kind == StorageErrorKind::Gone {
            // A reader could not open it, but we could: a passing failure.
            return;
        }
        let inode = self.store.take().map(|store| store.inode);
        if now_ms < self.renew_at_ms {
            // The disk damages every new store: do not loop.
            self.shared.is_open.store(false, Ordering::Release);
            return self.report_error(failing, now_ms);
        }
        self.renew_at_ms = now_ms + RENEW_PAUSE_MS;
        if failing.kind == StorageErrorKind::Damaged && is_ours {
            self.set_aside(failing, inode);
        }
        self.reopen(now_ms);
        if failing.kind == StorageErrorKind::Gone && self.store.is_some() {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.kind.remedy(),
                "the cache on disk is gone: a new one is begun"
            );
        }
    }

    /// Everything was purged, and there is no space to delete row by row or even to record it: deletes the store and
    /// creates a new one.
    pub(super) fn make_room(&mut self, failing: &StorageError, now_ms: u64) {
        let inode = self.store.as_ref().map(|store| store.inode);
        let Some(inode) = inode.filter(|_| now_ms >= self.renew_at_ms) else {
            return self.report_error(failing, now_ms);
        };
        self.renew_at_ms = now_ms + RENEW_PAUSE_MS;
        self.store = None;
        // Errors of readers whose file is deleted under them are expected.
        self.shared.is_open.store(false, Ordering::Release);
        let dir = &self.shared.settings.dir;
        match store::delete_files(dir, inode) {
            Ok(false) => {}
            Ok(true) => tracing::info!(
                dir = %dir.display(),
                "the cache on disk is cleared; there was no room for less than to begin a new one"
            ),
            Err(failing) => self.report_error(&failing, now_ms),
        }
        drop(self.shared.take_pending_error());
        self.reopen(now_ms);
    }

    /// Opens the file now in the store's place, or creates a new one if it is unusable.
    pub(super) fn reopen(&mut self, now_ms: u64) {
        self.shared.is_open.store(false, Ordering::Release);
        self.store = None;
        let begun = self.begin_or_set_aside(false);
        // Only now: from here on, known sequences are in the numbers of this store.
        self.shared.queue.drop_writes(self.invalidation_replay.sequence_map.era());
        match begun {
            Ok(()) => {
                self.shared.generation.fetch_add(1, Ordering::Release);
                self.shared.is_open.store(true, Ordering::Release);
                if self.shared.health.reset_writes() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "writing to disk works again");
                }
            }
            Err(failing) => {
                self.store = None;
                self.report_error(&failing, now_ms);
            }
        }
    }

    /// Purges a store that has missed invalidations.
    pub(super) fn distrust(&mut self, reason: &str) -> Result<(), StorageError> {
        let now_ms = self.shared.clock.now_ms();
        let Some(store) = &mut self.store else { return Ok(()) };
        if store.is_empty()? {
            return Ok(());
        }
        let all = purge_of_all(self.invalidation_replay.sequence.next(now_ms));
        store.write(&WriteBatch { invalidations: vec![all], ..WriteBatch::default() }, self.origin, now_ms)?;
        tracing::warn!(
            dir = %self.shared.settings.dir.display(),
            reason,
            "what is kept on disk may be outdated and is not used; {}",
            StorageErrorKind::Damaged.remedy()
        );
        self.read_invalidations()
    }

    /// Logs an error once, and turns writes off if retrying at once would be pointless.
    fn report_error(&self, failing: &StorageError, now_ms: u64) {
        if self.shared.health.record_write_failure(failing.kind, now_ms) {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.kind.remedy(),
                "nothing is written to disk for now ({}); answers go on",
                failing.kind
            );
        }
    }

    /// Moves the failed file aside, if it is still in place.
    fn set_aside(&self, failing: &StorageError, inode: Option<u64>) {
        let dir = &self.shared.settings.dir;
        let Some(inode) = inode else { return };
        match store::set_aside(dir, inode) {
            Ok(None) => return,
            Ok(Some(aside)) => tracing::warn!(
                file = %dir.join(FILE).display(),
                reason = failing.message,
                aside = %aside.display(),
                "the cache on disk is damaged or of another format: it is set aside and a new one begun; {}",
                StorageErrorKind::Damaged.remedy()
            ),
            Err(failing) => return self.report_error(&failing, self.shared.clock.now_ms()),
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
        grace_until_ms: 0,
        grace_fresh_ms: 0,
    }
}
