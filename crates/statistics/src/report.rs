//! Reports of the statistics, in the form of the API and the page.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::what_if::TriedTtl;
use crate::db::{StatisticsDbRow, TimeRange as Rows};
use greenroom_request_log::counts::{RequestCounter, RequestCounts};
use greenroom_request_log::minute_bucket::RowKind;
use greenroom_request_log::time_series::{SeriesPoint, TimeStep};

/// Grouping of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatisticsGrouping {
    /// The whole server.
    Server,
    /// A class of reads, or another category.
    Class,
    /// An app.
    App,
    /// A user.
    User,
}

impl StatisticsGrouping {
    /// Kind of the rows to sum.
    pub fn row_kind(self) -> RowKind {
        match self {
            Self::Server | Self::Class => RowKind::Class,
            Self::App => RowKind::App,
            Self::User => RowKind::User,
        }
    }
}

/// Time span until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeSpan {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    #[default]
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
}

impl TimeSpan {
    /// Range of the rows to sum, including the current step.
    pub fn rows(self, now_ms: Timestamp) -> Rows {
        let (step, steps) = match self {
            Self::Hour => (TimeStep::Minute, 60),
            Self::Day => (TimeStep::Hour, 24),
            Self::Week => (TimeStep::Hour, 7 * 24),
            Self::Month => (TimeStep::Day, 30),
            Self::Year => (TimeStep::Day, 365),
        };
        let until_ms = step.floor(now_ms) + Duration::from_millis(step.ms());
        Rows { step, since_ms: until_ms.saturating_sub(Duration::from_millis(steps * step.ms())), until_ms }
    }

    /// Step of the points, length of a curve's step, and start.
    pub fn curve(self, now_ms: Timestamp) -> (TimeStep, Duration, Timestamp) {
        let (step, each, count) = match self {
            Self::Hour => (TimeStep::Minute, TimeStep::Minute.length(), 60),
            Self::Day => (TimeStep::Minute, TimeStep::Minute.length() * 10, 144),
            Self::Week => (TimeStep::Hour, TimeStep::Hour.length(), 7 * 24),
            Self::Month => (TimeStep::Day, TimeStep::Day.length(), 30),
            Self::Year => (TimeStep::Day, TimeStep::Day.length(), 365),
        };
        let newest_ms = now_ms.start_of_period(each);
        (step, each, newest_ms.saturating_sub(each * (count - 1)))
    }
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Sums {
    /// All requests: hits, stale, joined, missed, failed and passed together.
    pub asked: u64,
    /// Served from the cache, fresh.
    pub hits: u64,
    /// Served from the cache, stale.
    pub stale: u64,
    /// Joined another request's load.
    pub joined: u64,
    /// Loaded from the server.
    pub missed: u64,
    /// Failed or rejected.
    pub failed: u64,
    /// Answered by the server past the cache: streams, writes, bypassed reads.
    pub passed: u64,
    /// Requests to the server caused by these.
    pub reached: u64,
    /// Served without asking the server.
    pub saved: u64,
    /// Time that asking would have taken, by the average load of the class at that time.
    pub seconds_saved: u64,
    /// Bytes of the responses, as far as their length was known when they began.
    pub bytes: u64,
    /// Misses, by reason.
    pub misses: BTreeMap<&'static str, u64>,
    /// Own loads whose response was read. Counted by class only.
    pub refreshes_useful: u64,
    /// Own loads whose response was never read. Counted by class only.
    pub refreshes_useless: u64,
}

impl Sums {
    /// Converts the counts.
    pub fn from_counts(counts: &RequestCounts) -> Self {
        let misses = RequestCounter::MISSES.into_iter().map(|(name, count)| (name, counts.get(count)));
        Self {
            asked: counts.get(RequestCounter::Asked),
            hits: counts.get(RequestCounter::Hits),
            stale: counts.get(RequestCounter::Stale),
            joined: counts.get(RequestCounter::Joined),
            missed: counts.get(RequestCounter::Missed),
            failed: counts.get(RequestCounter::Failed),
            passed: counts.get(RequestCounter::Passed),
            reached: counts.get(RequestCounter::Reached),
            saved: counts.get(RequestCounter::Saved),
            seconds_saved: counts.get(RequestCounter::SavedMs) / 1000,
            bytes: counts.get(RequestCounter::Bytes),
            misses: misses.filter(|(_, count)| *count > 0).collect(),
            refreshes_useful: counts.get(RequestCounter::RefreshesUseful),
            refreshes_useless: counts.get(RequestCounter::RefreshesUseless),
        }
    }
}

/// Ages of responses from the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgeSummary {
    /// Median.
    pub p50_s: Option<u64>,
    /// 95th percentile.
    pub p95_s: Option<u64>,
    /// Maximum, without images and the web client's own files.
    pub max_s: u64,
}

