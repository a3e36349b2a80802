//! Flights: loads in progress, at most one joinable flight per key.
//!
//! A flight belongs to the task that loads, not to a caller. Callers only wait, each as long as it likes, and are woken
//! together when it completes. Nothing here depends on a runtime.

use crate::timestamp::Timestamp;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::delivery_guard::DeliveryGuard;
use crate::hybrid_timestamp::{EventTime, HybridTimestamp};
use crate::key::{BuildIdentityHasher, Key};
use crate::load::{LoadError, LoadErrorKind};
use crate::not_stored_reason::NotStoredReason;
use crate::scope_hash::ScopeHashes;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};
use crate::value::{Entry, Value};

/// Locks over the map of flights.
const SHARDS: usize = 16;

/// Result of a flight, for all waiters.
#[derive(Debug, Clone)]
pub(crate) enum LoadOutcome {
    /// A cacheable value, and whether it was stored.
    Cacheable { entry: Arc<Entry>, refusal: Option<NotStoredReason>, delivery_guard: Option<DeliveryGuard> },
    /// A value that another cache has loaded meanwhile.
    #[cfg(not(feature = "shuttle"))]
    Adopted { entry: Arc<Entry> },
    /// The cached value, confirmed and stored again.
    Confirmed { entry: Arc<Entry>, delivery_guard: Option<DeliveryGuard> },
    /// A value to share, not cacheable.
    Shared(Value),
    /// Like [`Self::Shared`]: what the source says of something that it does not have.
    Absent(Value),
    /// A result for the leader only.
    Uncacheable,
    /// No value.
    Failed(LoadError),
}

/// One load in progress.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Taken before the load begins.
    pub(crate) created: HybridTimestamp,
    pub(crate) started_ms: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Running { waiters: usize, wakers: Wakers },
    Done(LoadOutcome),
}

/// Wakers of all waiters. Each keeps its slot, so that leaving is cheap however many wait.
#[derive(Debug, Default)]
struct Wakers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    /// Stores a waker in the waiter's slot, or assigns one.
    fn register(&mut self, slot: &mut Option<usize>, waker: &Waker) {
        let at = *slot.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            })
        });
        match &mut self.slots[at] {
            Some(registered) => registered.clone_from(waker),
            empty @ None => *empty = Some(waker.clone()),
        }
    }

    fn remove(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
    }
}

impl Flight {
    fn new(created: HybridTimestamp, began_ms: Timestamp) -> Arc<Self> {
        let state = State::Running { waiters: 0, wakers: Wakers::default() };
        Arc::new(Self { created, started_ms: began_ms, state: Mutex::new(state) })
    }

    /// Joins the flight if fewer than `max_waiters` wait.
    fn follow(self: &Arc<Self>, max_waiters: usize) -> Option<FlightFollower> {
        let mut state = lock(&self.state);
        if let State::Running { waiters, .. } = &mut *state {
            if *waiters >= max_waiters {
                return None;
            }
            *waiters += 1;
        }
        drop(state);
        Some(FlightFollower { flight: Arc::clone(self), slot: None })
    }

    fn complete(&self, landed: LoadOutcome) {
        let mut state = lock(&self.state);
        let State::Running { wakers, .. } = &mut *state else { return };
        let wakers = std::mem::take(wakers);
        *state = State::Done(landed);
        drop(state);
        wakers.slots.into_iter().flatten().for_each(Waker::wake);
    }
}

/// One waiter of a flight. Dropping it leaves the flight and affects no other waiter.
#[derive(Debug)]
pub(crate) struct FlightFollower {
    pub(crate) flight: Arc<Flight>,
    slot: Option<usize>,
}

