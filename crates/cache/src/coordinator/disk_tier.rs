//! Connects the coordinator to the disk tier: queues new entries for writing, forwards invalidations and removals, and
//! admits entries found on disk into memory. Without a disk tier all of this does nothing.

use std::sync::Arc;

use super::Coordinator;
use crate::hybrid_timestamp::{EventTime, HybridTimestamp};
use crate::key::Key;
use crate::negative::NegativeEntry;
use crate::older_copy::OlderCopy;
use crate::scope::{Invalidation, Scope};
use crate::value::Entry;

#[cfg(feature = "shuttle")]
impl Coordinator {
    #[expect(clippy::unused_self, reason = "the model has no disk tier")]
    pub(crate) fn older_copy(&self, _key: &Key) -> OlderCopy {
        OlderCopy::Void
    }

    #[expect(clippy::unused_self, reason = "the model has no disk tier")]
    pub(crate) fn write_behind(
        &self,
        _key: &Key,
        _entry: &Arc<Entry>,
        _older: OlderCopy,
    ) -> Option<crate::delivery_guard::DeliveryGuard> {
        None
    }

    #[expect(clippy::unused_self, reason = "the model has no disk tier")]
    pub(crate) fn remove_from_disk(&self, _key: &Key, _not_after: HybridTimestamp) {}
    #[expect(clippy::unused_self, reason = "the model has no disk tier")]
    pub(crate) fn remember_on_disk(&self, _key: &Key, _entry: &Arc<NegativeEntry>) {}
    #[expect(clippy::unused_self, reason = "the model has no disk tier")]
    pub(crate) fn invalidate_on_disk(&self, _scope: &Scope, _now: EventTime, _invalidation: &Invalidation) {}
}

#[cfg(not(feature = "shuttle"))]
pub(crate) use with_disk::DiskTier;
#[cfg(not(feature = "shuttle"))]
pub(super) use with_disk::cap_deadlines;

#[cfg(not(feature = "shuttle"))]
mod with_disk {
    use super::{
        Arc, Coordinator, Entry, EventTime, HybridTimestamp, Invalidation, Key, NegativeEntry, OlderCopy, Scope,
    };
    use crate::access_rhythm::AccessRhythm;
    use crate::clock::Clock;
    use crate::coordinator::LoadContext;
    use crate::counters::ClassCounters;
    use crate::delivery_guard::DeliveryGuard;
    use crate::disk::invalidation_replay::{InvalidationReplay, SequenceMap};
    use crate::disk::row::StoredEntry;
    use crate::disk::{Disk, DiskLookup, DiskSettings};
    use crate::load_reason::LoadReason;
    use crate::policy::{EntryDeadlines, Validity};
    use crate::scope_hash::ScopeHashes;
    use crate::timestamp::Timestamp;
    use crate::value::EntryParts;
    use std::time::Duration;

    /// The disk tier, and what the coordinator needs for lookups in it.
    pub(crate) struct DiskTier {
        pub(crate) disk: Disk,
        sequence_map: Arc<SequenceMap>,
    }

    /// The state of the cache when a lookup began.
    #[derive(Debug, Clone, Copy)]
    struct LookupStart {
        stamp: HybridTimestamp,
        now_ms: Timestamp,
        /// The disk's removal epoch, for [`Disk::is_removed`].
        forgotten: u64,
    }

    /// If the time at which a value was stored is further in the future than this, the clock was set back since.
    const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

    impl Coordinator {
        /// Opens the disk tier.
        pub(crate) fn open_disk_tier(&mut self, settings: DiskSettings, clock: &Clock) -> Result<(), String> {
            let sequence_map = Arc::new(SequenceMap::default());
            let invalidation_replay = InvalidationReplay {
                index: Arc::clone(&self.invalidations),
                negative: Arc::clone(&self.negative),
                sequence: Arc::clone(self.hybrid_clock()),
                sequence_map: Arc::clone(&sequence_map),
                clock: clock.clone(),
            };
            let disk = Disk::open(settings, clock.clone(), invalidation_replay, Arc::clone(&self.memory))?;
            self.disk_tier = Some(DiskTier { disk, sequence_map });
            Ok(())
        }

