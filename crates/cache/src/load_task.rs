//! Runs loads: the owned task, and what it does with the result.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::coordinator::LoadContext;
use crate::delivery_guard::DeliveryGuard;
use crate::engine::CacheEngine;
use crate::flight::{FlightLeader, LoadOutcome};
use crate::load::{ConfirmedValue, LoadError, LoadErrorKind, LoadResult, Loader};
use crate::load_reason::LoadReason;
use crate::not_stored_reason::NotStoredReason;
use crate::value::{Entry, RefreshPermit};

impl CacheEngine {
    /// Runs a load on the tracker. If the caller leaves, the load continues and its result is stored.
    pub(crate) fn launch<L: Loader>(
        self: &Arc<Self>,
        leader: FlightLeader,
        context: LoadContext,
        loader: Arc<L>,
        old: Option<Arc<Entry>>,
        permit: Option<RefreshPermit>,
    ) -> oneshot::Receiver<L::Pass> {
        let (pass_sender, pass_receiver) = oneshot::channel();
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let began_us = engine.clock.now_us();
            let load_reason = context.load_reason;
            match load_reason {
                LoadReason::Refresh => context.counters.refreshes.one(),
                LoadReason::Warm => context.counters.warm_loads.one(),
                _ => {}
            }
            #[cfg(not(feature = "shuttle"))]
            let _claim = match engine.claim_load(&leader, &context, loader.is_replaceable(), old.as_ref()).await {
                Ok(claim) => claim,
                Err(entry) => return leader.complete(LoadOutcome::Adopted { entry }),
            };
            let loading = catch_panic(engine.load_or_confirm(&leader, &context, loader.as_ref(), old));
            let result = engine.clock.timeout(engine.coordinator.settings.flight_max_age, loading).await;
            let result = result
                .unwrap_or_else(|_| Err(LoadError::new(LoadErrorKind::TimedOut, "the load exceeded its maximum age")));
            context.counters.record_load_time(engine.clock.since_ms(began_us));
            match result {
                Ok(LoadEnd::Confirmed(entry, delivery_guard)) => {
                    context.counters.loads_confirmed.one();
                    leader.complete(LoadOutcome::Confirmed { entry, delivery_guard });
                }
                Ok(LoadEnd::Result(result)) => {
                    engine.finish_load(leader, &context, Ok(result), permit.as_ref(), pass_sender);
                }
                Err(error) => engine.finish_load(leader, &context, Err(error), permit.as_ref(), pass_sender),
            }
        });
        pass_receiver
    }

    /// Lets the loader load the value, or confirm the cached one and stores that again. If it may not be confirmed, it is
    /// loaded.
    async fn load_or_confirm<L: Loader>(
        &self,
        leader: &FlightLeader,
        context: &LoadContext,
        loader: &L,
        old: Option<Arc<Entry>>,
    ) -> Result<LoadEnd<L::Pass>, LoadError> {
        let result = loader.load(context.load_reason, old.clone()).await?;
        let LoadResult::Confirmed(ConfirmedValue { checked_ms }) = result else { return Ok(LoadEnd::Result(result)) };
        let now_ms = self.clock.now();
        let confirmed =
            old.as_ref().and_then(|old| self.coordinator.confirm(context, &leader.flight, old, checked_ms, now_ms));
        match confirmed {
            Some((entry, delivery_guard)) => Ok(LoadEnd::Confirmed(entry, delivery_guard)),
            None => loader.load(LoadReason::Invalidated, old).await.map(LoadEnd::Result),
        }
    }

    /// Stores, shares or remembers the result, then wakes the waiters.
    fn finish_load<P>(
        &self,
        leader: FlightLeader,
        context: &LoadContext,
        result: Result<LoadResult<P>, LoadError>,
        permit: Option<&RefreshPermit>,
        pass_sender: oneshot::Sender<P>,
    ) {
        let (key, counters) = (&context.key, &context.counters);
        let now_ms = self.clock.now();
        let outcome = match result {
            Ok(LoadResult::Store(loaded)) => {
                counters.loads_ok.one();
                let (entry, refusal, delivery_guard) = self.coordinator.store(context, &leader.flight, loaded, now_ms);
                if context.load_reason == LoadReason::Prefetch && refusal.is_none() {
                    counters.prefetch_loads.one();
                }
                LoadOutcome::Cacheable { entry, refusal, delivery_guard }
            }
            // It was called a second time to load.
            Ok(LoadResult::Confirmed(_)) => {
                counters.loads_failed.one();
                LoadOutcome::Failed(LoadError::new(LoadErrorKind::Refused, "an invalidated value cannot be confirmed"))
            }
            Ok(LoadResult::Share(value)) => {
                counters.loads_shared.one();
                self.coordinator.negative.forget_absent(key);
                LoadOutcome::Shared(value)
            }
            Ok(LoadResult::NotFound(value)) => {
                counters.loads_shared.one();
                if !leader.is_unshared() {
                    self.coordinator.discard(key, leader.flight.created);
                    self.coordinator.remove_remotely(key);
                }
                LoadOutcome::Shared(value)
            }
            Ok(LoadResult::Absent(absent)) => {
                counters.loads_shared.one();
                if !leader.is_unshared() {
                    self.coordinator.discard(key, leader.flight.created);
                    self.coordinator.remove_remotely(key);
                    self.coordinator.remember_absent(key, &leader.flight, &absent, now_ms);
                }
                LoadOutcome::Absent(absent.value)
            }
            Ok(LoadResult::Pass(value)) => {
                counters.loads_passed.one();
                if !leader.is_unshared() {
                    self.coordinator.remember_uncacheable(key, &leader.flight, now_ms);
                }
                let _ = pass_sender.send(value); // A refresh has no receiver, and a caller may have left.
                LoadOutcome::Uncacheable
            }
            Err(failure) => {
                let timed_out = failure.kind == LoadErrorKind::TimedOut;
                if timed_out { &counters.loads_timed_out } else { &counters.loads_failed }.one();
                if !leader.is_unshared() {
                    self.coordinator.remember_failure(key, &leader.flight, &failure, now_ms);
                    if failure.kind == LoadErrorKind::Denied {
                        self.warm.forget(key);
                    }
                }
                LoadOutcome::Failed(failure)
            }
        };
        if let (Some(permit), true) = (permit, keeps_old(&outcome)) {
            let settings = &self.coordinator.settings;
            permit.failed(now_ms, settings.refresh_backoff, settings.refresh_backoff_max);
        }
        leader.complete(outcome);
    }
}