impl Future for FlightFollower {
    type Output = LoadOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LoadOutcome> {
        let flight = Arc::clone(&self.flight);
        let mut state = lock(&flight.state);
        match &mut *state {
            State::Done(landed) => Poll::Ready(landed.clone()),
            State::Running { wakers, .. } => {
                wakers.register(&mut self.slot, cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for FlightFollower {
    fn drop(&mut self) {
        if let State::Running { waiters, wakers, .. } = &mut *lock(&self.flight.state) {
            *waiters -= 1;
            if let Some(slot) = self.slot {
                wakers.remove(slot);
            }
        }
    }
}

type Shard = Mutex<HashMap<Key, Arc<Flight>, BuildIdentityHasher>>;

/// All flights.
#[derive(Debug)]
pub(crate) struct Flights {
    shards: Box<[Shard]>,
    count: AtomicUsize,
    max: usize,
    max_waiters: usize,
    max_age_ms: Duration,
}

/// Result of an attempt to join.
pub(crate) enum JoinOutcome {
    /// The caller starts a flight.
    Lead(FlightLeader),
    /// The caller waits for a flight.
    Follow(FlightFollower),
    /// A flight completed meanwhile: look up the entry again.
    Retry,
    /// Too many loads in progress.
    TooManyFlights,
    /// Too many waiters.
    TooManyWaiters,
}

impl Flights {
    pub(crate) fn new(max: usize, max_waiters: usize, max_age_ms: Duration) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            count: AtomicUsize::new(0),
            max,
            max_waiters,
            max_age_ms,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shard(&self, key: &Key) -> &Shard {
        let at = usize::try_from(key.hash64() >> 48).unwrap_or(0);
        &self.shards[at % SHARDS]
    }

    /// Joins the flight of this key if `joinable` allows it, otherwise starts one in its place. If there is no flight,
    /// `is_settled` tells whether one completed since the caller's lookup. The timestamp is drawn under the lock, so of
    /// two consecutive flights the second is newer than any invalidation that ruled out the first.
    pub(crate) fn join_or_start(
        self: &Arc<Self>,
        key: &Key,
        now_ms: Timestamp,
        stamp: impl FnOnce() -> HybridTimestamp,
        joinable: impl FnOnce(&Flight) -> bool,
        is_settled: impl FnOnce() -> bool,
    ) -> JoinOutcome {
        let mut shard = lock(self.shard(key));
        if let Some(flight) = shard.get(key) {
            let is_stuck = now_ms.duration_since(flight.started_ms) >= self.max_age_ms;
            if !is_stuck && joinable(flight) {
                return self.join(flight);
            }
        } else if is_settled() {
            return JoinOutcome::Retry;
        }
        let Some(leader) = self.start(Some(key.clone()), stamp(), now_ms) else {
            return JoinOutcome::TooManyFlights;
        };
        shard.insert(key.clone(), Arc::clone(&leader.flight));
        JoinOutcome::Lead(leader)
    }

    /// Joins a flight that was started on behalf of this caller too, even if it has already completed.
    pub(crate) fn join(&self, flight: &Arc<Flight>) -> JoinOutcome {
        flight.follow(self.max_waiters).map_or(JoinOutcome::TooManyWaiters, JoinOutcome::Follow)
    }

    /// Whether this key is being loaded.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn is_under_way(&self, key: &Key) -> bool {
        lock(self.shard(key)).contains_key(key)
    }

    /// Starts a flight that no other caller can join.
    pub(crate) fn start_unshared(
        self: &Arc<Self>,
        created: HybridTimestamp,
        now_ms: Timestamp,
    ) -> Option<FlightLeader> {
        self.start(None, created, now_ms)
    }

    fn start(self: &Arc<Self>, key: Option<Key>, created: HybridTimestamp, now_ms: Timestamp) -> Option<FlightLeader> {
        let has_room = |count: usize| (count < self.max).then_some(count + 1);
        self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, has_room).ok()?;
        Some(FlightLeader { flights: Arc::clone(self), key, flight: Flight::new(created, now_ms), landed: false })
    }
}

/// The duty to complete a flight. If dropped before (a panic, an aborted task), the flight fails.
#[derive(Debug)]
pub(crate) struct FlightLeader {
    flights: Arc<Flights>,
    /// The key under which it can be joined.
    key: Option<Key>,
    pub(crate) flight: Arc<Flight>,
    landed: bool,
}

impl FlightLeader {
    /// Whether no other caller can join it. Its failure or not-found result says nothing about what other callers would
    /// get.
    pub(crate) fn is_unshared(&self) -> bool {
        self.key.is_none()
    }

    /// Waits for the leader's own flight.
    pub(crate) fn follow(&self) -> FlightFollower {
        self.flight.follow(usize::MAX).expect("a leader's own follower is not limited")
    }

    /// Completes the flight. Its value is already stored, so later callers find that.
    pub(crate) fn complete(mut self, landed: LoadOutcome) {
        self.end(landed);
    }

    fn end(&mut self, landed: LoadOutcome) {
        if let Some(key) = &self.key {
            let mut shard = lock(self.flights.shard(key));
            if shard.get(key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
                shard.remove(key);
            }
        }
        self.landed = true;
        self.flights.count.fetch_sub(1, Ordering::AcqRel);
        self.flight.complete(landed);
    }
}

impl Drop for FlightLeader {
    fn drop(&mut self) {
        if !self.landed {
            self.end(LoadOutcome::Failed(LoadError::new(LoadErrorKind::Panicked, "the load ended without a result")));
        }
    }
}

impl Flight {
    /// When its load began.
    pub(crate) fn started(&self) -> EventTime {
        EventTime { stamp: self.created, at: self.started_ms }
    }

    /// Time for which it has been in progress.
    pub(crate) fn age(&self, now_ms: Timestamp) -> Duration {
        now_ms.duration_since(self.started_ms)
    }
}

impl LoadOutcome {
    /// The scope hashes by which a caller that arrived after the load began decides whether the result is still valid
    /// for it, and whether the tags are unknown.
    pub(crate) fn scope_hashes<'a>(&'a self, key_hashes: &'a ScopeHashes) -> (&'a ScopeHashes, bool) {
        match self {
            Self::Cacheable { entry, .. } | Self::Confirmed { entry, .. } => (&entry.scope_hashes, false),
            #[cfg(not(feature = "shuttle"))]
            Self::Adopted { entry } => (&entry.scope_hashes, false),
            Self::Shared(_) | Self::Absent(_) | Self::Failed(_) | Self::Uncacheable => (key_hashes, true),
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;
    use crate::key::Partition;

    fn join(flights: &Arc<Flights>, now_ms: Timestamp) -> JoinOutcome {
        let key = Key::new("n", &Partition::new("anna"), "/a");
        flights.join_or_start(&key, now_ms, || HybridTimestamp::end_of(now_ms), |_| true, || false)
    }

    #[test]
    fn a_stuck_flight_is_replaced_and_its_end_does_not_end_its_successor() {
        let flights = Arc::new(Flights::new(10, 10, Duration::from_millis(1000)));
        let JoinOutcome::Lead(is_stuck) = join(&flights, Timestamp::UNIX_EPOCH) else {
            panic!("the first caller leads")
        };
        assert!(matches!(join(&flights, Timestamp::from_millis(999)), JoinOutcome::Follow(_)));
        let JoinOutcome::Lead(next) = join(&flights, Timestamp::from_millis(1000)) else {
            panic!("a stuck flight is replaced")
        };
        assert_eq!(flights.count(), 2);
        drop(is_stuck);
        assert!(
            matches!(join(&flights, Timestamp::from_millis(1500)), JoinOutcome::Follow(_)),
            "the successor can still be joined"
        );
        next.complete(LoadOutcome::Shared(Value::default()));
        assert_eq!(flights.count(), 0);
        assert!(matches!(join(&flights, Timestamp::from_millis(1500)), JoinOutcome::Lead(_)));
    }

    #[test]
    fn slots_of_departed_waiters_are_reused() {
        let flights = Arc::new(Flights::new(10, 3, Duration::from_millis(1000)));
        let JoinOutcome::Lead(leader) = join(&flights, Timestamp::UNIX_EPOCH) else { panic!("the first caller leads") };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let mut waiting: Vec<FlightFollower> = (0..3)
                .map(|_| match join(&flights, Timestamp::from_millis(1)) {
                    JoinOutcome::Follow(follower) => follower,
                    _ => panic!("a waiter's slot is free"),
                })
                .collect();
            assert!(matches!(join(&flights, Timestamp::from_millis(1)), JoinOutcome::TooManyWaiters));
            for follower in &mut waiting {
                assert!(Pin::new(&mut *follower).poll(&mut context).is_pending());
                assert!(Pin::new(follower).poll(&mut context).is_pending(), "polled again, it keeps its slot");
            }
        }
        let State::Running { waiters, wakers } = &*lock(&leader.flight.state) else { panic!("the flight still runs") };
        assert_eq!((*waiters, wakers.slots.len()), (0, 3));
    }
}
