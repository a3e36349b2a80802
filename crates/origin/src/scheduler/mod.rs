//! Request queue of one media server: limits concurrent requests, and grants permits by priority and fairly by app.
//!
//! Modules: [`mod@priority`] (priority of a read), [`slots`] (the order of waiters, without waiting). This module
//! only waits: a request without a permit sleeps until it alone is woken with one. Media and sockets need no permit.

pub mod priority;
pub mod slots;
#[cfg(test)]
mod tests;

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use crate::client_apps::ClientApp;
use crate::client_pattern::AccessPattern;
use priority::{Priority, PriorityInput, priority, priority_of_pattern};
use slots::{Admission, CancelReason, HeldSlot, PriorityCounters, SlotKind, SlotLimits, SlotRequest, Slots, WaiterId};

/// A request for a permit.
#[derive(Debug, Clone)]
pub struct QueueRequest {
    priority: Priority,
    kind: SlotKind,
    app: Option<Arc<ClientApp>>,
}

impl QueueRequest {
    /// A write of an app.
    pub fn write(app: &Arc<ClientApp>) -> Self {
        Self { priority: Priority::Write, kind: SlotKind::Write, app: Some(Arc::clone(app)) }
    }

    /// A read that an app waits for. Updates the app's read pattern.
    pub fn read(app: &Arc<ClientApp>, class: Class, key: &str, now_ms: Timestamp) -> Self {
        let pattern = record_access(app, key, now_ms);
        let priority = priority(PriorityInput { is_own: false, class, pattern });
        Self { priority, kind: SlotKind::Read(class), app: Some(Arc::clone(app)) }
    }

    /// A request of an app whose response is never cached. Updates the app's read pattern.
    pub fn uncached(app: &Arc<ClientApp>, target: &str, now_ms: Timestamp) -> Self {
        let priority = priority_of_pattern(record_access(app, target, now_ms));
        Self { priority, kind: SlotKind::Uncached, app: Some(Arc::clone(app)) }
    }

    /// The same request with a token that the server has never accepted: less urgent than any other, and none of the
    /// slots for writes is for it.
    #[must_use]
    pub fn of_stranger(self) -> Self {
        let kind = if self.kind == SlotKind::Write { SlotKind::Uncached } else { self.kind };
        Self { priority: Priority::Stranger, kind, ..self }
    }

    /// An own read, for an app that does not wait for it or for none.
    pub fn background(app: Option<&Arc<ClientApp>>, class: Class) -> Self {
        Self { priority: Priority::Own, kind: SlotKind::Read(class), app: app.cloned() }
    }

    fn slot_request(&self) -> SlotRequest {
        let app = self.app.as_ref().map_or(0, |app| app.number);
        SlotRequest { priority: self.priority, kind: self.kind, app }
    }
}

/// Updates the pattern of what this app requests.
fn record_access(app: &ClientApp, key: &str, now_ms: Timestamp) -> AccessPattern {
    let waiting = app.waiting.load(Ordering::Relaxed);
    app.recent_reads.lock().record(xxh3_64(key.as_bytes()), waiting, now_ms)
}

/// Reason why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// Too many requests wait already.
    Full,
    /// None became free in time.
    TimedOut,
}

/// The request queue of one server.
#[derive(Debug)]
pub struct RequestQueue {
    state: Mutex<RequestQueueState>,
    /// Max wait for a permit.
    timeout: Duration,
    clock: Clock,
}

#[derive(Debug)]
struct RequestQueueState {
    slots: Slots,
    /// Running requests that timed out and gave their permit back.
    detached: usize,
    /// Timed-out requests that were aborted instead.
    abandoned: u64,
    /// Wakers by waiter id.
    wakers: HashMap<WaiterId, oneshot::Sender<Result<QueuePermit, QueueError>>>,
}

/// A permit. Dropping it frees the slot.
#[derive(Debug)]
pub struct QueuePermit {
    queue: Arc<RequestQueue>,
    /// `None` once freed.
    slot: Option<HeldSlot>,
}

/// A timed-out request that runs on without a permit. Their number is limited to the number of slots.
#[derive(Debug)]
pub struct DetachedPermit(Arc<RequestQueue>);

/// State of the queue at one moment.
#[derive(Debug, Clone, Copy)]
pub struct QueueSnapshot {
    /// The limits.
    pub limits: SlotLimits,
    /// Counters, in the order of [`Priority::EVERY`].
    pub priorities: [PriorityCounters; Priority::EVERY.len()],
    /// Running requests that timed out and gave their permit back.
    pub detached: usize,
    /// Requests aborted because there were too many of those.
    pub abandoned: u64,
}

