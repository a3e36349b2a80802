//! Prefetch: loading what is likely to be requested next, and only what a read would have to load. Counted apart from
//! client requests, and as useful once it is read.

use std::sync::Arc;

use crate::cache::Cache;
use crate::coordinator::LoadContext;
use crate::engine::CacheEngine;
use crate::flight::{FlightLeader, JoinOutcome, LoadOutcome};
use crate::freshness::evaluate_freshness;
use crate::key::Key;
use crate::load::{LoadError, LoadErrorKind, Loader};
use crate::load_reason::LoadReason;
use crate::policy::{Freshness, Policy, Validity};
use crate::scope_hash::ScopeHashes;
use crate::value::{Entry, Value};

/// Result of one prefetch.
#[derive(Debug)]
pub enum PrefetchResult<P> {
    /// Nothing loaded: a read would be answered at once from the cache.
    AlreadyCached,
    /// A load is already in progress.
    InFlight,
    /// Not loaded: a recent load failed or was uncacheable, a limit is reached, or the cache is closing.
    Skipped,
    /// Loaded.
    Loaded(Value),
    /// Loaded, but uncacheable.
    Passed(P),
}

impl Cache {
    /// Whether a read of this key would be answered at once, fresh or stale. Changes nothing, except that an entry on
    /// disk may move to memory.
    pub async fn is_cached(&self, key: &Key, policy: &Policy) -> bool {
        self.0.needs_prefetch(key, policy).await.is_none()
    }

    /// Records a client's read of this key that bypassed the cache lookup: the client joined a load that stored the
    /// entry.
    pub fn record_read(&self, key: &Key) {
        if let Some(entry) = self.0.coordinator.memory.peek(key) {
            entry.record_read(self.0.clock.now());
        }
    }

    /// Loads a key that a read would have to load. Reads that arrive meanwhile join.
    ///
    /// # Errors
    /// If the load failed.
    pub async fn prefetch<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: impl FnOnce() -> L,
    ) -> Result<PrefetchResult<L::Pass>, LoadError> {
        let engine = &self.0;
        let Some(cached) = engine.needs_prefetch(key, policy).await else {
            return Ok(PrefetchResult::AlreadyCached);
        };
        let (scope_hashes, now_ms) = (ScopeHashes::from_key(key), engine.clock.now());
        if engine.stop.is_cancelled() || engine.coordinator.negative_entry(key, &scope_hashes, now_ms).is_some() {
            return Ok(PrefetchResult::Skipped);
        }
        let leader = match engine.coordinator.join_or_start(key, &scope_hashes, cached.as_ref(), now_ms) {
            JoinOutcome::Lead(leader) => leader,
            JoinOutcome::Follow(_) => return Ok(PrefetchResult::InFlight),
            JoinOutcome::Retry => return Ok(PrefetchResult::AlreadyCached),
            JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => return Ok(PrefetchResult::Skipped),
        };
        engine.run_prefetch(leader, (key, policy), cached, loader()).await
    }

    /// Like [`Self::prefetch`], but loads even if an entry is usable, and no read can join.
    ///
    /// # Errors
    /// If the load failed.
    pub async fn prefetch_unshared<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: impl FnOnce() -> L,
    ) -> Result<PrefetchResult<L::Pass>, LoadError> {
        let engine = &self.0;
        match engine.coordinator.start_unshared(engine.clock.now()) {
            Some(leader) => engine.run_prefetch(leader, (key, policy), None, loader()).await,
            None => Ok(PrefetchResult::Skipped),
        }
    }
}

impl CacheEngine {
    /// The entry, if a read could not be answered with it at once; `None` if it could.
    async fn needs_prefetch(&self, key: &Key, policy: &Policy) -> Option<Option<Arc<Entry>>> {
        let now_ms = self.clock.now();
        let is_usable = |entry: &Arc<Entry>| {
            let freshness = evaluate_freshness(entry, policy, now_ms, self.coordinator.validity(entry));
            matches!(freshness, Freshness::Fresh { .. } | Freshness::Stale)
        };
        let cached = self.coordinator.memory.peek(key);
        if cached.as_ref().is_some_and(is_usable) {
            return None;
        }
        #[cfg(not(feature = "shuttle"))]
        let cached = {
            let counters = self.counters.class_counters(key.namespace(), policy.class);
            self.coordinator.load_from_disk(key, &counters, now_ms, false).await.or(cached)
        };
        if cached.as_ref().is_some_and(is_usable) { None } else { Some(cached) }
    }

    async fn run_prefetch<L: Loader>(
        self: &Arc<Self>,
        leader: FlightLeader,
        (key, policy): (&Key, &Policy),
        cached: Option<Arc<Entry>>,
        loader: L,
    ) -> Result<PrefetchResult<L::Pass>, LoadError> {
        let context = LoadContext {
            key: key.clone(),
            policy: *policy,
            load_reason: LoadReason::Prefetch,
            counters: self.counters.class_counters(key.namespace(), policy.class),
            access_rhythm: None,
        };
        let old = cached.filter(|entry| self.coordinator.validity(entry) != Validity::Purged);
        let follower = leader.follow();
        let pass_receiver = self.launch(leader, context, Arc::new(loader), old, None);
        match self.clock.timeout(policy.hard_timeout, follower).await {
            Ok(LoadOutcome::Cacheable { entry, .. } | LoadOutcome::Confirmed { entry, .. }) => {
                Ok(PrefetchResult::Loaded(entry.value().clone()))
            }
            #[cfg(not(feature = "shuttle"))]
            Ok(LoadOutcome::Adopted { entry }) => Ok(PrefetchResult::Loaded(entry.value().clone())),
            Ok(LoadOutcome::Shared(value) | LoadOutcome::Absent(value)) => Ok(PrefetchResult::Loaded(value)),
            Ok(LoadOutcome::Uncacheable) => {
                Ok(pass_receiver.await.map_or(PrefetchResult::Skipped, PrefetchResult::Passed))
            }
            Ok(LoadOutcome::Failed(failure)) => Err(failure),
            Err(_) => Err(LoadError::new(LoadErrorKind::TimedOut, "the load timed out")),
        }
    }
}
