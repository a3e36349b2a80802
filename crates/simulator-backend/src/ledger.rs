//! The count of every request: how many, of which class, with whose token, and which.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::class::Class;

/// This many of the latest requests are remembered one by one; what is older is only counted.
pub const REMEMBERED: usize = 16_384;

/// A request as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query, tokens taken out.
    pub target: String,
    /// Label of the token: `owner-a`, `none`, `unknown` …
    pub token: String,
    /// The class.
    pub class: Class,
}

/// The ledger's figures at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// All requests.
    pub total: u64,
    /// By class.
    pub by_class: BTreeMap<Class, u64>,
    /// By label of the token.
    pub by_token: BTreeMap<String, u64>,
    /// By class and label of the token.
    #[serde(serialize_with = "nested")]
    pub by_class_and_token: BTreeMap<(Class, String), u64>,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
}

/// The ledger. Requests to the simulator's own pages are not in it.
#[derive(Debug)]
pub struct Ledger {
    figures: Mutex<Figures>,
    recent: Mutex<VecDeque<Seen>>,
    total: watch::Sender<u64>,
    in_flight: Arc<Gauge>,
    connections: AtomicU64,
    sockets: Arc<Gauge>,
}

/// A number that goes up and down, and how far up it went.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
    ever: AtomicU64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            figures: Mutex::default(),
            recent: Mutex::default(),
            total: watch::Sender::new(0),
            in_flight: Arc::default(),
            connections: AtomicU64::new(0),
            sockets: Arc::default(),
        }
    }
}

impl Ledger {
    /// How many requests there were.
    pub fn total(&self) -> u64 {
        *self.total.borrow()
    }

    /// How many there were of each class.
    pub fn by_class(&self) -> BTreeMap<Class, u64> {
        self.figures.lock().by_class.clone()
    }

    /// How many there were of this class.
    pub fn of(&self, class: Class) -> u64 {
        self.figures.lock().by_class.get(&class).copied().unwrap_or(0)
    }

    /// How many came with each token.
    pub fn by_token(&self) -> BTreeMap<String, u64> {
        self.figures.lock().by_token.clone()
    }

    /// All figures at once.
    pub fn figures(&self) -> Figures {
        self.figures.lock().clone()
    }

    /// The latest requests, oldest first, [`REMEMBERED`] at the most.
    pub fn requests(&self) -> Vec<Seen> {
        self.recent.lock().iter().cloned().collect()
    }

    /// How many of the remembered requests fit.
    pub fn count(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        self.recent.lock().iter().filter(|seen| fits(seen)).count()
    }

    /// How many requests are being answered now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.now.load(Ordering::SeqCst)
    }

    /// How many requests were being answered at once at the most.
    pub fn max_in_flight(&self) -> u64 {
        self.in_flight.most.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many notification sockets and event streams were opened.
    pub fn sockets_opened(&self) -> u64 {
        self.sockets.ever.load(Ordering::SeqCst)
    }

    /// How many of them are open now.
    pub fn sockets_open(&self) -> u64 {
        self.sockets.now.load(Ordering::SeqCst)
    }

    /// Waits until there were `total` requests.
    pub async fn reached(&self, total: u64) {
        // The sender lives as long as `self`, so this ends only by the count.
        let _ = self.total.subscribe().wait_for(|now| *now >= total).await;
    }

    /// Forgets every figure except gauges.
    pub fn reset(&self) {
        *self.figures.lock() = Figures::default();
        self.recent.lock().clear();
        self.total.send_replace(0);
        self.in_flight.most.store(self.in_flight(), Ordering::SeqCst);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn arrived(&self, seen: Seen) -> Held {
        {
            let mut figures = self.figures.lock();
            figures.total += 1;
            *figures.by_class.entry(seen.class).or_default() += 1;
            *figures.by_token.entry(seen.token.clone()).or_default() += 1;
            *figures.by_class_and_token.entry((seen.class, seen.token.clone())).or_default() += 1;
        }
        let mut recent = self.recent.lock();
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(seen);
        drop(recent);
        self.total.send_modify(|total| *total += 1);
        Gauge::up(&self.in_flight)
    }

    pub(crate) fn answered(&self, status: u16) {
        *self.figures.lock().by_status.entry(status).or_default() += 1;
    }

    /// Counts a notification socket until what is returned is dropped.
    pub fn socket(&self) -> Held {
        Gauge::up(&self.sockets)
    }
}

impl Gauge {
    fn up(self: &Arc<Self>) -> Held {
        self.ever.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Held(Arc::clone(self))
    }
}

/// Goes down with the gauge it holds up.
pub struct Held(Arc<Gauge>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

fn nested<S: serde::Serializer>(map: &BTreeMap<(Class, String), u64>, out: S) -> Result<S::Ok, S::Error> {
    let mut tree: BTreeMap<Class, BTreeMap<&str, u64>> = BTreeMap::new();
    for ((class, token), count) in map {
        tree.entry(*class).or_default().insert(token, *count);
    }
    tree.serialize(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(target: &str) -> Seen {
        Seen { method: "GET".into(), target: target.into(), token: "sam".into(), class: Class::List }
    }

    #[test]
    fn a_request_is_counted_by_class_and_token() {
        let ledger = Ledger::default();
        drop(ledger.arrived(seen("/a")));
        drop(ledger.arrived(seen("/b")));
        assert_eq!(ledger.total(), 2);
        assert_eq!(ledger.of(Class::List), 2);
        assert_eq!(ledger.by_token()["sam"], 2);
        assert_eq!(ledger.count(|seen| seen.target == "/b"), 1);
    }

    #[test]
    fn the_gauge_goes_down_again_but_its_height_stays() {
        let ledger = Ledger::default();
        let (one, two) = (ledger.arrived(seen("/a")), ledger.arrived(seen("/b")));
        assert_eq!(ledger.in_flight(), 2);
        drop((one, two));
        assert_eq!((ledger.in_flight(), ledger.max_in_flight()), (0, 2));
    }

    #[test]
    fn what_is_old_is_only_counted() {
        let ledger = Ledger::default();
        for number in 0..REMEMBERED + 3 {
            drop(ledger.arrived(seen(&format!("/{number}"))));
        }
        assert_eq!(ledger.requests().len(), REMEMBERED);
        assert_eq!(ledger.requests()[0].target, "/3");
        assert_eq!(ledger.total(), REMEMBERED as u64 + 3);
    }
}