        /// Queues a newly stored entry for writing. It is written once the returned guard and its clones are dropped,
        /// that is when the responses that wait for it are delivered, or after a time limit.
        pub(crate) fn write_behind(&self, key: &Key, entry: &Arc<Entry>, older: OlderCopy) -> Option<DeliveryGuard> {
            self.write_remotely(key, entry);
            let disk_tier = self.disk_tier.as_ref()?;
            let delivery_guard = DeliveryGuard::begin(entry, disk_tier.disk.delivery_observer());
            disk_tier.disk.enqueue_write(key, entry, disk_tier.sequence_map.sequence_at(entry.created()), older);
            Some(delivery_guard)
        }

        /// Whether the key's copy on disk is still usable, judged by the entry in memory. Call this before memory holds
        /// the new one.
        pub(crate) fn older_copy(&self, key: &Key) -> OlderCopy {
            match self.memory.peek(key) {
                Some(older) if self.validity(&older) != Validity::Purged => OlderCopy::Usable,
                _ => OlderCopy::Void,
            }
        }

        pub(crate) fn remove_from_disk(&self, key: &Key, not_after: HybridTimestamp) {
            if let Some(disk_tier) = &self.disk_tier {
                disk_tier.disk.enqueue_removal(key, not_after);
            }
        }

        /// Queues a negative entry for writing, if it still says something after a restart.
        pub(crate) fn remember_on_disk(&self, key: &Key, negative: &Arc<NegativeEntry>) {
            if let Some(disk_tier) = &self.disk_tier {
                disk_tier.disk.enqueue_negative(key, negative);
            }
        }

        pub(crate) fn invalidate_on_disk(&self, scope: &Scope, now: EventTime, invalidation: &Invalidation) {
            if let Some(disk_tier) = &self.disk_tier {
                disk_tier.disk.enqueue_invalidation(scope, now, invalidation);
            }
        }

        /// Looks up a key on disk and admits its entry into memory. The entry is returned even if memory has no room
        /// for it. As a last resort, during an outage, the lookup may take longer.
        pub(crate) async fn load_from_disk(
            &self,
            key: &Key,
            counters: &Arc<ClassCounters>,
            now_ms: Timestamp,
            is_last_resort: bool,
        ) -> Option<Arc<Entry>> {
            let (disk_tier, start) = self.begin_lookup(now_ms)?;
            let lookup = disk_tier.disk.lookup(key, is_last_resort).await;
            self.accept_lookup(lookup, start, key, counters, None)
        }

        /// Like [`Self::load_from_disk`], for a warm key: the entry gets the key's access rhythm.
        pub(crate) async fn load_warm_from_disk(&self, context: &LoadContext, now_ms: Timestamp) -> Option<Arc<Entry>> {
            let LoadContext { key, counters, access_rhythm, .. } = context;
            let (disk_tier, start) = self.begin_lookup(now_ms)?;
            let lookup = disk_tier.disk.lookup(key, false).await;
            self.accept_lookup(lookup, start, key, counters, access_rhythm.clone())
        }

        fn begin_lookup(&self, now_ms: Timestamp) -> Option<(&DiskTier, LookupStart)> {
            let disk_tier = self.disk_tier.as_ref()?;
            let forgotten = disk_tier.disk.removal_epoch();
            Some((disk_tier, LookupStart { stamp: self.hybrid_clock().next(now_ms), now_ms, forgotten }))
        }

        /// Whether an entry was removed since the lookup began. The caller holds the key's commit lock, as removals do.
        fn is_removed(&self, key: &Key, created: HybridTimestamp, start: LookupStart) -> bool {
            self.disk_tier.as_ref().is_some_and(|disk_tier| disk_tier.disk.is_removed(key, created, start.forgotten))
        }

        fn accept_lookup(
            &self,
            lookup: DiskLookup,
            start: LookupStart,
            key: &Key,
            counters: &Arc<ClassCounters>,
            access_rhythm: Option<Arc<AccessRhythm>>,
        ) -> Option<Arc<Entry>> {
            match lookup {
                DiskLookup::Miss => None,
                DiskLookup::Queued(entry) => {
                    let _commit = self.memory.commit_lock(key);
                    if self.is_removed(key, entry.created(), start) {
                        return None;
                    }
                    // The entry is served whether or not memory admits it.
                    let _not_stored = self.memory.put(key, &entry);
                    Some(entry)
                }
                DiskLookup::Stored(found) => self.admit(key, *found, start, counters, access_rhythm),
            }
        }

