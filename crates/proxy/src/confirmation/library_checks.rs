//! Checks of the library, and the times for which they vouch.

use greenroom_cache::Timestamp;
use std::collections::{HashMap, HashSet};

use greenroom_dialect::changed_since::{ChangedItem, ChangedSince};
use greenroom_state::confirmations::StoredLibraryCheck;

/// Max changes remembered per section, so that each counts once.
const MAX_SEEN: usize = 1_000;

/// Checks by section (empty: the whole library).
#[derive(Debug, Default)]
pub struct LibraryRecords(HashMap<String, LibraryRecord>);

#[derive(Debug, Default)]
struct LibraryRecord {
    counter: String,
    /// Every change was noticed from this moment on …
    from_ms: Timestamp,
    /// … until this one.
    checked_ms: Timestamp,
    /// Changes that were noticed, with their stamps.
    seen: HashSet<(String, String)>,
}

/// Requests that a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// Nothing: the last one is recent enough.
    Recent,
    /// The counter alone: events were heard since the last check.
    Counter,
    /// A request for the changes since this moment, too; in milliseconds.
    ChangedSince(Timestamp),
    /// Nothing can be compared: the counter is the first, or moved.
    Restart,
}

impl LibraryRecords {
    /// The requests that the check of a section needs. `counter` is the current one; a check at `recent_ms` or later is
    /// good enough; `heard_since_ms`: since when events are heard, if they tell of every change.
    pub fn plan(
        &self,
        section: &str,
        counter: &str,
        recent_ms: Timestamp,
        heard_since_ms: Option<Timestamp>,
    ) -> CheckKind {
        match self.0.get(section) {
            Some(record) if record.checked_ms >= recent_ms => CheckKind::Recent,
            Some(record) if record.counter != counter => CheckKind::Restart,
            Some(record) if heard_since_ms.is_some_and(|since_ms| since_ms <= record.checked_ms) => CheckKind::Counter,
            Some(record) => CheckKind::ChangedSince(record.checked_ms),
            None => CheckKind::Restart,
        }
    }

    /// Whether the last check is at least this recent.
    pub fn is_recent(&self, section: &str, recent_ms: Timestamp) -> bool {
        self.0.get(section).is_some_and(|record| record.checked_ms >= recent_ms)
    }

    /// When a section was last checked, if everything that changed in it since `created_ms` was noticed.
    pub fn vouches(&self, section: &str, created_ms: Timestamp) -> Option<Timestamp> {
        self.0.get(section).filter(|record| record.from_ms <= created_ms).map(|record| record.checked_ms)
    }

    /// Since when everything that changed in a section was noticed, and until when.
    pub fn span(&self, section: &str) -> Option<(Timestamp, Timestamp)> {
        self.0.get(section).map(|record| (record.from_ms, record.checked_ms))
    }

    /// Nothing changed since the last check, or only what was noticed.
    pub fn confirm(&mut self, section: &str, checked_ms: Timestamp) {
        if let Some(record) = self.0.get_mut(section) {
            record.checked_ms = record.checked_ms.max(checked_ms);
        }
    }

    /// Anything may have changed until now.
    pub fn restart(&mut self, section: &str, counter: &str, checked_ms: Timestamp) {
        let record =
            LibraryRecord { counter: counter.to_owned(), from_ms: checked_ms, checked_ms, seen: HashSet::new() };
        self.0.insert(section.to_owned(), record);
    }

    /// The changes that were not seen before. `None` if there are too many to tell.
    pub fn unseen(&mut self, section: &str, changed: &ChangedSince) -> Option<Vec<ChangedItem>> {
        let record = self.0.get_mut(section)?;
        if !changed.is_complete {
            return None;
        }
        if record.seen.len() + changed.items.len() > MAX_SEEN {
            record.seen.clear();
        }
        let is_new =
            |item: &&ChangedItem| item.stamp.is_empty() || record.seen.insert((item.key.clone(), item.stamp.clone()));
        Some(changed.items.iter().filter(is_new).cloned().collect())
    }

    pub(super) fn restore(&mut self, stored: &[StoredLibraryCheck]) {
        for StoredLibraryCheck { section, counter, from_ms, checked_ms } in stored {
            let record = LibraryRecord {
                counter: counter.clone(),
                from_ms: *from_ms,
                checked_ms: *checked_ms,
                seen: HashSet::new(),
            };
            self.0.insert(section.clone(), record);
        }
    }

    pub(super) fn stored(&self) -> Vec<StoredLibraryCheck> {
        let rows = self.0.iter().map(|(section, record)| StoredLibraryCheck {
            section: section.clone(),
            counter: record.counter.clone(),
            from_ms: record.from_ms,
            checked_ms: record.checked_ms,
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_needs_more_than_an_equal_counter_and_another_counter_vouches_for_nothing() {
        let mut records = LibraryRecords::default();
        assert_eq!(
            records.plan("1", "a", Timestamp::UNIX_EPOCH, Some(Timestamp::UNIX_EPOCH)),
            CheckKind::Restart,
            "there is nothing to compare with"
        );
        records.restart("1", "a", Timestamp::from_millis(100));
        assert_eq!(records.vouches("1", Timestamp::from_millis(100)), Some(Timestamp::from_millis(100)));
        assert_eq!(records.vouches("1", Timestamp::from_millis(99)), None);
        assert_eq!(records.plan("1", "a", Timestamp::from_millis(90), None), CheckKind::Recent);
        assert_eq!(
            records.plan("1", "a", Timestamp::from_millis(200), Some(Timestamp::from_millis(50))),
            CheckKind::Counter,
            "events were heard"
        );
        assert_eq!(
            records.plan("1", "a", Timestamp::from_millis(200), Some(Timestamp::from_millis(150))),
            CheckKind::ChangedSince(Timestamp::from_millis(100))
        );
        assert_eq!(
            records.plan("1", "a", Timestamp::from_millis(200), None),
            CheckKind::ChangedSince(Timestamp::from_millis(100))
        );
        assert_eq!(
            records.plan("1", "b", Timestamp::from_millis(200), Some(Timestamp::from_millis(50))),
            CheckKind::Restart
        );
        records.confirm("1", Timestamp::from_millis(250));
        assert_eq!(records.vouches("1", Timestamp::from_millis(100)), Some(Timestamp::from_millis(250)));
        records.restart("1", "b", Timestamp::from_millis(300));
        assert_eq!(records.vouches("1", Timestamp::from_millis(100)), None);
    }

    #[test]
    fn a_change_counts_once_and_too_many_are_anything() {
        let mut records = LibraryRecords::default();
        records.restart("", "a", Timestamp::from_millis(100));
        let item = |stamp: &str| ChangedItem { key: "7".into(), stamp: stamp.into(), ..ChangedItem::default() };
        let changed = |stamp: &str| ChangedSince { items: vec![item(stamp)], is_complete: true };
        assert_eq!(records.unseen("", &changed("x")).map(|items| items.len()), Some(1));
        assert_eq!(records.unseen("", &changed("x")).map(|items| items.len()), Some(0));
        assert_eq!(records.unseen("", &changed("y")).map(|items| items.len()), Some(1), "it changed again");
        assert_eq!(records.unseen("", &ChangedSince { items: Vec::new(), is_complete: false }), None);
    }
}
