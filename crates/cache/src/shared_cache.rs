//! A cache that shares a remote store with others: what the store tells it.

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::key::Key;
use crate::remote::{RemoteStore, SharedInvalidation, decode_scope};
use crate::scope_hash::ScopeHash;

impl Cache {
    /// Attaches a remote store, once in the life of a cache and before its first read. False if there is one.
    pub fn attach_remote(&self, store: Arc<dyn RemoteStore>) -> bool {
        self.0.coordinator.attach_remote(store)
    }

    /// Applies an invalidation of another cache with its number.
    pub fn hear(&self, seq: u64, heard: &SharedInvalidation) {
        let Some(tier) = self.0.coordinator.remote_tier.get() else { return };
        let scope = heard.scope();
        // The number first: a lookup that begins in between must not find an older entry.
        tier.marks.number(ScopeHash::from_scope(&scope), seq, None);
        self.0.counters.invalidations.one();
        self.0.coordinator.invalidate_locally(&scope, &heard.invalidation(), self.0.clock.now());
    }

    /// Records the number of an own invalidation, by the ticket with which it was queued.
    pub fn record_number(&self, seq: u64, scope: &str, ticket: u64) {
        let Some(tier) = self.0.coordinator.remote_tier.get() else { return };
        let scope = decode_scope(scope);
        tier.marks.number(ScopeHash::from_scope(&scope), seq, Some(ticket));
    }

    /// Records that own invalidations up to `ticket` got their number with one over everything.
    pub fn record_all_numbered(&self, seq: u64, ticket: u64) {
        if let Some(tier) = self.0.coordinator.remote_tier.get() {
            tier.marks.number_all(seq, ticket);
        }
    }

    /// Whether entries outlive this process, on disk or in a remote store.
    pub fn outlives_process(&self) -> bool {
        self.0.coordinator.has_stores()
    }

    /// Whether other caches share the remote store, with identities that are unknown here.
    pub fn is_shared(&self) -> bool {
        self.0.coordinator.remote_tier.get().is_some_and(|tier| tier.store.is_shared())
    }

    /// Records an invalidation from before this cache's time: nothing that it has cached is older.
    pub fn record_mark(&self, seq: u64, scope: &str) {
        let Some(tier) = self.0.coordinator.remote_tier.get() else { return };
        let scope = decode_scope(scope);
        tier.marks.number(ScopeHash::from_scope(&scope), seq, None);
    }

    /// Records that every invalidation up to `seq` was heard: loads from now on know them.
    pub fn record_heard(&self, seq: u64) {
        let Some(tier) = self.0.coordinator.remote_tier.get() else { return };
        let stamp = self.0.coordinator.arrival_time(self.0.clock.now()).stamp;
        tier.marks.step(stamp, seq);
    }

    /// Begins another epoch of the store's sequence: no entry of an earlier one is served from the store.
    pub fn begin_remote_epoch(&self, epoch: u64) {
        if let Some(tier) = self.0.coordinator.remote_tier.get() {
            tier.marks.begin_epoch(epoch);
        }
    }

    /// Raises the number that an entry in the store must have known to be served.
    pub fn raise_remote_floor(&self, floor: u64) {
        if let Some(tier) = self.0.coordinator.remote_tier.get() {
            tier.marks.raise_floor(floor);
        }
    }

    /// Records that a removal was executed.
    pub fn removed_remotely(&self, key: &Key, ticket: u64) {
        if let Some(tier) = self.0.coordinator.remote_tier.get() {
            tier.marks.end_removal(key, ticket);
        }
    }

    /// Sets until when, by this cache's clock, entries may be served without asking the source, because no other cache
    /// can have completed an invalidation that this one has not heard; `u64::MAX` for ever. Past it, entries serve in
    /// place of a failed load only, or while their load began less than `max_age` ago.
    pub fn trust_until(&self, until_ms: Timestamp, max_age: Duration) {
        self.0.coordinator.trust.set(until_ms, max_age);
    }

    /// Whether entries may be served without asking the source.
    pub fn is_trusted(&self) -> bool {
        self.0.coordinator.trust.holds(&self.0.clock, self.0.clock.now())
    }
}
