//! A read that is not simply a hit: look up, decide, start or join a flight, answer.

#[cfg(not(feature = "shuttle"))]
mod disk_lookup;
mod waiting;

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::cache_response::{CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Tier};
use crate::coordinator::LoadContext;
use crate::counters::ClassCounters;
use crate::engine::CacheEngine;
use crate::flight::{Flight, FlightFollower, FlightLeader, JoinOutcome};
use crate::freshness::evaluate_freshness;
use crate::hybrid_timestamp::EventTime;
use crate::key::Key;
use crate::load::{LoadError, LoadErrorKind, Loader};
use crate::load_reason::LoadReason;
use crate::negative::NegativeEntry;
use crate::policy::{Freshness, Policy, Validity};
use crate::read_plan::{EntryState, ReadPlan, plan};
use crate::scope_hash::ScopeHashes;
use crate::value::{Entry, RefreshPermit, Value};

/// Max lookups of one read. It looks up again if a flight completed or an invalidation arrived during the lookup; after
/// that it loads for itself.
const MAX_ROUNDS: usize = 8;

/// A read in progress.
pub(crate) struct CacheRead<'a, L, F> {
    engine: &'a Arc<CacheEngine>,
    key: &'a Key,
    policy: &'a Policy,
    directive: CacheDirective,
    scope_hashes: ScopeHashes,
    arrived: EventTime,
    /// Whether all invalidations of other caches were heard when the caller arrived.
    arrived_trusted: bool,
    counters: Arc<ClassCounters>,
    /// Taken at most once: a caller starts at most one load.
    factory: Option<F>,
    miss_counted: bool,
    /// The entry found on disk or in the remote store when this read began, and the tier.
    lookup: Option<(Arc<Entry>, Tier)>,
    /// The flight that the leader of the lookup started or joined.
    joinable_flight: Option<Arc<Flight>>,
    loader: std::marker::PhantomData<fn() -> L>,
}

type ReadResult<P> = std::result::Result<CacheResponse<P>, LoadError>;

/// A caller's wait for a flight.
struct FlightWait<P> {
    follower: FlightFollower,
    load_reason: LoadReason,
    /// Max wait if the cached entry can be served instead.
    soft: Option<Duration>,
    /// Receives the uncacheable result of the caller's own load.
    pass_receiver: Option<oneshot::Receiver<P>>,
    /// The load replaces an entry that could not be served.
    replaces: bool,
}

/// Result of one round.
enum RoundResult<P> {
    Answer(ReadResult<P>),
    Wait(FlightWait<P>),
    Again,
}

impl<'a, L: Loader, F: FnOnce() -> L> CacheRead<'a, L, F> {
    pub(crate) fn new(
        engine: &'a Arc<CacheEngine>,
        key: &'a Key,
        policy: &'a Policy,
        directive: CacheDirective,
        factory: F,
        now_ms: Timestamp,
    ) -> Self {
        Self {
            arrived_trusted: engine.coordinator.trust.holds(&engine.clock, now_ms),
            arrived: engine.coordinator.arrival_time(now_ms),
            scope_hashes: ScopeHashes::from_key(key),
            counters: engine.counters.class_counters(key.namespace(), policy.class),
            factory: Some(factory),
            miss_counted: false,
            lookup: None,
            joinable_flight: None,
            loader: std::marker::PhantomData,
            engine,
            key,
            policy,
            directive,
        }
    }

    /// Runs the read to its end.
    pub(crate) async fn run(mut self) -> ReadResult<L::Pass> {
        let first = self.first_round().await;
        let result = self.rounds(first).await;
        self.record_result(&result);
        result
    }

