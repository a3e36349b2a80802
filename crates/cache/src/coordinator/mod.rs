//! The coordinator: where callers look up entries, join and complete flights, and where invalidations arrive.
//! Everything that decides "never undone" and "never a crowd" meets here, without a runtime: time is an argument,
//! nothing waits.
//!
//! This is also the only place that consults tiers: [`Coordinator::get`], [`Coordinator::store`] and
//! [`Coordinator::discard`].

mod disk_tier;

use std::sync::Arc;

#[cfg(not(feature = "shuttle"))]
use self::disk_tier::DiskTier;
use crate::access_rhythm::AccessRhythm;
use crate::clock::millis;
use crate::counters::ClassCounters;
use crate::delivery_guard::DeliveryGuard;
use crate::flight::{Flight, FlightLeader, Flights, JoinOutcome, LoadOutcome};
use crate::hybrid_timestamp::{EventTime, HybridClock, HybridTimestamp};
use crate::invalidation_index::InvalidationIndex;
use crate::key::Key;
use crate::load::{LoadError, LoadedValue};
use crate::load_reason::LoadReason;
use crate::memory_tier::MemoryTier;
use crate::negative::{NegativeCache, NegativeEntry};
use crate::not_stored_reason::NotStoredReason;
use crate::policy::{EntryDeadlines, Policy, Validity, spread};
use crate::sabotage;
use crate::scope::{Invalidation, InvalidationMode, Scope};
use crate::scope_hash::{ScopeHash, ScopeHashes};
use crate::settings::CacheSettings;
use crate::value::{Entry, EntryParts};

pub(crate) struct Coordinator {
    pub(crate) settings: CacheSettings,
    hybrid_clock: Arc<HybridClock>,
    pub(crate) invalidations: Arc<InvalidationIndex>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) memory: Arc<MemoryTier>,
    pub(crate) negative: Arc<NegativeCache>,
    /// The disk tier, if there is one.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) disk_tier: Option<DiskTier>,
}

/// What is needed to identify and count a load when it completes.
#[derive(Debug, Clone)]
pub(crate) struct LoadContext {
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) load_reason: LoadReason,
    pub(crate) counters: Arc<ClassCounters>,
    pub(crate) access_rhythm: Option<Arc<AccessRhythm>>,
}

