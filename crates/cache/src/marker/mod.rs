//! Markers: what was invalidated when. An invalidation writes one marker, whatever it covers; entries and loads
//! are compared with the markers that reach them.
//!
//! The fence of "never undone" is here: a load that began before a marker is not stored behind it. So is the
//! epoch, by which a hit knows without any lookup that no marker was written since its entry was last found valid.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use crate::key::BuildAsHashed;
use crate::marks::{Marks, hold_end_ms};
use crate::policy::Marking;
use crate::reach::{ALL, Part, Reach, Target, any_tag};
use crate::refusal::Refusal;
use crate::sabotage;
use crate::scope::Invalidation;
#[cfg(not(feature = "shuttle"))]
use crate::scope::Mode;
use crate::stamp::{Moment, Stamp};
#[cfg(not(feature = "shuttle"))]
use crate::stored_marker::Placed;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{RwLock, read, write};

/// Stamps lie so far ahead of the clock at most if it was not set back: many may be drawn in a millisecond, and
/// clocks of two processes differ.
#[cfg(not(feature = "shuttle"))]
const CLOCK_TOLERANCE_MS: u64 = 2_000;
/// How long a hold or a settling time counts whose end was told by a clock that is not ours.
#[cfg(not(feature = "shuttle"))]
const LONGEST_AHEAD_MS: u64 = 600_000;

/// A value may be stored: found valid at this epoch, with at most this fresh time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) epoch: u64,
    pub(crate) max_fresh: Option<Duration>,
}

/// Every marker.
#[derive(Debug)]
pub(crate) struct Markers {
    /// Grows after a marker was written. An entry found valid at this epoch is valid.
    epoch: AtomicU64,
    map: RwLock<HashMap<u64, Marks, BuildAsHashed>>,
    max: usize,
    folded: AtomicU64,
}

impl Markers {
    pub(crate) fn new(max: usize) -> Self {
        Self { epoch: AtomicU64::new(1), map: RwLock::default(), max, folded: AtomicU64::new(0) }
    }

    /// The epoch. To be read *before* the markers are looked at.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// How many scopes have a marker, and how many had theirs folded into their namespace's.
    pub(crate) fn count(&self) -> (usize, u64) {
        (read(&self.map).len(), self.folded.load(Ordering::Relaxed))
    }

    /// Writes the marker of an invalidation. When this returns, nothing that began before is valid any more. The stamp
    /// is drawn while nobody compares: so whoever has compared without this marker drew his own before.
    pub(crate) fn invalidate(
        &self,
        target: Target,
        draw: impl FnOnce() -> Stamp,
        how: &Invalidation,
        now_ms: u64,
    ) -> Stamp {
        let mut map = write(&self.map);
        let stamp = draw();
        let marks = self.write(&mut map, target, Moment { stamp, ms: now_ms }, how);
        marks.ours = marks.ours.max(stamp);
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        stamp
    }

