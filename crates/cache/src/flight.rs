//! Flights: loads under way, at most one per key that others can join.
//!
//! A flight belongs to the task that loads, not to a caller: callers only wait, each as long as he likes, and are
//! woken at once when it lands. Nothing here knows a runtime.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::key::{BuildAsHashed, Key};
use crate::leaving::Leaving;
use crate::load::{Failure, FailureKind};
use crate::reach::Reach;
use crate::refusal::Refusal;
use crate::stamp::{Moment, Stamp};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};
use crate::value::{Entry, Value};

/// Locks over the flights' map.
const SHARDS: usize = 16;

/// How a flight ended, for everybody who waits.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
    /// With a value to keep; whether it was.
    Kept { entry: Arc<Entry>, refusal: Option<Refusal>, leaving: Option<Leaving> },
    /// With a value for now.
    Shared(Value),
    /// With something for its starter only.
    Uncacheable,
    /// Not at all.
    Failed(Failure),
}

/// One load under way.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Taken before the load begins.
    pub(crate) created: Stamp,
    pub(crate) began_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Flying { waiters: usize, wakers: Wakers },
    Landed(Landed),
}

/// Whom to wake. A waiter keeps his place, so that leaving is cheap however many wait.
#[derive(Debug, Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    /// Puts a waiter on his place, or gives him one.
    fn sit(&mut self, place: &mut Option<usize>, waker: &Waker) {
        let at = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.places.push(None);
                self.places.len() - 1
            })
        });
        match &mut self.places[at] {
            Some(seated) => seated.clone_from(waker),
            empty @ None => *empty = Some(waker.clone()),
        }
    }

    fn leave(&mut self, place: usize) {
        self.places[place] = None;
        self.free.push(place);
    }
}

impl Flight {
    fn new(created: Stamp, began_ms: u64) -> Arc<Self> {
        let state = State::Flying { waiters: 0, wakers: Wakers::default() };
        Arc::new(Self { created, began_ms, state: Mutex::new(state) })
    }

    /// Waits for it, if fewer than `max_waiters` do.
    fn follow(self: &Arc<Self>, max_waiters: usize) -> Option<Follow> {
        let mut state = lock(&self.state);
        if let State::Flying { waiters, .. } = &mut *state {
            if *waiters >= max_waiters {
                return None;
            }
            *waiters += 1;
        }
        drop(state);
        Some(Follow { flight: Arc::clone(self), place: None })
    }

