//! What was counted, in the shape the API and the page show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::what_if::Choice;
use crate::record::counts::{Count, Counts};
use crate::record::minute_bucket::By;
use crate::record::time_series::{Point, Step};
use crate::statistics::db::{Range as Rows, Row};

/// By what rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// All of a server together.
    Server,
    /// A class of reads, or what is no read.
    Class,
    /// An app.
    App,
    /// A user.
    User,
}

impl Grouping {
    /// Which rows are asked for.
    pub fn by(self) -> By {
        match self {
            Self::Server | Self::Class => By::Class,
            Self::App => By::App,
            Self::User => By::User,
        }
    }
}

/// How far back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Span {
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

impl Span {
    /// The rows that are summed up, the step under way included.
    pub fn rows(self, now_ms: u64) -> Rows {
        let (step, steps) = match self {
            Self::Hour => (Step::Minute, 60),
            Self::Day => (Step::Hour, 24),
            Self::Week => (Step::Hour, 7 * 24),
            Self::Month => (Step::Day, 30),
            Self::Year => (Step::Day, 365),
        };
        let until_ms = step.floor(now_ms) + step.ms();
        Rows { step, since_ms: until_ms.saturating_sub(steps * step.ms()), until_ms }
    }

    /// Of which points a curve is made, how long each is, and since when.
    pub fn curve(self, now_ms: u64) -> (Step, u64, u64) {
        let (step, each_ms, count) = match self {
            Self::Hour => (Step::Minute, Step::Minute.ms(), 60),
            Self::Day => (Step::Minute, 10 * Step::Minute.ms(), 144),
            Self::Week => (Step::Hour, Step::Hour.ms(), 7 * 24),
            Self::Month => (Step::Day, Step::Day.ms(), 30),
            Self::Year => (Step::Day, Step::Day.ms(), 365),
        };
        let newest_ms = now_ms - now_ms % each_ms;
        (step, each_ms, newest_ms.saturating_sub((count - 1) * each_ms))
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Sums {
    /// Requests that were answered, in whatever way: hits, stale, joined, missed, failed and passed together.
    pub asked: u64,
    /// Answered from the cache, fresh.
    pub hits: u64,
    /// Answered from the cache, older than fresh.
    pub stale: u64,
    /// Answered by waiting for somebody else's question.
    pub joined: u64,
    /// Answered by asking the server, for keeping.
    pub missed: u64,
    /// Answered with an error, or refused.
    pub failed: u64,
    /// Answered by the server past the cache: streams, writes, what is bypassed.
    pub passed: u64,
    /// Requests to the server that these caused.
    pub reached: u64,
    /// Answered without asking the server.
    pub saved: u64,
    /// What asking would have taken, by how long loads of the class took on average at that time.
    pub seconds_saved: u64,
    /// Bytes of the answers, as far as their length was known when they began.
    pub bytes: u64,
    /// What was missed, by reason.
    pub misses: BTreeMap<&'static str, u64>,
    /// Of our own loads, those whose answer was read. Counted by class only.
    pub refreshes_useful: u64,
    /// Of our own loads, those whose answer nobody read. Counted by class only.
    pub refreshes_useless: u64,
}

impl Sums {
    /// In this shape.
    pub fn of(counts: &Counts) -> Self {
        let misses = Count::MISSES.into_iter().map(|(word, count)| (word, counts.of(count)));
        Self {
            asked: counts.of(Count::Asked),
            hits: counts.of(Count::Hits),
            stale: counts.of(Count::Stale),
            joined: counts.of(Count::Joined),
            missed: counts.of(Count::Missed),
            failed: counts.of(Count::Failed),
            passed: counts.of(Count::Passed),
            reached: counts.of(Count::Reached),
            saved: counts.of(Count::Saved),
            seconds_saved: counts.of(Count::SavedMs) / 1000,
            bytes: counts.of(Count::Bytes),
            misses: misses.filter(|(_, count)| *count > 0).collect(),
            refreshes_useful: counts.of(Count::RefreshesUseful),
            refreshes_useless: counts.of(Count::RefreshesUseless),
        }
    }
}

/// How old answers were that had been kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ages {
    /// Half of them were no older.
    pub p50_s: Option<u64>,
    /// 95 of a hundred were no older.
    pub p95_s: Option<u64>,
    /// The oldest; pictures and the web client's own files aside.
    pub max_s: u64,
}

/// How long answers took until they began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Latencies {
    /// Half of them were no slower.
    pub p50_ms: Option<f64>,
    /// 95 of a hundred were no slower.
    pub p95_ms: Option<f64>,
}

/// One class, app or user of a server.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Line {
    /// The server.
    pub server: String,
    /// The class, the app or the user; the server itself where all of it is asked for.
    pub name: String,
    /// What was counted.
    #[serde(flatten)]
    pub sums: Sums,
    /// How old its answers were.
    pub age: Ages,
    /// How long they took.
    pub latency: Latencies,
    /// When the last one was given.
    pub last_ms: Option<u64>,
    /// Why most of what an app asks is not answered from the cache, if that is so.
    pub not_cacheable: Option<&'static str>,
}

