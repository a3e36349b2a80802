//! Health of the disk tier: whether reads or writes are off after errors, and when they are retried. Pure: time is an
//! argument.

use crate::timestamp::{AtomicTimestamp, Timestamp};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::error::StorageErrorKind;

/// Consecutive slow lookups that turn reads off …
const SLOW_READS: u32 = 3;
/// … until a probe, at this interval, is fast again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// First and longest pause before writes are retried.
const RETRY_MS: (u64, u64) = (1_000, 60_000);

/// Health of the disk tier.
#[derive(Debug, Default)]
pub(crate) struct DiskHealth {
    slow_in_a_row: AtomicU32,
    probe_at_ms: AtomicTimestamp,
    writes_off: AtomicBool,
    write_failures: AtomicU32,
    retry_at_ms: AtomicTimestamp,
    /// The error logged last, as index into [`StorageErrorKind::EVERY`] plus one; zero if healthy.
    reported: AtomicU32,
    /// Whether reads or writes are off, for subscribers.
    is_off: watch::Sender<bool>,
}

impl DiskHealth {
    /// Whether a lookup may be tried now. While reads are off, one per interval may, as a probe.
    pub(crate) fn may_read(&self, now_ms: Timestamp) -> bool {
        if self.slow_in_a_row.load(Ordering::Relaxed) < SLOW_READS {
            return true;
        }
        let probe_at_ms = self.probe_at_ms.load(Ordering::Relaxed);
        now_ms >= probe_at_ms
            && self
                .probe_at_ms
                .compare_exchange(probe_at_ms, now_ms + PROBE_EVERY, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Records a lookup that was answered in time.
    pub(crate) fn record_read(&self) {
        if self.slow_in_a_row.load(Ordering::Relaxed) != 0 {
            self.slow_in_a_row.store(0, Ordering::Relaxed);
            self.publish();
        }
    }

    /// Records a lookup that took too long. True if that turned reads off.
    pub(crate) fn record_slow_read(&self, now_ms: Timestamp) -> bool {
        let in_a_row = self.slow_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if in_a_row >= SLOW_READS {
            self.probe_at_ms.store(now_ms + PROBE_EVERY, Ordering::Relaxed);
            self.publish();
        }
        in_a_row == SLOW_READS
    }

    /// Whether reads are off.
    pub(crate) fn reads_are_off(&self) -> bool {
        self.slow_in_a_row.load(Ordering::Relaxed) >= SLOW_READS
    }

    /// Whether writes are off.
    pub(crate) fn writes_are_off(&self) -> bool {
        self.writes_off.load(Ordering::Relaxed)
    }

    /// Whether a write may be tried now.
    pub(crate) fn may_write(&self, now_ms: Timestamp) -> bool {
        !self.writes_are_off() || now_ms >= self.retry_at_ms.load(Ordering::Relaxed)
    }

    /// Records a successful write. True if a write error had been logged and is over now.
    pub(crate) fn record_write(&self) -> bool {
        self.write_failures.store(0, Ordering::Relaxed);
        self.reset_writes()
    }

    /// Lets writes be tried again, after the store was reopened. True if a write error had been logged and is over now.
    pub(crate) fn reset_writes(&self) -> bool {
        let was_reported = self.reported.swap(0, Ordering::Relaxed) != 0;
        if self.writes_off.swap(false, Ordering::Relaxed) {
            self.publish();
        }
        was_reported
    }

    /// The write error logged last; `None` if writes have worked since.
    pub(crate) fn error_kind(&self) -> Option<StorageErrorKind> {
        let number = usize::try_from(self.reported.load(Ordering::Relaxed)).unwrap_or(0);
        StorageErrorKind::EVERY.get(number.checked_sub(1)?).copied()
    }

    /// Records a failed write. The next one may be tried after a pause that doubles with each failure, or at once if
    /// another connection is writing. True if the error should be logged, because it differs from the one logged last.
    pub(crate) fn record_write_failure(&self, kind: StorageErrorKind, now_ms: Timestamp) -> bool {
        if kind == StorageErrorKind::Locked {
            return self.set_reported(kind);
        }
        let failures = self.write_failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause_ms = RETRY_MS.0.saturating_mul(1 << failures).min(RETRY_MS.1);
        self.retry_at_ms.store(now_ms.saturating_add(Duration::from_millis(pause_ms)), Ordering::Relaxed);
        let is_new = self.set_reported(kind);
        if !self.writes_off.swap(true, Ordering::Relaxed) {
            self.publish();
        }
        is_new
    }

    /// A watch on whether reads or writes are off.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.is_off.subscribe()
    }

    /// Publishes whether reads or writes are off. Evaluated under the sender's lock, so the last value published is the
    /// current one.
    fn publish(&self) {
        self.is_off.send_if_modified(|is_off| {
            let before = std::mem::replace(is_off, self.reads_are_off() || self.writes_are_off());
            before != *is_off
        });
    }

    fn set_reported(&self, kind: StorageErrorKind) -> bool {
        let number = StorageErrorKind::EVERY.iter().position(|other| *other == kind).unwrap_or(0) + 1;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.reported.swap(number, Ordering::Relaxed) != number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slow_reads_in_a_row_turn_reads_off_until_a_probe_is_fast() {
        let health = DiskHealth::default();
        assert!(!health.record_slow_read(Timestamp::UNIX_EPOCH) && !health.record_slow_read(Timestamp::UNIX_EPOCH));
        health.record_read();
        assert!(
            !health.record_slow_read(Timestamp::UNIX_EPOCH)
                && !health.record_slow_read(Timestamp::UNIX_EPOCH)
                && health.record_slow_read(Timestamp::UNIX_EPOCH),
            "the third in a row"
        );
        assert!(!health.may_read(Timestamp::from_millis(999)));
        assert!(health.may_read(Timestamp::from_millis(1_000)), "the probe");
        assert!(!health.may_read(Timestamp::from_millis(1_001)), "one at a time");
        health.record_read();
        assert!(health.may_read(Timestamp::from_millis(1_002)));
    }

    #[test]
    fn subscribers_are_notified_when_a_service_is_off_and_when_all_are_back() {
        let health = DiskHealth::default();
        let mut is_off = health.subscribe();
        let mut turned = || is_off.has_changed().expect("it lives").then(|| *is_off.borrow_and_update());
        health.record_write_failure(StorageErrorKind::Locked, Timestamp::UNIX_EPOCH);
        assert_eq!(turned(), None, "a lock turns nothing off");
        health.record_write_failure(StorageErrorKind::Full, Timestamp::UNIX_EPOCH);
        assert_eq!(turned(), Some(true));
        for _ in 0..3 {
            health.record_slow_read(Timestamp::UNIX_EPOCH);
        }
        health.record_write();
        assert_eq!(turned(), None, "reads are still off");
        health.record_read();
        assert_eq!(turned(), Some(false));
    }

    #[test]
    fn failing_writes_are_retried_less_and_less_often_and_logged_once() {
        let health = DiskHealth::default();
        assert!(health.record_write_failure(StorageErrorKind::Full, Timestamp::UNIX_EPOCH));
        assert!(!health.may_write(Timestamp::from_millis(999)) && health.may_write(Timestamp::from_millis(1_000)));
        assert!(!health.record_write_failure(StorageErrorKind::Full, Timestamp::from_millis(1_000)), "logged already");
        assert!(!health.may_write(Timestamp::from_millis(2_999)) && health.may_write(Timestamp::from_millis(3_000)));
        for _ in 0..20 {
            health.record_write_failure(StorageErrorKind::Full, Timestamp::UNIX_EPOCH);
        }
        assert!(health.may_write(Timestamp::from_millis(60_000)), "never longer than a minute");
        assert!(
            health.record_write_failure(StorageErrorKind::ReadOnly, Timestamp::UNIX_EPOCH),
            "another error is logged"
        );
        assert_eq!(health.error_kind(), Some(StorageErrorKind::ReadOnly));
        assert!(health.record_write() && health.may_write(Timestamp::UNIX_EPOCH) && !health.record_write());
        assert_eq!(health.error_kind(), None);
        assert!(
            health.record_write_failure(StorageErrorKind::Locked, Timestamp::UNIX_EPOCH)
                && health.may_write(Timestamp::UNIX_EPOCH),
            "another writer ends soon, so writes stay on"
        );
        assert!(health.record_write());
        assert!(
            health.record_write_failure(StorageErrorKind::Full, Timestamp::UNIX_EPOCH),
            "logged again after a success"
        );
    }
}
