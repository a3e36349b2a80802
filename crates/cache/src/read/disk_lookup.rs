//! The start of a read: disk and remote store are consulted where memory has nothing usable.

use std::sync::Arc;

use super::{CacheRead, RoundResult};
use crate::cache_response::{CacheDirective, Tier};
use crate::freshness::evaluate_freshness;
use crate::load::Loader;
use crate::lookup_flights::{LookupResult, LookupRole};
use crate::negative::NegativeEntry;
use crate::policy::{Freshness, Validity};
use crate::value::Entry;

impl<L: Loader, F: FnOnce() -> L> CacheRead<'_, L, F> {
    /// Looks on disk and in the remote store if memory has no entry, or only one for failed loads. While a load is in
    /// progress, they have already been consulted.
    pub(super) async fn first_round(&mut self) -> RoundResult<L::Pass> {
        let engine = self.engine;
        if !engine.coordinator.has_stores() {
            return self.round();
        }
        while self.may_be_stored() {
            match engine.coordinator.lookups.join_or_lead(self.key) {
                LookupRole::Lead(leader) => {
                    self.lookup = self.look_up().await;
                    let round = self.round();
                    let flight = match &round {
                        RoundResult::Wait(wait) => Some(Arc::clone(&wait.follower.flight)),
                        RoundResult::Answer(_) | RoundResult::Again => None,
                    };
                    leader.complete(LookupResult { stored: self.lookup.clone(), flight });
                    return round;
                }
                LookupRole::Follow(mut receiver) => {
                    let cached = receiver.wait_for(Option::is_some).await.ok().and_then(|cached| cached.clone());
                    if let Some(cached) = cached {
                        (self.lookup, self.joinable_flight) = (cached.stored, cached.flight);
                        break;
                    }
                }
            }
        }
        self.round()
    }

    /// Looks on disk; in the remote store if the disk has no fresh entry. An entry that is not fresh is kept in case the
    /// store has none.
    async fn look_up(&self) -> Option<(Arc<Entry>, Tier)> {
        let (engine, counters) = (self.engine, &self.counters);
        let (now_ms, is_last_resort) = (engine.clock.now(), self.directive == CacheDirective::Offline);
        let on_disk = engine.coordinator.load_from_disk(self.key, counters, now_ms, is_last_resort).await;
        let is_fresh = on_disk.as_ref().is_some_and(|entry| {
            let validity = engine.coordinator.validity(entry);
            matches!(evaluate_freshness(entry, self.policy, engine.clock.now(), validity), Freshness::Fresh { .. })
        });
        if !is_fresh {
            let now_ms = engine.clock.now();
            let found = engine.coordinator.load_remotely(self.key, counters, now_ms, is_last_resort).await;
            let is_newer = |found: &Arc<Entry>| {
                on_disk.as_ref().is_none_or(|on_disk| {
                    found.created_ms() > on_disk.created_ms() || engine.coordinator.validity(on_disk) != Validity::Valid
                })
            };
            if let Some(found) = found.filter(is_newer) {
                return Some((found, Tier::Remote));
            }
        }
        on_disk.map(|entry| (entry, Tier::Disk))
    }

    fn may_be_stored(&self) -> bool {
        let (coordinator, now_ms) = (&self.engine.coordinator, self.engine.clock.now());
        let negative = coordinator.negative_entry(self.key, &self.scope_hashes, now_ms);
        if self.directive == CacheDirective::Any && matches!(negative.as_deref(), Some(NegativeEntry::Absent { .. })) {
            return false;
        }
        let freshness = coordinator
            .memory
            .peek(self.key)
            .map(|entry| evaluate_freshness(&entry, self.policy, now_ms, coordinator.validity(&entry)));
        let is_usable = matches!(freshness, Some(Freshness::Fresh { .. } | Freshness::Stale));
        self.directive != CacheDirective::LoadUnshared && !is_usable && !coordinator.flights.is_under_way(self.key)
    }
}
