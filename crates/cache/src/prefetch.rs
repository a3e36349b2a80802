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
        self.0.find_ahead(key, policy).await.is_none()
    }

    /// Records a client's read of this key that bypassed the cache lookup: the client joined a load that stored the
    /// entry.
    pub fn record_read(&self, key: &Key) {
        if let Some(entry) = self.0.coordinator.memory.peek(key) {
            entry.record_read(self.0.clock.now_ms());
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
        let Some(seen) = engine.find_ahead(key, policy).await else {
            return Ok(PrefetchResult::AlreadyCached);
        };
        let (reach, now_ms) = (ScopeHashes::from_key(key), engine.clock.now_ms());
        if engine.stop.is_cancelled() || engine.coordinator.negative_entry(key, &reach, now_ms).is_some() {
            return Ok(PrefetchResult::Skipped);
        }
        let lead = match engine.coordinator.join_or_start(key, &reach, seen.as_ref(), now_ms) {
            JoinOutcome::Lead(lead) => lead,
            JoinOutcome::Follow(_) => return Ok(PrefetchResult::InFlight),
            JoinOutcome::Retry => return Ok(PrefetchResult::AlreadyCached),
            JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => return Ok(PrefetchResult::Skipped),
        };
        engine.fly_ahead(lead, (key, policy), seen, loader()).await
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
        match engine.coordinator.start_unshared(engine.clock.now_ms()) {
            Some(lead) => engine.fly_ahead(lead, (key, policy), None, loader()).await,
            None => Ok(PrefetchResult::Skipped),
        }
    }
}

impl CacheEngine {
    /// The entry, if a read could not be answered with it at once; `None` if it could.
    async fn find_ahead(&self, key: &Key, policy: &Policy) -> Option<Option<Arc<Entry>>> {
        let now_ms = self.clock.now_ms();
        let answers = |entry: &Arc<Entry>| {
            let verdict = evaluate_freshness(entry, policy, now_ms, self.coordinator.validity(entry));
            matches!(verdict, Freshness::Fresh { .. } | Freshness::Stale)
        };
        let kept = self.coordinator.memory.peek(key);
        if kept.as_ref().is_some_and(answers) {
            return None;
        }
        #[cfg(not(feature = "shuttle"))]
        let kept = {
            let cell = self.counters.class_counters(key.namespace(), policy.class);
            self.coordinator.load_from_disk(key, &cell, now_ms, false).await.or(kept)
        };
        if kept.as_ref().is_some_and(answers) { None } else { Some(kept) }
    }

    async fn fly_ahead<L: Loader>(
        self: &Arc<Self>,
        lead: FlightLeader,
        (key, policy): (&Key, &Policy),
        seen: Option<Arc<Entry>>,
        loader: L,
    ) -> Result<PrefetchResult<L::Pass>, LoadError> {
        let booking = LoadContext {
            key: key.clone(),
            policy: *policy,
            load_reason: LoadReason::Prefetch,
            counters: self.counters.class_counters(key.namespace(), policy.class),
            access_rhythm: None,
        };
        let old = seen.filter(|entry| self.coordinator.validity(entry) != Validity::Purged);
        let follow = lead.follow();
        let passed = self.launch(lead, booking, Arc::new(loader), old, None);
        match self.clock.timeout(policy.hard_timeout, follow).await {
            Ok(LoadOutcome::Cacheable { entry, .. }) => Ok(PrefetchResult::Loaded(entry.value().clone())),
            Ok(LoadOutcome::Shared(value)) => Ok(PrefetchResult::Loaded(value)),
            Ok(LoadOutcome::Uncacheable) => Ok(passed.await.map_or(PrefetchResult::Skipped, PrefetchResult::Passed)),
            Ok(LoadOutcome::Failed(failure)) => Err(failure),
            Err(_) => Err(LoadError::new(LoadErrorKind::TimedOut, "the load takes too long")),
        }
    }
}