        /// Admits an entry from the store into memory, with a timestamp that reflects its validity. `None` if it was
        /// removed or purged.
        fn admit(
            &self,
            key: &Key,
            found: StoredEntry,
            start: LookupStart,
            counters: &Arc<ClassCounters>,
            access_rhythm: Option<Arc<AccessRhythm>>,
        ) -> Option<Arc<Entry>> {
            let (now, now_ms) = (start.stamp, start.now_ms);
            let scope_hashes = ScopeHashes::new(key, &found.tags);
            // Later loads get newer timestamps and so replace it, even if it was loaded under a clock that was ahead.
            self.hybrid_clock().observe(found.created);
            let _commit = self.memory.commit_lock(key);
            if self.is_removed(key, found.created, start) {
                return None;
            }
            let created = match self.invalidations.validity_of_stored(&scope_hashes, found.known_sequence) {
                (Validity::Purged, _) => return None,
                (Validity::Invalidated, stamp) => found.created.min(stamp),
                // Its load knew the invalidations it was compared with, so its timestamp must be newer than theirs,
                // even if it was loaded under a clock that was behind.
                (Validity::Valid, stamp) if stamp < now => found.created.max(stamp.next()),
                (Validity::Valid, _) => found.created,
            };
            // Capped, so that any invalidation since the lookup began is newer than the entry.
            let created = created.min(now);
            let entry = Arc::new(Entry::new(EntryParts {
                key,
                deadlines: cap_deadlines(found.deadlines, found.stored_ms, now_ms),
                value: found.value,
                tags: found.tags,
                created,
                created_ms: found.created_ms.min(now_ms),
                stored_ms: found.stored_ms.min(now_ms),
                adapted: found.adapted,
                load_reason: LoadReason::Absent,
                quota: self.memory.quota(scope_hashes.partition),
                scope_hashes,
                counters: Arc::clone(counters),
                access_rhythm,
                epoch: 0,
            }));
            if self.validity(&entry) == Validity::Purged {
                return None;
            }
            // The entry is served whether or not memory admits it.
            let _not_stored = self.memory.put(key, &entry);
            Some(entry)
        }
    }

    /// Shortens the deadlines of a value that was stored before the clock was set back. Its age is unknown, so it is no
    /// longer fresh, and its stale and error windows count from now. Other deadlines stay as they are.
    pub(crate) fn cap_deadlines(deadlines: EntryDeadlines, stored_ms: Timestamp, now_ms: Timestamp) -> EntryDeadlines {
        if stored_ms <= now_ms.saturating_add(CLOCK_TOLERANCE) {
            return deadlines;
        }
        let after_fresh =
            |until_ms: Timestamp| now_ms.saturating_add(until_ms.duration_since(deadlines.fresh_until_ms));
        EntryDeadlines {
            fresh_until_ms: now_ms,
            stale_until_ms: after_fresh(deadlines.stale_until_ms),
            error_until_ms: after_fresh(deadlines.error_until_ms),
            refresh_at_ms: deadlines.refresh_at_ms.min(now_ms),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn at(ms: u64) -> Timestamp {
            Timestamp::from_millis(ms)
        }

        #[test]
        fn a_clock_set_back_extends_no_deadline() {
            let deadlines = EntryDeadlines {
                fresh_until_ms: at(1_060_000),
                stale_until_ms: at(1_120_000),
                error_until_ms: at(2_000_000),
                refresh_at_ms: Timestamp::MAX,
            };
            assert_eq!(cap_deadlines(deadlines, at(1_000_000), at(1_010_000)), deadlines);
            let now = cap_deadlines(deadlines, at(1_000_000), at(100_000));
            assert_eq!(
                (now.fresh_until_ms, now.stale_until_ms, now.error_until_ms),
                (at(100_000), at(160_000), at(1_040_000))
            );
        }
    }
}