    fn write<'a>(
        &self,
        map: &'a mut HashMap<u64, Marks, BuildAsHashed>,
        target: Target,
        now: Moment,
        how: &Invalidation,
    ) -> &'a mut Marks {
        if map.len() >= self.max && !map.contains_key(&target.scope) {
            self.folded.fetch_add(fold(map, self.max), Ordering::Relaxed);
        }
        if let (true, Some(namespace)) = (target.is_tag, target.namespace) {
            let any = map.entry(any_tag(namespace)).or_default();
            any.see(now.stamp);
            if let Some(end_ms) = hold_end_ms(now.ms, how) {
                any.hold(end_ms);
            }
        }
        let marks = map.entry(target.scope).or_default();
        marks.folds_into = target.namespace.filter(|namespace| *namespace != target.scope);
        marks.invalidate(now.stamp, how, now.ms);
        marks
    }

    /// Takes in a marker that lies in a store, as of the stamp that is drawn while nobody compares.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn place(&self, target: Target, draw: impl FnOnce() -> Stamp, placed: &Placed, now_ms: u64) {
        let purge = Invalidation { mode: Mode::Purge, ..Invalidation::mark() };
        let how = if placed.mark.purges { purge } else { Invalidation::mark() };
        let mut map = write(&self.map);
        let stamp = draw();
        let marks = self.write(&mut map, target, Moment { stamp, ms: now_ms }, &how);
        marks.take_number(placed, stamp);
        let hold_until_ms = end_now(placed.mark.hold_until.ms(), placed.mark.stamp, now_ms);
        if hold_until_ms > now_ms {
            marks.hold(hold_until_ms);
        }
        if placed.mark.settle_until_ms > 0 {
            let until_ms = end_now(placed.mark.settle_until_ms, placed.mark.stamp, now_ms);
            marks.settle(until_ms, placed.mark.settle_fresh_ms, now_ms);
        }
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes in the number a store gave to the marker with that stamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn number(&self, target: Target, placed: &Placed, stamp: Stamp, is_ours: bool) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let marks = map.entry(scope).or_default();
        marks.take_number(placed, stamp);
        if is_ours {
            marks.ours_numbered = marks.ours_numbered.max(stamp);
        }
    }

    /// A marker of ours lies in a store, and all numbers of that time are taken in: so its own is among them, or
    /// somebody replaced it by a newer one.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn committed(&self, target: Target, stamp: Stamp) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let marks = map.entry(scope).or_default();
        marks.ours_numbered = marks.ours_numbered.max(stamp);
    }

    /// The numbers a store gave count no more: it was replaced.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn forget_numbers(&self) {
        for marks in write(&self.map).values_mut() {
            (marks.newest_seq, marks.purge_seq) = (0, 0);
            (marks.numbered, marks.ours, marks.ours_numbered) = (Stamp::ZERO, Stamp::ZERO, Stamp::ZERO);
        }
    }

    /// What the markers in reach say about something found in a store whose load knew the markers up to `seen`,
    /// with the stamp of the one that says so; if none does, with that of the newest it was compared with. Clocks of
    /// two processes are not compared: a marker of ours that has no number yet counts as newer than all that is there.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn marking_of_stored(&self, reach: &Reach, seen: u64) -> (Marking, Stamp) {
        let map = read(&self.map);
        let mut marking = (Marking::Clear, Stamp::ZERO);
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                let is_pending = marks.is_pending();
                if marks.purge_seq > seen || (is_pending && marks.purge > marks.ours_numbered) {
                    marking = (Marking::Purged, marks.purge);
                } else if (marks.newest_seq > seen || is_pending) && marking.0 == Marking::Clear {
                    marking = (Marking::Marked, marks.newest);
                } else if marking.0 == Marking::Clear {
                    marking.1 = marking.1.max(marks.numbered);
                }
            }
            marking.0 == Marking::Purged
        });
        marking
    }

    /// What the markers in reach say about something whose load began at `created`.
    pub(crate) fn marking(&self, reach: &Reach, created: Stamp) -> Marking {
        let map = read(&self.map);
        let mut marking = Marking::Clear;
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                if created <= marks.purge {
                    marking = Marking::Purged;
                } else if created <= marks.newest && marking == Marking::Clear {
                    marking = Marking::Marked;
                }
            }
            marking == Marking::Purged
        });
        marking
    }

    /// The newest invalidation in reach, and by which scope.
    pub(crate) fn newest(&self, reach: &Reach) -> Option<(Stamp, Part)> {
        let map = read(&self.map);
        let mut newest: Option<(Stamp, Part)> = None;
        reach.each(|scope, part| {
            let stamp = map.get(&scope).map_or(Stamp::ZERO, |marks| marks.newest);
            if stamp > newest.map_or(Stamp::ZERO, |(stamp, _)| stamp) {
                newest = Some((stamp, part));
            }
        });
        newest
    }

    /// The fence: whether a value whose load began then may be stored now.
    pub(crate) fn fence(&self, reach: &Reach, began: Moment) -> Result<Pass, Refusal> {
        let epoch = self.epoch();
        if sabotage::takes_out("fence") {
            return Ok(Pass { epoch, max_fresh: None });
        }
        let map = read(&self.map);
        let (mut refusal, mut max_fresh_ms) = (None, u64::MAX);
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                if began.stamp <= marks.newest {
                    refusal = Some(Refusal::Invalidated);
                } else if marks.holds(began.ms) && refusal.is_none() {
                    refusal = Some(Refusal::Unsettled);
                }
                if began.ms < marks.settle_until_ms {
                    max_fresh_ms = max_fresh_ms.min(marks.settle_fresh_ms);
                }
            }
            refusal == Some(Refusal::Invalidated)
        });
        let max_fresh = (max_fresh_ms < u64::MAX).then(|| Duration::from_millis(max_fresh_ms));
        refusal.map_or(Ok(Pass { epoch, max_fresh }), Err)
    }

    /// Whether something covered was invalidated after `began`: then nobody may join that load any more. A hold
    /// that has ended by `now_ms` counts as an invalidation at its end.
    pub(crate) fn since(&self, reach: &Reach, began: Moment, now_ms: u64) -> bool {
        let map = read(&self.map);
        reach.any(|scope| {
            map.get(&scope).is_some_and(|marks| began.stamp <= marks.newest || marks.held(began.ms, now_ms))
        })
    }

    /// Whether something covered may have been invalidated between a load's beginning and a caller's arrival.
    /// With `tags_unknown` every tag of the namespace counts. Exact for the two newest invalidations of a scope,
    /// and errs towards "yes" beyond.
    pub(crate) fn between(&self, reach: &Reach, tags_unknown: bool, began: Moment, arrived: Moment) -> bool {
        let map = read(&self.map);
        let hit = |scope: u64| {
            map.get(&scope).is_some_and(|marks| {
                let (loaded, came) = (began.stamp, arrived.stamp);
                let marked = loaded <= marks.newest && (marks.newest < came || loaded <= marks.before);
                marked || marks.held(began.ms, arrived.ms)
            })
        };
        reach.any(hit) || (tags_unknown && hit(reach.any_tag()))
    }

    /// [`Self::marking`] for what has no tags of its own, like a remembered failure: every tag counts.
    pub(crate) fn since_any_tag(&self, reach: &Reach, began: Stamp) -> bool {
        // Of a failure only the stamp is remembered: where that is ahead, it counts a little longer.
        let began = Moment { stamp: began, ms: began.ms() };
        self.between(reach, true, began, Moment { stamp: Stamp::from_raw(u64::MAX), ms: u64::MAX })
    }
}