    fn land(&self, landed: Landed) {
        let mut state = lock(&self.state);
        let State::Flying { wakers, .. } = &mut *state else { return };
        let wakers = std::mem::take(wakers);
        *state = State::Landed(landed);
        drop(state);
        wakers.places.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Waiting for a flight. Dropping it is leaving, which hurts nobody.
#[derive(Debug)]
pub(crate) struct Follow {
    pub(crate) flight: Arc<Flight>,
    place: Option<usize>,
}

impl Future for Follow {
    type Output = Landed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Landed> {
        let flight = Arc::clone(&self.flight);
        let mut state = lock(&flight.state);
        match &mut *state {
            State::Landed(landed) => Poll::Ready(landed.clone()),
            State::Flying { wakers, .. } => {
                wakers.sit(&mut self.place, cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        if let State::Flying { waiters, wakers, .. } = &mut *lock(&self.flight.state) {
            *waiters -= 1;
            if let Some(place) = self.place {
                wakers.leave(place);
            }
        }
    }
}

type Shard = Mutex<HashMap<Key, Arc<Flight>, BuildAsHashed>>;

/// Every flight.
#[derive(Debug)]
pub(crate) struct Flights {
    shards: Box<[Shard]>,
    count: AtomicUsize,
    max: usize,
    max_waiters: usize,
    max_age_ms: u64,
}

/// What a caller finds who looks for a flight.
pub(crate) enum Boarding {
    /// He starts one.
    Lead(Lead),
    /// He waits for one.
    Follow(Follow),
    /// What he needs came meanwhile: he is to look again.
    LookAgain,
    /// Too many load.
    TooManyFlights,
    /// Too many wait.
    TooManyWaiters,
}

impl Flights {
    pub(crate) fn new(max: usize, max_waiters: usize, max_age_ms: u64) -> Self {
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

    /// Joins the flight of this key if `joinable` says so, or else starts one in its place. `settled` says, once no
    /// flight is found, whether one landed since the caller looked. The stamp is drawn under the lock: of two
    /// flights that follow each other, the second is then newer than any marker that doomed the first.
    pub(crate) fn board(
        self: &Arc<Self>,
        key: &Key,
        now_ms: u64,
        stamp: impl FnOnce() -> Stamp,
        joinable: impl FnOnce(&Flight) -> bool,
        settled: impl FnOnce() -> bool,
    ) -> Boarding {
        let mut shard = lock(self.shard(key));
        if let Some(flight) = shard.get(key) {
            let stuck = now_ms.saturating_sub(flight.began_ms) >= self.max_age_ms;
            if !stuck && joinable(flight) {
                return self.join(flight);
            }
        } else if settled() {
            return Boarding::LookAgain;
        }
        let Some(lead) = self.start(Some(key.clone()), stamp(), now_ms) else {
            return Boarding::TooManyFlights;
        };
        shard.insert(key.clone(), Arc::clone(&lead.flight));
        Boarding::Lead(lead)
    }

    /// Joins a flight that was begun for this caller too, whether it has landed by now or not.
    pub(crate) fn join(&self, flight: &Arc<Flight>) -> Boarding {
        flight.follow(self.max_waiters).map_or(Boarding::TooManyWaiters, Boarding::Follow)
    }

    /// Whether this key is being loaded.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn is_under_way(&self, key: &Key) -> bool {
        lock(self.shard(key)).contains_key(key)
    }

    /// Starts a flight nobody can join.
    pub(crate) fn solo(self: &Arc<Self>, created: Stamp, now_ms: u64) -> Option<Lead> {
        self.start(None, created, now_ms)
    }

    fn start(self: &Arc<Self>, key: Option<Key>, created: Stamp, now_ms: u64) -> Option<Lead> {
        let room = |count: usize| (count < self.max).then_some(count + 1);
        self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Lead { flights: Arc::clone(self), key, flight: Flight::new(created, now_ms), landed: false })
    }
}

/// The right and the duty to land a flight. Dropped without landing (a panic, an aborted task), it lands as failed.
#[derive(Debug)]
pub(crate) struct Lead {
    flights: Arc<Flights>,
    /// Under which key it can be joined.
    key: Option<Key>,
    pub(crate) flight: Arc<Flight>,
    landed: bool,
}

impl Lead {
    /// Whether nobody else can join it. What it brings says nothing about what others would get: a failure, or that
    /// there is no such thing, is its caller's affair.
    pub(crate) fn is_solo(&self) -> bool {
        self.key.is_none()
    }

    /// Waits for one's own flight.
    pub(crate) fn follow(&self) -> Follow {
        self.flight.follow(usize::MAX).expect("there is no limit")
    }

    /// Ends the flight. What it brought is stored already, so whoever comes from now on finds that.
    pub(crate) fn land(mut self, landed: Landed) {
        self.end(landed);
    }

    fn end(&mut self, landed: Landed) {
        if let Some(key) = &self.key {
            let mut shard = lock(self.flights.shard(key));
            if shard.get(key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
                shard.remove(key);
            }
        }
        self.landed = true;
        self.flights.count.fetch_sub(1, Ordering::AcqRel);
        self.flight.land(landed);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.landed {
            self.end(Landed::Failed(Failure::new(FailureKind::Panicked, "the load ended without a result")));
        }
    }
}

impl Flight {
    /// When its load began.
    pub(crate) fn began(&self) -> Moment {
        Moment { stamp: self.created, ms: self.began_ms }
    }

    /// How long it has been under way.
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.began_ms)
    }
}

impl Landed {
    /// The reach by which a caller that came after the load began tells whether it is still for him; with it,
    /// whether the tags are unknown.
    pub(crate) fn reach<'a>(&'a self, of_key: &'a Reach) -> (&'a Reach, bool) {
        match self {
            Self::Kept { entry, .. } => (&entry.reach, false),
            Self::Shared(_) | Self::Failed(_) | Self::Uncacheable => (of_key, true),
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;
    use crate::key::Partition;

    fn board(flights: &Arc<Flights>, now_ms: u64) -> Boarding {
        let key = Key::new("n", &Partition::new("anna"), "/a");
        flights.board(&key, now_ms, || Stamp::end_of(now_ms), |_| true, || false)
    }

    #[test]
    fn a_flight_that_is_stuck_is_replaced_and_does_not_take_its_successor_along() {
        let flights = Arc::new(Flights::new(10, 10, 1000));
        let Boarding::Lead(stuck) = board(&flights, 0) else { panic!("the first leads") };
        assert!(matches!(board(&flights, 999), Boarding::Follow(_)));
        let Boarding::Lead(next) = board(&flights, 1000) else { panic!("it is stuck") };
        assert_eq!(flights.count(), 2);
        drop(stuck);
        assert!(matches!(board(&flights, 1500), Boarding::Follow(_)), "the successor can still be joined");
        next.land(Landed::Shared(Value::default()));
        assert_eq!(flights.count(), 0);
        assert!(matches!(board(&flights, 1500), Boarding::Lead(_)));
    }

    #[test]
    fn places_of_those_who_leave_are_given_to_those_who_come() {
        let flights = Arc::new(Flights::new(10, 3, 1000));
        let Boarding::Lead(lead) = board(&flights, 0) else { panic!("the first leads") };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let mut waiting: Vec<Follow> = (0..3)
                .map(|_| match board(&flights, 1) {
                    Boarding::Follow(follow) => follow,
                    _ => panic!("there is a place"),
                })
                .collect();
            assert!(matches!(board(&flights, 1), Boarding::TooManyWaiters));
            for follow in &mut waiting {
                assert!(Pin::new(&mut *follow).poll(&mut context).is_pending());
                assert!(Pin::new(follow).poll(&mut context).is_pending(), "asked again, it keeps its place");
            }
        }
        let State::Flying { waiters, wakers } = &*lock(&lead.flight.state) else { panic!("it flies") };
        assert_eq!((*waiters, wakers.places.len()), (0, 3));
    }
}