/// Latency until the response began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct LatencySummary {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
}

/// One class, app or user of a server.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StatisticsRow {
    /// The server.
    pub server: String,
    /// The class, the app or the user; the server itself if grouped by server.
    pub name: String,
    /// The user's name, if grouped by user and the name is known.
    pub user_name: Option<String>,
    /// Counts.
    #[serde(flatten)]
    pub sums: Sums,
    /// Ages of its responses from the cache.
    pub age: AgeSummary,
    /// Latencies.
    pub latency: LatencySummary,
    /// Time of the last request.
    pub last_ms: Option<u64>,
    /// Reason why most of an app's requests are not answered from the cache, if most are not.
    pub not_cacheable: Option<&'static str>,
}

impl StatisticsRow {
    /// Converts a row.
    pub fn from_row(row: StatisticsDbRow, grouping: StatisticsGrouping) -> Self {
        let counts = &row.counts;
        let age = |percent| counts.ages.percentile(percent).map(|age_ms| age_ms / 1000);
        let latency = |percent| counts.latencies.percentile(percent).map(|elapsed_us| elapsed_us as f64 / 1000.0);
        Self {
            sums: Sums::from_counts(counts),
            age: AgeSummary { p50_s: age(50), p95_s: age(95), max_s: counts.oldest_ms.as_secs() },
            latency: LatencySummary { p50_ms: latency(50), p95_ms: latency(95) },
            last_ms: Some(counts.last_ms).filter(|last_ms| *last_ms > Timestamp::UNIX_EPOCH).map(Timestamp::as_millis),
            not_cacheable: counts.not_cacheable().filter(|_| grouping == StatisticsGrouping::App),
            server: row.server,
            name: row.name,
            user_name: None,
        }
    }
}

/// Statistics of a time span.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StatisticsTable {
    /// Grouping of the rows.
    pub by: StatisticsGrouping,
    /// Start of the span.
    pub since_ms: u64,
    /// End of the span: now.
    pub until_ms: u64,
    /// Rows, busiest first.
    pub rows: Vec<StatisticsRow>,
    /// Own requests: refreshes, warming, prefetch, events, spot checks. In no row.
    pub own: Sums,
}

/// Requests over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Curve {
    /// Length of a step.
    pub step_s: u64,
    /// One point per step, including empty ones, oldest first.
    pub points: Vec<CurvePoint>,
}

/// Requests of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CurvePoint {
    /// Start of the step.
    pub at_ms: u64,
    /// Requests of apps.
    pub asked: u64,
    /// Requests to the server caused by these.
    pub reached: u64,
    /// Own requests.
    pub own: u64,
    /// Requests served without asking the server.
    pub saved: u64,
    /// Hits, stale ones included: the part of `reads` that makes the hit rate.
    pub hits: u64,
    /// Requests answered by way of the cache: fresh, stale, joined or missed.
    pub reads: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Time that asking would have taken.
    pub seconds_saved: u64,
}

/// Summary since local midnight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct TodaySummary {
    /// Start of the day.
    pub since_ms: u64,
    /// Requests of apps.
    pub asked: u64,
    /// Requests to the servers caused by these.
    pub reached: u64,
    /// Own requests.
    pub own: u64,
    /// Requests served without asking the server.
    pub saved: u64,
    /// Total time that asking would have taken, by the average load of each class.
    pub seconds_saved: u64,
    /// Share of hits, stale ones included, in the requests answered by way of the cache; `null` without any.
    pub hit_rate: Option<f64>,
    /// Stale responses.
    pub stale: u64,
    /// Their share of the requests answered by way of the cache (fresh, stale, joined or missed); `null` without any.
    pub stale_share: Option<f64>,
    /// Age of the oldest response, without images and the web client's own files.
    pub oldest_s: u64,
    /// Spot checks: cached responses compared with the server's.
    pub spot_checks: SpotCheckSummary,
}

