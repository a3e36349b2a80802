//! The writer's work between batches: eviction, recording reads, truncating the log, and checking that the file is in
//! its place.

use crate::timestamp::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Writer;
use crate::disk::error::{StorageError, StorageErrorKind};

/// Pause in milliseconds between two eviction steps when there is nothing more to remove.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Pause in milliseconds between two eviction steps when there is more to remove.
const SWEEP_AGAIN: Duration = Duration::from_millis(20);
/// Pause in milliseconds before the log is truncated again, after another connection prevented it.
const TRUNCATE_AGAIN: Duration = Duration::from_secs(1);
/// Pause in milliseconds between two checks that the file is in its place.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Interval in milliseconds at which reads from memory are recorded in the store.
pub(super) const USES_EVERY: Duration = Duration::from_secs(3600);
/// Max reads recorded at a time.
const USES_PER_STEP: usize = 500;

impl Writer {
    /// Max time for which the writer may sleep if nothing is queued.
    pub(super) fn until_due(&self) -> Duration {
        let now_ms = self.shared.clock.now();
        let at_ms =
            due_at_ms(self.store.is_some(), !self.used_keys.is_empty(), now_ms, self.sweep_at_ms, self.check_at_ms);
        self.shared.clock.real(at_ms.duration_since(now_ms))
    }

    /// Regularly checks that the file is in its place; without an open store, tries to open one.
    pub(super) fn check_store(&mut self) {
        let now_ms = self.shared.clock.now();
        if now_ms < self.check_at_ms {
            return;
        }
        self.check_at_ms = now_ms + CHECK_EVERY;
        match &self.store {
            Some(store) if store.is_in_place() => {}
            Some(_) => {
                self.handle_error(
                    &StorageError::new(StorageErrorKind::Gone, "the file was removed or replaced"),
                    now_ms,
                );
            }
            None if self.shared.health.may_write(now_ms) => self.reopen(now_ms),
            None => {}
        }
    }

    /// Regularly records in the store which entries were read from memory. Otherwise an entry that is read from memory
    /// all day would be evicted from disk as unread.
    fn record_uses(&mut self, now_ms: Timestamp) {
        if self.used_keys.is_empty() && now_ms >= self.record_uses_at_ms {
            self.record_uses_at_ms = now_ms + USES_EVERY;
            self.used_keys = self.memory.take_used_keys();
        }
        if self.used_keys.is_empty() || !self.shared.health.may_write(now_ms) {
            return;
        }
        let Some(store) = &mut self.store else { return };
        let chunk = self.used_keys.split_off(self.used_keys.len().saturating_sub(USES_PER_STEP));
        if let Err(error) = store.record_used(&chunk, now_ms) {
            self.used_keys.clear();
            self.handle_error(&error, now_ms);
        }
    }

    pub(super) fn evict(&mut self) {
        let now_ms = self.shared.clock.now();
        self.record_uses(now_ms);
        if now_ms < self.sweep_at_ms {
            return;
        }
        self.sweep_at_ms = now_ms + SWEEP_EVERY;
        let Some(store) = &mut self.store else { return };
        match store.evict(now_ms, self.shared.settings.data_limit()) {
            Ok(is_more) => {
                if is_more {
                    self.sweep_at_ms = now_ms + SWEEP_AGAIN;
                }
                let _ = store.remove_orphans(self.folder, now_ms); // Tried again when this folder is next.
                self.folder = self.folder.wrapping_add(1);
                self.shared.counters.bytes.store(store.bytes().unwrap_or(0), Ordering::Relaxed);
            }
            Err(error) if error.kind == StorageErrorKind::Full && store.is_cleared().unwrap_or(false) => {
                self.make_room(&error, now_ms);
            }
            Err(error) => self.handle_error(&error, now_ms),
        }
    }

    /// After a batch: publishes the size, and evicts at once if there is too much.
    pub(super) fn measure(&mut self, now_ms: Timestamp) {
        let Some(store) = &self.store else { return };
        self.shared.counters.bytes.store(store.bytes().unwrap_or(0), Ordering::Relaxed);
        if store.is_above(self.shared.settings.data_limit()).unwrap_or(false) {
            self.sweep_at_ms = now_ms;
        }
    }

    /// Truncates the write-ahead log once it is too long: readers in back-to-back transactions would keep it from ever
    /// being reset.
    pub(super) fn truncate_log(&mut self) {
        let now_ms = self.shared.clock.now();
        let Some(store) = &self.store else { return };
        if now_ms >= self.truncate_at_ms && store.wal_bytes() > self.shared.settings.wal_limit() {
            self.shared.truncating.store(true, Ordering::Relaxed);
            if !store.truncate_wal().unwrap_or(false) {
                self.truncate_at_ms = now_ms + TRUNCATE_AGAIN;
            }
            self.shared.truncating.store(false, Ordering::Relaxed);
        }
    }
}

/// Next time the writer has work although nothing is queued: an eviction, reads to record, or a store to open.
fn due_at_ms(
    has_store: bool,
    has_uses: bool,
    now_ms: Timestamp,
    sweep_at_ms: Timestamp,
    check_at_ms: Timestamp,
) -> Timestamp {
    match (has_store, has_uses) {
        (true, true) => now_ms + SWEEP_AGAIN,
        (true, false) => sweep_at_ms,
        (false, _) => check_at_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_writer_sleeps_until_the_next_sweep() {
        assert_eq!(
            due_at_ms(
                true,
                false,
                Timestamp::from_millis(1_000),
                Timestamp::from_millis(31_000),
                Timestamp::from_millis(2_000)
            ),
            Timestamp::from_millis(31_000)
        );
        assert_eq!(
            due_at_ms(
                true,
                true,
                Timestamp::from_millis(1_000),
                Timestamp::from_millis(31_000),
                Timestamp::from_millis(2_000)
            ),
            Timestamp::from_millis(1_020),
            "reads are noted some at a time"
        );
        assert_eq!(
            due_at_ms(
                false,
                false,
                Timestamp::from_millis(1_000),
                Timestamp::from_millis(31_000),
                Timestamp::from_millis(2_000)
            ),
            Timestamp::from_millis(2_000),
            "a store that is gone is tried again"
        );
    }
}
