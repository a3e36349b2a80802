//! Health of the disk: which services are off, since when, and when they are retried. Pure: time is an argument.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::watch;

use super::error::StorageErrorKind;

/// Consecutive slow lookups that turn reads off …
const SLOW_LOOKS: u32 = 3;
/// … until a probe, at this interval, is fast again.
const PROBE_EVERY_MS: u64 = 1_000;
/// First and longest pause before writes are retried.
const RETRY_MS: (u64, u64) = (1_000, 60_000);

/// Health of the disk.
#[derive(Debug, Default)]
pub(crate) struct DiskHealth {
    slow_in_row: AtomicU32,
    probe_at_ms: AtomicU64,
    writes_off: AtomicBool,
    write_failures: AtomicU32,
    retry_at_ms: AtomicU64,
    /// The error logged last, as index into [`StorageErrorKind::EVERY`] plus one; zero if healthy.
    said: AtomicU32,
    /// Whether a service is off, for subscribers.
    turns: watch::Sender<bool>,
}

impl DiskHealth {
    /// Whether a lookup may be tried now. While reads are off, one per interval is.
    pub(crate) fn may_read(&self, now_ms: u64) -> bool {
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

    /// Records a lookup that was answered in time.
    pub(crate) fn record_read(&self) {
        if self.slow_in_row.load(Ordering::Relaxed) != 0 {
            self.slow_in_row.store(0, Ordering::Relaxed);
            self.publish();
        }
    }

    /// Records a lookup that took too long. True if that turned reads off.
    pub(crate) fn record_slow_read(&self, now_ms: u64) -> bool {
        let in_row = self.slow_in_row.fetch_add(1, Ordering::Relaxed) + 1;
        if in_row >= SLOW_LOOKS {
            self.probe_at_ms.store(now_ms + PROBE_EVERY_MS, Ordering::Relaxed);
            self.publish();
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

    /// Records a successful write. True if writes had been failing.
    pub(crate) fn record_write(&self) -> bool {
        self.write_failures.store(0, Ordering::Relaxed);
        self.reset_writes()
    }

    /// The store was reopened: writes may be tried. True if they had been off.
    pub(crate) fn reset_writes(&self) -> bool {
        let was_said = self.said.swap(0, Ordering::Relaxed) != 0;
        if self.writes_off.swap(false, Ordering::Relaxed) {
            self.publish();
        }
        was_said
    }

    /// The error logged last, unless it is over.
    pub(crate) fn error_kind(&self) -> Option<StorageErrorKind> {
        let number = usize::try_from(self.said.load(Ordering::Relaxed)).unwrap_or(0);
        StorageErrorKind::EVERY.get(number.checked_sub(1)?).copied()
    }

    /// Records a failed write. The next is tried after a pause that doubles, or at once if another connection is
    /// writing. True if this error was not logged yet.
    pub(crate) fn record_write_failure(&self, trouble: StorageErrorKind, now_ms: u64) -> bool {
        if trouble == StorageErrorKind::Locked {
            return self.set_reported(trouble);
        }
        let failures = self.write_failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause_ms = RETRY_MS.0.saturating_mul(1 << failures).min(RETRY_MS.1);
        self.retry_at_ms.store(now_ms.saturating_add(pause_ms), Ordering::Relaxed);
        let is_news = self.set_reported(trouble);
        if !self.writes_off.swap(true, Ordering::Relaxed) {
            self.publish();
        }
        is_news
    }

    /// A watch on whether any service is off.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.turns.subscribe()
    }

    /// Evaluated under the sender's lock, so the last value published is the current one.
    fn publish(&self) {
        self.turns.send_if_modified(|is_off| {
            let before = std::mem::replace(is_off, self.reads_are_off() || self.writes_are_off());
            before != *is_off
        });
    }

    fn set_reported(&self, trouble: StorageErrorKind) -> bool {
        let number = StorageErrorKind::EVERY.iter().position(|every| *every == trouble).unwrap_or(0) + 1;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.said.swap(number, Ordering::Relaxed) != number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slow_looks_in_a_row_turn_reads_off_until_a_probe_is_quick() {
        let health = DiskHealth::default();
        assert!(!health.record_slow_read(0) && !health.record_slow_read(0));
        health.record_read();
        assert!(
            !health.record_slow_read(0) && !health.record_slow_read(0) && health.record_slow_read(0),
            "the third in a row"
        );
        assert!(!health.may_read(999));
        assert!(health.may_read(1_000), "the probe");
        assert!(!health.may_read(1_001), "one at a time");
        health.record_read();
        assert!(health.may_read(1_002));
    }

    #[test]
    fn whoever_waits_is_told_when_a_service_goes_off_and_when_all_are_back() {
        let health = DiskHealth::default();
        let mut turns = health.subscribe();
        let mut turned = || turns.has_changed().expect("it lives").then(|| *turns.borrow_and_update());
        health.record_write_failure(StorageErrorKind::Locked, 0);
        assert_eq!(turned(), None, "it is still tried");
        health.record_write_failure(StorageErrorKind::Full, 0);
        assert_eq!(turned(), Some(true));
        for _ in 0..3 {
            health.record_slow_read(0);
        }
        health.record_write();
        assert_eq!(turned(), None, "reads are off now");
        health.record_read();
        assert_eq!(turned(), Some(false));
    }

    #[test]
    fn failing_writes_are_tried_less_and_less_often_and_said_once() {
        let health = DiskHealth::default();
        assert!(health.record_write_failure(StorageErrorKind::Full, 0));
        assert!(!health.may_write(999) && health.may_write(1_000));
        assert!(!health.record_write_failure(StorageErrorKind::Full, 1_000), "said already");
        assert!(!health.may_write(2_999) && health.may_write(3_000));
        for _ in 0..20 {
            health.record_write_failure(StorageErrorKind::Full, 0);
        }
        assert!(health.may_write(60_000), "never longer than a minute");
        assert!(health.record_write_failure(StorageErrorKind::ReadOnly, 0), "another trouble is news");
        assert_eq!(health.error_kind(), Some(StorageErrorKind::ReadOnly));
        assert!(health.record_write() && health.may_write(0) && !health.record_write());
        assert_eq!(health.error_kind(), None);
        assert!(
            health.record_write_failure(StorageErrorKind::Locked, 0) && health.may_write(0),
            "others end, so nothing is given up"
        );
        assert!(health.record_write());
        assert!(health.record_write_failure(StorageErrorKind::Full, 0), "news again");
    }
}
