//! Connects the coordinator to the remote tier. Without one all of this does nothing.

use std::sync::Arc;

use super::Coordinator;
use crate::key::Key;
use crate::scope::{Invalidation, Scope};
use crate::value::Entry;

#[cfg(feature = "shuttle")]
impl Coordinator {
    #[expect(clippy::unused_self, reason = "the model has no remote tier")]
    pub(crate) fn begin_remote_invalidation(&self, _scope: &Scope) -> Option<u64> {
        None
    }

    #[expect(clippy::unused_self, reason = "the model has no remote tier")]
    pub(crate) fn invalidate_remotely(&self, _scope: &Scope, _invalidation: &Invalidation, _ticket: Option<u64>) {}
    #[expect(clippy::unused_self, reason = "the model has no remote tier")]
    pub(crate) fn remove_remotely(&self, _key: &Key) {}
}

#[cfg(not(feature = "shuttle"))]
pub(crate) use with_store::RemoteTier;

#[cfg(not(feature = "shuttle"))]
mod with_store {
    use super::{Arc, Coordinator, Entry, Invalidation, Key, Scope};
    use crate::coordinator::disk_tier::cap_deadlines;
    use crate::counters::ClassCounters;
    use crate::hybrid_timestamp::HybridTimestamp;
    use crate::load_reason::LoadReason;
    use crate::policy::Validity;
    use crate::remote::{RemoteEntry, RemoteMarks, RemoteStore, RemoteWrite, SharedInvalidation};
    use crate::scope_hash::{ScopeHash, ScopeHashes};
    use crate::timestamp::Timestamp;
    use crate::value::EntryParts;

    /// The store, and the numbers of its invalidations.
    pub(crate) struct RemoteTier {
        pub(crate) store: Arc<dyn RemoteStore>,
        pub(crate) marks: RemoteMarks,
    }

    impl Coordinator {
        /// Attaches a store; false if there is one.
        pub(crate) fn attach_remote(&self, store: Arc<dyn RemoteStore>) -> bool {
            self.remote_tier.set(RemoteTier { store, marks: RemoteMarks::default() }).is_ok()
        }

        /// Whether there is anything to look up beside memory.
        pub(crate) fn has_stores(&self) -> bool {
            self.disk_tier.is_some() || self.remote_tier.get().is_some()
        }

        /// From here on the store's entries of this scope are not served, until the invalidation has its number.
        pub(crate) fn begin_remote_invalidation(&self, scope: &Scope) -> Option<u64> {
            let tier = self.remote_tier.get()?;
            Some(tier.marks.begin(ScopeHash::from_scope(scope)))
        }

        /// Queues an invalidation that has taken effect here.
        pub(crate) fn invalidate_remotely(&self, scope: &Scope, invalidation: &Invalidation, ticket: Option<u64>) {
            if let (Some(tier), Some(ticket)) = (self.remote_tier.get(), ticket) {
                tier.store.invalidate(SharedInvalidation::new(scope, invalidation, ticket));
            }
        }

        /// Queues the removal of a key's entry from the store.
        pub(crate) fn remove_remotely(&self, key: &Key) {
            if let Some(tier) = self.remote_tier.get() {
                let ticket = tier.marks.begin_removal(key);
                if !tier.store.remove(key, ticket) {
                    let scope = Scope::Key(key.clone());
                    let number = self.begin_remote_invalidation(&scope);
                    tier.marks.end_removal(key, ticket);
                    self.invalidate_remotely(&scope, &Invalidation::mark_stale(), number);
                }
            }
        }

        /// Queues a newly stored entry for writing.
        pub(crate) fn write_remotely(&self, key: &Key, entry: &Arc<Entry>) {
            if let Some(tier) = self.remote_tier.get() {
                let known = tier.marks.known_at(entry.created());
                tier.store.put(key, RemoteWrite { entry: Arc::clone(entry), known });
            }
        }

        /// Looks up a key in the store and admits its entry into memory. The entry is returned even if memory has no
        /// room for it.
        pub(crate) async fn load_remotely(
            &self,
            key: &Key,
            counters: &Arc<ClassCounters>,
            now_ms: Timestamp,
            is_last_resort: bool,
        ) -> Option<Arc<Entry>> {
            let tier = self.remote_tier.get()?;
            let start = self.hybrid_clock().next(now_ms);
            let found = tier.store.get(key, is_last_resort).await?;
            self.admit_remote(tier, key, found, (start, now_ms), counters)
        }

        fn admit_remote(
            &self,
            tier: &RemoteTier,
            key: &Key,
            found: RemoteEntry,
            (start, now_ms): (HybridTimestamp, Timestamp),
            counters: &Arc<ClassCounters>,
        ) -> Option<Arc<Entry>> {
            let scope_hashes = ScopeHashes::new(key, &found.tags);
            let _commit = self.memory.commit_lock(key);
            if !crate::sabotage::is_disabled("remote-marks") && !tier.marks.admits(key, &scope_hashes, found.known) {
                return None;
            }
            // Its load knew every invalidation that covers it, so it is newer than their records here, whatever the
            // clocks said. Capped, so that any invalidation since the lookup began is newer than the entry.
            let newest = self.invalidations.newest(&scope_hashes).map_or(HybridTimestamp::ZERO, |(stamp, _)| stamp);
            let created = HybridTimestamp::end_of(found.created_ms).max(newest.next()).min(start);
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
                access_rhythm: None,
                epoch: 0,
            }));
            if self.validity(&entry) != Validity::Valid {
                return None;
            }
            // The entry is served whether or not memory admits it.
            let _not_stored = self.memory.put(key, &entry);
            Some(entry)
        }
    }
}
