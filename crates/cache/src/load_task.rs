//! Runs loads: the owned task, and what it does with the result.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::coordinator::LoadContext;
use crate::engine::CacheEngine;
use crate::flight::{FlightLeader, LoadOutcome};
use crate::load::{LoadError, LoadErrorKind, LoadResult, Loader};
use crate::load_reason::LoadReason;
use crate::not_stored_reason::NotStoredReason;
use crate::value::{Entry, RefreshPermit};

impl CacheEngine {
    /// Runs a load on the tracker. If the caller leaves, the load continues and its result is stored.
    pub(crate) fn launch<L: Loader>(
        self: &Arc<Self>,
        lead: FlightLeader,
        booking: LoadContext,
        loader: Arc<L>,
        old: Option<Arc<Entry>>,
        claim: Option<RefreshPermit>,
    ) -> oneshot::Receiver<L::Pass> {
        let (pass, passed) = oneshot::channel();
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let began_us = engine.clock.now_us();
            let why = booking.load_reason;
            match why {
                LoadReason::Refresh => booking.counters.refreshes.one(),
                LoadReason::Warm => booking.counters.warm_loads.one(),
                _ => {}
            }
            let loading = guarded(async { loader.load(why, old).await });
            let result = engine.clock.timeout(engine.coordinator.settings.flight_max_age, loading).await;
            let result =
                result.unwrap_or_else(|_| Err(LoadError::new(LoadErrorKind::TimedOut, "the load never ended")));
            booking.counters.record_load_time(engine.clock.since_ms(began_us));
            engine.land(lead, &booking, result, claim.as_ref(), pass);
        });
        passed
    }

    /// Stores, shares or remembers the result, then wakes the waiters.
    fn land<P>(
        &self,
        lead: FlightLeader,
        booking: &LoadContext,
        result: Result<LoadResult<P>, LoadError>,
        claim: Option<&RefreshPermit>,
        pass: oneshot::Sender<P>,
    ) {
        let (key, cell) = (&booking.key, &booking.counters);
        let now_ms = self.clock.now_ms();
        let landed = match result {
            Ok(LoadResult::Store(fill)) => {
                cell.loads_ok.one();
                let (entry, refusal, leaving) = self.coordinator.store(booking, &lead.flight, fill, now_ms);
                if booking.load_reason == LoadReason::Prefetch && refusal.is_none() {
                    cell.prefetch_loads.one();
                }
                LoadOutcome::Cacheable { entry, refusal, leaving }
            }
            Ok(LoadResult::Share(value)) => {
                cell.loads_shared.one();
                LoadOutcome::Shared(value)
            }
            Ok(LoadResult::NotFound(value)) => {
                cell.loads_shared.one();
                if !lead.is_unshared() {
                    self.coordinator.discard(key, lead.flight.created);
                }
                LoadOutcome::Shared(value)
            }
            Ok(LoadResult::Pass(value)) => {
                cell.loads_passed.one();
                if !lead.is_unshared() {
                    self.coordinator.remember_uncacheable(key, &lead.flight, now_ms);
                }
                // No receiver for a refresh, or after the caller left: then it is dropped.
                drop(pass.send(value));
                LoadOutcome::Uncacheable
            }
            Err(failure) => {
                let timed_out = failure.kind == LoadErrorKind::TimedOut;
                if timed_out { &cell.loads_timed_out } else { &cell.loads_failed }.one();
                if !lead.is_unshared() {
                    self.coordinator.remember_failure(key, &lead.flight, &failure, now_ms);
                    if failure.kind == LoadErrorKind::Denied {
                        self.warm.forget(key);
                    }
                }
                LoadOutcome::Failed(failure)
            }
        };
        if let (Some(claim), true) = (claim, leaves_old(&landed)) {
            let settings = &self.coordinator.settings;
            claim.failed(now_ms, settings.refresh_backoff, settings.refresh_backoff_max);
        }
        lead.complete(landed);
    }
}

/// Whether the value to be refreshed is still there, and would be due again at once.
fn leaves_old(landed: &LoadOutcome) -> bool {
    match landed {
        // The source was not asked; once it is back, nothing should wait.
        LoadOutcome::Failed(failure) if failure.kind == LoadErrorKind::Offline => false,
        LoadOutcome::Cacheable { refusal, .. } => refusal
            .is_some_and(|refusal| !matches!(refusal, NotStoredReason::Invalidated | NotStoredReason::Superseded)),
        LoadOutcome::Shared(_) | LoadOutcome::Uncacheable | LoadOutcome::Failed(_) => true,
    }
}

/// Turns a panic of the loader into a failure, so that it reaches all waiters.
async fn guarded<P>(
    loading: impl Future<Output = Result<LoadResult<P>, LoadError>>,
) -> Result<LoadResult<P>, LoadError> {
    let mut loading = pin!(loading);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| loading.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(LoadError::new(LoadErrorKind::Panicked, "the loader panicked"))))
    })
    .await
}