    /// Counts a request's result. Each is counted once it is final, so no counter ever decreases.
    fn record_result(&self, result: &ReadResult<L::Pass>) {
        let served = match result {
            Ok(CacheResponse::Cached { served, .. } | CacheResponse::Shared { served, .. }) => Some(*served),
            Ok(CacheResponse::Passed(_)) => Some(CacheStatus::Loaded),
            Err(_) => None,
        };
        match served {
            None => self.counters.failed_reads.one(),
            // A confirmed entry is counted as such.
            Some(CacheStatus::Joined | CacheStatus::StaleOnError | CacheStatus::Hit) => {}
            Some(_) if self.miss_counted => self.counters.loaded.one(),
            Some(_) => {}
        }
        if self.directive == CacheDirective::Offline && served != Some(CacheStatus::Hit) {
            self.counters.offline.one();
        }
    }

    /// Without a disk tier there is nothing to look up first.
    #[cfg(feature = "shuttle")]
    async fn first_round(&mut self) -> RoundResult<L::Pass> {
        self.round()
    }

    /// The entry under the key, from memory or from the lookup at the start of this read, and its validity.
    fn cached_entry(&self) -> Option<(Arc<Entry>, Validity)> {
        let (coordinator, now_ms) = (&self.engine.coordinator, self.engine.clock.now());
        let is_trusted = coordinator.trust.holds(&self.engine.clock, now_ms);
        let stored = coordinator.get(self.key).or_else(|| {
            let (entry, _) = self.lookup.as_ref()?;
            Some((Arc::clone(entry), coordinator.validity(entry)))
        });
        let (entry, validity) = stored?;
        // A load that began after this caller arrived is as new as a load of its own.
        let is_trusted = is_trusted || entry.created() > self.arrived.stamp;
        let validity = coordinator.trust.judge(is_trusted, validity, entry.created_ms(), now_ms);
        Some((entry, validity))
    }

    /// Tier of an entry.
    fn tier(&self, entry: &Arc<Entry>) -> Tier {
        let lookup = self.lookup.as_ref().filter(|(stored, _)| stored.created() == entry.created());
        lookup.map_or(Tier::Memory, |(_, tier)| *tier)
    }

    async fn rounds(&mut self, first: RoundResult<L::Pass>) -> ReadResult<L::Pass> {
        let mut round = first;
        for _ in 0..MAX_ROUNDS {
            match round {
                RoundResult::Answer(response) => return response,
                RoundResult::Again => {}
                RoundResult::Wait(wait) => {
                    if let Some(response) = self.wait(wait).await {
                        return response;
                    }
                }
            }
            round = self.round();
        }
        self.load_alone(LoadReason::Demanded).await
    }

    /// Looks up and decides once.
    fn round(&mut self) -> RoundResult<L::Pass> {
        let now_ms = self.engine.clock.now();
        let cached = self.cached_entry();
        let entry_state = cached.as_ref().map(|(entry, validity)| self.entry_state(entry, *validity, now_ms));
        if let Some((entry, Validity::Purged)) = &cached {
            self.engine.coordinator.discard(self.key, entry.created());
        }
        match plan(self.directive, entry_state) {
            ReadPlan::Serve { served, reason, refresh } => match cached {
                Some((entry, _)) => RoundResult::Answer(Ok(self.serve_cached(entry, served, reason, refresh, now_ms))),
                None => RoundResult::Again,
            },
            ReadPlan::NotCached => {
                RoundResult::Answer(Err(LoadError::new(LoadErrorKind::NotCached, "no usable entry is cached")))
            }
            ReadPlan::LoadAlone { load_reason } => self.start_alone(load_reason, now_ms),
            ReadPlan::Load { load_reason, soft } => {
                let negative = self.engine.coordinator.negative_entry(self.key, &self.scope_hashes, now_ms);
                if let Some(NegativeEntry::Absent { value, .. }) = negative.as_deref() {
                    if self.directive != CacheDirective::Reload {
                        return RoundResult::Answer(Ok(self.serve_absent(value.clone())));
                    }
                    self.engine.coordinator.negative.forget_absent(self.key);
                }
                self.count_miss(load_reason);
                match negative.as_deref() {
                    Some(NegativeEntry::Failed { failure, .. }) => RoundResult::Answer(
                        self.failed(failure.clone(), CacheStatusReason::FailedRecently(failure.kind)),
                    ),
                    Some(NegativeEntry::Uncacheable { .. }) => self.start_alone(load_reason, now_ms),
                    Some(NegativeEntry::Absent { .. }) | None => self.join_flight(load_reason, soft, cached, now_ms),
                }
            }
        }
    }