/// Results of spot checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpotCheckSummary {
    /// Checks made.
    pub made: u64,
    /// Checks with an unexplained difference.
    pub wrong: u64,
}

/// Savings that other TTLs of a class would have brought.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WhatIfReport {
    /// The server.
    pub server: String,
    /// The class.
    pub class: &'static str,
    /// The number of the TTL policy that applies now and is replayed: `fresh_s`, or `fresh_with_signal_s` where the
    /// server's events arrive.
    pub window: &'static str,
    /// Its value in seconds.
    pub fresh_s: u64,
    /// The sample.
    pub recorded: SampledTraffic,
    /// Other TTLs, shortest first; empty without requests.
    pub options: Vec<TriedTtl>,
}

/// Sampled traffic of the last day, and how much of it reaches the server under the current TTL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SampledTraffic {
    /// Start of the sample.
    pub since_ms: u64,
    /// Requests in the sample.
    pub asked: u64,
    /// Of these, the ones that cause a request to the server.
    pub reached: u64,
}

/// Merges points into a curve from `since_ms` until now.
pub fn curve(points: &[SeriesPoint], (each, since_ms): (Duration, Timestamp), now_ms: Timestamp) -> Curve {
    let each_ms = millis(each);
    let count = now_ms.millis_since(since_ms) / each_ms + 1;
    let mut sums: Vec<SeriesPoint> = (0..count)
        .map(|step| SeriesPoint { at_ms: since_ms + Duration::from_millis(step * each_ms), ..SeriesPoint::default() })
        .collect();
    for point in points {
        let index = usize::try_from(point.at_ms.millis_since(since_ms) / each_ms).unwrap_or(usize::MAX);
        if let Some(sum) = sums.get_mut(index) {
            sum.add(point);
        }
    }
    let to_curve_point = |point: SeriesPoint| CurvePoint {
        at_ms: point.at_ms.as_millis(),
        asked: point.asked,
        reached: point.reached,
        own: point.own,
        saved: point.saved,
        hits: point.hits + point.stale,
        reads: point.judged,
        failed: point.failed,
        seconds_saved: point.saved_ms.as_secs(),
    };
    Curve { step_s: each.as_secs(), points: sums.into_iter().map(to_curve_point).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_a_point_for_every_step_and_adds_up() {
        let now_ms = 1_000 * TimeStep::Day.ms() + 12_345_678;
        for span in [TimeSpan::Hour, TimeSpan::Day, TimeSpan::Week, TimeSpan::Month, TimeSpan::Year] {
            let (step, each_ms, since_ms) = span.curve(Timestamp::from_millis(now_ms));
            let points = [since_ms, Timestamp::from_millis(now_ms)].map(|at_ms| SeriesPoint {
                at_ms: step.floor(at_ms),
                asked: 1,
                ..SeriesPoint::default()
            });
            let curve = curve(&points, (each_ms, since_ms), Timestamp::from_millis(now_ms));
            let counts: Vec<_> = curve.points.iter().map(|point| point.asked).collect();
            assert_eq!((counts.first(), counts.last(), counts.iter().sum::<u64>()), (Some(&1), Some(&1), 2));
        }
    }

    #[test]
    fn a_span_contains_now_and_has_its_length() {
        let now_ms = 1_000 * TimeStep::Day.ms() + 12_345_678;
        let rows = TimeSpan::Day.rows(Timestamp::from_millis(now_ms));
        assert!(rows.since_ms <= Timestamp::from_millis(now_ms) && now_ms < rows.until_ms.as_millis());
        assert_eq!(rows.until_ms - rows.since_ms, Duration::from_millis(TimeStep::Day.ms()));
    }
}
