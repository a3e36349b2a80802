//! The coordinator: where callers look up entries, join and complete flights, and where invalidations arrive.
//! Everything that decides "never undone" and "never a crowd" meets here, without a runtime: time is an argument,
//! nothing waits.
//!
//! This is also the only place that consults tiers: [`Coordinator::get`], [`Coordinator::store`] and
//! [`Coordinator::discard`].

mod confirm;
mod disk_tier;
mod remote_tier;

use crate::timestamp::Timestamp;
use std::sync::Arc;

#[cfg(not(feature = "shuttle"))]
use self::disk_tier::DiskTier;
#[cfg(not(feature = "shuttle"))]
use self::remote_tier::RemoteTier;
use crate::access_rhythm::AccessRhythm;
use crate::counters::ClassCounters;
use crate::delivery_guard::DeliveryGuard;
use crate::flight::{Flight, FlightLeader, Flights, JoinOutcome, LoadOutcome};
use crate::hybrid_timestamp::{EventTime, HybridClock, HybridTimestamp};
use crate::invalidation_index::InvalidationIndex;
use crate::key::Key;
use crate::load::{AbsentValue, LoadError, LoadedValue};
use crate::load_reason::LoadReason;
#[cfg(not(feature = "shuttle"))]
use crate::lookup_flights::LookupFlights;
use crate::memory_tier::MemoryTier;
use crate::negative::{MAX_ABSENT_BYTES, NegativeCache, NegativeEntry};
use crate::not_stored_reason::NotStoredReason;
use crate::peer_trust::PeerTrust;
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
    /// The remote tier, once one is attached.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) remote_tier: std::sync::OnceLock<RemoteTier>,
    /// Lookups on disk and in the remote store.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) lookups: LookupFlights,
    /// Whether entries may be served that another cache may have invalidated.
    pub(crate) trust: PeerTrust,
}

