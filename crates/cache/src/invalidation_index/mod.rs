//! Index of invalidations: what was invalidated when. Each invalidation writes one record, whatever it covers; entries
//! and loads are compared with the records that cover them.
//!
//! The fence of "never undone" is here: a load that began before an invalidation is not stored after it. So is the
//! epoch, by which a hit knows without a lookup that no record was written since its entry was last found valid.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use crate::hybrid_timestamp::{EventTime, HybridTimestamp};
use crate::key::BuildIdentityHasher;
use crate::not_stored_reason::NotStoredReason;
use crate::policy::Validity;
use crate::sabotage;
use crate::scope::Invalidation;
#[cfg(not(feature = "shuttle"))]
use crate::scope::InvalidationMode;
use crate::scope_hash::{ALL, ScopeHash, ScopeHashes, ScopeKind, any_tag};
use crate::scope_state::{ScopeState, hold_end_ms};
#[cfg(not(feature = "shuttle"))]
use crate::stored_invalidation::NumberedInvalidation;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{RwLock, read, write};

/// Max lead of timestamps over a clock that was not set back: many may be drawn in one millisecond, and the clocks of
/// two processes differ.
#[cfg(not(feature = "shuttle"))]
const CLOCK_TOLERANCE_MS: u64 = 2_000;
/// Max duration of a hold or grace period whose end comes from another clock than ours.
#[cfg(not(feature = "shuttle"))]
const LONGEST_AHEAD_MS: u64 = 600_000;

/// Permission to store a value: valid at this epoch, with at most this fresh time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StorePermit {
    pub(crate) epoch: u64,
    pub(crate) max_fresh: Option<Duration>,
}

/// All invalidation records.
#[derive(Debug)]
pub(crate) struct InvalidationIndex {
    /// Grows after a record was written. An entry found valid at this epoch is valid.
    epoch: AtomicU64,
    map: RwLock<HashMap<u64, ScopeState, BuildIdentityHasher>>,
    max: usize,
    folded: AtomicU64,
}

impl InvalidationIndex {
    pub(crate) fn new(max: usize) -> Self {
        Self { epoch: AtomicU64::new(1), map: RwLock::default(), max, folded: AtomicU64::new(0) }
    }

    /// The epoch. Read it *before* comparing records.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Number of scopes with a record, and of records folded into their namespace's.
    pub(crate) fn count(&self) -> (usize, u64) {
        (read(&self.map).len(), self.folded.load(Ordering::Relaxed))
    }

    /// Writes the record of an invalidation. Once this returns, nothing that began before is valid. The timestamp is
    /// drawn under the write lock, so a caller that compared without this record drew its own timestamp before.
    pub(crate) fn invalidate(
        &self,
        target: ScopeHash,
        draw: impl FnOnce() -> HybridTimestamp,
        how: &Invalidation,
        now_ms: u64,
    ) -> HybridTimestamp {
        let mut map = write(&self.map);
        let stamp = draw();
        let marks = self.write(&mut map, target, EventTime { stamp, ms: now_ms }, how);
        marks.ours = marks.ours.max(stamp);
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        stamp
    }

