//! How the disk does: which of its services are off, since when, and when they are tried again. Pure: time is an
//! argument.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::watch;

use super::trouble::Trouble;

/// So many looks in a row that took too long turn reads off …
const SLOW_LOOKS: u32 = 3;
/// … until one of them, tried this often, is quick again.
const PROBE_EVERY_MS: u64 = 1_000;
/// The first and the longest pause before writes are tried again.
const RETRY_MS: (u64, u64) = (1_000, 60_000);

/// What is known of the disk's health.
#[derive(Debug, Default)]
pub(crate) struct Health {
    slow_in_row: AtomicU32,
    probe_at_ms: AtomicU64,
    writes_off: AtomicBool,
    write_failures: AtomicU32,
    retry_at_ms: AtomicU64,
    /// The trouble that was said last, as one of [`Trouble::EVERY`] plus one; zero if all is well.
    said: AtomicU32,
    /// Whether a service is off, for whoever waits for it to turn.
    turns: watch::Sender<bool>,
}

impl Health {
    /// Whether a look may be tried now. While looks are too slow, one in a while is.
    pub(crate) fn may_look(&self, now_ms: u64) -> bool {
        if self.slow_in_row.load(Ordering::Relaxed) < SLOW_LOOKS {
            return true;
        }
        let probe_at_ms = self.probe_at_ms.load(Ordering::Relaxed);
        now_ms >= probe_at_ms
            && self
                .probe_at_ms
                .compare_exchange(probe_at_ms, now_ms + PROBE_EVERY_MS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// A look was answered in time.
    pub(crate) fn looked(&self) {
        if self.slow_in_row.load(Ordering::Relaxed) != 0 {
            self.slow_in_row.store(0, Ordering::Relaxed);
            self.turn();
        }
    }

    /// A look took too long. True if that turned reads off.
    pub(crate) fn was_slow(&self, now_ms: u64) -> bool {
        let in_row = self.slow_in_row.fetch_add(1, Ordering::Relaxed) + 1;
        if in_row >= SLOW_LOOKS {
            self.probe_at_ms.store(now_ms + PROBE_EVERY_MS, Ordering::Relaxed);
            self.turn();
        }
        in_row == SLOW_LOOKS
    }

    /// Whether reads are off.
    pub(crate) fn reads_are_off(&self) -> bool {
        self.slow_in_row.load(Ordering::Relaxed) >= SLOW_LOOKS
    }

    /// Whether writes are off.
    pub(crate) fn writes_are_off(&self) -> bool {
        self.writes_off.load(Ordering::Relaxed)
    }

    /// Whether a write may be tried now.
    pub(crate) fn may_write(&self, now_ms: u64) -> bool {
        !self.writes_are_off() || now_ms >= self.retry_at_ms.load(Ordering::Relaxed)
    }

    /// A write went well. True if that is news.
    pub(crate) fn wrote(&self) -> bool {
        self.write_failures.store(0, Ordering::Relaxed);
        self.mended()
    }

    /// The store was opened again: writes may be tried. True if they had been off.
    pub(crate) fn mended(&self) -> bool {
        let was_said = self.said.swap(0, Ordering::Relaxed) != 0;
        if self.writes_off.swap(false, Ordering::Relaxed) {
            self.turn();
        }
        was_said
    }

    /// The trouble that was said last, if it is not over.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let number = usize::try_from(self.said.load(Ordering::Relaxed)).unwrap_or(0);
        Trouble::EVERY.get(number.checked_sub(1)?).copied()
    }

    /// A write failed: the next is tried after a pause that doubles, or at once if somebody else only writes. True if
    /// this trouble was not said yet.
    pub(crate) fn failed(&self, trouble: Trouble, now_ms: u64) -> bool {
        if trouble == Trouble::Locked {
            return self.say(trouble);
        }
        let failures = self.write_failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause_ms = RETRY_MS.0.saturating_mul(1 << failures).min(RETRY_MS.1);
        self.retry_at_ms.store(now_ms.saturating_add(pause_ms), Ordering::Relaxed);
        let is_news = self.say(trouble);
        if !self.writes_off.swap(true, Ordering::Relaxed) {
            self.turn();
        }
        is_news
    }

    /// Whether a service is off, now and whenever that turns.
    pub(crate) fn turns(&self) -> watch::Receiver<bool> {
        self.turns.subscribe()
    }

    /// Looked at while nobody else tells, so what is told last is how it is.
    fn turn(&self) {
        self.turns.send_if_modified(|is_off| {
            let before = std::mem::replace(is_off, self.reads_are_off() || self.writes_are_off());
            before != *is_off
        });
    }

    fn say(&self, trouble: Trouble) -> bool {
        let number = Trouble::EVERY.iter().position(|every| *every == trouble).unwrap_or(0) + 1;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.said.swap(number, Ordering::Relaxed) != number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slow_looks_in_a_row_turn_reads_off_until_a_probe_is_quick() {
        let health = Health::default();
        assert!(!health.was_slow(0) && !health.was_slow(0));
        health.looked();
        assert!(!health.was_slow(0) && !health.was_slow(0) && health.was_slow(0), "the third in a row");
        assert!(!health.may_look(999));
        assert!(health.may_look(1_000), "the probe");
        assert!(!health.may_look(1_001), "one at a time");
        health.looked();
        assert!(health.may_look(1_002));
    }

    #[test]
    fn whoever_waits_is_told_when_a_service_goes_off_and_when_all_are_back() {
        let health = Health::default();
        let mut turns = health.turns();
        let mut turned = || turns.has_changed().expect("it lives").then(|| *turns.borrow_and_update());
        health.failed(Trouble::Locked, 0);
        assert_eq!(turned(), None, "it is still tried");
        health.failed(Trouble::Full, 0);
        assert_eq!(turned(), Some(true));
        for _ in 0..3 {
            health.was_slow(0);
        }
        health.wrote();
        assert_eq!(turned(), None, "reads are off now");
        health.looked();
        assert_eq!(turned(), Some(false));
    }

    #[test]
    fn failing_writes_are_tried_less_and_less_often_and_said_once() {
        let health = Health::default();
        assert!(health.failed(Trouble::Full, 0));
        assert!(!health.may_write(999) && health.may_write(1_000));
        assert!(!health.failed(Trouble::Full, 1_000), "said already");
        assert!(!health.may_write(2_999) && health.may_write(3_000));
        for _ in 0..20 {
            health.failed(Trouble::Full, 0);
        }
        assert!(health.may_write(60_000), "never longer than a minute");
        assert!(health.failed(Trouble::ReadOnly, 0), "another trouble is news");
        assert_eq!(health.trouble(), Some(Trouble::ReadOnly));
        assert!(health.wrote() && health.may_write(0) && !health.wrote());
        assert_eq!(health.trouble(), None);
        assert!(
            health.failed(Trouble::Locked, 0) && health.may_write(0),
            "others end, so nothing is given up"
        );
        assert!(health.wrote());
        assert!(health.failed(Trouble::Full, 0), "news again");
    }
}
