//! Observe mode: the server answers every read, and it is counted what the cache would have answered.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use greenroom_request_log::RouteName;
use parking_lot::Mutex;

/// Max rows, one for each route and app; the counts of further ones are in the sum only.
const MAX_ROWS: usize = 4096;

/// Counts of a set of reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObservedCounts {
    /// Reads.
    pub asked: u64,
    /// Would have been fresh hits.
    pub hits: u64,
    /// Would have been served stale, with a background refresh.
    pub stale: u64,
    /// Would have been loaded from the server.
    pub missed: u64,
    /// Would have been loaded each time, because the response may not be stored.
    pub uncacheable: u64,
    /// The server gave no response.
    pub failed: u64,
    /// Responses that would have come from the cache and were compared with the server's.
    pub compared: u64,
    /// Of `compared`, those with another body.
    pub differed: u64,
}

impl AddAssign for ObservedCounts {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.hits += other.hits;
        self.stale += other.stale;
        self.missed += other.missed;
        self.uncacheable += other.uncacheable;
        self.failed += other.failed;
        self.compared += other.compared;
        self.differed += other.differed;
    }
}

/// The counts of one route and app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRow {
    /// The route.
    pub route: RouteName,
    /// The app.
    pub app: String,
    /// The counts.
    pub counts: ObservedCounts,
}

/// One observation.
#[derive(Debug)]
pub struct Observation {
    /// Its start.
    pub since_ms: Timestamp,
    until_ms: Mutex<Option<u64>>,
    rows: Mutex<BTreeMap<(RouteName, String), ObservedCounts>>,
}

impl Observation {
    /// An observation that begins now.
    pub(crate) fn new(now_ms: Timestamp) -> Self {
        Self { since_ms: now_ms, until_ms: Mutex::default(), rows: Mutex::default() }
    }

    /// Its end; `None` while it runs.
    pub fn until_ms(&self) -> Option<Timestamp> {
        (*self.until_ms.lock()).map(Timestamp::from_millis)
    }

    pub(crate) fn end(&self, now_ms: Timestamp) {
        self.until_ms.lock().get_or_insert(now_ms.as_millis());
    }

    pub(crate) fn record(&self, route: RouteName, app: &str, counts: ObservedCounts) {
        let mut rows = self.rows.lock();
        let key = (route, app.to_owned());
        if rows.len() >= MAX_ROWS && !rows.contains_key(&key) {
            return;
        }
        *rows.entry(key).or_default() += counts;
    }

    /// All rows.
    pub fn rows(&self) -> Vec<ObservedRow> {
        let rows = self.rows.lock();
        rows.iter()
            .map(|((route, app), counts)| ObservedRow { route: *route, app: app.clone(), counts: *counts })
            .collect()
    }
}
