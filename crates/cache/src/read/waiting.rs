//! The part of a read that waits for a load, and answers with its result or with the cached entry.

use crate::timestamp::Timestamp;
use std::sync::Arc;

use super::{CacheRead, FlightWait, ReadResult};
use crate::cache_response::{CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Tier};
use crate::flight::LoadOutcome;
use crate::freshness::evaluate_freshness;
use crate::load::{LoadError, LoadErrorKind, Loader};
use crate::load_reason::LoadReason;
use crate::policy::{Freshness, Validity};
use crate::value::Entry;

impl<L: Loader, F: FnOnce() -> L> CacheRead<'_, L, F> {
    /// Waits for a flight. `None` means that its result is not valid for this caller, which must look up again.
    pub(super) async fn wait(&mut self, mut wait: FlightWait<L::Pass>) -> Option<ReadResult<L::Pass>> {
        let (clock, hard) = (&self.engine.clock, self.policy.hard_timeout);
        let mut remaining = hard;
        if let Some(soft) = wait.soft {
            let soft = soft.min(hard);
            if let Ok(finish) = clock.timeout(soft, &mut wait.follower).await {
                return self.finish(wait, finish).await;
            }
            if let Some(response) = self.serve_after_soft_timeout() {
                return Some(Ok(response));
            }
            remaining = hard.saturating_sub(soft);
        }
        if let Ok(finish) = clock.timeout(remaining, &mut wait.follower).await {
            return self.finish(wait, finish).await;
        }
        let failure = LoadError::new(LoadErrorKind::TimedOut, "the load timed out");
        Some(self.failed(failure, CacheStatusReason::Failed(LoadErrorKind::TimedOut)))
    }

    /// The cached entry, when the load exceeds the soft timeout; none if it was invalidated meanwhile.
    fn serve_after_soft_timeout(&self) -> Option<CacheResponse<L::Pass>> {
        let now_ms = self.engine.clock.now();
        let (entry, validity) = self.cached_entry()?;
        let usable = validity == Validity::Valid && self.usable(&entry, validity, now_ms);
        usable.then(|| self.serve_old(entry, CacheStatusReason::SlowLoad, now_ms))
    }

    async fn finish(&mut self, wait: FlightWait<L::Pass>, finish: LoadOutcome) -> Option<ReadResult<L::Pass>> {
        let FlightWait { follower, load_reason, pass_receiver, replaces, .. } = wait;
        // Without trust, only a load that began after this caller arrived is certain to know what it must.
        let is_late = !self.arrived_trusted && self.arrived.stamp > follower.flight.created;
        if is_late || !self.engine.coordinator.serves(&follower.flight, &finish, &self.scope_hashes, self.arrived) {
            return None;
        }
        let served = match (pass_receiver.is_some(), replaces) {
            (false, _) => CacheStatus::Joined,
            (true, true) => CacheStatus::Refreshed,
            (true, false) => CacheStatus::Loaded,
        };
        if served == CacheStatus::Joined && !matches!(finish, LoadOutcome::Uncacheable | LoadOutcome::Confirmed { .. })
        {
            self.counters.joins.one();
        }
        match finish {
            LoadOutcome::Cacheable { entry, refusal, delivery_guard } => {
                let now_ms = self.engine.clock.now();
                entry.record_loaded(now_ms);
                let unconfirmed = (load_reason == LoadReason::Unconfirmed).then_some(CacheStatusReason::Unconfirmed);
                let reason = refusal.map(CacheStatusReason::NotStored).or(unconfirmed);
                let response = CacheResponse::cached(entry, served, Tier::Source, (self.policy, now_ms), reason);
                Some(Ok(response.with_delivery_guard(delivery_guard)))
            }
            #[cfg(not(feature = "shuttle"))]
            LoadOutcome::Adopted { entry } => {
                let now_ms = self.engine.clock.now();
                entry.record_loaded(now_ms);
                let (joined, of) = (CacheStatus::Joined, (self.policy, now_ms));
                Some(Ok(CacheResponse::cached(entry, joined, Tier::Remote, of, None)))
            }
            LoadOutcome::Confirmed { entry, delivery_guard } => {
                let (now_ms, confirmed) = (self.engine.clock.now(), Some(CacheStatusReason::Confirmed));
                self.counters.confirmed.one();
                entry.record_loaded(now_ms);
                let tier = self.tier(&entry);
                let response = CacheResponse::cached(entry, CacheStatus::Hit, tier, (self.policy, now_ms), confirmed);
                Some(Ok(response.with_delivery_guard(delivery_guard)))
            }
            LoadOutcome::Shared(value) => Some(Ok(CacheResponse::Shared { value, served, is_absent: false })),
            LoadOutcome::Absent(value) => Some(Ok(CacheResponse::Shared { value, served, is_absent: true })),
            LoadOutcome::Failed(failure) => {
                let reason = CacheStatusReason::Failed(failure.kind);
                Some(self.failed(failure, reason))
            }
            LoadOutcome::Uncacheable => match pass_receiver {
                Some(pass) => match pass.await {
                    Ok(pass) => Some(Ok(CacheResponse::Passed(pass))),
                    Err(_) => Some(self.overloaded("the result of the load was lost")),
                },
                None => Some(Box::pin(self.load_alone(load_reason)).await),
            },
        }
    }

    /// Serves an old value in place of a failed load if the failure and the invalidations allow it.
    pub(super) fn failed(&self, failure: LoadError, reason: CacheStatusReason) -> ReadResult<L::Pass> {
        let serves_old = match self.directive {
            CacheDirective::LoadUnshared => false,
            CacheDirective::ReloadStrict => failure.kind.is_unanswered(),
            _ => failure.kind.allows_stale(),
        };
        if !serves_old {
            return Err(failure);
        }
        let now_ms = self.engine.clock.now();
        let Some((entry, validity)) = self.cached_entry() else { return Err(failure) };
        if !self.usable(&entry, validity, now_ms) {
            return Err(failure);
        }
        let fresh = matches!(evaluate_freshness(&entry, self.policy, now_ms, validity), Freshness::Fresh { .. });
        if fresh && self.directive == CacheDirective::Any {
            entry.record_read(now_ms);
            let tier = self.tier(&entry);
            return Ok(CacheResponse::cached(entry, CacheStatus::Hit, tier, (self.policy, now_ms), None));
        }
        Ok(self.serve_old(entry, reason, now_ms))
    }

    pub(super) fn overloaded(&self, message: &'static str) -> ReadResult<L::Pass> {
        let kind = LoadErrorKind::Overloaded;
        self.failed(LoadError::new(kind, message), CacheStatusReason::Failed(kind))
    }

    fn serve_old(&self, entry: Arc<Entry>, reason: CacheStatusReason, now_ms: Timestamp) -> CacheResponse<L::Pass> {
        self.counters.stale_on_error.one();
        entry.record_read(now_ms);
        let tier = self.tier(&entry);
        CacheResponse::cached(entry, CacheStatus::StaleOnError, tier, (self.policy, now_ms), Some(reason))
    }
}
