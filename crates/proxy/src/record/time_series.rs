//! What one server was asked, as a row of points in time: by minute, hour and day, each a sum of the finer ones. Kept in
//! memory, so that a page is answered at once: some 300 KiB for each server at most.

use std::collections::VecDeque;

use super::counts::{Count, Counts};

/// Milliseconds of a minute, an hour, a day.
pub const MINUTE_MS: u64 = 60_000;
/// See [`MINUTE_MS`].
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// See [`MINUTE_MS`].
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// How fine something is kept, and for how long. Hours and days are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// For 48 hours.
    Minute,
    /// For 35 days.
    Hour,
    /// For two years.
    Day,
}

impl Step {
    /// Every one, the finest first.
    pub const EVERY: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// How long one is.
    pub fn ms(self) -> u64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// How many are kept.
    pub fn kept(self) -> u64 {
        match self {
            Self::Minute => 48 * 60,
            Self::Hour => 35 * 24,
            Self::Day => 2 * 366,
        }
    }

    /// Where the one begins in which this moment lies.
    pub fn floor(self, at_ms: u64) -> u64 {
        at_ms - at_ms % self.ms()
    }
}

/// What one server was asked in one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// When it begins.
    pub at_ms: u64,
    /// See [`Count::Asked`].
    pub asked: u64,
    /// See [`Count::Reached`].
    pub reached: u64,
    /// Requests that we made for ourselves.
    pub own: u64,
    /// See [`Count::Saved`].
    pub saved: u64,
    /// See [`Count::SavedMs`].
    pub saved_ms: u64,
    /// See [`Count::Failed`].
    pub failed: u64,
    /// See [`Count::Stale`].
    pub stale: u64,
    /// Answers of the cache's way, fresh or not, waited for or not: what may be stale at all.
    pub judged: u64,
    /// The oldest answer that was given.
    pub oldest_ms: u64,
    /// Spot checks that were made.
    pub spots: u64,
    /// Of these, the ones that nothing explains.
    pub spots_wrong: u64,
}

impl Point {
    /// What these requests add.
    pub fn of(counts: &Counts) -> Self {
        let spots = [Count::SpotSame, Count::SpotMoved, Count::SpotChanged, Count::SpotWrong];
        Self {
            at_ms: 0,
            asked: counts.of(Count::Asked),
            reached: counts.of(Count::Reached),
            own: 0,
            saved: counts.of(Count::Saved),
            saved_ms: counts.of(Count::SavedMs),
            failed: counts.of(Count::Failed),
            stale: counts.of(Count::Stale),
            judged: Count::JUDGED.into_iter().map(|count| counts.of(count)).sum(),
            oldest_ms: counts.oldest_ms,
            spots: spots.into_iter().map(|spot| counts.of(spot)).sum(),
            spots_wrong: counts.of(Count::SpotWrong),
        }
    }

    /// All of the other, too.
    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.reached += other.reached;
        self.own += other.own;
        self.saved += other.saved;
        self.saved_ms += other.saved_ms;
        self.failed += other.failed;
        self.stale += other.stale;
        self.judged += other.judged;
        self.oldest_ms = self.oldest_ms.max(other.oldest_ms);
        self.spots += other.spots;
        self.spots_wrong += other.spots_wrong;
    }
}

/// The points of one server.
#[derive(Debug, Default)]
pub struct Points([VecDeque<Point>; Step::EVERY.len()]);

impl Points {
    /// Adds to the point of each step in which this moment lies. Time only goes on: what comes late is added to the
    /// newest.
    pub fn add(&mut self, at_ms: u64, more: &Point) {
        for step in Step::EVERY {
            self.add_to(step, at_ms, more);
        }
    }

    /// Adds to the points of one step only, as what was kept is put back, the oldest first.
    pub fn add_to(&mut self, step: Step, at_ms: u64, more: &Point) {
        let points = &mut self.0[step as usize];
        let at_ms = step.floor(at_ms);
        if points.back().is_none_or(|newest| newest.at_ms < at_ms) {
            points.push_back(Point { at_ms, ..Point::default() });
            let oldest_ms = at_ms.saturating_sub(step.kept().saturating_mul(step.ms()));
            while points.front().is_some_and(|oldest| oldest.at_ms <= oldest_ms) {
                points.pop_front();
            }
        }
        if let Some(newest) = points.back_mut() {
            newest.add(more);
        }
    }

    /// The points of a step that begin at this moment or later, the oldest first.
    pub fn since(&self, step: Step, since_ms: u64) -> impl Iterator<Item = &Point> {
        let points = &self.0[step as usize];
        let from = points.partition_point(|point| point.at_ms < since_ms);
        points.range(from..)
    }

    /// All since this moment together.
    pub fn sum(&self, since_ms: u64) -> Point {
        let mut sum = Point { at_ms: since_ms, ..Point::default() };
        self.since(Step::Minute, since_ms).for_each(|point| sum.add(point));
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
            asked in proptest::collection::vec((0_u64..120_000, 1_u64..9), 1..400),
        ) {
            let mut points = Points::default();
            let mut at_ms = 20_000 * DAY_MS;
            for (later, asked) in asked {
                at_ms += later;
                points.add(at_ms, &Point { asked, saved: asked / 2, ..Point::default() });
            }
            for (fine, coarse) in [(Step::Minute, Step::Hour), (Step::Hour, Step::Day)] {
                for whole in points.since(coarse, 0) {
                    let mut sum = Point { at_ms: whole.at_ms, ..Point::default() };
                    let parts = points.since(fine, whole.at_ms);
                    parts.take_while(|part| part.at_ms < whole.at_ms + coarse.ms()).for_each(|part| sum.add(part));
                    prop_assert_eq!(&sum, whole);
                }
            }
        }
    }

    #[test]
    fn no_more_points_are_kept_than_may_be() {
        let mut points = Points::default();
        for minute in 0..200_000 {
            points.add(minute * MINUTE_MS, &Point { asked: 1, ..Point::default() });
        }
        let counted = |step| points.since(step, 0).count() as u64;
        assert_eq!((counted(Step::Minute), counted(Step::Hour)), (Step::Minute.kept(), Step::Hour.kept()));
    }

    #[test]
    fn what_comes_late_counts_with_the_newest() {
        let mut points = Points::default();
        let one = Point { asked: 1, ..Point::default() };
        points.add(10 * MINUTE_MS, &one);
        points.add(9 * MINUTE_MS, &one);
        let all: Vec<_> = points.since(Step::Minute, 0).map(|point| (point.at_ms, point.asked)).collect();
        assert_eq!(all, [(10 * MINUTE_MS, 2)]);
    }
}
