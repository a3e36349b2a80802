//! Whether a list that came back far shorter than it was is believed.
//!
//! A server that has just started, or looks for changed files while a disk is away, shows an empty or half library
//! and means no harm. Then what is kept stays, until the same is said again when the server has settled, or goes on
//! for two minutes: somebody may really have deleted half a library.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Partition;
use parking_lot::Mutex;

use greenroom_origin::breaker::key_of;

/// For so long after a start, an outage or a scan the server is not settled.
const UNSETTLED_MS: u64 = 120_000;
/// A doubt ends when the shorter list was seen for so long.
const LASTING_MS: u64 = 120_000;
/// Once the server is settled, the same length seen twice at this distance is enough.
const TWICE_MS: u64 = 5_000;
/// Doubts that are remembered at most, some 60 bytes each.
const MAX_DOUBTS: usize = 10_000;

/// What is decided about a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It is kept in place of the longer one.
    Believed,
    /// The longer one stays for now.
    Doubted,
}

/// A shorter list that was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// How long it was when it was seen last.
    pub total: u64,
    /// When it was first so short, in milliseconds.
    pub since_ms: u64,
    /// When this length was seen first, in milliseconds.
    pub same_since_ms: u64,
}

/// Decides about a list of `came` rows where one of `kept` is kept. `is_settled` says that the server neither started
/// nor scanned lately; `earlier` what was doubted before.
pub fn judge(kept: u64, came: u64, is_settled: bool, earlier: Option<Doubt>, now_ms: u64) -> Belief {
    if came.saturating_mul(2) >= kept {
        return Belief::Believed;
    }
    let is_confirmed = earlier.map_or(is_settled, |doubt| {
        let since = |at_ms| now_ms.saturating_sub(at_ms);
        let is_same = doubt.total == came && since(doubt.same_since_ms) >= TWICE_MS;
        since(doubt.since_ms) >= LASTING_MS || (is_settled && is_same)
    });
    if is_confirmed { Belief::Believed } else { Belief::Doubted }
}

/// The doubts about one server's lists.
#[derive(Debug, Default)]
pub struct Doubts {
    doubts: Mutex<HashMap<(Partition, u64), Doubt>>,
    /// When the server last said that it scans, in milliseconds; 0 since it said that it does not.
    scanning_ms: AtomicU64,
    counted: AtomicU64,
}

impl Doubts {
    /// The server says whether it scans.
    pub fn note_scanning(&self, is_scanning: bool, now_ms: u64) {
        self.scanning_ms.store(if is_scanning { now_ms } else { 0 }, Ordering::Release);
    }

    /// Whether the server neither was in trouble nor scanned lately.
    pub fn is_settled(&self, troubled_ms: u64, now_ms: u64) -> bool {
        let is_past = |at_ms: u64| at_ms == 0 || now_ms.saturating_sub(at_ms) >= UNSETTLED_MS;
        is_past(troubled_ms) && is_past(self.scanning_ms.load(Ordering::Acquire))
    }

    /// What was doubted of this key before.
    pub fn earlier(&self, partition: &Partition, key: &str) -> Option<Doubt> {
        let doubts = self.doubts.lock();
        if doubts.is_empty() { None } else { doubts.get(&(partition.clone(), key_of(key))).copied() }
    }

    /// A list of so many rows was not believed.
    pub fn note(&self, partition: &Partition, key: &str, total: u64, now_ms: u64) {
        self.counted.fetch_add(1, Ordering::Relaxed);
        let mut doubts = self.doubts.lock();
        if doubts.len() >= MAX_DOUBTS {
            doubts.retain(|_, doubt| now_ms.saturating_sub(doubt.since_ms) < LASTING_MS);
        }
        if doubts.len() >= MAX_DOUBTS {
            doubts.clear();
        }
        let new = Doubt { total, since_ms: now_ms, same_since_ms: now_ms };
        let doubt = doubts.entry((partition.clone(), key_of(key))).or_insert(new);
        if doubt.total != total {
            *doubt = Doubt { total, same_since_ms: now_ms, ..*doubt };
        }
    }

    /// The list is believed, whatever was doubted before.
    pub fn forget(&self, partition: &Partition, key: &str) {
        self.doubts.lock().remove(&(partition.clone(), key_of(key)));
    }

    /// How often a list was not believed.
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Belief::{Believed, Doubted};
    use super::*;

    #[test]
    fn a_list_is_doubted_only_if_it_more_than_halves_on_an_unsettled_server() {
        for (kept, came, is_settled, wanted) in [
            (100, 0, false, Doubted),
            (100, 49, false, Doubted),
            (100, 50, false, Believed),
            (100, 130, false, Believed),
            (1, 0, false, Doubted),
            (0, 0, false, Believed),
            (100, 0, true, Believed),
            (u64::MAX, u64::MAX / 2, true, Believed),
        ] {
            assert_eq!(judge(kept, came, is_settled, None, 0), wanted, "{kept} to {came}, {is_settled}");
        }
    }

    #[test]
    fn a_doubt_ends_by_time_or_by_the_same_answer_from_a_settled_server() {
        let doubt = Doubt { total: 10, since_ms: 1_000, same_since_ms: 1_000 };
        for (came, is_settled, now_ms, wanted) in [
            (10, false, 1_001, Doubted),
            (10, false, 120_999, Doubted),
            (10, false, 121_000, Believed),
            (7, false, 121_000, Believed),
            (10, true, 5_999, Doubted),
            (10, true, 6_000, Believed),
            (12, true, 6_000, Doubted),
            (60, false, 1_001, Believed),
        ] {
            let said = judge(100, came, is_settled, Some(doubt), now_ms);
            assert_eq!(said, wanted, "{came} rows, {is_settled}, at {now_ms}");
        }
    }

    #[test]
    fn a_doubt_remembers_its_beginning_and_its_last_length() {
        let (doubts, anna) = (Doubts::default(), Partition::new("anna"));
        assert_eq!(doubts.earlier(&anna, "/a"), None);
        doubts.note(&anna, "/a", 0, 1_000);
        doubts.note(&anna, "/a", 0, 2_000);
        doubts.note(&anna, "/a", 5, 3_000);
        let doubt = Doubt { total: 5, since_ms: 1_000, same_since_ms: 3_000 };
        assert_eq!(doubts.earlier(&anna, "/a"), Some(doubt));
        assert_eq!(doubts.earlier(&Partition::new("bert"), "/a"), None);
        doubts.forget(&anna, "/a");
        assert_eq!(doubts.earlier(&anna, "/a"), None);
        assert_eq!(doubts.counted(), 3);
    }

    #[test]
    fn a_server_is_settled_two_minutes_after_trouble_and_when_it_no_longer_scans() {
        let doubts = Doubts::default();
        assert!(doubts.is_settled(0, 1_000));
        assert!(!doubts.is_settled(1_000, 120_999));
        assert!(doubts.is_settled(1_000, 121_000));
        doubts.note_scanning(true, 200_000);
        assert!(!doubts.is_settled(1_000, 200_001));
        doubts.note_scanning(false, 200_002);
        assert!(doubts.is_settled(1_000, 200_003));
    }

    #[test]
    fn doubts_are_bounded() {
        let (doubts, anna) = (Doubts::default(), Partition::new("anna"));
        for index in 0..2 * MAX_DOUBTS {
            doubts.note(&anna, &index.to_string(), 0, 1_000);
        }
        assert!(doubts.doubts.lock().len() <= MAX_DOUBTS);
    }
}
