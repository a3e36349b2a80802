//! The one queue of a media server: at most so many requests at a time, and who waits gets a place in good order.
//!
//! Rooms: [`priority`] (how urgent a read is), [`slots`] (who is next: the rules, without waiting). Here is only the
//! waiting: who has no place sleeps until exactly this one is woken with it. Streams and sockets need no place.

pub mod priority;
pub mod slots;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use crate::client_apps::App;
use priority::{Facts, Rank, rank};
use slots::{Claim, Entrance, Held, Leaving, Limits, Places, Tally, Ticket};

/// What a place is needed for.
#[derive(Debug, Clone)]
pub struct Errand {
    rank: Rank,
    class: Option<Class>,
    app: Option<Arc<App>>,
}

impl Errand {
    /// A write of an app.
    pub fn write(app: &Arc<App>) -> Self {
        Self { rank: Rank::Write, class: None, app: Some(Arc::clone(app)) }
    }

    /// A read that an app waits for. Its app is known a little better afterwards.
    pub fn read(app: &Arc<App>, class: Class, key: &str, now_ms: u64) -> Self {
        let waiting = app.waiting.load(Ordering::Relaxed);
        let habit = app.habits.lock().note(xxh3_64(key.as_bytes()), waiting, now_ms);
        let rank = rank(Facts { is_own: false, class, habit });
        Self { rank, class: Some(class), app: Some(Arc::clone(app)) }
    }

    /// A read of our own, on behalf of an app that does not wait for it, or of nobody.
    pub fn own(app: Option<&Arc<App>>, class: Class) -> Self {
        Self { rank: Rank::Own, class: Some(class), app: app.cloned() }
    }

    fn claim(&self) -> Claim {
        let app = self.app.as_ref().map_or(0, |app| app.number);
        Claim { rank: self.rank, class: self.class, app }
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// Too many wait already.
    Refused,
    /// None became free in time.
    InVain,
}

/// The queue of one server.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// How long anybody waits.
    patience: Duration,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    places: Places,
    /// Requests that go on without a place, because their time was over.
    overdue: usize,
    /// Requests that were given up instead.
    abandoned: u64,
    /// Whom to wake, by the number under which he waits.
    bells: HashMap<Ticket, oneshot::Sender<Result<Place, NoPlace>>>,
}

/// A place in the queue. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    queue: Arc<Queue>,
    /// `None` once it is given back.
    held: Option<Held>,
}

/// A request that goes on without a place. There are at most as many as there are places.
#[derive(Debug)]
pub struct Overdue(Arc<Queue>);

/// What the queue looks like at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// The limits.
    pub limits: Limits,
    /// What was counted, in the order of [`Rank::EVERY`].
    pub tallies: [Tally; Rank::EVERY.len()],
    /// Requests that go on without a place, because their time was over.
    pub overdue: usize,
    /// Requests given up because there were too many of those.
    pub abandoned: u64,
}

