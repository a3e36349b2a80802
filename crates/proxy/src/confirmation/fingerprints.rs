//! Fingerprints of accounts, and the times for which they vouch.
//!
//! A fingerprint vouches for what was loaded before it was taken, if every change in between was heard or would show in
//! it: then the entry is as the account was when the fingerprint was taken, and as the account is if the fingerprint is
//! the same now.

use greenroom_cache::Timestamp;
use std::collections::HashMap;

use greenroom_state::confirmations::StoredFingerprint;

/// Max fingerprints; a household has a handful of accounts, each with a few sections. Beyond, all are dropped.
const MAX_RECORDS: usize = 4_096;
/// Max spans of one fingerprint; the oldest are dropped.
const MAX_SPANS: usize = 8;

/// Fingerprints by partition and section (empty: all sections).
#[derive(Debug, Default)]
pub struct FingerprintRecords(HashMap<(String, String), FingerprintRecord>);

#[derive(Debug)]
struct FingerprintRecord {
    value: String,
    /// Entries loaded in one of these are as the fingerprint says.
    spans: Vec<Span>,
    /// Whether the last span goes on with the next fingerprint.
    is_open: bool,
}

/// From the first moment on, before the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from_ms: Timestamp,
    taken_ms: Timestamp,
}

impl FingerprintRecords {
    /// Whether an entry that was loaded then is as the account is, if its fingerprint is `value` now.
    pub fn vouches(&self, partition: &str, section: &str, value: &str, created_ms: Timestamp) -> bool {
        let record = self.0.get(&(partition.to_owned(), section.to_owned()));
        record.is_some_and(|record| {
            let covers = |span: &Span| span.from_ms <= created_ms && created_ms < span.taken_ms;
            record.value == value && record.spans.iter().any(covers)
        })
    }

    /// Records a fingerprint that was taken while events were heard: since `heard_since_ms` also those of this account.
    /// Returns whether it is another than before.
    pub fn record(
        &mut self,
        partition: &str,
        section: &str,
        value: String,
        taken_ms: Timestamp,
        heard_since_ms: Option<Timestamp>,
    ) -> bool {
        if self.0.len() >= MAX_RECORDS {
            self.0.clear();
        }
        let from_ms = heard_since_ms.unwrap_or(taken_ms).min(taken_ms);
        let span = Span { from_ms, taken_ms };
        let key = (partition.to_owned(), section.to_owned());
        let Some(record) = self.0.get_mut(&key) else {
            self.0.insert(key, FingerprintRecord { value, spans: vec![span], is_open: true });
            return true;
        };
        let is_other = record.value != value;
        if is_other {
            (record.value, record.spans) = (value, vec![span]);
        } else if let (true, Some(last)) = (record.is_open, record.spans.last_mut()) {
            last.from_ms = last.from_ms.min(from_ms);
            last.taken_ms = last.taken_ms.max(taken_ms);
        } else {
            record.spans.push(span);
            if record.spans.len() > MAX_SPANS {
                record.spans.remove(0);
            }
        }
        record.is_open = true;
        is_other
    }

    /// Events are not heard from here on, so what is loaded later belongs to other spans.
    pub fn close_spans(&mut self) {
        self.0.values_mut().for_each(|record| record.is_open = false);
    }

    pub(super) fn restore(&mut self, stored: &[StoredFingerprint]) {
        for StoredFingerprint { partition, section, value, from_ms, taken_ms } in stored {
            let span = Span { from_ms: *from_ms, taken_ms: *taken_ms };
            let record = self.0.entry((partition.clone(), section.clone())).or_insert_with(|| FingerprintRecord {
                value: value.clone(),
                spans: Vec::new(),
                is_open: false,
            });
            if record.value == *value {
                record.spans.push(span);
            }
        }
    }

    pub(super) fn stored(&self) -> Vec<StoredFingerprint> {
        let rows = self.0.iter().flat_map(|((partition, section), record)| {
            record.spans.iter().map(|span| StoredFingerprint {
                partition: partition.clone(),
                section: section.clone(),
                value: record.value.clone(),
                from_ms: span.from_ms,
                taken_ms: span.taken_ms,
            })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vouches(records: &FingerprintRecords, value: &str, created_ms: Timestamp) -> bool {
        records.vouches("anna", "", value, created_ms)
    }

    #[test]
    fn a_missing_or_different_fingerprint_vouches_for_nothing() {
        let mut records = FingerprintRecords::default();
        assert!(!vouches(&records, "a", Timestamp::from_millis(150)));
        records.record("anna", "", "a".into(), Timestamp::from_millis(200), Some(Timestamp::from_millis(100)));
        assert!(vouches(&records, "a", Timestamp::from_millis(150)));
        assert!(
            !vouches(&records, "b", Timestamp::from_millis(150))
                && !records.vouches("bert", "", "a", Timestamp::from_millis(150))
        );
        assert!(!records.vouches("anna", "1", "a", Timestamp::from_millis(150)), "another section");
    }

    #[test]
    fn a_fingerprint_vouches_for_what_was_loaded_before_it_and_heard_since() {
        let mut records = FingerprintRecords::default();
        records.record("anna", "", "a".into(), Timestamp::from_millis(200), Some(Timestamp::from_millis(100)));
        assert!(
            !vouches(&records, "a", Timestamp::from_millis(99)) && vouches(&records, "a", Timestamp::from_millis(100))
        );
        assert!(
            vouches(&records, "a", Timestamp::from_millis(199)) && !vouches(&records, "a", Timestamp::from_millis(200))
        );
        records.record("anna", "", "a".into(), Timestamp::from_millis(300), Some(Timestamp::from_millis(100)));
        assert!(vouches(&records, "a", Timestamp::from_millis(299)));
        records.record("anna", "", "b".into(), Timestamp::from_millis(400), None);
        assert!(!vouches(&records, "b", Timestamp::from_millis(350)), "what changed may have changed after the load");
    }

    #[test]
    fn what_was_loaded_in_a_gap_is_never_vouched_for() {
        let mut records = FingerprintRecords::default();
        records.record("anna", "", "a".into(), Timestamp::from_millis(200), Some(Timestamp::from_millis(100)));
        records.close_spans();
        records.record("anna", "", "a".into(), Timestamp::from_millis(400), Some(Timestamp::from_millis(390)));
        assert!(vouches(&records, "a", Timestamp::from_millis(150)), "from before the gap");
        assert!(!vouches(&records, "a", Timestamp::from_millis(300)), "in the gap");
        assert!(vouches(&records, "a", Timestamp::from_millis(395)), "after it");
    }

    #[test]
    fn spans_survive_a_restart() {
        let mut records = FingerprintRecords::default();
        records.record("anna", "", "a".into(), Timestamp::from_millis(200), Some(Timestamp::from_millis(100)));
        records.close_spans();
        records.record("anna", "", "a".into(), Timestamp::from_millis(400), Some(Timestamp::from_millis(390)));
        let mut later = FingerprintRecords::default();
        later.restore(&records.stored());
        assert!(
            vouches(&later, "a", Timestamp::from_millis(150))
                && vouches(&later, "a", Timestamp::from_millis(395))
                && !vouches(&later, "a", Timestamp::from_millis(300))
        );
        later.record("anna", "", "a".into(), Timestamp::from_millis(900), Some(Timestamp::from_millis(800)));
        assert!(!vouches(&later, "a", Timestamp::from_millis(500)), "between the processes");
    }
}
