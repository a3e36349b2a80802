//! The start of a read: the disk is consulted where memory has nothing usable.

use std::sync::Arc;

use super::{CacheRead, RoundResult};
use crate::cache_response::CacheDirective;
use crate::freshness::evaluate_freshness;
use crate::load::Loader;
use crate::lookup_flights::{LookupResult, LookupRole};
use crate::negative::NegativeEntry;
use crate::policy::Freshness;

impl<L: Loader, F: FnOnce() -> L> CacheRead<'_, L, F> {
    /// Looks on disk if memory has no entry, or only one for failed loads. While a load is in progress, the disk has
    /// already been consulted.
    pub(super) async fn first_round(&mut self) -> RoundResult<L::Pass> {
        let engine = self.engine;
        let Some(disk_tier) = &engine.coordinator.disk_tier else { return self.round() };
        while self.may_be_on_disk() {
            match disk_tier.lookups.join_or_lead(self.key) {
                LookupRole::Lead(leader) => {
                    let (now_ms, is_last_resort) = (engine.clock.now_ms(), self.directive == CacheDirective::Offline);
                    self.disk_entry =
                        engine.coordinator.load_from_disk(self.key, &self.counters, now_ms, is_last_resort).await;
                    let round = self.round();
                    let flight = match &round {
                        RoundResult::Wait(wait) => Some(Arc::clone(&wait.follower.flight)),
                        RoundResult::Answer(_) | RoundResult::Again => None,
                    };
                    leader.complete(LookupResult { entry: self.disk_entry.clone(), flight });
                    return round;
                }
                LookupRole::Follow(mut receiver) => {
                    let cached = receiver.wait_for(Option::is_some).await.ok().and_then(|cached| cached.clone());
                    if let Some(cached) = cached {
                        (self.disk_entry, self.joinable_flight) = (cached.entry, cached.flight);
                        break;
                    }
                }
            }
        }
        self.round()
    }

    fn may_be_on_disk(&self) -> bool {
        let (coordinator, now_ms) = (&self.engine.coordinator, self.engine.clock.now_ms());
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
