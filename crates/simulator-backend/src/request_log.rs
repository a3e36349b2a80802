//! Log of all requests: counts by class and token, and the latest requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::class::RequestClass;

/// Latest requests that are stored one by one; older ones are only counted.
pub const REMEMBERED: usize = 16_384;

/// A logged request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// The method.
    pub method: String,
    /// Path and query, without tokens; behind a `#` the operations in the body, if the dialect has such.
    pub target: String,
    /// Label of the token: `owner-a`, `none`, `unknown` …
    pub token: String,
    /// The class.
    pub class: RequestClass,
}

/// Counts of the log at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RequestLogStats {
    /// All requests.
    pub total: u64,
    /// By class.
    pub by_class: BTreeMap<RequestClass, u64>,
    /// By label of the token.
    pub by_token: BTreeMap<String, u64>,
    /// By class and label of the token.
    #[serde(serialize_with = "nested")]
    pub by_class_and_token: BTreeMap<(RequestClass, String), u64>,
    /// Responses by status.
    pub by_status: BTreeMap<u16, u64>,
}

/// The log. Requests to the simulator's own pages are not in it.
#[derive(Debug)]
pub struct RequestLog {
    figures: Mutex<RequestLogStats>,
    recent: Mutex<VecDeque<LoggedRequest>>,
    total: watch::Sender<u64>,
    in_flight: Arc<Gauge>,
    connections: AtomicU64,
    sockets: Arc<Gauge>,
}

/// A gauge with its maximum.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
    ever: AtomicU64,
}

impl Default for RequestLog {
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

impl RequestLog {
    /// Number of requests.
    pub fn total(&self) -> u64 {
        *self.total.borrow()
    }

    /// Number of requests by class.
    pub fn by_class(&self) -> BTreeMap<RequestClass, u64> {
        self.figures.lock().by_class.clone()
    }

    /// Number of requests of this class.
    pub fn count_of_class(&self, class: RequestClass) -> u64 {
        self.figures.lock().by_class.get(&class).copied().unwrap_or(0)
    }

    /// Number of requests by token.
    pub fn by_token(&self) -> BTreeMap<String, u64> {
        self.figures.lock().by_token.clone()
    }

    /// All counts at once.
    pub fn stats(&self) -> RequestLogStats {
        self.figures.lock().clone()
    }

    /// The latest requests, oldest first, [`REMEMBERED`] at the most.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.recent.lock().iter().cloned().collect()
    }

    /// Number of stored requests for which `fits` holds.
    pub fn count(&self, fits: impl Fn(&LoggedRequest) -> bool) -> usize {
        self.recent.lock().iter().filter(|seen| fits(seen)).count()
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.now.load(Ordering::SeqCst)
    }

    /// Maximum of concurrent requests.
    pub fn max_in_flight(&self) -> u64 {
        self.in_flight.most.load(Ordering::SeqCst)
    }

    /// Number of accepted connections.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Number of opened notification sockets and event streams.
    pub fn sockets_opened(&self) -> u64 {
        self.sockets.ever.load(Ordering::SeqCst)
    }

    /// Number of those open now.
    pub fn sockets_open(&self) -> u64 {
        self.sockets.now.load(Ordering::SeqCst)
    }

    /// Waits until there were `total` requests.
    pub async fn wait_for_total(&self, total: u64) {
        // The sender lives as long as `self`, so this ends only by the count.
        let _ = self.total.subscribe().wait_for(|now| *now >= total).await;
    }

    /// Resets all counts except gauges.
    pub fn reset(&self) {
        *self.figures.lock() = RequestLogStats::default();
        self.recent.lock().clear();
        self.total.send_replace(0);
        self.in_flight.most.store(self.in_flight(), Ordering::SeqCst);
    }

    pub(crate) fn record_connection(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn record_request(&self, seen: LoggedRequest) -> GaugeGuard {
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

    pub(crate) fn record_status(&self, status: u16) {
        *self.figures.lock().by_status.entry(status).or_default() += 1;
    }

    /// Counts a notification socket until the returned guard is dropped.
    pub fn track_socket(&self) -> GaugeGuard {
        Gauge::up(&self.sockets)
    }
}

impl Gauge {
    fn up(self: &Arc<Self>) -> GaugeGuard {
        self.ever.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        GaugeGuard(Arc::clone(self))
    }
}

/// Decrements its gauge on drop.
pub struct GaugeGuard(Arc<Gauge>);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

fn nested<S: serde::Serializer>(map: &BTreeMap<(RequestClass, String), u64>, out: S) -> Result<S::Ok, S::Error> {
    let mut tree: BTreeMap<RequestClass, BTreeMap<&str, u64>> = BTreeMap::new();
    for ((class, token), count) in map {
        tree.entry(*class).or_default().insert(token, *count);
    }
    tree.serialize(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(target: &str) -> LoggedRequest {
        LoggedRequest { method: "GET".into(), target: target.into(), token: "sam".into(), class: RequestClass::List }
    }

    #[test]
    fn a_request_is_counted_by_class_and_token() {
        let ledger = RequestLog::default();
        drop(ledger.record_request(seen("/a")));
        drop(ledger.record_request(seen("/b")));
        assert_eq!(ledger.total(), 2);
        assert_eq!(ledger.count_of_class(RequestClass::List), 2);
        assert_eq!(ledger.by_token()["sam"], 2);
        assert_eq!(ledger.count(|seen| seen.target == "/b"), 1);
    }

    #[test]
    fn the_gauge_goes_down_again_but_its_height_stays() {
        let ledger = RequestLog::default();
        let (one, two) = (ledger.record_request(seen("/a")), ledger.record_request(seen("/b")));
        assert_eq!(ledger.in_flight(), 2);
        drop((one, two));
        assert_eq!((ledger.in_flight(), ledger.max_in_flight()), (0, 2));
    }

    #[test]
    fn what_is_old_is_only_counted() {
        let ledger = RequestLog::default();
        for number in 0..REMEMBERED + 3 {
            drop(ledger.record_request(seen(&format!("/{number}"))));
        }
        assert_eq!(ledger.requests().len(), REMEMBERED);
        assert_eq!(ledger.requests()[0].target, "/3");
        assert_eq!(ledger.total(), REMEMBERED as u64 + 3);
    }
}