impl Line {
    /// In this shape.
    pub fn of(row: Row, grouping: Grouping) -> Self {
        let counts = &row.counts;
        let age = |percent| counts.ages.percentile(percent).map(|age_ms| age_ms / 1000);
        let latency = |percent| counts.latencies.percentile(percent).map(|took_us| took_us as f64 / 1000.0);
        Self {
            sums: Sums::of(counts),
            age: Ages { p50_s: age(50), p95_s: age(95), max_s: counts.oldest_ms / 1000 },
            latency: Latencies { p50_ms: latency(50), p95_ms: latency(95) },
            last_ms: Some(counts.last_ms).filter(|last_ms| *last_ms > 0),
            not_cacheable: counts.not_cacheable().filter(|_| grouping == Grouping::App),
            server: row.server,
            name: row.name,
        }
    }
}

/// What was counted in a span of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Table {
    /// By what rows are told apart.
    pub by: Grouping,
    /// From here …
    pub since_ms: u64,
    /// … until now.
    pub until_ms: u64,
    /// The busiest first.
    pub rows: Vec<Line>,
    /// What we asked for ourselves: refreshes, warming, loads ahead, events, spot checks. In no row.
    pub own: Sums,
}

/// A curve of what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Curve {
    /// How long each point is.
    pub step_s: u64,
    /// One for each step, those in which nothing was asked included, the oldest first.
    pub points: Vec<CurvePoint>,
}

/// What was asked in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CurvePoint {
    /// When it begins.
    pub at_ms: u64,
    /// Requests that apps made.
    pub asked: u64,
    /// Requests to the server that these caused.
    pub reached: u64,
    /// Requests that we made for ourselves.
    pub own: u64,
    /// Requests that were answered without asking the server.
    pub saved: u64,
    /// Requests that were answered with an error.
    pub failed: u64,
    /// What asking would have taken.
    pub seconds_saved: u64,
}

/// What happened since midnight, where this machine is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Today {
    /// When the day began.
    pub since_ms: u64,
    /// Requests that apps made.
    pub asked: u64,
    /// Requests to the servers that these caused.
    pub reached: u64,
    /// Requests that we made for ourselves.
    pub own: u64,
    /// Requests that were answered without asking the server.
    pub saved: u64,
    /// What asking would have taken, all together, by how long loads of each class took on average.
    pub seconds_saved: u64,
    /// Answers that were older than fresh.
    pub stale: u64,
    /// The same as a share of what the cache answered, fresh or not, waited for or not; `null` before it did.
    pub stale_share: Option<f64>,
    /// The oldest answer that was given, pictures and the web client's own files aside.
    pub oldest_s: u64,
    /// Answers that were compared with what the server said at that moment.
    pub spot_checks: SpotSum,
}

/// How spot checks came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpotSum {
    /// How many were made.
    pub made: u64,
    /// Those that found an answer which nothing explains.
    pub wrong: u64,
}

/// What other lifetimes of a class would have saved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WhatIf {
    /// The server.
    pub server: String,
    /// The class.
    pub class: &'static str,
    /// Which number of its lifetime holds at the moment, and is played: `fresh_s`, or `fresh_with_signal_s` where the
    /// server's events are followed.
    pub window: &'static str,
    /// How long its answers are fresh by it.
    pub fresh_s: u64,
    /// What was sampled.
    pub recorded: Sampled,
    /// Other lifetimes, the shortest first; none before anybody asked.
    pub options: Vec<Choice>,
}

/// Traffic that was sampled in the last day, and how much of it reaches the server under the lifetime of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sampled {
    /// Since when.
    pub since_ms: u64,
    /// Questions in the sample.
    pub asked: u64,
    /// Of these, the ones that have the server asked.
    pub reached: u64,
}

/// Puts points together to a curve, from `since_ms` until now.
pub fn curve(points: &[Point], (each_ms, since_ms): (u64, u64), now_ms: u64) -> Curve {
    let count = now_ms.saturating_sub(since_ms) / each_ms + 1;
    let mut sums: Vec<Point> =
        (0..count).map(|step| Point { at_ms: since_ms + step * each_ms, ..Point::default() }).collect();
    for point in points {
        let place = usize::try_from(point.at_ms.saturating_sub(since_ms) / each_ms).unwrap_or(usize::MAX);
        if let Some(sum) = sums.get_mut(place) {
            sum.add(point);
        }
    }
    let shown = |point: Point| CurvePoint {
        at_ms: point.at_ms,
        asked: point.asked,
        reached: point.reached,
        own: point.own,
        saved: point.saved,
        failed: point.failed,
        seconds_saved: point.saved_ms / 1000,
    };
    Curve { step_s: each_ms / 1000, points: sums.into_iter().map(shown).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_a_point_for_every_step_and_adds_up_to_what_was_asked() {
        let now_ms = 1_000 * Step::Day.ms() + 12_345_678;
        for span in [Span::Hour, Span::Day, Span::Week, Span::Month, Span::Year] {
            let (step, each_ms, since_ms) = span.curve(now_ms);
            let points = [since_ms, now_ms].map(|at_ms| Point {
                at_ms: step.floor(at_ms),
                asked: 1,
                ..Point::default()
            });
            let curve = curve(&points, (each_ms, since_ms), now_ms);
            let asked: Vec<_> = curve.points.iter().map(|point| point.asked).collect();
            assert_eq!((asked.first(), asked.last(), asked.iter().sum::<u64>()), (Some(&1), Some(&1), 2));
        }
    }

    #[test]
    fn a_span_holds_now_and_is_as_long_as_it_says() {
        let now_ms = 1_000 * Step::Day.ms() + 12_345_678;
        let rows = Span::Day.rows(now_ms);
        assert!(rows.since_ms <= now_ms && now_ms < rows.until_ms);
        assert_eq!(rows.until_ms - rows.since_ms, Step::Day.ms());
    }
}