impl RequestQueue {
    /// A queue in which requests wait at most `timeout`.
    pub fn new(limits: SlotLimits, timeout: Duration, clock: Clock) -> Arc<Self> {
        let state = RequestQueueState { slots: Slots::new(limits), detached: 0, abandoned: 0, wakers: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), timeout, clock })
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// Too many requests wait already, or no permit becomes free in time.
    pub async fn acquire(self: &Arc<Self>, request: QueueRequest) -> Result<QueuePermit, QueueError> {
        let (mut waiter, receiver) = match self.enter(request)? {
            EnterResult::Granted(permit) => return Ok(permit),
            EnterResult::Waits(waiter, receiver) => (waiter, receiver),
        };
        match self.clock.timeout(self.timeout, receiver).await {
            Ok(Ok(result)) => result,
            // A sender is never dropped without a message.
            Ok(Err(_)) => Err(QueueError::Full),
            Err(_) => {
                waiter.cancel_reason = CancelReason::TimedOut;
                Err(QueueError::TimedOut)
            }
        }
    }

    /// A permit without waiting, if another slot then remains free for the next request.
    pub fn try_acquire_spare(self: &Arc<Self>, request: &QueueRequest) -> Option<QueuePermit> {
        let slot = self.state.lock().slots.try_request_spare(request.slot_request())?;
        Some(QueuePermit::new(self, slot))
    }

    /// State of the queue now.
    pub fn snapshot(&self) -> QueueSnapshot {
        let state = self.state.lock();
        QueueSnapshot {
            limits: state.slots.limits(),
            priorities: state.slots.counters(),
            detached: state.detached,
            abandoned: state.abandoned,
        }
    }

    /// For measuring waits only, not as a timestamp: it excludes system suspend.
    fn measured(&self) -> Duration {
        Duration::from_millis(self.clock.now_us() / 1000)
    }

    fn enter(self: &Arc<Self>, request: QueueRequest) -> Result<EnterResult, QueueError> {
        let now = self.measured();
        let mut state = self.state.lock();
        let (waiter_id, displaced) = match state.slots.request(request.slot_request(), now) {
            Admission::Granted(slot) => return Ok(EnterResult::Granted(QueuePermit::new(self, slot))),
            Admission::Refused => return Err(QueueError::Full),
            Admission::Waits { waiter_id, displaced } => (waiter_id, displaced),
        };
        let (sender, receiver) = oneshot::channel();
        state.wakers.insert(waiter_id, sender);
        let displaced = displaced.and_then(|waiter_id| state.wakers.remove(&waiter_id));
        drop(state);
        if let Some(displaced) = displaced {
            let _ = displaced.send(Err(QueueError::Full)); // The waiter may already be gone.
        }
        Ok(EnterResult::Waits(Waiter::new(self, waiter_id, request, now), receiver))
    }

    /// Frees a slot, and wakes the waiters for which there is room then.
    fn release(self: &Arc<Self>, slot: HeldSlot) {
        let now = self.measured();
        let mut state = self.state.lock();
        let mut granted = state.slots.release(slot, now);
        while let Some((waiter_id, slot)) = granted {
            let receiver = state.wakers.remove(&waiter_id);
            drop(state);
            let permit = QueuePermit::new(self, slot);
            if let Some(receiver) = receiver {
                // If the waiter is gone by now, the permit comes back in the error, and its drop frees the slot again.
                let _ = receiver.send(Ok(permit));
            }
            state = self.state.lock();
            granted = state.slots.grant_next(now);
        }
    }
}

enum EnterResult {
    Granted(QueuePermit),
    Waits(Waiter, oneshot::Receiver<Result<QueuePermit, QueueError>>),
}

/// A waiting request. Dropping it removes it completely.
#[derive(Debug)]
struct Waiter {
    queue: Arc<RequestQueue>,
    waiter_id: WaiterId,
    /// The app charged for it; none for own requests.
    app: Option<Arc<ClientApp>>,
    since: Duration,
    cancel_reason: CancelReason,
}

impl Waiter {
    fn new(queue: &Arc<RequestQueue>, waiter_id: WaiterId, request: QueueRequest, since: Duration) -> Self {
        let app = request.app.filter(|_| request.priority != Priority::Own);
        if let Some(app) = &app {
            app.waiting.fetch_add(1, Ordering::Relaxed);
        }
        Self { queue: Arc::clone(queue), waiter_id, app, since, cancel_reason: CancelReason::Dropped }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let now = self.queue.measured();
        let mut state = self.queue.state.lock();
        state.slots.cancel(self.waiter_id, self.cancel_reason, now);
        let receiver = state.wakers.remove(&self.waiter_id);
        drop((state, receiver));
        if let Some(app) = &self.app {
            app.waiting.fetch_sub(1, Ordering::Relaxed);
            app.waited_ms.fetch_add(millis(now.saturating_sub(self.since)), Ordering::Relaxed);
        }
    }
}

impl QueuePermit {
    fn new(queue: &Arc<RequestQueue>, slot: HeldSlot) -> Self {
        Self { queue: Arc::clone(queue), slot: Some(slot) }
    }
}

impl QueuePermit {
    /// Gives the permit back although the request runs on, unless too many do. Then it keeps the permit until it is
    /// aborted.
    ///
    /// # Errors
    /// Too many such requests run already.
    pub fn detach(self) -> Result<DetachedPermit, Self> {
        let mut state = self.queue.state.lock();
        if state.detached >= state.slots.limits().slots {
            state.abandoned += 1;
            drop(state);
            return Err(self);
        }
        state.detached += 1;
        drop(state);
        Ok(DetachedPermit(Arc::clone(&self.queue)))
    }
}

impl Drop for DetachedPermit {
    fn drop(&mut self) {
        self.0.state.lock().detached -= 1;
    }
}

impl Drop for QueuePermit {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.queue.release(slot);
        }
    }
}