    fn entry_state(&self, entry: &Entry, validity: Validity, now_ms: Timestamp) -> EntryState {
        let age_ms = now_ms.duration_since(entry.created_ms());
        EntryState {
            freshness: evaluate_freshness(entry, self.policy, now_ms, validity),
            just_loaded: age_ms <= self.engine.coordinator.settings.reload_within,
        }
    }

    /// Whether the entry can still be served in any case.
    fn usable(&self, entry: &Entry, validity: Validity, now_ms: Timestamp) -> bool {
        let freshness = evaluate_freshness(entry, self.policy, now_ms, validity);
        !matches!(freshness, Freshness::Unusable | Freshness::Invalidated { fallback: false })
    }

    /// Serves the remembered answer of a source that does not have the requested object.
    fn serve_absent(&self, value: Value) -> CacheResponse<L::Pass> {
        if !self.miss_counted {
            self.counters.hits.one();
        }
        CacheResponse::Shared { value, served: CacheStatus::Hit, is_absent: true }
    }

    fn serve_cached(
        &mut self,
        entry: Arc<Entry>,
        served: CacheStatus,
        mut reason: Option<CacheStatusReason>,
        refresh: bool,
        now_ms: Timestamp,
    ) -> CacheResponse<L::Pass> {
        match served {
            CacheStatus::Stale => &self.counters.stale,
            CacheStatus::StaleOnError => &self.counters.stale_on_error,
            _ => &self.counters.hits,
        }
        .one();
        entry.record_read(now_ms);
        if refresh && entry.is_backing_off(now_ms) {
            reason = reason.map(|_| CacheStatusReason::BackingOff);
        } else if refresh {
            self.refresh_behind(&entry, now_ms);
        }
        let tier = self.tier(&entry);
        CacheResponse::cached(entry, served, tier, (self.policy, now_ms), reason)
    }

    /// Starts one background refresh, unless one is running or a recent failure forbids it.
    fn refresh_behind(&mut self, entry: &Arc<Entry>, now_ms: Timestamp) {
        let coordinator = &self.engine.coordinator;
        if self.engine.stop.is_cancelled() || coordinator.negative_entry(self.key, &self.scope_hashes, now_ms).is_some()
        {
            return;
        }
        let Some(permit) = entry.try_begin_refresh(now_ms) else { return };
        if let JoinOutcome::Lead(leader) = coordinator.join_or_start(self.key, &self.scope_hashes, Some(entry), now_ms)
        {
            self.launch(leader, LoadReason::Refresh, Some(Arc::clone(entry)), Some(permit));
        }
    }

