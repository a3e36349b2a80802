//! Requests of one server over time: by minute, hour and day, each a sum of the finer ones. Held in memory for quick
//! responses: at most some 300 KiB per server.

use greenroom_cache::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

use super::counts::{RequestCounter, RequestCounts};

/// Milliseconds of a minute.
pub const MINUTE_MS: u64 = 60_000;
/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// Step of a series, with its retention. Hours and days are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeStep {
    /// Retained for 48 hours.
    Minute,
    /// Retained for 35 days.
    Hour,
    /// Retained for two years.
    Day,
}

impl TimeStep {
    /// Every step, finest first.
    pub const EVERY: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Length of a step.
    pub fn ms(self) -> u64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// Its length.
    pub fn length(self) -> Duration {
        Duration::from_millis(self.ms())
    }

    /// Number of retained points.
    pub fn retained(self) -> u64 {
        match self {
            Self::Minute => 48 * 60,
            Self::Hour => 35 * 24,
            Self::Day => 2 * 366,
        }
    }

    /// Start of the step that contains this moment.
    pub fn floor(self, at_ms: Timestamp) -> Timestamp {
        at_ms.start_of_period(self.length())
    }
}

/// Requests of one server in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeriesPoint {
    /// Start of the step.
    pub at_ms: Timestamp,
    /// See [`RequestCounter::Asked`].
    pub asked: u64,
    /// See [`RequestCounter::Reached`].
    pub reached: u64,
    /// Own requests.
    pub own: u64,
    /// See [`RequestCounter::Saved`].
    pub saved: u64,
    /// See [`RequestCounter::SavedMs`].
    pub saved_ms: Duration,
    /// See [`RequestCounter::Failed`].
    pub failed: u64,
    /// See [`RequestCounter::Hits`].
    pub hits: u64,
    /// See [`RequestCounter::Stale`].
    pub stale: u64,
    /// Requests answered by way of the cache, fresh, stale, joined or missed: the base of the hit rate and the stale
    /// share.
    pub judged: u64,
    /// Age of the oldest response.
    pub oldest_ms: Duration,
    /// Spot checks made.
    pub spots: u64,
    /// Of these, the ones with an unexplained difference.
    pub spots_wrong: u64,
}

impl SeriesPoint {
    /// A point with these counts.
    pub fn from_counts(counts: &RequestCounts) -> Self {
        let spots = [
            RequestCounter::SpotSame,
            RequestCounter::SpotMoved,
            RequestCounter::SpotChanged,
            RequestCounter::SpotWrong,
        ];
        Self {
            at_ms: Timestamp::UNIX_EPOCH,
            asked: counts.get(RequestCounter::Asked),
            reached: counts.get(RequestCounter::Reached),
            own: 0,
            saved: counts.get(RequestCounter::Saved),
            saved_ms: Duration::from_millis(counts.get(RequestCounter::SavedMs)),
            failed: counts.get(RequestCounter::Failed),
            hits: counts.get(RequestCounter::Hits),
            stale: counts.get(RequestCounter::Stale),
            judged: RequestCounter::JUDGED.into_iter().map(|count| counts.get(count)).sum(),
            oldest_ms: counts.oldest_ms,
            spots: spots.into_iter().map(|spot| counts.get(spot)).sum(),
            spots_wrong: counts.get(RequestCounter::SpotWrong),
        }
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.reached += other.reached;
        self.own += other.own;
        self.saved += other.saved;
        self.saved_ms += other.saved_ms;
        self.failed += other.failed;
        self.hits += other.hits;
        self.stale += other.stale;
        self.judged += other.judged;
        self.oldest_ms = self.oldest_ms.max(other.oldest_ms);
        self.spots += other.spots;
        self.spots_wrong += other.spots_wrong;
    }
}

/// Points of one server.
#[derive(Debug, Default)]
pub struct TimeSeries([VecDeque<SeriesPoint>; TimeStep::EVERY.len()]);

