//! While a server is not settled, rejects a list (or, through [`decide`], a library) at most half as long as before,
//! until it is confirmed.
//!
//! A server that has just started, or scans while a disk is missing, reports an empty or half library. Then the stored
//! list stays, until the server has settled and reports the same again, or reports it for two minutes: half a library
//! may really have been deleted.
//!
//! *Before* is before the trouble: a library that is lost disk by disk shrinks in steps, each of which is short.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use parking_lot::Mutex;

use crate::breaker::key_of;

/// For this time after a start, an outage or a scan the server is not settled.
const UNSETTLED: Duration = Duration::from_secs(120);
/// A shorter list is accepted after this time.
const ACCEPT_AFTER: Duration = Duration::from_secs(120);
/// Once the server is settled, the same length twice at this distance is enough.
const REPEAT_AFTER: Duration = Duration::from_secs(5);
/// Max suspicious lists, and max lists that shrank during the trouble, some 60 bytes each.
const MAX_LISTS: usize = 10_000;

/// Decision about a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShrinkDecision {
    /// It replaces the longer one.
    Accept,
    /// The longer one stays for now.
    Reject,
}

/// A shorter list that was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuspectList {
    /// Its last length.
    pub total: u64,
    /// When it was first so short, in milliseconds.
    pub since_ms: Timestamp,
    /// When this length was seen first, in milliseconds.
    pub same_since_ms: Timestamp,
}

/// Whether a list of `new_rows` rows is at most half as long as one of `earlier_rows`.
pub fn is_halved(earlier_rows: u64, new_rows: u64) -> bool {
    new_rows < earlier_rows && new_rows <= earlier_rows / 2
}

/// Decides about a list of `new_rows` rows, which had `earlier_rows` before the trouble. `is_settled`: the server
/// neither started nor scanned lately. `suspect`: the earlier rejection.
pub fn decide(
    earlier_rows: u64,
    new_rows: u64,
    is_settled: bool,
    suspect: Option<SuspectList>,
    now_ms: Timestamp,
) -> ShrinkDecision {
    if !is_halved(earlier_rows, new_rows) {
        return ShrinkDecision::Accept;
    }
    let is_confirmed = suspect.map_or(is_settled, |suspect| {
        let since = |at_ms| now_ms.duration_since(at_ms);
        let is_same = suspect.total == new_rows && since(suspect.same_since_ms) >= REPEAT_AFTER;
        since(suspect.since_ms) >= ACCEPT_AFTER || (is_settled && is_same)
    });
    if is_confirmed { ShrinkDecision::Accept } else { ShrinkDecision::Reject }
}

/// Suspicious lists of one server.
#[derive(Debug, Default)]
pub struct ShrinkGuard {
    suspects: Mutex<HashMap<(Partition, u64), SuspectList>>,
    /// Lengths from before the trouble, of lists that are shorter now without being suspicious.
    earlier_rows: Mutex<HashMap<(Partition, u64), u64>>,
    /// When the server last reported a scan, in milliseconds; 0 since it reported the end.
    scanning_ms: AtomicTimestamp,
    rejected: AtomicU64,
}

impl ShrinkGuard {
    /// Records whether the server scans.
    pub fn set_scanning(&self, is_scanning: bool, now_ms: Timestamp) {
        self.scanning_ms.store(if is_scanning { now_ms } else { Timestamp::UNIX_EPOCH }, Ordering::Release);
    }

    /// Whether the server neither had trouble nor scanned lately.
    pub fn is_settled(&self, last_trouble_ms: Timestamp, now_ms: Timestamp) -> bool {
        let is_past = |at_ms: Timestamp| at_ms == Timestamp::UNIX_EPOCH || now_ms.duration_since(at_ms) >= UNSETTLED;
        is_past(last_trouble_ms) && is_past(self.scanning_ms.load(Ordering::Acquire))
    }

    /// The earlier rejection under this key.
    pub fn suspect(&self, partition: &Partition, key: &str) -> Option<SuspectList> {
        let suspects = self.suspects.lock();
        if suspects.is_empty() { None } else { suspects.get(&(partition.clone(), key_of(key))).copied() }
    }

    /// Length of the list under this key before the trouble, if the stored list is shorter.
    pub fn earlier_rows(&self, partition: &Partition, key: &str) -> Option<u64> {
        let lengths = self.earlier_rows.lock();
        if lengths.is_empty() { None } else { lengths.get(&(partition.clone(), key_of(key))).copied() }
    }

