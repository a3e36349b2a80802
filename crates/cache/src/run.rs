//! Running a load: the owned task, and what becomes of its result.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::desk::Booking;
use crate::engine::Engine;
use crate::flight::{Landed, Lead};
use crate::load::{Failure, FailureKind, Load, Loader};
use crate::load_reason::LoadReason;
use crate::refusal::Refusal;
use crate::value::{Entry, RefreshClaim};

impl Engine {
    /// Runs a load on the tracker. The caller may leave; the load goes on and its result is kept.
    pub(crate) fn launch<L: Loader>(
        self: &Arc<Self>,
        lead: Lead,
        booking: Booking,
        loader: Arc<L>,
        old: Option<Arc<Entry>>,
        claim: Option<RefreshClaim>,
    ) -> oneshot::Receiver<L::Pass> {
        let (pass, passed) = oneshot::channel();
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let began_us = engine.clock.now_us();
            let why = booking.why;
            match why {
                LoadReason::Refresh => booking.cell.refreshes.one(),
                LoadReason::Warm => booking.cell.warm_loads.one(),
                _ => {}
            }
            let loading = guarded(async { loader.load(why, old).await });
            let result = engine.clock.timeout(engine.desk.settings.flight_max_age, loading).await;
            let result =
                result.unwrap_or_else(|_| Err(Failure::new(FailureKind::TimedOut, "the load never ended")));
            booking.cell.load_took(engine.clock.since_ms(began_us));
            engine.land(lead, &booking, result, claim.as_ref(), pass);
        });
        passed
    }

    /// Keeps, shares, remembers; then wakes whoever waits.
    fn land<P>(
        &self,
        lead: Lead,
        booking: &Booking,
        result: Result<Load<P>, Failure>,
        claim: Option<&RefreshClaim>,
        pass: oneshot::Sender<P>,
    ) {
        let (key, cell) = (&booking.key, &booking.cell);
        let now_ms = self.clock.now_ms();
        let landed = match result {
            Ok(Load::Store(fill)) => {
                cell.loads_ok.one();
                let (entry, refusal, leaving) = self.desk.keep(booking, &lead.flight, fill, now_ms);
                if booking.why == LoadReason::Ahead && refusal.is_none() {
                    cell.ahead_loads.one();
                }
                Landed::Kept { entry, refusal, leaving }
            }
            Ok(Load::Share(value)) => {
                cell.loads_shared.one();
                Landed::Shared(value)
            }
            Ok(Load::Gone(value)) => {
                cell.loads_shared.one();
                if !lead.is_solo() {
                    self.desk.discard(key, lead.flight.created);
                }
                Landed::Shared(value)
            }
            Ok(Load::Pass(value)) => {
                cell.loads_passed.one();
                if !lead.is_solo() {
                    self.desk.remember_uncacheable(key, &lead.flight, now_ms);
                }
                // Nobody takes it where a refresh brought it, or the caller left: then it is dropped.
                drop(pass.send(value));
                Landed::Uncacheable
            }
            Err(failure) => {
                let timed_out = failure.kind == FailureKind::TimedOut;
                if timed_out { &cell.loads_timed_out } else { &cell.loads_failed }.one();
                if !lead.is_solo() {
                    self.desk.remember_failure(key, &lead.flight, &failure, now_ms);
                    if failure.kind == FailureKind::Denied {
                        self.warm.forget(key);
                    }
                }
                Landed::Failed(failure)
            }
        };
        if let (Some(claim), true) = (claim, leaves_old(&landed)) {
            let settings = &self.desk.settings;
            claim.failed(now_ms, settings.refresh_backoff, settings.refresh_backoff_max);
        }
        lead.land(landed);
    }
}

/// Whether the value that was to be refreshed is still there, and would be due again at once.
fn leaves_old(landed: &Landed) -> bool {
    match landed {
        // It was not even tried; when the source is back, nothing is to wait.
        Landed::Failed(failure) if failure.kind == FailureKind::Offline => false,
        Landed::Kept { refusal, .. } => {
            refusal.is_some_and(|refusal| !matches!(refusal, Refusal::Invalidated | Refusal::Older))
        }
        Landed::Shared(_) | Landed::Uncacheable | Landed::Failed(_) => true,
    }
}

/// Turns a panic of the loader into a failure, so that it reaches everybody who waits.
async fn guarded<P>(loading: impl Future<Output = Result<Load<P>, Failure>>) -> Result<Load<P>, Failure> {
    let mut loading = pin!(loading);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| loading.as_mut().poll(cx)));
        polled
            .unwrap_or_else(|_| Poll::Ready(Err(Failure::new(FailureKind::Panicked, "the loader panicked"))))
    })
    .await
}
