//! What the writer does beside writing: it sweeps, notes reads, cuts the log, and sees whether the file is in its place.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Writer;
use crate::disk::trouble::{Failing, Trouble};

/// Pause between two sweeps when there is nothing to take out.
const SWEEP_EVERY_MS: u64 = 30_000;
/// Pause between two chunks when there is.
const SWEEP_AGAIN_MS: u64 = 20;
/// Pause after somebody was in the way of cutting the log.
const CUT_AGAIN_MS: u64 = 1_000;
/// Pause between two looks at whether the file is in its place.
const LOOK_EVERY_MS: u64 = 1_000;

/// How often what was read from memory is noted in the store, and how many rows at a time.
pub(super) const USES_EVERY_MS: u64 = 3_600_000;
const USES_AT_A_TIME: usize = 500;

impl Writer {
    /// How long the writer may sleep while nothing comes.
    pub(super) fn until_due(&self) -> Duration {
        let now_ms = self.shared.clock.now_ms();
        let at_ms =
            due_at_ms(self.store.is_some(), !self.uses.is_empty(), now_ms, self.sweep_at_ms, self.look_at_ms);
        self.shared.clock.real(Duration::from_millis(at_ms.saturating_sub(now_ms)))
    }

    /// Sees now and then whether the file is in its place, and tries again to open it where there is none.
    pub(super) fn look_after(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        if now_ms < self.look_at_ms {
            return;
        }
        self.look_at_ms = now_ms + LOOK_EVERY_MS;
        match &self.store {
            Some(store) if store.is_in_place() => {}
            Some(_) => self.failed(&Failing::new(Trouble::Gone, "it is not there any more"), now_ms),
            None if self.shared.health.may_write(now_ms) => self.reopen(now_ms),
            None => {}
        }
    }

    /// Notes now and then what was read from memory: what is read there all day is not to be taken out here as unread.
    fn note_uses(&mut self, now_ms: u64) {
        if self.uses.is_empty() && now_ms >= self.uses_at_ms {
            self.uses_at_ms = now_ms + USES_EVERY_MS;
            self.uses = self.memory.take_uses();
        }
        if self.uses.is_empty() || !self.shared.health.may_write(now_ms) {
            return;
        }
        let Some(store) = &mut self.store else { return };
        let chunk = self.uses.split_off(self.uses.len().saturating_sub(USES_AT_A_TIME));
        if let Err(failing) = store.note_used(&chunk, now_ms) {
            self.uses.clear();
            self.failed(&failing, now_ms);
        }
    }

    pub(super) fn tidy(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        self.note_uses(now_ms);
        if now_ms < self.sweep_at_ms {
            return;
        }
        self.sweep_at_ms = now_ms + SWEEP_EVERY_MS;
        let Some(store) = &mut self.store else { return };
        match store.sweep(now_ms, self.shared.settings.max_bytes) {
            Ok(is_more) => {
                if is_more {
                    self.sweep_at_ms = now_ms + SWEEP_AGAIN_MS;
                }
                drop(store.sweep_folder(self.folder, now_ms));
                self.folder = self.folder.wrapping_add(1);
                self.shared.counters.bytes.store(store.bytes().unwrap_or(0), Ordering::Relaxed);
            }
            Err(failing) if failing.trouble == Trouble::Full && store.is_cleared().unwrap_or(false) => {
                self.make_room(&failing, now_ms);
            }
            Err(failing) => self.failed(&failing, now_ms),
        }
    }

    /// Cuts the log when it has grown too long: readers in back-to-back reads would keep it from ever ending.
    pub(super) fn cut_log(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        let Some(store) = &self.store else { return };
        if now_ms >= self.cut_at_ms && store.wal_bytes() > self.shared.settings.max_wal_bytes {
            self.shared.cutting.store(true, Ordering::Relaxed);
            if !store.truncate_wal().unwrap_or(false) {
                self.cut_at_ms = now_ms + CUT_AGAIN_MS;
            }
            self.shared.cutting.store(false, Ordering::Relaxed);
        }
    }
}

/// When the writer has something to do although nothing came: a sweep, reads to be noted, or a store to be opened.
fn due_at_ms(has_store: bool, has_uses: bool, now_ms: u64, sweep_at_ms: u64, look_at_ms: u64) -> u64 {
    match (has_store, has_uses) {
        (true, true) => now_ms + SWEEP_AGAIN_MS,
        (true, false) => sweep_at_ms,
        (false, _) => look_at_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nothing_comes_the_writer_sleeps_until_the_next_sweep() {
        assert_eq!(due_at_ms(true, false, 1_000, 31_000, 2_000), 31_000);
        assert_eq!(due_at_ms(true, true, 1_000, 31_000, 2_000), 1_020, "reads are noted some at a time");
        assert_eq!(
            due_at_ms(false, false, 1_000, 31_000, 2_000),
            2_000,
            "a store that is gone is tried again"
        );
    }
}