    /// Joins the load in progress, or starts one.
    fn join_flight(
        &mut self,
        load_reason: LoadReason,
        soft: bool,
        cached: Option<(Arc<Entry>, Validity)>,
        now_ms: Timestamp,
    ) -> RoundResult<L::Pass> {
        let (engine, entry) = (self.engine, cached.as_ref().map(|(entry, _)| entry));
        let join_outcome = match self.joinable_flight.take() {
            Some(flight) => engine.coordinator.flights.join(&flight),
            None => engine.coordinator.join_or_start(self.key, &self.scope_hashes, entry, now_ms),
        };
        let replaces = cached.as_ref().is_some_and(|(entry, validity)| self.usable(entry, *validity, now_ms));
        let soft = soft.then_some(self.policy.soft_timeout);
        match join_outcome {
            JoinOutcome::Lead(leader) => {
                let old = cached.and_then(|(entry, validity)| (validity != Validity::Purged).then_some(entry));
                let follower = leader.follow();
                match self.launch(leader, load_reason, old, None) {
                    Some(pass_receiver) => RoundResult::Wait(FlightWait {
                        follower,
                        load_reason,
                        soft,
                        pass_receiver: Some(pass_receiver),
                        replaces,
                    }),
                    // This caller already used its loader; let another one lead.
                    None => RoundResult::Again,
                }
            }
            JoinOutcome::Follow(follower) => {
                let age = follower.flight.age(now_ms);
                let soft = soft.map(|soft| soft.saturating_sub(age));
                RoundResult::Wait(FlightWait { follower, load_reason, soft, pass_receiver: None, replaces })
            }
            JoinOutcome::Retry => RoundResult::Again,
            JoinOutcome::TooManyFlights => {
                engine.counters.flights_refused.one();
                RoundResult::Answer(self.overloaded("too many loads are running"))
            }
            JoinOutcome::TooManyWaiters => {
                engine.counters.waiters_refused.one();
                RoundResult::Answer(self.overloaded("too many requests wait for this load"))
            }
        }
    }

    fn start_alone(&mut self, load_reason: LoadReason, now_ms: Timestamp) -> RoundResult<L::Pass> {
        self.count_miss(load_reason);
        let Some(leader) = self.engine.coordinator.start_unshared(now_ms) else {
            self.engine.counters.flights_refused.one();
            return RoundResult::Answer(self.overloaded("too many loads are running"));
        };
        let old = self.cached_entry();
        let old = old.and_then(|(entry, validity)| (validity != Validity::Purged).then_some(entry));
        let replaces = old.as_ref().is_some_and(|entry| self.usable(entry, Validity::Valid, now_ms));
        let follower = leader.follow();
        match self.launch(leader, load_reason, old, None) {
            Some(pass_receiver) => RoundResult::Wait(FlightWait {
                follower,
                load_reason,
                soft: None,
                pass_receiver: Some(pass_receiver),
                replaces,
            }),
            None => RoundResult::Answer(self.overloaded("this request has already used its load")),
        }
    }

    /// Loads unshared and answers with the result, whatever it is.
    async fn load_alone(&mut self, load_reason: LoadReason) -> ReadResult<L::Pass> {
        let now_ms = self.engine.clock.now();
        match self.start_alone(load_reason, now_ms) {
            RoundResult::Answer(response) => response,
            RoundResult::Wait(wait) => {
                let response = self.wait(wait).await;
                response.unwrap_or_else(|| self.overloaded("invalidations kept overtaking the load"))
            }
            RoundResult::Again => self.overloaded("invalidations kept overtaking the load"),
        }
    }

    fn launch(
        &mut self,
        leader: FlightLeader,
        load_reason: LoadReason,
        old: Option<Arc<Entry>>,
        permit: Option<RefreshPermit>,
    ) -> Option<oneshot::Receiver<L::Pass>> {
        let factory = self.factory.take()?;
        let loader = Arc::new(factory());
        let access_rhythm = self.policy.warm.then(|| {
            self.engine.keep_warm(self.key, self.policy, &loader, leader.flight.created, leader.flight.started_ms)
        });
        let context = LoadContext {
            key: self.key.clone(),
            policy: *self.policy,
            load_reason,
            counters: Arc::clone(&self.counters),
            access_rhythm: access_rhythm.flatten(),
        };
        Some(self.engine.launch(leader, context, loader, old, permit))
    }

    fn count_miss(&mut self, load_reason: LoadReason) {
        if !std::mem::replace(&mut self.miss_counted, true) {
            self.counters.record_miss(load_reason);
            if load_reason == LoadReason::Absent && self.engine.coordinator.memory.take_recent_eviction(self.key) {
                self.counters.eviction_misses.one();
            }
        }
    }
}
