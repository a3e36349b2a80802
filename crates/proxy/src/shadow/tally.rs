//! What is counted while observing: one row per class and app.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::comparison::{Comparison, Rule};

/// The row of what is no read: it passes in every mode.
pub const WRITES: &str = "writes";
/// See [`WRITES`].
pub const STREAMS: &str = "streams";

/// What the cache would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prediction {
    /// Answered from the cache, fresh.
    Hit,
    /// Answered from the cache, with a refresh behind.
    Stale,
    /// Waited for a question of somebody else that was under way.
    Joined,
    /// Asked the server.
    Miss,
    /// Asked the server, whose answer is not for keeping.
    Uncacheable,
    /// Answered an error, or what was kept in place of one.
    Failed,
}

/// What was counted of some requests. Sums are made by adding rows up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ObservedCounts)]
pub struct Counts {
    /// Requests that apps made; every one of them reached the server.
    pub asked: u64,
    /// Requests that would have reached it with the cache, refreshes and warming included.
    pub reached: u64,
    /// Of these, the ones no app would have waited for.
    pub own: u64,
    /// Would have been answered fresh from the cache.
    pub hits: u64,
    /// Would have been answered from the cache while a refresh ran behind.
    pub stale: u64,
    /// Would have waited for the same question of somebody else.
    pub joined: u64,
    /// Would have been answered by asking the server.
    pub missed: u64,
    /// Would have been asked for each time: not for keeping.
    pub uncacheable: u64,
    /// Would have ended in an error, or in an older answer in place of one.
    pub failed: u64,
    /// Answers that would have come from the cache and were compared with the real one.
    pub compared: u64,
    /// Of these, the ones that were another for a reason nobody knows.
    pub differed: u64,
    /// Of these, the ones that were another because their class moves by itself.
    pub moved: u64,
    /// Of these, the ones that were another because something changed on the server within the allowed age.
    pub changed: u64,
    /// Of these, the ones that the server would have refused by now: the yes to the token still held.
    pub right_ended: u64,
    /// Answers that would have come from the cache, whose real ones passed without a body.
    pub unread: u64,
    /// Answers that would have come from the cache while the server failed.
    pub rescued: u64,
}

impl AddAssign for Counts {
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
        for (own, more) in pairs {
            *own += more;
        }
    }
}

impl Counts {
    fn predict(&mut self, prediction: Prediction) {
        *match prediction {
            Prediction::Hit => &mut self.hits,
            Prediction::Stale => &mut self.stale,
            Prediction::Joined => &mut self.joined,
            Prediction::Miss => &mut self.missed,
            Prediction::Uncacheable => &mut self.uncacheable,
            Prediction::Failed => &mut self.failed,
        } += 1;
    }

    fn compare(&mut self, comparison: Comparison) {
        match comparison {
            Comparison::Unread => self.unread += 1,
            Comparison::Rescued => self.rescued += 1,
            Comparison::Same => self.compared += 1,
            Comparison::Differs(rule) => {
                self.compared += 1;
                *match rule {
                    Rule::Moves => &mut self.moved,
                    Rule::Changed => &mut self.changed,
                    Rule::RightEnded => &mut self.right_ended,
                    Rule::Unexplained => &mut self.differed,
                } += 1;
            }
        }
    }
}

/// What was counted of one class and app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The class; [`WRITES`] or [`STREAMS`] where it is no read.
    pub class: &'static str,
    /// The app.
    pub app: String,
    /// What was counted.
    pub counts: Counts,
}

/// Every line. There are no more than classes times apps, and both are bounded.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<(&'static str, String), Counts>>);

impl Tally {
    /// A read was answered; what the cache would have done, and whether that would have been the right answer.
    pub fn judged(
        &self,
        class: &'static str,
        app: &str,
        prediction: Prediction,
        comparison: Option<Comparison>,
    ) {
        self.change(class, app, |row| {
            row.asked += 1;
            row.predict(prediction);
            if let Some(comparison) = comparison {
                row.compare(comparison);
            }
        });
    }

    /// The cache would have asked the server; `own` if no app would have waited for it.
    pub fn would_ask(&self, class: &'static str, app: &str, own: bool) {
        self.change(class, app, |row| {
            row.reached += 1;
            row.own += u64::from(own);
        });
    }

    /// Something passed that the cache has no part in.
    pub fn passed(&self, what: &'static str, app: &str) {
        self.change(what, app, |row| {
            row.asked += 1;
            row.reached += 1;
        });
    }

    /// All lines.
    pub fn lines(&self) -> Vec<Line> {
        let line = |((class, app), counts): (&(&'static str, String), &Counts)| Line {
            class,
            app: app.clone(),
            counts: *counts,
        };
        self.0.lock().iter().map(line).collect()
    }

    fn change(&self, class: &'static str, app: &str, change: impl FnOnce(&mut Counts)) {
        change(self.0.lock().entry((class, app.to_owned())).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prediction_and_every_comparison_is_counted_once() {
        let tally = Tally::default();
        tally.judged("lists", "a", Prediction::Hit, Some(Comparison::Same));
        tally.judged("lists", "a", Prediction::Stale, Some(Comparison::Differs(Rule::Changed)));
        tally.judged("lists", "a", Prediction::Joined, Some(Comparison::Differs(Rule::Unexplained)));
        tally.judged("lists", "a", Prediction::Miss, None);
        tally.would_ask("lists", "a", false);
        tally.would_ask("lists", "a", true);
        tally.passed(WRITES, "b");
        let lines = tally.lines();
        let counts = Counts {
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
            ..Counts::default()
        };
        let written = Counts { asked: 1, reached: 1, ..Counts::default() };
        let line = |class, app: &str, counts| Line { class, app: app.to_owned(), counts };
        assert_eq!(lines, [line("lists", "a", counts), line(WRITES, "b", written)]);
        let mut sum = counts;
        sum += written;
        assert_eq!((sum.asked, sum.reached, sum.changed), (5, 3, 1));
    }
}