impl Queue {
    /// A queue in which nobody waits longer than `patience`.
    pub fn new(limits: Limits, patience: Duration, clock: Clock) -> Arc<Self> {
        let state = State { places: Places::new(limits), overdue: 0, abandoned: 0, bells: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), patience, clock })
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// If too many wait already, or none becomes free in time.
    pub async fn place(self: &Arc<Self>, errand: Errand) -> Result<Place, NoPlace> {
        let (mut waiter, bell) = match self.enter(errand)? {
            Entered::Placed(place) => return Ok(place),
            Entered::Waits(waiter, bell) => (waiter, bell),
        };
        match self.clock.timeout(self.patience, bell).await {
            Ok(Ok(word)) => word,
            // Nobody drops a bell without ringing it.
            Ok(Err(_)) => Err(NoPlace::Refused),
            Err(_) => {
                waiter.leaving = Leaving::InVain;
                Err(NoPlace::InVain)
            }
        }
    }

    /// A place that nobody waits for, if after it another is still free for whoever comes next.
    pub fn place_to_spare(self: &Arc<Self>, errand: &Errand) -> Option<Place> {
        let held = self.state.lock().places.enter_to_spare(errand.claim())?;
        Some(Place::new(self, held))
    }

    /// What the queue looks like now.
    pub fn sight(&self) -> Sight {
        let state = self.state.lock();
        Sight {
            limits: state.places.limits(),
            tallies: state.places.tallies(),
            overdue: state.overdue,
            abandoned: state.abandoned,
        }
    }

    /// For measuring how long anybody waits: no moment, for it does not leap over what the machine slept.
    fn measured_ms(&self) -> u64 {
        self.clock.now_us() / 1000
    }

    fn enter(self: &Arc<Self>, errand: Errand) -> Result<Entered, NoPlace> {
        let now_ms = self.measured_ms();
        let mut state = self.state.lock();
        let (ticket, instead_of) = match state.places.enter(errand.claim(), now_ms) {
            Entrance::Placed(held) => return Ok(Entered::Placed(Place::new(self, held))),
            Entrance::Refused => return Err(NoPlace::Refused),
            Entrance::Waits { ticket, instead_of } => (ticket, instead_of),
        };
        let (sender, bell) = oneshot::channel();
        state.bells.insert(ticket, sender);
        let refused = instead_of.and_then(|ticket| state.bells.remove(&ticket));
        drop(state);
        if let Some(refused) = refused {
            // Who has left already needs no word.
            drop(refused.send(Err(NoPlace::Refused)));
        }
        Ok(Entered::Waits(Waiter::new(self, ticket, errand, now_ms), bell))
    }

    /// Gives a place back, and wakes the one who gets it.
    fn release(self: &Arc<Self>, held: Held) {
        let now_ms = self.measured_ms();
        let mut state = self.state.lock();
        let Some((ticket, held)) = state.places.release(held, now_ms) else { return };
        let bell = state.bells.remove(&ticket);
        drop(state);
        let place = Place::new(self, held);
        if let Some(bell) = bell {
            // If he left at this very moment, the place comes back in the error and is given back once more.
            drop(bell.send(Ok(place)));
        }
    }
}

enum Entered {
    Placed(Place),
    Waits(Waiter, oneshot::Receiver<Result<Place, NoPlace>>),
}

/// Somebody who waits. Dropping it is leaving: nothing of him stays behind.
#[derive(Debug)]
struct Waiter {
    queue: Arc<Queue>,
    ticket: Ticket,
    /// Who has it on his account; our own work is on nobody's.
    app: Option<Arc<App>>,
    since_ms: u64,
    leaving: Leaving,
}

impl Waiter {
    fn new(queue: &Arc<Queue>, ticket: Ticket, errand: Errand, since_ms: u64) -> Self {
        let app = errand.app.filter(|_| errand.rank != Rank::Own);
        if let Some(app) = &app {
            app.waiting.fetch_add(1, Ordering::Relaxed);
        }
        Self { queue: Arc::clone(queue), ticket, app, since_ms, leaving: Leaving::Gone }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let now_ms = self.queue.measured_ms();
        let mut state = self.queue.state.lock();
        state.places.leave(self.ticket, self.leaving, now_ms);
        let bell = state.bells.remove(&self.ticket);
        drop((state, bell));
        if let Some(app) = &self.app {
            app.waiting.fetch_sub(1, Ordering::Relaxed);
            app.waited_ms.fetch_add(now_ms.saturating_sub(self.since_ms), Ordering::Relaxed);
        }
    }
}

impl Place {
    fn new(queue: &Arc<Queue>, held: Held) -> Self {
        Self { queue: Arc::clone(queue), held: Some(held) }
    }
}

impl Place {
    /// Gives the place back although the request goes on, if not too many do. Otherwise the place stays with it until
    /// it is given up.
    ///
    /// # Errors
    /// If too many go on already.
    pub fn overdue(self) -> Result<Overdue, Self> {
        let mut state = self.queue.state.lock();
        if state.overdue >= state.places.limits().places {
            state.abandoned += 1;
            drop(state);
            return Err(self);
        }
        state.overdue += 1;
        drop(state);
        Ok(Overdue(Arc::clone(&self.queue)))
    }
}

impl Drop for Overdue {
    fn drop(&mut self) {
        self.0.state.lock().overdue -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.queue.release(held);
        }
    }
}
