//! Index of invalidations: what was invalidated when. Each invalidation writes one record, whatever it covers; entries
//! and loads are compared with the records that cover them.
//!
//! The fence of "never undone" is here: a load that began before an invalidation is not stored after it. So is the
//! epoch, by which a hit knows without a lookup that no record was written since its entry was last found valid.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use crate::timestamp::Timestamp;
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
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);
/// Max duration of a hold or grace period whose end comes from another clock than ours.
#[cfg(not(feature = "shuttle"))]
const LONGEST_AHEAD: Duration = Duration::from_secs(600);

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
        next_stamp: impl FnOnce() -> HybridTimestamp,
        invalidation: &Invalidation,
        now_ms: Timestamp,
    ) -> HybridTimestamp {
        let mut map = write(&self.map);
        let stamp = next_stamp();
        let state = self.write(&mut map, target, EventTime { stamp, at: now_ms }, invalidation);
        state.own = state.own.max(stamp);
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        stamp
    }

    fn write<'a>(
        &self,
        map: &'a mut HashMap<u64, ScopeState, BuildIdentityHasher>,
        target: ScopeHash,
        now: EventTime,
        invalidation: &Invalidation,
    ) -> &'a mut ScopeState {
        if map.len() >= self.max && !map.contains_key(&target.scope) {
            self.folded.fetch_add(fold(map, self.max), Ordering::Relaxed);
        }
        if let (true, Some(namespace)) = (target.is_tag, target.namespace) {
            let any = map.entry(any_tag(namespace)).or_default();
            any.record_stamp(now.stamp);
            if let Some(end_ms) = hold_end_ms(now.at, invalidation) {
                any.add_hold(end_ms);
            }
        }
        let state = map.entry(target.scope).or_default();
        state.folds_into = target.namespace.filter(|namespace| *namespace != target.scope);
        state.invalidate(now.stamp, invalidation, now.at);
        state
    }

    /// Adds a record from a store, with a timestamp drawn under the write lock.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn insert_stored(
        &self,
        target: ScopeHash,
        next_stamp: impl FnOnce() -> HybridTimestamp,
        numbered: &NumberedInvalidation,
        now_ms: Timestamp,
    ) {
        let purge = Invalidation { mode: InvalidationMode::Purge, ..Invalidation::mark_stale() };
        let invalidation = if numbered.invalidation.purges { purge } else { Invalidation::mark_stale() };
        let mut map = write(&self.map);
        let stamp = next_stamp();
        let state = self.write(&mut map, target, EventTime { stamp, at: now_ms }, &invalidation);
        state.set_sequence(numbered, stamp);
        let hold_until_ms = end_now(numbered.invalidation.hold_until.wall_time(), numbered.invalidation.stamp, now_ms);
        if hold_until_ms > now_ms {
            state.add_hold(hold_until_ms);
        }
        if numbered.invalidation.grace_until_ms > Timestamp::UNIX_EPOCH {
            let until_ms = end_now(numbered.invalidation.grace_until_ms, numbered.invalidation.stamp, now_ms);
            state.set_grace_period(until_ms, numbered.invalidation.grace_fresh_ms, now_ms);
        }
        drop(map);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets the sequence number a store assigned to the record with this timestamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn set_sequence(
        &self,
        target: ScopeHash,
        numbered: &NumberedInvalidation,
        stamp: HybridTimestamp,
        is_own: bool,
    ) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let state = map.entry(scope).or_default();
        state.set_sequence(numbered, stamp);
        if is_own {
            state.own_numbered = state.own_numbered.max(stamp);
        }
    }

    /// A record of this process is committed, and all sequence numbers up to then are known. So its own number is among
    /// them, or a newer record replaced it.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn committed(&self, target: ScopeHash, stamp: HybridTimestamp) {
        let mut map = write(&self.map);
        let scope = narrowest(&map, target);
        let state = map.entry(scope).or_default();
        state.own_numbered = state.own_numbered.max(stamp);
    }

    /// Discards the sequence numbers, because the store was replaced.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn clear_sequences(&self) {
        for state in write(&self.map).values_mut() {
            (state.newest_seq, state.purge_seq) = (0, 0);
            (state.numbered, state.own, state.own_numbered) =
                (HybridTimestamp::ZERO, HybridTimestamp::ZERO, HybridTimestamp::ZERO);
        }
    }

    /// Validity of an entry found in a store, whose load knew the records up to `known_sequence`, with the timestamp of
    /// the record that decides it; if it is valid, with that of the newest record compared. Clocks of different
    /// processes are not compared: a record of this process without a number counts as newer than everything in the
    /// store.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn validity_of_stored(
        &self,
        scope_hashes: &ScopeHashes,
        known_sequence: u64,
    ) -> (Validity, HybridTimestamp) {
        let map = read(&self.map);
        let mut validity = (Validity::Valid, HybridTimestamp::ZERO);
        scope_hashes.any(|scope| {
            if let Some(state) = map.get(&scope) {
                let is_pending = state.is_pending();
                if state.purge_seq > known_sequence || (is_pending && state.purge > state.own_numbered) {
                    validity = (Validity::Purged, state.purge);
                } else if (state.newest_seq > known_sequence || is_pending) && validity.0 == Validity::Valid {
                    validity = (Validity::Invalidated, state.newest);
                } else if validity.0 == Validity::Valid {
                    validity.1 = validity.1.max(state.numbered);
                }
            }
            validity.0 == Validity::Purged
        });
        validity
    }

    /// Validity of an entry whose load began at `created`.
    pub(crate) fn validity(&self, scope_hashes: &ScopeHashes, created: HybridTimestamp) -> Validity {
        let map = read(&self.map);
        let mut validity = Validity::Valid;
        scope_hashes.any(|scope| {
            if let Some(state) = map.get(&scope) {
                if created <= state.purge {
                    validity = Validity::Purged;
                } else if created <= state.newest && validity == Validity::Valid {
                    validity = Validity::Invalidated;
                }
            }
            validity == Validity::Purged
        });
        validity
    }

    /// The newest invalidation that covers these scopes, and the scope it was made for.
    pub(crate) fn newest(&self, scope_hashes: &ScopeHashes) -> Option<(HybridTimestamp, ScopeKind)> {
        let map = read(&self.map);
        let mut newest: Option<(HybridTimestamp, ScopeKind)> = None;
        scope_hashes.for_each(|scope, kind| {
            let stamp = map.get(&scope).map_or(HybridTimestamp::ZERO, |state| state.newest);
            if stamp > newest.map_or(HybridTimestamp::ZERO, |(stamp, _)| stamp) {
                newest = Some((stamp, kind));
            }
        });
        newest
    }

    /// The fence: whether a value whose load began then may be stored now.
    pub(crate) fn fence(&self, scope_hashes: &ScopeHashes, began: EventTime) -> Result<StorePermit, NotStoredReason> {
        let epoch = self.epoch();
        if sabotage::is_disabled("fence") {
            return Ok(StorePermit { epoch, max_fresh: None });
        }
        let map = read(&self.map);
        let (mut refusal, mut max_fresh) = (None, None);
        scope_hashes.any(|scope| {
            if let Some(state) = map.get(&scope) {
                if began.stamp <= state.newest {
                    refusal = Some(NotStoredReason::Invalidated);
                } else if state.blocks_store(began.at) && refusal.is_none() {
                    refusal = Some(NotStoredReason::WriteInDoubt);
                }
                if began.at < state.grace_until_ms {
                    max_fresh =
                        Some(max_fresh.map_or(state.grace_fresh_ms, |fresh: Duration| fresh.min(state.grace_fresh_ms)));
                }
            }
            refusal == Some(NotStoredReason::Invalidated)
        });
        refusal.map_or(Ok(StorePermit { epoch, max_fresh }), Err)
    }

    /// Whether anything covered was invalidated after `began`; if so, that load can no longer be joined. A hold that
    /// has ended by `now_ms` counts as an invalidation at its end.
    pub(crate) fn invalidated_since(&self, scope_hashes: &ScopeHashes, began: EventTime, now_ms: Timestamp) -> bool {
        let map = read(&self.map);
        scope_hashes.any(|scope| {
            map.get(&scope)
                .is_some_and(|state| began.stamp <= state.newest || state.hold_ended_between(began.at, now_ms))
        })
    }

    /// Whether anything covered may have been invalidated between a load's start and a caller's arrival. With
    /// `tags_unknown` every tag of the namespace counts. Exact for the two newest invalidations of a scope; errs
    /// towards `true` beyond.
    pub(crate) fn invalidated_between(
        &self,
        scope_hashes: &ScopeHashes,
        tags_unknown: bool,
        began: EventTime,
        arrived: EventTime,
    ) -> bool {
        let map = read(&self.map);
        let hit = |scope: u64| {
            map.get(&scope).is_some_and(|state| {
                let (began_stamp, arrived_stamp) = (began.stamp, arrived.stamp);
                let is_invalidated =
                    began_stamp <= state.newest && (state.newest < arrived_stamp || began_stamp <= state.before);
                is_invalidated || state.hold_ended_between(began.at, arrived.at)
            })
        };
        scope_hashes.any(hit) || (tags_unknown && hit(scope_hashes.any_tag()))
    }

    /// Like [`Self::invalidated_since`], for a negative entry, which has no tags: every tag counts.
    pub(crate) fn invalidated_since_any_tag(&self, scope_hashes: &ScopeHashes, began: HybridTimestamp) -> bool {
        // Only the timestamp of a failure is stored; where it runs ahead of the clock, the failure counts a little
        // longer.
        let began = EventTime { stamp: began, at: began.wall_time() };
        self.invalidated_between(
            scope_hashes,
            true,
            began,
            EventTime { stamp: HybridTimestamp::from_raw(u64::MAX), at: Timestamp::MAX },
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
/// back, or ran ahead itself. Both look the same, so such an end is limited to [`LONGEST_AHEAD`].
#[cfg(not(feature = "shuttle"))]
fn end_now(end_ms: Timestamp, stamp: HybridTimestamp, now_ms: Timestamp) -> Timestamp {
    let is_ahead = stamp.wall_time() > now_ms.saturating_add(CLOCK_TOLERANCE);
    if is_ahead { end_ms.min(now_ms.saturating_add(LONGEST_AHEAD)) } else { end_ms }
}

/// Makes room: folds the older half of the records into their namespaces' records, which cover more. If that is not
/// enough (too many namespaces), folds everything into one record over all. Returns the number of records folded.
fn fold(map: &mut HashMap<u64, ScopeState, BuildIdentityHasher>, max: usize) -> u64 {
    let mut stamps: Vec<HybridTimestamp> =
        map.values().filter(|state| state.folds_into.is_some()).map(|state| state.newest).collect();
    let before = map.len();
    if !stamps.is_empty() {
        let middle = stamps.len() / 2;
        let (_, median, _) = stamps.select_nth_unstable(middle);
        let median = *median;
        fold_where(map, |state| state.folds_into.filter(|_| state.newest <= median));
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
        .filter_map(|(scope, state)| into(state).map(|into| (*scope, into)))
        .filter(|(scope, into)| scope != into)
        .collect();
    for (scope, into) in folded {
        if let Some(state) = map.remove(&scope) {
            map.entry(into).or_default().absorb(&state);
        }
    }
}