    fn write<'a>(
        &self,
        map: &'a mut HashMap<u64, ScopeState, BuildIdentityHasher>,
        target: ScopeHash,
        now: EventTime,
        how: &Invalidation,
    ) -> &'a mut ScopeState {
        if map.len() >= self.max && !map.contains_key(&target.scope) {
            self.folded.fetch_add(fold(map, self.max), Ordering::Relaxed);
        }
        if let (true, Some(namespace)) = (target.is_tag, target.namespace) {
            let any = map.entry(any_tag(namespace)).or_default();
            any.record_stamp(now.stamp);
            if let Some(end_ms) = hold_end_ms(now.ms, how) {
                any.add_hold(end_ms);
            }
        }
        let marks = map.entry(target.scope).or_default();
        marks.folds_into = target.namespace.filter(|namespace| *namespace != target.scope);
        marks.invalidate(now.stamp, how, now.ms);
        marks
    }

    /// Adds a record from a store, with a timestamp drawn under the write lock.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn insert_stored(
        &self,
        target: ScopeHash,
        draw: impl FnOnce() -> HybridTimestamp,
        placed: &NumberedInvalidation,
        now_ms: u64,
    ) {
        let purge = Invalidation { mode: InvalidationMode::Purge, ..Invalidation::mark_stale() };
        let how = if placed.invalidation.purges { purge } else { Invalidation::mark_stale() };
        let mut map = write(&self.map);
        let stamp = draw();
        let marks = self.write(&mut map, target, EventTime { stamp, ms: now_ms }, &how);
        marks.set_sequence(placed, stamp);
        let hold_until_ms = end_now(placed.invalidation.hold_until.ms(), placed.invalidation.stamp, now_ms);
        if hold_until_ms > now_ms {
            marks.add_hold(hold_until_ms);
        }
        if placed.invalidation.grace_until_ms > 0 {
            let until_ms = end_now(placed.invalidation.grace_until_ms, placed.invalidation.stamp, now_ms);
            marks.set_grace_period(until_ms, placed.invalidation.grace_fresh_ms, now_ms);
        }
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets the sequence number a store assigned to the record with this timestamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn set_sequence(
        &self,
        target: ScopeHash,
        placed: &NumberedInvalidation,
        stamp: HybridTimestamp,
        is_ours: bool,
    ) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let marks = map.entry(scope).or_default();
        marks.set_sequence(placed, stamp);
        if is_ours {
            marks.ours_numbered = marks.ours_numbered.max(stamp);
        }
    }

    /// A record of this process is committed, and all sequence numbers up to then are known. So its own number is among
    /// them, or a newer record replaced it.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn committed(&self, target: ScopeHash, stamp: HybridTimestamp) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let marks = map.entry(scope).or_default();
        marks.ours_numbered = marks.ours_numbered.max(stamp);
    }

    /// Discards the sequence numbers, because the store was replaced.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn clear_sequences(&self) {
        for marks in write(&self.map).values_mut() {
            (marks.newest_seq, marks.purge_seq) = (0, 0);
            (marks.numbered, marks.ours, marks.ours_numbered) =
                (HybridTimestamp::ZERO, HybridTimestamp::ZERO, HybridTimestamp::ZERO);
        }
    }

    /// Validity of an entry found in a store, whose load knew the records up to `seen`, with the timestamp of the
    /// record that decides it; if it is valid, with that of the newest record compared. Clocks of different processes
    /// are not compared: a record of this process without a number counts as newer than everything in the store.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn validity_of_stored(&self, reach: &ScopeHashes, seen: u64) -> (Validity, HybridTimestamp) {
        let map = read(&self.map);
        let mut marking = (Validity::Valid, HybridTimestamp::ZERO);
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                let is_pending = marks.is_pending();
                if marks.purge_seq > seen || (is_pending && marks.purge > marks.ours_numbered) {
                    marking = (Validity::Purged, marks.purge);
                } else if (marks.newest_seq > seen || is_pending) && marking.0 == Validity::Valid {
                    marking = (Validity::Invalidated, marks.newest);
                } else if marking.0 == Validity::Valid {
                    marking.1 = marking.1.max(marks.numbered);
                }
            }
            marking.0 == Validity::Purged
        });
        marking
    }

    /// Validity of an entry whose load began at `created`.
    pub(crate) fn validity(&self, reach: &ScopeHashes, created: HybridTimestamp) -> Validity {
        let map = read(&self.map);
        let mut marking = Validity::Valid;
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                if created <= marks.purge {
                    marking = Validity::Purged;
                } else if created <= marks.newest && marking == Validity::Valid {
                    marking = Validity::Invalidated;
                }
            }
            marking == Validity::Purged
        });
        marking
    }

    /// The newest invalidation that covers these scopes, and the scope it was made for.
    pub(crate) fn newest(&self, reach: &ScopeHashes) -> Option<(HybridTimestamp, ScopeKind)> {
        let map = read(&self.map);
        let mut newest: Option<(HybridTimestamp, ScopeKind)> = None;
        reach.each(|scope, part| {
            let stamp = map.get(&scope).map_or(HybridTimestamp::ZERO, |marks| marks.newest);
            if stamp > newest.map_or(HybridTimestamp::ZERO, |(stamp, _)| stamp) {
                newest = Some((stamp, part));
            }
        });
        newest
    }

    /// The fence: whether a value whose load began then may be stored now.
    pub(crate) fn fence(&self, reach: &ScopeHashes, began: EventTime) -> Result<StorePermit, NotStoredReason> {
        let epoch = self.epoch();
        if sabotage::takes_out("fence") {
            return Ok(StorePermit { epoch, max_fresh: None });
        }
        let map = read(&self.map);
        let (mut refusal, mut max_fresh_ms) = (None, u64::MAX);
        reach.any(|scope| {
            if let Some(marks) = map.get(&scope) {
                if began.stamp <= marks.newest {
                    refusal = Some(NotStoredReason::Invalidated);
                } else if marks.blocks_store(began.ms) && refusal.is_none() {
                    refusal = Some(NotStoredReason::WriteInDoubt);
                }
                if began.ms < marks.grace_until_ms {
                    max_fresh_ms = max_fresh_ms.min(marks.grace_fresh_ms);
                }
            }
            refusal == Some(NotStoredReason::Invalidated)
        });
        let max_fresh = (max_fresh_ms < u64::MAX).then(|| Duration::from_millis(max_fresh_ms));
        refusal.map_or(Ok(StorePermit { epoch, max_fresh }), Err)
    }

    /// Whether anything covered was invalidated after `began`; if so, that load can no longer be joined. A hold that
    /// has ended by `now_ms` counts as an invalidation at its end.
    pub(crate) fn invalidated_since(&self, reach: &ScopeHashes, began: EventTime, now_ms: u64) -> bool {
        let map = read(&self.map);
        reach.any(|scope| {
            map.get(&scope)
                .is_some_and(|marks| began.stamp <= marks.newest || marks.hold_ended_between(began.ms, now_ms))
        })
    }

    /// Whether anything covered may have been invalidated between a load's start and a caller's arrival. With
    /// `tags_unknown` every tag of the namespace counts. Exact for the two newest invalidations of a scope; errs
    /// towards `true` beyond.
    pub(crate) fn invalidated_between(
        &self,
        reach: &ScopeHashes,
        tags_unknown: bool,
        began: EventTime,
        arrived: EventTime,
    ) -> bool {
        let map = read(&self.map);
        let hit = |scope: u64| {
            map.get(&scope).is_some_and(|marks| {
                let (loaded, came) = (began.stamp, arrived.stamp);
                let marked = loaded <= marks.newest && (marks.newest < came || loaded <= marks.before);
                marked || marks.hold_ended_between(began.ms, arrived.ms)
            })
        };
        reach.any(hit) || (tags_unknown && hit(reach.any_tag()))
    }

    /// Like [`Self::invalidated_since`], for a negative entry, which has no tags: every tag counts.
    pub(crate) fn invalidated_since_any_tag(&self, reach: &ScopeHashes, began: HybridTimestamp) -> bool {
        // Only the timestamp of a failure is stored; where it runs ahead of the clock, the failure counts a little
        // longer.
        let began = EventTime { stamp: began, ms: began.ms() };
        self.invalidated_between(
            reach,
            true,
            began,
            EventTime { stamp: HybridTimestamp::from_raw(u64::MAX), ms: u64::MAX },
        )
    }
}