/// Under which scope a marker is kept: it may have been folded into its namespace's.
#[cfg(not(feature = "shuttle"))]
fn narrowest(map: &HashMap<u64, Marks, BuildAsHashed>, target: Target) -> u64 {
    let scopes = [Some(target.scope), target.namespace];
    scopes.into_iter().flatten().find(|scope| map.contains_key(scope)).unwrap_or(ALL)
}

/// When what a marker in a store says is over. One whose stamp lies ahead was drawn by a clock that was set back
/// since, or by stamps that had run ahead of theirs: nobody can tell, so its end is trusted no further than this.
#[cfg(not(feature = "shuttle"))]
fn end_now(end_ms: u64, stamp: Stamp, now_ms: u64) -> u64 {
    let is_ahead = stamp.ms() > now_ms.saturating_add(CLOCK_TOLERANCE_MS);
    if is_ahead { end_ms.min(now_ms.saturating_add(LONGEST_AHEAD_MS)) } else { end_ms }
}

/// Makes room: the older half of the markers becomes part of their namespaces' markers, which cover more. If that
/// is not enough (too many namespaces), everything becomes part of the one marker over all. Returns how many went.
fn fold(map: &mut HashMap<u64, Marks, BuildAsHashed>, max: usize) -> u64 {
    let mut stamps: Vec<Stamp> =
        map.values().filter(|marks| marks.folds_into.is_some()).map(|marks| marks.newest).collect();
    let before = map.len();
    if !stamps.is_empty() {
        let middle = stamps.len() / 2;
        let (_, median, _) = stamps.select_nth_unstable(middle);
        let median = *median;
        fold_where(map, |marks| marks.folds_into.filter(|_| marks.newest <= median));
    }
    if map.len() > max / 4 * 3 {
        fold_where(map, |_| Some(ALL));
    }
    before.saturating_sub(map.len()) as u64
}

/// Moves the markers for which `into` names a scope into that scope's.
fn fold_where(map: &mut HashMap<u64, Marks, BuildAsHashed>, into: impl Fn(&Marks) -> Option<u64>) {
    let folded: Vec<(u64, u64)> = map
        .iter()
        .filter_map(|(scope, marks)| into(marks).map(|into| (*scope, into)))
        .filter(|(scope, into)| scope != into)
        .collect();
    for (scope, into) in folded {
        if let Some(marks) = map.remove(&scope) {
            map.entry(into).or_default().absorb(&marks);
        }
    }
}
