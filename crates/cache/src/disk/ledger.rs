//! How markers that lie on disk meet those in memory: the numbers the database gave them, and which of them was the
//! newest when a load began.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::spelling;
use crate::clock::Clock;
use crate::key::Key;
use crate::marker::Markers;
use crate::memo::{Memo, Memos};
use crate::reach::Target;
use crate::scope::Scope;
use crate::stamp::{Sequence, Stamp};
use crate::stored_marker::{Mark, Placed};

/// Steps that are remembered. A load that began before the oldest of them counts as having known no marker.
const MAX_STEPS: usize = 4096;

/// Which marker was the newest known at which stamp.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Steps>);

#[derive(Debug, Default)]
struct Steps {
    /// Which store's numbers they are: grows with each that is another.
    era: u64,
    steps: VecDeque<(Stamp, u64)>,
}

/// The newest marker that was known when a load began, in the numbers of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) era: u64,
}

impl Known {
    /// From `stamp` on, markers up to `seq` are known.
    fn step(&self, stamp: Stamp, seq: u64) {
        let steps = &mut self.lock().steps;
        if steps.len() >= MAX_STEPS {
            steps.pop_front();
        }
        steps.push_back((stamp, seq));
    }

    /// From here on numbers are those of another store.
    fn forget(&self) {
        let mut known = self.lock();
        known.era += 1;
        known.steps.clear();
    }

    /// Which store's numbers are told.
    pub(crate) fn era(&self) -> u64 {
        self.lock().era
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest marker that was known before a load that began at `created`.
    pub(crate) fn at(&self, created: Stamp) -> Seen {
        let known = self.lock();
        let after = known.steps.partition_point(|(stamp, _)| *stamp < created);
        Seen { seq: after.checked_sub(1).map_or(0, |at| known.steps[at].1), era: known.era }
    }
}

/// Writes into memory what is heard of markers on disk, and of what is remembered there.
pub(crate) struct Ledger {
    pub(crate) markers: Arc<Markers>,
    pub(crate) memos: Arc<Memos>,
    pub(crate) sequence: Arc<Sequence>,
    pub(crate) known: Arc<Known>,
    pub(crate) clock: Clock,
}

impl Ledger {
    /// The markers of a store that was just opened, with the number of the newest there ever was. Numbers of another
    /// store count no more. `is_start` says that nothing was loaded yet: then their own stamps hold.
    pub(crate) fn begin(&self, placed: &[Placed], newest_seq: u64, newest: Stamp, ours: i64, is_start: bool) {
        self.sequence.observe(newest);
        self.known.forget();
        self.markers.forget_numbers();
        for one in placed {
            if is_start { self.mark(one, || one.mark.stamp) } else { self.hear(one, ours) }
        }
        self.step(newest_seq);
    }

    /// The markers of the same store that came while it could not be read.
    pub(crate) fn resume(&self, placed: &[Placed], newest_seq: u64, newest: Stamp, ours: i64) {
        self.sequence.observe(newest);
        for one in placed {
            self.hear(one, ours);
        }
        self.step(newest_seq);
    }

    /// Markers of ours that were committed before the last were heard.
    pub(crate) fn committed(&self, marks: &[Mark]) {
        for mark in marks {
            self.markers.committed(spelled(&mark.scope), mark.stamp);
        }
    }

    /// What was remembered beside values before a restart.
    pub(crate) fn remember(&self, memos: Vec<(Key, Memo)>) {
        for (key, memo) in memos {
            self.memos.set(&key, Arc::new(memo));
        }
    }

    /// Markers that came since.
    pub(crate) fn heard(&self, placed: &[Placed], ours: i64) {
        for one in placed {
            self.hear(one, ours);
        }
        self.step(placed.last().map_or(0, |last| last.seq));
    }

    /// Ours acted before they were written and only get their number. Those of others act from now on: their clock
    /// is not ours.
    fn hear(&self, one: &Placed, ours: i64) {
        if one.origin == ours {
            self.markers.number(target(one), one, one.mark.stamp, true);
        } else {
            self.mark(one, || self.sequence.next(self.clock.now_ms()));
        }
    }

    fn mark(&self, one: &Placed, draw: impl FnOnce() -> Stamp) {
        self.markers.place(target(one), draw, one, self.clock.now_ms());
    }

    fn step(&self, seq: u64) {
        if seq > 0 {
            self.known.step(self.sequence.next(self.clock.now_ms()), seq);
        }
    }
}

fn target(one: &Placed) -> Target {
    spelled(&one.mark.scope)
}

/// A line that cannot be read might have meant anything.
fn spelled(scope: &str) -> Target {
    Target::of(&spelling::read(scope).unwrap_or(Scope::All))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_knows_the_markers_that_were_known_before_it_began() {
        let known = Known::default();
        let at = |raw| Stamp::from_raw(raw);
        assert_eq!(known.at(at(5)).seq, 0);
        known.step(at(10), 3);
        known.step(at(20), 7);
        assert_eq!([9, 10, 11, 20, 21, 99].map(|raw| known.at(at(raw)).seq), [0, 0, 3, 3, 7, 7]);
    }

    #[test]
    fn what_is_forgotten_counts_as_not_known() {
        let known = Known::default();
        for step in 0..=MAX_STEPS as u64 {
            known.step(Stamp::from_raw(step * 10), step + 1);
        }
        assert_eq!(known.at(Stamp::from_raw(5)).seq, 0, "the first step is forgotten");
        assert_eq!(known.at(Stamp::from_raw(15)).seq, 2);
        known.forget();
        assert_eq!(known.at(Stamp::from_raw(15)), Seen { seq: 0, era: 1 }, "numbers of another store");
    }
}