    /// Records a rejected list of `total` rows.
    pub fn record(&self, partition: &Partition, key: &str, total: u64, now_ms: Timestamp) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        let mut suspects = self.suspects.lock();
        if suspects.len() >= MAX_LISTS {
            suspects.retain(|_, suspect| now_ms.duration_since(suspect.since_ms) < ACCEPT_AFTER);
        }
        if suspects.len() >= MAX_LISTS {
            suspects.clear();
        }
        let new = SuspectList { total, since_ms: now_ms, same_since_ms: now_ms };
        let suspect = suspects.entry((partition.clone(), key_of(key))).or_insert(new);
        if suspect.total != total {
            *suspect = SuspectList { total, same_since_ms: now_ms, ..*suspect };
        }
    }

    /// Records a list that is accepted while the server is not settled, though it had `earlier_rows` rows before: the
    /// next one is compared with that length.
    pub fn record_shorter(&self, partition: &Partition, key: &str, earlier_rows: u64) {
        self.suspects.lock().remove(&(partition.clone(), key_of(key)));
        let mut lengths = self.earlier_rows.lock();
        if lengths.len() >= MAX_LISTS {
            lengths.clear();
        }
        lengths.insert((partition.clone(), key_of(key)), earlier_rows);
    }

    /// Forgets an earlier rejection and the length from before the trouble, because the list is accepted as it is.
    pub fn forget(&self, partition: &Partition, key: &str) {
        let list = (partition.clone(), key_of(key));
        self.suspects.lock().remove(&list);
        self.earlier_rows.lock().remove(&list);
    }

    /// Number of rejections.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::ShrinkDecision::{Accept, Reject};
    use super::*;

    #[test]
    fn a_list_is_rejected_only_if_it_halves_on_an_unsettled_server() {
        for (earlier_rows, new_rows, is_settled, expected) in [
            (100, 0, false, Reject),
            (100, 49, false, Reject),
            (100, 50, false, Reject),
            (100, 51, false, Accept),
            (101, 50, false, Reject),
            (101, 51, false, Accept),
            (100, 130, false, Accept),
            (2, 1, false, Reject),
            (1, 0, false, Reject),
            (1, 1, false, Accept),
            (0, 0, false, Accept),
            (100, 0, true, Accept),
            (u64::MAX, u64::MAX / 2, true, Accept),
            (u64::MAX, u64::MAX / 2 + 1, false, Accept),
        ] {
            assert_eq!(
                decide(earlier_rows, new_rows, is_settled, None, Timestamp::UNIX_EPOCH),
                expected,
                "{earlier_rows} to {new_rows}, settled: {is_settled}"
            );
        }
    }

    #[test]
    fn a_rejection_ends_by_time_or_by_the_same_list_from_a_settled_server() {
        let suspect = SuspectList {
            total: 10,
            since_ms: Timestamp::from_millis(1_000),
            same_since_ms: Timestamp::from_millis(1_000),
        };
        for (new_rows, is_settled, now_ms, expected) in [
            (10, false, 1_001, Reject),
            (10, false, 120_999, Reject),
            (10, false, 121_000, Accept),
            (7, false, 121_000, Accept),
            (10, true, 5_999, Reject),
            (10, true, 6_000, Accept),
            (12, true, 6_000, Reject),
            (60, false, 1_001, Accept),
        ] {
            let decision = decide(100, new_rows, is_settled, Some(suspect), Timestamp::from_millis(now_ms));
            assert_eq!(decision, expected, "{new_rows} rows, settled: {is_settled}, at {now_ms}");
        }
    }

    #[test]
    fn a_suspect_list_has_its_first_time_and_last_length() {
        let (guard, anna) = (ShrinkGuard::default(), Partition::new("anna"));
        assert_eq!(guard.suspect(&anna, "/a"), None);
        guard.record(&anna, "/a", 0, Timestamp::from_millis(1_000));
        guard.record(&anna, "/a", 0, Timestamp::from_millis(2_000));
        guard.record(&anna, "/a", 5, Timestamp::from_millis(3_000));
        let suspect = SuspectList {
            total: 5,
            since_ms: Timestamp::from_millis(1_000),
            same_since_ms: Timestamp::from_millis(3_000),
        };
        assert_eq!(guard.suspect(&anna, "/a"), Some(suspect));
        assert_eq!(guard.suspect(&Partition::new("bert"), "/a"), None);
        guard.forget(&anna, "/a");
        assert_eq!(guard.suspect(&anna, "/a"), None);
        assert_eq!(guard.rejected(), 3);
    }

    #[test]
    fn the_length_from_before_the_trouble_stays_until_the_list_is_accepted_as_it_is() {
        let (guard, anna) = (ShrinkGuard::default(), Partition::new("anna"));
        guard.record(&anna, "/a", 3, Timestamp::from_millis(1_000));
        guard.record_shorter(&anna, "/a", 200);
        assert_eq!((guard.suspect(&anna, "/a"), guard.earlier_rows(&anna, "/a")), (None, Some(200)));
        guard.record(&anna, "/a", 80, Timestamp::from_millis(2_000));
        assert_eq!(guard.earlier_rows(&anna, "/a"), Some(200), "a rejection changes nothing");
        assert_eq!(guard.earlier_rows(&anna, "/b"), None);
        guard.forget(&anna, "/a");
        assert_eq!((guard.suspect(&anna, "/a"), guard.earlier_rows(&anna, "/a")), (None, None));
    }

    #[test]
    fn a_server_is_settled_two_minutes_after_trouble_and_when_it_no_longer_scans() {
        let guard = ShrinkGuard::default();
        assert!(guard.is_settled(Timestamp::UNIX_EPOCH, Timestamp::from_millis(1_000)));
        assert!(!guard.is_settled(Timestamp::from_millis(1_000), Timestamp::from_millis(120_999)));
        assert!(guard.is_settled(Timestamp::from_millis(1_000), Timestamp::from_millis(121_000)));
        guard.set_scanning(true, Timestamp::from_millis(200_000));
        assert!(!guard.is_settled(Timestamp::from_millis(1_000), Timestamp::from_millis(200_001)));
        guard.set_scanning(false, Timestamp::from_millis(200_002));
        assert!(guard.is_settled(Timestamp::from_millis(1_000), Timestamp::from_millis(200_003)));
    }

    #[test]
    fn suspect_lists_are_bounded() {
        let (guard, anna) = (ShrinkGuard::default(), Partition::new("anna"));
        for index in 0..2 * MAX_LISTS {
            guard.record_shorter(&anna, &index.to_string(), 1);
            guard.record(&anna, &index.to_string(), 0, Timestamp::from_millis(1_000));
        }
        assert!(guard.suspects.lock().len() <= MAX_LISTS);
        assert!(guard.earlier_rows.lock().len() <= MAX_LISTS);
    }
}