impl Coordinator {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        let settings = settings.coherent();
        Self {
            hybrid_clock: Arc::default(),
            invalidations: Arc::new(InvalidationIndex::new(settings.max_markers)),
            flights: Arc::new(Flights::new(
                settings.max_flights,
                settings.max_waiters,
                millis(settings.flight_max_age),
            )),
            memory: Arc::new(MemoryTier::new(&settings)),
            negative: Arc::new(NegativeCache::new(settings.max_negative_bytes)),
            #[cfg(not(feature = "shuttle"))]
            disk_tier: None,
            settings,
        }
    }

    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn hybrid_clock(&self) -> &Arc<HybridClock> {
        &self.hybrid_clock
    }

    /// A caller's arrival, in the order of loads and invalidations.
    pub(crate) fn arrival_time(&self, now_ms: u64) -> EventTime {
        EventTime { stamp: self.hybrid_clock.next(now_ms), ms: now_ms }
    }

    /// The entry under the key, and its validity.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<(Arc<Entry>, Validity)> {
        let entry = self.memory.get(key)?;
        let marking = self.validity(&entry);
        Some((entry, marking))
    }

    /// Validity of an entry. Costs one comparison if no invalidation was recorded since the last call.
    #[inline]
    pub(crate) fn validity(&self, entry: &Entry) -> Validity {
        let epoch = self.invalidations.epoch();
        if entry.valid_at_epoch() == epoch {
            return Validity::Valid;
        }
        let marking = self.invalidations.validity(&entry.scope_hashes, entry.created());
        if marking == Validity::Valid {
            entry.set_valid_at(epoch);
        }
        marking
    }

    /// The key's negative entry.
    pub(crate) fn negative_entry(&self, key: &Key, reach: &ScopeHashes, now_ms: u64) -> Option<Arc<NegativeEntry>> {
        let memo = self.negative.get(key)?;
        let holds = match &*memo {
            NegativeEntry::Failed { began, until_ms, .. } => {
                now_ms < *until_ms && !self.invalidations.invalidated_since_any_tag(reach, *began)
            }
            NegativeEntry::Uncacheable { until_ms, .. } => now_ms < *until_ms,
        };
        holds.then_some(memo)
    }

    /// Joins the load in progress for this key, or starts one. A load that began before an invalidation of the
    /// requested value is not joined. `seen` is the entry the caller found, whose tags the new value is expected to
    /// carry. Without an entry the tags are unknown, so an invalidation of any tag counts: otherwise the reader might
    /// wait for an older load only to find it invalid, and wait twice.
    pub(crate) fn join_or_start(
        &self,
        key: &Key,
        reach: &ScopeHashes,
        seen: Option<&Arc<Entry>>,
        now_ms: u64,
    ) -> JoinOutcome {
        // Everything invalidated so far, whatever the clock says.
        let until_now = EventTime { stamp: HybridTimestamp::from_raw(u64::MAX), ms: now_ms };
        let overtaken = |flight: &Flight| {
            let reaches = [Some(reach), seen.map(|entry| &entry.scope_hashes)];
            reaches
                .into_iter()
                .flatten()
                .any(|reach| self.invalidations.invalidated_since(reach, flight.started(), now_ms))
                || (seen.is_none() && self.invalidations.invalidated_between(reach, true, flight.started(), until_now))
        };
        let landed_meanwhile = || {
            let seen = seen.map_or(HybridTimestamp::ZERO, |entry| entry.created());
            self.memory.peek(key).is_some_and(|entry| entry.created() > seen)
                || self.negative_entry(key, reach, now_ms).is_some()
        };
        self.flights.join_or_start(
            key,
            now_ms,
            || self.hybrid_clock.next(now_ms),
            |flight| sabotage::takes_out("join") || !overtaken(flight),
            landed_meanwhile,
        )
    }

    /// Starts an unshared load.
    pub(crate) fn start_unshared(&self, now_ms: u64) -> Option<FlightLeader> {
        self.flights.start_unshared(self.hybrid_clock.next(now_ms), now_ms)
    }

    /// Whether a flight's result is valid for a caller that arrived then: not if it may have been invalidated between
    /// the start of the load and the arrival.
    pub(crate) fn serves(
        &self,
        flight: &Flight,
        landed: &LoadOutcome,
        reach: &ScopeHashes,
        arrived: EventTime,
    ) -> bool {
        if arrived.stamp <= flight.created || sabotage::takes_out("join") {
            return true;
        }
        let (reach, tags_unknown) = landed.scope_hashes(reach);
        !self.invalidations.invalidated_between(reach, tags_unknown, flight.started(), arrived)
    }

    /// Stores a loaded value unless something forbids it. Returns an entry either way.
    pub(crate) fn store(
        &self,
        booking: &LoadContext,
        flight: &Flight,
        fill: LoadedValue,
        now_ms: u64,
    ) -> (Arc<Entry>, Option<NotStoredReason>, Option<DeliveryGuard>) {
        let LoadContext { key, load_reason: why, counters: cell, access_rhythm: warmth, .. } = booking;
        let policy = fill.policy.as_ref().unwrap_or(&booking.policy);
        let reach = ScopeHashes::new(key, &fill.tags);
        let adapted = fill.policy.is_some();
        let horizons = EntryDeadlines::new(policy, now_ms, spread(key.hash64(), flight.created));
        let too_many_tags = fill.tags.len() > self.settings.max_tags;
        let fits = fill.value.len() as u64 <= self.settings.max_entry_bytes;
        let value = if fits { fill.value.compact() } else { fill.value };

        let _commit = self.memory.commit_lock(key);
        let pass = self.invalidations.fence(&reach, flight.started());
        let max_fresh = pass.ok().and_then(|pass| pass.max_fresh);
        let quota = self.memory.quota(reach.partition);
        let entry = Arc::new(Entry::new(EntryParts {
            key,
            value,
            tags: fill.tags,
            created: flight.created,
            created_ms: flight.started_ms,
            stored_ms: now_ms,
            deadlines: max_fresh.map_or(horizons, |max_fresh| horizons.capped(now_ms, max_fresh)),
            adapted,
            load_reason: *why,
            scope_hashes: reach,
            counters: Arc::clone(cell),
            quota,
            access_rhythm: warmth.clone(),
            epoch: pass.map_or(0, |pass| pass.epoch),
        }));
        let older = self.older_copy(key);
        let stored = match pass {
            Err(refusal) => Err(refusal),
            Ok(_) if entry.deadlines().error_until_ms <= now_ms => Err(NotStoredReason::NoLifetime),
            Ok(_) if too_many_tags => Err(NotStoredReason::TooManyTags),
            Ok(_) => self.memory.put(key, &entry),
        };
        let leaving = if let Err(refusal) = stored {
            cell.record_not_stored(refusal);
            None
        } else {
            self.negative.forget(key);
            self.write_behind(key, &entry, older)
        };
        (entry, stored.err(), leaving)
    }

    /// Drops the entry under the key, unless it comes from a later load than this.
    pub(crate) fn discard(&self, key: &Key, created: HybridTimestamp) {
        let _commit = self.memory.commit_lock(key);
        self.memory.remove_older(key, created);
        self.remove_from_disk(key, created);
    }

    /// Remembers a failure for as long as its kind allows.
    pub(crate) fn remember_failure(&self, key: &Key, flight: &Flight, failure: &LoadError, now_ms: u64) {
        let lasting = millis(failure.kind.negative_ttl(&self.settings));
        if lasting > 0 {
            let until_ms = now_ms.saturating_add(lasting);
            let memo = NegativeEntry::Failed { failure: failure.clone(), began: flight.created, until_ms };
            self.remember_negative(key, memo);
        }
    }

    /// Remembers that the key is not cacheable.
    pub(crate) fn remember_uncacheable(&self, key: &Key, flight: &Flight, now_ms: u64) {
        let until_ms = now_ms.saturating_add(millis(self.settings.uncacheable_for));
        self.remember_negative(key, NegativeEntry::Uncacheable { began: flight.created, until_ms });
    }

    fn remember_negative(&self, key: &Key, memo: NegativeEntry) {
        let memo = Arc::new(memo);
        self.negative.set(key, Arc::clone(&memo));
        self.remember_on_disk(key, &memo);
    }

    /// Invalidates. Once this returns, nothing whose load began before is fresh, stale or joinable.
    pub(crate) fn invalidate(&self, scope: &Scope, how: &Invalidation, now_ms: u64) -> HybridTimestamp {
        let draw = || self.hybrid_clock.next(now_ms);
        let stamp = self.invalidations.invalidate(ScopeHash::from_scope(scope), draw, how, now_ms);
        self.invalidate_on_disk(scope, EventTime { stamp, ms: now_ms }, how);
        if let (Scope::Key(key), InvalidationMode::Purge) = (scope, how.mode) {
            self.discard(key, stamp);
        }
        stamp
    }
}
