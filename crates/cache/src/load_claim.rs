//! One load for several caches: before a load, the right to it is claimed in the remote store.

use std::sync::Arc;

use crate::coordinator::LoadContext;
use crate::engine::CacheEngine;
use crate::flight::FlightLeader;
use crate::freshness::evaluate_freshness;
use crate::load_reason::LoadReason;
use crate::policy::{Freshness, Validity};
use crate::remote::LoadClaim;
use crate::value::Entry;

/// Held while a load is made for all caches.
pub(crate) type ClaimGuard = Box<dyn Send + Sync>;

impl CacheEngine {
    /// Claims a load; `None` if there is no one to agree with. The error is the entry that another cache has loaded
    /// meanwhile, which takes the place of the load.
    pub(crate) async fn claim_load(
        &self,
        leader: &FlightLeader,
        context: &LoadContext,
        is_replaceable: bool,
        old: Option<&Arc<Entry>>,
    ) -> Result<Option<ClaimGuard>, Arc<Entry>> {
        let Some(tier) = self.coordinator.remote_tier.get() else { return Ok(None) };
        // A caller that demands a load gets one; without trust, another cache's value may be from before its write.
        let may_claim = is_replaceable
            && !leader.is_unshared()
            && context.load_reason != LoadReason::Demanded
            && tier.store.is_shared()
            && self.coordinator.trust.holds(&self.clock, self.clock.now());
        if !may_claim {
            return Ok(None);
        }
        let LoadClaim::Granted { guard, may_be_stored } = tier.store.claim_load(&context.key).await else {
            return Ok(None);
        };
        if may_be_stored && let Some(entry) = self.find_loaded(context, old).await {
            return Err(entry);
        }
        Ok(Some(guard))
    }

    /// The entry in the store, if it is fresh and newer than the one here.
    async fn find_loaded(&self, context: &LoadContext, old: Option<&Arc<Entry>>) -> Option<Arc<Entry>> {
        let now_ms = self.clock.now();
        let found = self.coordinator.load_remotely(&context.key, &context.counters, now_ms, false).await?;
        let now_ms = self.clock.now();
        let is_trusted = self.coordinator.trust.holds(&self.clock, now_ms);
        let validity = self.coordinator.validity(&found);
        let is_fresh = matches!(evaluate_freshness(&found, &context.policy, now_ms, validity), Freshness::Fresh { .. });
        let is_newer = old.is_none_or(|old| {
            found.created_ms() > old.created_ms() || self.coordinator.validity(old) != Validity::Valid
        });
        (is_trusted && is_fresh && is_newer).then_some(found)
    }
}