/// Result of a load.
enum LoadEnd<P> {
    /// The cached value was confirmed and stored again.
    Confirmed(Arc<Entry>, Option<DeliveryGuard>),
    /// Anything else.
    Result(LoadResult<P>),
}

/// Whether the value to be refreshed is still there, and would be due again at once.
fn keeps_old(outcome: &LoadOutcome) -> bool {
    match outcome {
        // The source was not asked; once it is back, nothing should wait.
        LoadOutcome::Failed(failure) if failure.kind == LoadErrorKind::Offline => false,
        LoadOutcome::Cacheable { refusal, .. } => refusal
            .is_some_and(|refusal| !matches!(refusal, NotStoredReason::Invalidated | NotStoredReason::Superseded)),
        #[cfg(not(feature = "shuttle"))]
        LoadOutcome::Adopted { .. } => false,
        LoadOutcome::Confirmed { .. } => false,
        LoadOutcome::Shared(_) | LoadOutcome::Absent(_) | LoadOutcome::Uncacheable | LoadOutcome::Failed(_) => true,
    }
}

/// Turns a panic of the loader into a failure, so that it reaches all waiters.
async fn catch_panic<T>(loading: impl Future<Output = Result<T, LoadError>>) -> Result<T, LoadError> {
    let mut loading = pin!(loading);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| loading.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(LoadError::new(LoadErrorKind::Panicked, "the loader panicked"))))
    })
    .await
}
