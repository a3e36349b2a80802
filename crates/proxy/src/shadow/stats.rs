//! Counters of a shadow run (observe mode): one row per request type and app.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::comparison::CacheCorrectness;

/// Row of writes, which reach the server in every mode.
pub const WRITES: &str = "writes";
/// Row of pass-through requests.
pub const STREAMS: &str = "streams";

/// The cache's predicted response to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PredictedOutcome {
    /// Served from the cache, fresh.
    Hit,
    /// Served from the cache, with a background refresh.
    Stale,
    /// Joined another request's load.
    Joined,
    /// Loaded from the server.
    Miss,
    /// Loaded from the server, as every time, because the response is not cacheable.
    Uncacheable,
    /// The load failed: answered with an error, or with an expired entry instead.
    Failed,
}

/// Counts of a set of requests. Those of several sets can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ObservedCounts)]
pub struct ShadowCounts {
    /// Requests of apps; all of them reached the server.
    pub asked: u64,
    /// Requests that would have reached the server with the cache, including refreshes and warming.
    pub reached: u64,
    /// Of `reached`, those for which no app would have waited.
    pub own: u64,
    /// Would have been fresh hits.
    pub hits: u64,
    /// Would have been served stale, with a background refresh.
    pub stale: u64,
    /// Would have joined another request's load.
    pub joined: u64,
    /// Would have been loaded from the server.
    pub missed: u64,
    /// Would have been loaded each time, because the response is not cacheable.
    pub uncacheable: u64,
    /// Would have been answered with an error, or with an expired entry instead.
    pub failed: u64,
    /// Responses that would have come from the cache and were compared with the server's.
    pub compared: u64,
    /// Of `compared`, those with an unexplained difference.
    pub differed: u64,
    /// Of `compared`, those that differ because responses of this request type change from second to second.
    pub moved: u64,
    /// Of `compared`, those that differ because the server's response changed within the entry's allowed age.
    pub changed: u64,
    /// Of `compared`, those that the server now denied, while the token's grant was still valid.
    pub right_ended: u64,
    /// Responses that would have come from the cache but could not be compared, because a body was missing.
    pub unread: u64,
    /// Responses that would have come from the cache while the server failed.
    pub rescued: u64,
}

impl AddAssign for ShadowCounts {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.asked, other.asked),
            (&mut self.reached, other.reached),
            (&mut self.own, other.own),
            (&mut self.hits, other.hits),
            (&mut self.stale, other.stale),
            (&mut self.joined, other.joined),
            (&mut self.missed, other.missed),
            (&mut self.uncacheable, other.uncacheable),
            (&mut self.failed, other.failed),
            (&mut self.compared, other.compared),
            (&mut self.differed, other.differed),
            (&mut self.moved, other.moved),
            (&mut self.changed, other.changed),
            (&mut self.right_ended, other.right_ended),
            (&mut self.unread, other.unread),
            (&mut self.rescued, other.rescued),
        ];
        for (sum, count) in pairs {
            *sum += count;
        }
    }
}

impl ShadowCounts {
    fn predict(&mut self, prediction: PredictedOutcome) {
        *match prediction {
            PredictedOutcome::Hit => &mut self.hits,
            PredictedOutcome::Stale => &mut self.stale,
            PredictedOutcome::Joined => &mut self.joined,
            PredictedOutcome::Miss => &mut self.missed,
            PredictedOutcome::Uncacheable => &mut self.uncacheable,
            PredictedOutcome::Failed => &mut self.failed,
        } += 1;
    }

    fn compare(&mut self, correctness: CacheCorrectness) {
        let is_compared = !matches!(correctness, CacheCorrectness::Unread | CacheCorrectness::Rescued);
        self.compared += u64::from(is_compared);
        match correctness {
            CacheCorrectness::Same => {}
            CacheCorrectness::Unread => self.unread += 1,
            CacheCorrectness::Rescued => self.rescued += 1,
            CacheCorrectness::Moved => self.moved += 1,
            CacheCorrectness::Changed => self.changed += 1,
            CacheCorrectness::RightEnded => self.right_ended += 1,
            CacheCorrectness::Unexplained => self.differed += 1,
        }
    }
}

/// Counts of one request type and app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowStatsRow {
    /// The request type; [`WRITES`] or [`STREAMS`] for requests that are not reads.
    pub class: &'static str,
    /// The app.
    pub app: String,
    /// The counts.
    pub counts: ShadowCounts,
}

/// All rows. Their number is bounded, because those of request types and of apps are.
#[derive(Debug, Default)]
pub struct ShadowStats(Mutex<BTreeMap<(&'static str, String), ShadowCounts>>);

impl ShadowStats {
    /// Records a read: how the cache would have answered it, and, if there was a cached response, whether it was right.
    pub fn record_read(
        &self,
        class: &'static str,
        app: &str,
        prediction: PredictedOutcome,
        correctness: Option<CacheCorrectness>,
    ) {
        self.change(class, app, |row| {
            row.asked += 1;
            row.predict(prediction);
            if let Some(correctness) = correctness {
                row.compare(correctness);
            }
        });
    }

    /// Records a request that the cache would have sent to the server; `own` if no app would have waited for it.
    pub fn record_upstream_request(&self, class: &'static str, app: &str, own: bool) {
        self.change(class, app, |row| {
            row.reached += 1;
            row.own += u64::from(own);
        });
    }

    /// Records a request that passes through in every mode.
    pub fn record_passed(&self, category: &'static str, app: &str) {
        self.change(category, app, |row| {
            row.asked += 1;
            row.reached += 1;
        });
    }

    /// All rows.
    pub fn rows(&self) -> Vec<ShadowStatsRow> {
        let row = |((class, app), counts): (&(&'static str, String), &ShadowCounts)| ShadowStatsRow {
            class,
            app: app.clone(),
            counts: *counts,
        };
        self.0.lock().iter().map(row).collect()
    }

    fn change(&self, class: &'static str, app: &str, change: impl FnOnce(&mut ShadowCounts)) {
        change(self.0.lock().entry((class, app.to_owned())).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prediction_and_every_comparison_is_counted_once() {
        let stats = ShadowStats::default();
        stats.record_read("lists", "a", PredictedOutcome::Hit, Some(CacheCorrectness::Same));
        stats.record_read("lists", "a", PredictedOutcome::Stale, Some(CacheCorrectness::Changed));
        stats.record_read("lists", "a", PredictedOutcome::Joined, Some(CacheCorrectness::Unexplained));
        stats.record_read("lists", "a", PredictedOutcome::Miss, None);
        stats.record_upstream_request("lists", "a", false);
        stats.record_upstream_request("lists", "a", true);
        stats.record_passed(WRITES, "b");
        let rows = stats.rows();
        let counts = ShadowCounts {
            asked: 4,
            reached: 2,
            own: 1,
            hits: 1,
            stale: 1,
            joined: 1,
            missed: 1,
            compared: 3,
            changed: 1,
            differed: 1,
            ..ShadowCounts::default()
        };
        let write_counts = ShadowCounts { asked: 1, reached: 1, ..ShadowCounts::default() };
        let row = |class, app: &str, counts| ShadowStatsRow { class, app: app.to_owned(), counts };
        assert_eq!(rows, [row("lists", "a", counts), row(WRITES, "b", write_counts)]);
        let mut sum = counts;
        sum += write_counts;
        assert_eq!((sum.asked, sum.reached, sum.changed), (5, 3, 1));
    }
}
