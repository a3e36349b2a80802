//! Markers: what was invalidated when. An invalidation writes one marker, whatever it covers; entries and loads
//! are compared with the markers that reach them.
//!
//! The fence of "never undone" is here: a load that began before a marker is not stored behind it. So is the
//! epoch, by which a hit knows without any lookup that no marker was written since its entry was last found valid.

use std::collections::HashMap;
use std::time::Duration;

use crate::key::BuildAsHashed;
use crate::marks::{Marks, hold_end};
use crate::policy::Marking;
use crate::reach::{ALL, Part, Reach, Target, any_tag};
use crate::refusal::Refusal;
use crate::scope::Invalidation;
#[cfg(not(feature = "shuttle"))]
use crate::scope::Mode;
use crate::stamp::Stamp;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{RwLock, read, write};

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

    /// Writes the marker of an invalidation. `stamp` is drawn before. When this returns, nothing that began before
    /// is valid any more.
    pub(crate) fn invalidate(&self, target: Target, stamp: Stamp, how: &Invalidation) {
        self.write(target, stamp, how, true);
    }

    fn write(&self, target: Target, stamp: Stamp, how: &Invalidation, is_ours: bool) {
        let mut map = write(&self.map);
        if map.len() >= self.max && !map.contains_key(&target.scope) {
            self.folded.fetch_add(fold(&mut map, self.max), Ordering::Relaxed);
        }
        let marks = map.entry(target.scope).or_default();
        let above = target.namespace.filter(|namespace| *namespace != target.scope);
        marks.folds_into = above;
        marks.invalidate(stamp, how);
        if is_ours {
            marks.ours = marks.ours.max(stamp);
        }
        if let (true, Some(namespace)) = (target.is_tag, target.namespace) {
            let any = map.entry(any_tag(namespace)).or_default();
            any.see(stamp);
            if let Some(end) = hold_end(stamp, how) {
                any.hold(end);
            }
        }
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes in a marker that lies in a store, as of `stamp`.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn place(&self, target: Target, stamp: Stamp, placed: &crate::disk::store::Placed) {
        let purge = Invalidation { mode: Mode::Purge, ..Invalidation::mark() };
        let how = if placed.mark.purges { purge } else { Invalidation::mark() };
        self.write(target, stamp, &how, false);
        self.number(target, placed, stamp, false);
        let mut map = write(&self.map);
        let marks = map.entry(target.scope).or_default();
        if placed.mark.hold_until > stamp && !marks.holds.contains(&placed.mark.hold_until) {
            marks.hold(placed.mark.hold_until);
        }
        if placed.mark.settle_until_ms > 0 {
            marks.settle(placed.mark.settle_until_ms, placed.mark.settle_fresh_ms, stamp.ms());
        }
    }

    /// Takes in the number a store gave to the marker with that stamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn number(
        &self,
        target: Target,
        placed: &crate::disk::store::Placed,
        stamp: Stamp,
        is_ours: bool,
    ) {
        let mut map = write(&self.map);
        // It may have been folded into its namespace's meanwhile.
        let scope =
            if map.contains_key(&target.scope) { target.scope } else { target.namespace.unwrap_or(ALL) };
        let scope = if map.contains_key(&scope) { scope } else { ALL };
        let marks = map.entry(scope).or_default();
        marks.newest_seq = marks.newest_seq.max(placed.seq);
        marks.numbered = marks.numbered.max(stamp);
        if is_ours {
            marks.ours_numbered = marks.ours_numbered.max(stamp);
        }
        if placed.mark.purges {
            marks.purge_seq = marks.purge_seq.max(placed.seq);
        }
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

    /// The fence: whether a value whose load began at `created` may be stored now.
    pub(crate) fn fence(&self, reach: &Reach, created: Stamp) -> Result<Pass, Refusal> {
        let epoch = self.epoch();
        if cfg!(sabotage = "fence") {
            return Ok(Pass { epoch, max_fresh: None });
        }
        let map = read(&self.map);
        let (mut refusal, mut max_fresh_ms) = (None, u64::MAX);
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                if created <= marks.newest {
                    refusal = Some(Refusal::Invalidated);
                } else if marks.holds(created) && refusal.is_none() {
                    refusal = Some(Refusal::Unsettled);
                }
                if created.ms() < marks.settle_until_ms {
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
    pub(crate) fn since(&self, reach: &Reach, began: Stamp, now_ms: u64) -> bool {
        let map = read(&self.map);
        reach.any(|scope| {
            map.get(&scope)
                .is_some_and(|marks| began <= marks.newest || marks.held(began, Stamp::end_of(now_ms)))
        })
    }

    /// Whether something covered may have been invalidated between a load's beginning and a caller's arrival.
    /// With `tags_unknown` every tag of the namespace counts. Exact for the two newest invalidations of a scope,
    /// and errs towards "yes" beyond.
    pub(crate) fn between(&self, reach: &Reach, tags_unknown: bool, began: Stamp, arrived: Stamp) -> bool {
        let map = read(&self.map);
        let hit = |scope: u64| {
            map.get(&scope).is_some_and(|marks| {
                let marked = began <= marks.newest && (marks.newest < arrived || began <= marks.before);
                marked || marks.held(began, arrived)
            })
        };
        reach.any(hit) || (tags_unknown && hit(reach.any_tag()))
    }

    /// [`Self::marking`] for what has no tags of its own, like a remembered failure: every tag counts.
    pub(crate) fn since_any_tag(&self, reach: &Reach, began: Stamp) -> bool {
        self.between(reach, true, began, Stamp::from_raw(u64::MAX))
    }
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

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;
    use crate::key::{Key, Partition, Tag};
    use crate::scope::Mode;
    use crate::scope::{Scope, Settle};

    const MARK: Invalidation = Invalidation { mode: Mode::Mark, settle: None, unstorable_for: None };
    const PURGE: Invalidation = Invalidation { mode: Mode::Purge, ..MARK };

    fn at(ms: u64) -> Stamp {
        Stamp::end_of(ms)
    }

    fn tag(namespace: &str, tag: usize) -> Target {
        let tag = Tag::new(tag.to_string());
        Target::of(&Scope::Tag { namespace: namespace.into(), partition: None, tag })
    }

    fn tagged(namespace: &str, tag: usize) -> Reach {
        Reach::new(&Key::new(namespace, &Partition::new("anna"), "/a"), &[Tag::new(tag.to_string())])
    }

    #[test]
    fn equal_counts_as_older() {
        let markers = Markers::new(100);
        markers.invalidate(tag("n", 1), at(10), &MARK);
        let reach = tagged("n", 1);
        assert_eq!(markers.marking(&reach, at(10)), Marking::Marked);
        assert_eq!(markers.fence(&reach, at(10)), Err(Refusal::Invalidated));
        assert_eq!(markers.marking(&reach, Stamp::from_raw(at(10).raw() + 1)), Marking::Clear);
    }

    #[test]
    fn the_epoch_grows_with_every_marker_and_is_what_the_fence_hands_out() {
        let markers = Markers::new(100);
        let before = markers.epoch();
        markers.invalidate(tag("n", 1), at(10), &MARK);
        assert_eq!(markers.epoch(), before + 1);
        let pass = markers.fence(&tagged("n", 2), at(5)).unwrap();
        assert_eq!(pass, Pass { epoch: before + 1, max_fresh: None });
    }

    #[test]
    fn an_invalidation_after_a_caller_came_does_not_hide_one_before_he_came() {
        let markers = Markers::new(100);
        let reach = tagged("n", 1);
        let began = at(10);
        markers.invalidate(tag("n", 1), at(20), &MARK);
        assert!(!markers.between(&reach, false, began, at(15)), "he came before it");
        assert!(markers.between(&reach, false, began, at(25)), "he came after it");
        markers.invalidate(tag("n", 1), at(30), &MARK);
        assert!(markers.between(&reach, false, began, at(25)), "the later one changes nothing");
        assert!(!markers.between(&reach, false, at(35), at(40)));
    }

    #[test]
    fn a_load_whose_tags_are_unknown_may_carry_any_tag_of_its_namespace_and_none_of_another() {
        let markers = Markers::new(100);
        let how = Invalidation { unstorable_for: Some(Duration::from_millis(50)), ..MARK };
        markers.invalidate(tag("n", 1), at(20), &how);
        let unknown = Reach::of_key(&Key::new("n", &Partition::new("anna"), "/a"));
        assert!(!markers.between(&unknown, false, at(10), at(30)));
        assert!(markers.between(&unknown, true, at(10), at(30)));
        assert!(
            !markers.between(&unknown, true, at(40), at(60)),
            "begun during the hold, come during the hold"
        );
        assert!(markers.between(&unknown, true, at(40), at(80)), "begun during the hold, come after it");
        let elsewhere = Reach::of_key(&Key::new("other", &Partition::new("anna"), "/a"));
        assert!(!markers.between(&elsewhere, true, at(10), at(30)));
    }

    #[test]
    fn the_end_of_one_hold_is_not_hidden_by_another() {
        let markers = Markers::new(100);
        let how = Invalidation { unstorable_for: Some(Duration::from_millis(100)), ..MARK };
        let reach = tagged("n", 1);
        markers.invalidate(tag("n", 1), at(0), &how);
        markers.invalidate(tag("n", 1), at(50), &how);
        assert!(!markers.between(&reach, false, at(60), at(90)), "both still run");
        assert!(markers.between(&reach, false, at(60), at(120)), "the first has ended in between");
        assert!(
            !markers.between(&reach, false, at(110), at(120)),
            "begun after the first, within the second"
        );
        markers.invalidate(tag("n", 1), at(500), &how);
        assert!(markers.between(&reach, false, at(140), at(520)), "the second ended long ago");
        for overlapping in 0..100 {
            markers.invalidate(tag("n", 1), at(510 + overlapping), &how);
        }
        assert!(markers.between(&reach, false, at(610), at(700)), "of many, none is forgotten");
        assert_eq!(markers.fence(&reach, at(709)), Err(Refusal::Unsettled));
        assert!(markers.fence(&reach, at(710)).is_ok());
    }

    #[test]
    fn of_overlapping_settle_times_the_longer_and_the_shorter_life_count() {
        let settle = |lasting, fresh| Invalidation {
            settle: Some(Settle {
                lasting: Duration::from_millis(lasting),
                max_fresh: Duration::from_millis(fresh),
            }),
            ..MARK
        };
        let markers = Markers::new(100);
        let reach = tagged("n", 1);
        let max_fresh = |created| {
            let pass = markers.fence(&reach, created).unwrap();
            pass.max_fresh.map(|fresh| fresh.as_millis())
        };
        markers.invalidate(tag("n", 1), at(100), &settle(3000, 10));
        markers.invalidate(tag("n", 1), at(200), &settle(1000, 500));
        assert_eq!(max_fresh(at(3000)), Some(10));
        assert_eq!(max_fresh(at(3100)), None);
        markers.invalidate(tag("n", 1), at(5000), &settle(1000, 500));
        assert_eq!(max_fresh(at(5500)), Some(500), "what is over does not count");
    }

    #[test]
    fn folding_forgets_nothing_that_is_forbidden() {
        let markers = Markers::new(16);
        let hold = Invalidation { unstorable_for: Some(Duration::from_secs(1000)), ..MARK };
        markers.invalidate(tag("held", 1), at(10), &hold);
        markers.invalidate(tag("purged", 1), at(11), &PURGE);
        for (order, other) in (0..200).enumerate() {
            markers.invalidate(tag("other", other), at(20 + order as u64), &MARK);
        }
        assert!(markers.count().0 <= 17 && markers.count().1 > 150);
        assert_eq!(markers.marking(&tagged("purged", 1), at(11)), Marking::Purged);
        assert_eq!(markers.fence(&tagged("held", 1), at(15_000)), Err(Refusal::Unsettled));
        for other in 0..200 {
            assert_eq!(markers.marking(&tagged("other", other), at(20)), Marking::Marked);
        }
        assert_eq!(markers.marking(&tagged("other", 7), at(1000)), Marking::Clear);
    }

    #[test]
    fn too_many_namespaces_become_one_marker_over_everything() {
        let markers = Markers::new(16);
        for namespace in 0..100 {
            let namespace = Scope::Namespace(namespace.to_string());
            markers.invalidate(Target::of(&namespace), at(10), &PURGE);
        }
        assert!(markers.count().0 <= 16, "{:?}", markers.count());
        assert_eq!(markers.marking(&tagged("3", 1), at(10)), Marking::Purged);
        assert_eq!(markers.marking(&tagged("3", 1), at(11)), Marking::Clear);
    }
}
