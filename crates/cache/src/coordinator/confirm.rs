//! Confirms a cached entry: the same value, stored again as if it had been loaded when the source was asked.

use crate::timestamp::Timestamp;
use std::sync::Arc;

use super::{Coordinator, LoadContext};
use crate::delivery_guard::DeliveryGuard;
use crate::flight::Flight;
use crate::hybrid_timestamp::EventTime;
use crate::policy::{EntryDeadlines, spread};
use crate::sabotage;
use crate::value::{Entry, EntryParts};

impl Coordinator {
    /// Stores `old` again, as valid at `checked_ms`. `None` if it must be loaded instead: it was invalidated since its
    /// own load, was loaded while a write settled, or there is a newer one.
    pub(crate) fn confirm(
        &self,
        context: &LoadContext,
        flight: &Flight,
        old: &Arc<Entry>,
        checked_ms: Timestamp,
        now_ms: Timestamp,
    ) -> Option<(Arc<Entry>, Option<DeliveryGuard>)> {
        let LoadContext { key, policy, load_reason, counters, access_rhythm } = context;
        let checked_ms = checked_ms.min(flight.started_ms).max(old.created_ms());
        let deadlines = if old.adapted() {
            old.deadlines().counted_from(old.stored_ms(), checked_ms)
        } else {
            EntryDeadlines::new(policy, checked_ms, spread(key.hash64(), flight.created))
        };
        let scope_hashes = old.scope_hashes.clone();

        let _commit = self.memory.commit_lock(key);
        // As if the load of the value itself ended only now.
        let loaded = EventTime { stamp: old.created(), at: old.created_ms() };
        let epoch = match self.invalidations.fence(&scope_hashes, loaded) {
            Ok(permit) if permit.max_fresh.is_none() => permit.epoch,
            _ if sabotage::is_disabled("confirmation") => self.invalidations.epoch(),
            _ => return None,
        };
        let quota = self.memory.quota(scope_hashes.partition);
        let entry = Arc::new(Entry::new(EntryParts {
            key,
            value: old.value().clone(),
            tags: old.tags().to_vec(),
            created: flight.created,
            created_ms: checked_ms,
            stored_ms: checked_ms,
            deadlines,
            adapted: old.adapted(),
            load_reason: *load_reason,
            scope_hashes,
            counters: Arc::clone(counters),
            quota,
            access_rhythm: access_rhythm.clone(),
            epoch,
        }));
        let older = self.older_copy(key);
        if deadlines.error_until_ms <= now_ms || self.memory.put(key, &entry).is_err() {
            return None;
        }
        self.negative.forget(key);
        let delivery_guard = self.write_behind(key, &entry, older);
        Some((entry, delivery_guard))
    }
}
