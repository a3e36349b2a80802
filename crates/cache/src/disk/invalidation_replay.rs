//! Applies stored invalidations with their sequence numbers to the index in memory, and records when each became known:
//! so every load has a newest invalidation known when it began, which is stored with its value.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::scope_codec;
use crate::clock::Clock;
use crate::hybrid_timestamp::{HybridClock, HybridTimestamp};
use crate::invalidation_index::InvalidationIndex;
use crate::key::Key;
use crate::negative::{NegativeCache, NegativeEntry};
use crate::scope::Scope;
use crate::scope_hash::ScopeHash;
use crate::stored_invalidation::{NumberedInvalidation, PendingInvalidation};

/// Max steps of a [`SequenceMap`]. A load that began before the oldest step counts as having known no invalidation.
const MAX_STEPS: usize = 4096;

/// The newest invalidation known at each timestamp.
#[derive(Debug, Default)]
pub(crate) struct SequenceMap(Mutex<Steps>);

#[derive(Debug, Default)]
struct Steps {
    /// Incremented when another store takes the place of the current one, whose sequence numbers then mean nothing.
    era: u64,
    /// Timestamps, ascending, each with the newest invalidation known from then on.
    steps: VecDeque<(HybridTimestamp, u64)>,
}

/// The newest invalidation known when a load began, in the numbers of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownSequence {
    pub(crate) seq: u64,
    pub(crate) era: u64,
}

impl SequenceMap {
    /// Records that from `stamp` on invalidations up to `seq` are known.
    pub(crate) fn step(&self, stamp: HybridTimestamp, seq: u64) {
        let steps = &mut self.lock().steps;
        if steps.len() >= MAX_STEPS {
            steps.pop_front();
        }
        steps.push_back((stamp, seq));
    }

    /// Begins a new era, because from here on sequence numbers belong to another store.
    pub(crate) fn forget(&self) {
        let mut steps = self.lock();
        steps.era += 1;
        steps.steps.clear();
    }

    /// The current era.
    pub(crate) fn era(&self) -> u64 {
        self.lock().era
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest invalidation known when the load `created` began.
    pub(crate) fn sequence_at(&self, created: HybridTimestamp) -> KnownSequence {
        let steps = self.lock();
        let after = steps.steps.partition_point(|(stamp, _)| *stamp < created);
        KnownSequence { seq: after.checked_sub(1).map_or(0, |at| steps.steps[at].1), era: steps.era }
    }
}

/// Applies stored invalidations and negative entries to memory.
pub(crate) struct InvalidationReplay {
    pub(crate) index: Arc<InvalidationIndex>,
    pub(crate) negative: Arc<NegativeCache>,
    pub(crate) sequence: Arc<HybridClock>,
    pub(crate) sequence_map: Arc<SequenceMap>,
    pub(crate) clock: Clock,
}

impl InvalidationReplay {
    /// Applies all invalidations of the first store, or of one that took the place of another, whose numbers are
    /// discarded. `newest_seq` is the highest number it ever assigned, `newest` the newest timestamp in it, and
    /// `own_origin` the origin of this process. With `is_start` nothing was loaded yet, so the invalidations keep their
    /// timestamps.
    pub(crate) fn begin(
        &self,
        numbered: &[NumberedInvalidation],
        newest_seq: u64,
        newest: HybridTimestamp,
        own_origin: i64,
        is_start: bool,
    ) {
        self.sequence.observe(newest);
        self.sequence_map.forget();
        self.index.clear_sequences();
        for numbered_invalidation in numbered {
            if is_start {
                self.insert(numbered_invalidation, || numbered_invalidation.invalidation.stamp);
            } else {
                self.apply_one(numbered_invalidation, own_origin);
            }
        }
        self.step(newest_seq);
    }

    /// Applies the invalidations of a store that are not known yet, because it could not be read for a while.
    pub(crate) fn resume(
        &self,
        numbered: &[NumberedInvalidation],
        newest_seq: u64,
        newest: HybridTimestamp,
        own_origin: i64,
    ) {
        self.sequence.observe(newest);
        for numbered_invalidation in numbered {
            self.apply_one(numbered_invalidation, own_origin);
        }
        self.step(newest_seq);
    }

    /// Records own invalidations as committed. All numbers assigned up to their commit must have been applied.
    pub(crate) fn committed(&self, invalidations: &[PendingInvalidation]) {
        for insert in invalidations {
            self.index.committed(decode_scope(&insert.scope), insert.stamp);
        }
    }

    /// Restores negative entries after a restart.
    pub(crate) fn restore_negative(&self, negatives: Vec<(Key, NegativeEntry)>) {
        for (key, negative) in negatives {
            self.negative.set(&key, Arc::new(negative));
        }
    }

    /// Applies new invalidations.
    pub(crate) fn apply(&self, numbered: &[NumberedInvalidation], own_origin: i64) {
        for numbered_invalidation in numbered {
            self.apply_one(numbered_invalidation, own_origin);
        }
        self.step(numbered.last().map_or(0, |last| last.seq));
    }

    /// An invalidation of this process took effect before it was written, and only gets its number. Any other takes
    /// effect now, with a new timestamp, because it has its timestamp from another clock.
    fn apply_one(&self, numbered_invalidation: &NumberedInvalidation, own_origin: i64) {
        if numbered_invalidation.origin == own_origin {
            self.index.set_sequence(
                target(numbered_invalidation),
                numbered_invalidation,
                numbered_invalidation.invalidation.stamp,
                true,
            );
        } else {
            self.insert(numbered_invalidation, || self.sequence.next(self.clock.now()));
        }
    }

    fn insert(&self, numbered_invalidation: &NumberedInvalidation, next_stamp: impl FnOnce() -> HybridTimestamp) {
        self.index.insert_stored(target(numbered_invalidation), next_stamp, numbered_invalidation, self.clock.now());
    }

    fn step(&self, seq: u64) {
        if seq > 0 {
            self.sequence_map.step(self.sequence.next(self.clock.now()), seq);
        }
    }
}

fn target(numbered_invalidation: &NumberedInvalidation) -> ScopeHash {
    decode_scope(&numbered_invalidation.invalidation.scope)
}

/// A line that cannot be decoded could mean any scope, so it means everything.
fn decode_scope(scope: &str) -> ScopeHash {
    ScopeHash::from_scope(&scope_codec::decode(scope).unwrap_or(Scope::All))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_knows_the_invalidations_from_before_it_began() {
        let steps = SequenceMap::default();
        let at = |raw| HybridTimestamp::from_raw(raw);
        assert_eq!(steps.sequence_at(at(5)).seq, 0);
        steps.step(at(10), 3);
        steps.step(at(20), 7);
        assert_eq!([9, 10, 11, 20, 21, 99].map(|raw| steps.sequence_at(at(raw)).seq), [0, 0, 3, 3, 7, 7]);
    }

    #[test]
    fn dropped_steps_count_as_unknown() {
        let steps = SequenceMap::default();
        for step in 0..=MAX_STEPS as u64 {
            steps.step(HybridTimestamp::from_raw(step * 10), step + 1);
        }
        assert_eq!(steps.sequence_at(HybridTimestamp::from_raw(5)).seq, 0, "the first step is forgotten");
        assert_eq!(steps.sequence_at(HybridTimestamp::from_raw(15)).seq, 2);
        steps.forget();
        assert_eq!(
            steps.sequence_at(HybridTimestamp::from_raw(15)),
            KnownSequence { seq: 0, era: 1 },
            "numbers of another store"
        );
    }
}