/// Data that identifies and counts a load when it completes.
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
            flights: Arc::new(Flights::new(settings.max_flights, settings.max_waiters, settings.flight_max_age)),
            memory: Arc::new(MemoryTier::new(&settings)),
            negative: Arc::new(NegativeCache::new(settings.max_negative_bytes)),
            #[cfg(not(feature = "shuttle"))]
            disk_tier: None,
            #[cfg(not(feature = "shuttle"))]
            remote_tier: std::sync::OnceLock::new(),
            #[cfg(not(feature = "shuttle"))]
            lookups: LookupFlights::default(),
            trust: PeerTrust::default(),
            settings,
        }
    }

    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn hybrid_clock(&self) -> &Arc<HybridClock> {
        &self.hybrid_clock
    }

    /// A caller's arrival, in the order of loads and invalidations.
    pub(crate) fn arrival_time(&self, now_ms: Timestamp) -> EventTime {
        EventTime { stamp: self.hybrid_clock.next(now_ms), at: now_ms }
    }

    /// The entry under the key, and its validity.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<(Arc<Entry>, Validity)> {
        let entry = self.memory.get(key)?;
        let validity = self.validity(&entry);
        Some((entry, validity))
    }

    /// Validity of an entry. Costs one comparison if no invalidation was recorded since the last call.
    #[inline]
    pub(crate) fn validity(&self, entry: &Entry) -> Validity {
        let epoch = self.invalidations.epoch();
        if entry.valid_at_epoch() == epoch {
            return Validity::Valid;
        }
        let validity = self.invalidations.validity(&entry.scope_hashes, entry.created());
        if validity == Validity::Valid {
            entry.set_valid_at(epoch);
        }
        validity
    }

    /// The key's negative entry.
    pub(crate) fn negative_entry(
        &self,
        key: &Key,
        scope_hashes: &ScopeHashes,
        now_ms: Timestamp,
    ) -> Option<Arc<NegativeEntry>> {
        let negative = self.negative.get(key)?;
        let is_current = match &*negative {
            NegativeEntry::Failed { began, until_ms, .. } => {
                now_ms < *until_ms && !self.invalidations.invalidated_since_any_tag(scope_hashes, *began)
            }
            NegativeEntry::Absent { scope_hashes, began, until_ms, .. } => {
                now_ms < *until_ms && !self.invalidations.invalidated_since(scope_hashes, *began, now_ms)
            }
            NegativeEntry::Uncacheable { until_ms, .. } => now_ms < *until_ms,
        };
        is_current.then_some(negative)
    }

    /// Joins the load in progress for this key, or starts one. A load that began before an invalidation of the
    /// requested value is not joined. `cached` is the entry the caller found, whose tags the new value is expected to
    /// carry. Without an entry the tags are unknown, so an invalidation of any tag counts: otherwise the reader might
    /// wait for an older load only to find it invalid, and wait twice.
    pub(crate) fn join_or_start(
        &self,
        key: &Key,
        scope_hashes: &ScopeHashes,
        cached: Option<&Arc<Entry>>,
        now_ms: Timestamp,
    ) -> JoinOutcome {
        // Everything invalidated so far, whatever the clock says.
        let until_now = EventTime { stamp: HybridTimestamp::from_raw(u64::MAX), at: now_ms };
        let is_invalidated = |flight: &Flight| {
            let all_hashes = [Some(scope_hashes), cached.map(|entry| &entry.scope_hashes)];
            all_hashes
                .into_iter()
                .flatten()
                .any(|scope_hashes| self.invalidations.invalidated_since(scope_hashes, flight.started(), now_ms))
                || (cached.is_none()
                    && self.invalidations.invalidated_between(scope_hashes, true, flight.started(), until_now))
        };
        let was_stored = || {
            let cached = cached.map_or(HybridTimestamp::ZERO, |entry| entry.created());
            self.memory.peek(key).is_some_and(|entry| entry.created() > cached)
                || self.negative_entry(key, scope_hashes, now_ms).is_some()
        };
        self.flights.join_or_start(
            key,
            now_ms,
            || self.hybrid_clock.next(now_ms),
            |flight| sabotage::is_disabled("join") || !is_invalidated(flight),
            was_stored,
        )
    }

    /// Starts an unshared load.
    pub(crate) fn start_unshared(&self, now_ms: Timestamp) -> Option<FlightLeader> {
        self.flights.start_unshared(self.hybrid_clock.next(now_ms), now_ms)
    }

    /// Whether a flight's result is valid for a caller that arrived then: not if it may have been invalidated between
    /// the start of the load and the arrival.
    pub(crate) fn serves(
        &self,
        flight: &Flight,
        outcome: &LoadOutcome,
        scope_hashes: &ScopeHashes,
        arrived: EventTime,
    ) -> bool {
        if arrived.stamp <= flight.created || sabotage::is_disabled("join") {
            return true;
        }
        let (scope_hashes, tags_unknown) = outcome.scope_hashes(scope_hashes);
        !self.invalidations.invalidated_between(scope_hashes, tags_unknown, flight.started(), arrived)
    }

    /// Stores a loaded value unless something forbids it. Returns an entry either way.
    pub(crate) fn store(
        &self,
        context: &LoadContext,
        flight: &Flight,
        loaded: LoadedValue,
        now_ms: Timestamp,
    ) -> (Arc<Entry>, Option<NotStoredReason>, Option<DeliveryGuard>) {
        let LoadContext { load_reason, counters, access_rhythm, .. } = context;
        // Whatever a loader says, a value stays in the partition that it was loaded for.
        let is_own =
            |key: &&Key| key.namespace() == context.key.namespace() && key.partition() == context.key.partition();
        let key = loaded.stored_under.as_ref().filter(is_own).unwrap_or(&context.key);
        let policy = loaded.policy.as_ref().unwrap_or(&context.policy);
        let scope_hashes = ScopeHashes::new(key, &loaded.tags);
        let adapted = loaded.policy.is_some();
        let deadlines = EntryDeadlines::new(policy, now_ms, spread(key.hash64(), flight.created));
        let too_many_tags = loaded.tags.len() > self.settings.max_tags;
        let is_storable = loaded.value.len() as u64 <= self.settings.max_entry_bytes;
        let value = if is_storable { loaded.value.compact() } else { loaded.value };

        let _commit = self.memory.commit_lock(key);
        let store_permit = self.invalidations.fence(&scope_hashes, flight.started());
        let max_fresh = store_permit.ok().and_then(|store_permit| store_permit.max_fresh);
        let quota = self.memory.quota(scope_hashes.partition);
        let entry = Arc::new(Entry::new(EntryParts {
            key,
            value,
            tags: loaded.tags,
            created: flight.created,
            created_ms: flight.started_ms,
            stored_ms: now_ms,
            deadlines: max_fresh.map_or(deadlines, |max_fresh| deadlines.capped(now_ms, max_fresh)),
            adapted,
            load_reason: *load_reason,
            scope_hashes,
            counters: Arc::clone(counters),
            quota,
            access_rhythm: access_rhythm.clone(),
            epoch: store_permit.map_or(0, |store_permit| store_permit.epoch),
        }));
        let older = self.older_copy(key);
        let stored = match store_permit {
            Err(refusal) => Err(refusal),
            Ok(_) if entry.deadlines().error_until_ms <= now_ms => Err(NotStoredReason::NoLifetime),
            Ok(_) if too_many_tags => Err(NotStoredReason::TooManyTags),
            Ok(_) => self.memory.put(key, &entry),
        };
        let delivery_guard = if let Err(refusal) = stored {
            counters.record_not_stored(refusal);
            None
        } else {
            self.negative.forget(&context.key);
            self.negative.forget(key);
            self.write_behind(key, &entry, older)
        };
        (entry, stored.err(), delivery_guard)
    }

    /// Drops the entry under the key, unless it comes from a later load than this.
    pub(crate) fn discard(&self, key: &Key, created: HybridTimestamp) {
        let _commit = self.memory.commit_lock(key);
        self.memory.remove_older(key, created);
        self.remove_from_disk(key, created);
    }

    /// Remembers a failure for as long as its kind allows.
    pub(crate) fn remember_failure(&self, key: &Key, flight: &Flight, failure: &LoadError, now_ms: Timestamp) {
        let ttl = failure.kind.negative_ttl(&self.settings);
        if !ttl.is_zero() {
            let until_ms = now_ms.saturating_add(ttl);
            let negative = NegativeEntry::Failed { failure: failure.clone(), began: flight.created, until_ms };
            self.remember_negative(key, negative);
        }
    }

    /// Remembers that the source does not have a value, unless that may have changed since it was asked.
    pub(crate) fn remember_absent(&self, key: &Key, flight: &Flight, absent: &AbsentValue, now_ms: Timestamp) {
        let scope_hashes = ScopeHashes::new(key, &absent.tags);
        let Ok(permit) = self.invalidations.fence(&scope_hashes, flight.started()) else { return };
        let ttl =
            permit.max_fresh.map_or(self.settings.absence_ttl, |max_fresh| max_fresh.min(self.settings.absence_ttl));
        let until_ms = now_ms.saturating_add(ttl);
        let is_superseded = self.memory.peek(key).is_some_and(|entry| entry.created() > flight.created);
        if until_ms > now_ms && !is_superseded && absent.value.len() <= MAX_ABSENT_BYTES {
            let value = absent.value.compact();
            let began = flight.started();
            self.negative.set(key, Arc::new(NegativeEntry::Absent { value, scope_hashes, began, until_ms }));
        }
    }

    /// Remembers that the key is not cacheable.
    pub(crate) fn remember_uncacheable(&self, key: &Key, flight: &Flight, now_ms: Timestamp) {
        let until_ms = now_ms.saturating_add(self.settings.uncacheable_for);
        self.remember_negative(key, NegativeEntry::Uncacheable { began: flight.created, until_ms });
    }

    fn remember_negative(&self, key: &Key, negative: NegativeEntry) {
        let negative = Arc::new(negative);
        self.negative.set(key, Arc::clone(&negative));
        self.remember_on_disk(key, &negative);
    }

    /// Invalidates. Once this returns, nothing whose load began before is fresh, stale or joinable.
    pub(crate) fn invalidate(&self, scope: &Scope, invalidation: &Invalidation, now_ms: Timestamp) -> HybridTimestamp {
        let ticket = self.begin_remote_invalidation(scope);
        let stamp = self.invalidate_locally(scope, invalidation, now_ms);
        self.invalidate_remotely(scope, invalidation, ticket);
        stamp
    }

    /// Invalidates in memory and on disk only.
    pub(crate) fn invalidate_locally(
        &self,
        scope: &Scope,
        invalidation: &Invalidation,
        now_ms: Timestamp,
    ) -> HybridTimestamp {
        let next_stamp = || self.hybrid_clock.next(now_ms);
        let stamp = self.invalidations.invalidate(ScopeHash::from_scope(scope), next_stamp, invalidation, now_ms);
        self.invalidate_on_disk(scope, EventTime { stamp, at: now_ms }, invalidation);
        if let (Scope::Key(key), InvalidationMode::Purge) = (scope, invalidation.mode) {
            self.discard(key, stamp);
        }
        stamp
    }
}