impl TimeSeries {
    /// Adds to the point of each step that contains this moment. Time never goes back: late requests count in the
    /// newest point.
    pub fn add(&mut self, at_ms: Timestamp, added: &SeriesPoint) {
        for step in TimeStep::EVERY {
            self.add_to(step, at_ms, added);
        }
    }

    /// Adds to the points of one step only, to restore stored ones, oldest first.
    pub fn add_to(&mut self, step: TimeStep, at_ms: Timestamp, added: &SeriesPoint) {
        let points = &mut self.0[step as usize];
        let at_ms = step.floor(at_ms);
        if points.back().is_none_or(|newest| newest.at_ms < at_ms) {
            points.push_back(SeriesPoint { at_ms, ..SeriesPoint::default() });
            let oldest_ms = at_ms.saturating_sub(Duration::from_millis(step.retained().saturating_mul(step.ms())));
            while points.front().is_some_and(|oldest| oldest.at_ms <= oldest_ms) {
                points.pop_front();
            }
        }
        if let Some(newest) = points.back_mut() {
            newest.add(added);
        }
    }

    /// Points of a step that begin at this moment or later, oldest first.
    pub fn since(&self, step: TimeStep, since_ms: Timestamp) -> impl Iterator<Item = &SeriesPoint> {
        let points = &self.0[step as usize];
        let from = points.partition_point(|point| point.at_ms < since_ms);
        points.range(from..)
    }

    /// Sum since this moment.
    pub fn sum(&self, since_ms: Timestamp) -> SeriesPoint {
        let mut sum = SeriesPoint { at_ms: since_ms, ..SeriesPoint::default() };
        self.since(TimeStep::Minute, since_ms).for_each(|point| sum.add(point));
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_hour_is_the_sum_of_its_minutes_and_a_day_of_its_hours(
            increments in proptest::collection::vec((0_u64..120_000, 1_u64..9), 1..400),
        ) {
            let mut points = TimeSeries::default();
            let mut at_ms = 20_000 * DAY_MS;
            for (later, asked) in increments {
                at_ms += later;
                points.add(Timestamp::from_millis(at_ms), &SeriesPoint { asked, saved: asked / 2, ..SeriesPoint::default() });
            }
            for (fine, coarse) in [(TimeStep::Minute, TimeStep::Hour), (TimeStep::Hour, TimeStep::Day)] {
                for whole in points.since(coarse, Timestamp::UNIX_EPOCH) {
                    let mut sum = SeriesPoint { at_ms: whole.at_ms, ..SeriesPoint::default() };
                    let parts = points.since(fine, whole.at_ms);
                    parts.take_while(|part| part.at_ms < whole.at_ms + Duration::from_millis(coarse.ms())).for_each(|part| sum.add(part));
                    prop_assert_eq!(&sum, whole);
                }
            }
        }
    }

    #[test]
    fn no_more_points_are_retained_than_the_step_allows() {
        let mut points = TimeSeries::default();
        for minute in 0..200_000 {
            points.add(Timestamp::from_millis(minute * MINUTE_MS), &SeriesPoint { asked: 1, ..SeriesPoint::default() });
        }
        let counted = |step| points.since(step, Timestamp::UNIX_EPOCH).count() as u64;
        assert_eq!(
            (counted(TimeStep::Minute), counted(TimeStep::Hour)),
            (TimeStep::Minute.retained(), TimeStep::Hour.retained())
        );
    }

    #[test]
    fn late_requests_count_in_the_newest_point() {
        let mut points = TimeSeries::default();
        let one = SeriesPoint { asked: 1, ..SeriesPoint::default() };
        points.add(Timestamp::from_millis(10 * MINUTE_MS), &one);
        points.add(Timestamp::from_millis(9 * MINUTE_MS), &one);
        let all: Vec<_> =
            points.since(TimeStep::Minute, Timestamp::UNIX_EPOCH).map(|point| (point.at_ms, point.asked)).collect();
        assert_eq!(all, [(Timestamp::from_millis(10 * MINUTE_MS), 2)]);
    }
}