/// The scope that holds a record: it may have been folded into its namespace's.
#[cfg(not(feature = "shuttle"))]
fn narrowest(map: &HashMap<u64, ScopeState, BuildIdentityHasher>, target: ScopeHash) -> u64 {
    let scopes = [Some(target.scope), target.namespace];
    scopes.into_iter().flatten().find(|scope| map.contains_key(scope)).unwrap_or(ALL)
}

/// End of a hold or grace period read from a store. A timestamp ahead of the clock was drawn before the clock was set
/// back, or ran ahead itself. Both look the same, so such an end is limited to [`LONGEST_AHEAD_MS`].
#[cfg(not(feature = "shuttle"))]
fn end_now(end_ms: u64, stamp: HybridTimestamp, now_ms: u64) -> u64 {
    let is_ahead = stamp.ms() > now_ms.saturating_add(CLOCK_TOLERANCE_MS);
    if is_ahead { end_ms.min(now_ms.saturating_add(LONGEST_AHEAD_MS)) } else { end_ms }
}

/// Makes room: folds the older half of the records into their namespaces' records, which cover more. If that is not
/// enough (too many namespaces), folds everything into one record over all. Returns the number of records folded.
fn fold(map: &mut HashMap<u64, ScopeState, BuildIdentityHasher>, max: usize) -> u64 {
    let mut stamps: Vec<HybridTimestamp> =
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

/// Moves the records for which `into` names a scope into that scope's record.
fn fold_where(map: &mut HashMap<u64, ScopeState, BuildIdentityHasher>, into: impl Fn(&ScopeState) -> Option<u64>) {
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
