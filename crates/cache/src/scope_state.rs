//! Invalidation record of one scope: when it was invalidated, purged and held, and until when its grace period lasts.

use crate::hybrid_timestamp::HybridTimestamp;
use crate::scope::{Invalidation, InvalidationMode};
#[cfg(not(feature = "shuttle"))]
use crate::stored_invalidation::NumberedInvalidation;
use crate::timestamp::Timestamp;
use std::time::Duration;

/// Max writes of unknown outcome tracked per scope. Beyond it, the first two to end are merged into one whose end lies
/// between theirs. That may keep callers from joining a load, but lets none join wrongly.
const MAX_HOLDS: usize = 8;

/// Invalidation record of one scope. All timestamps and times only grow.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeState {
    /// The scope's namespace; `None` for scopes that are never folded into it.
    pub(crate) folds_into: Option<u64>,
    /// The newest invalidation, and the one before.
    pub(crate) newest: HybridTimestamp,
    pub(crate) before: HybridTimestamp,
    /// The newest purge.
    pub(crate) purge: HybridTimestamp,
    /// Ends of holds (writes of unknown outcome), some of them in the future. Loads that began before an end are not
    /// stored, and callers that arrive after it do not join them.
    pub(crate) holds: Vec<HoldEnd>,
    /// Loads that began before this are fresh for `grace_fresh_ms` at most.
    pub(crate) grace_until_ms: Timestamp,
    pub(crate) grace_fresh_ms: Duration,
    /// Sequence numbers a store assigned to the newest invalidation and the newest purge; zero if none.
    pub(crate) newest_seq: u64,
    pub(crate) purge_seq: u64,
    /// The newest numbered invalidation of any process.
    pub(crate) numbered: HybridTimestamp,
    /// The newest invalidation of this process, and the newest numbered one.
    pub(crate) own: HybridTimestamp,
    pub(crate) own_numbered: HybridTimestamp,
}

/// One or more holds that end between these times, the last of them at the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldEnd {
    first_ms: Timestamp,
    last_ms: Timestamp,
}

impl ScopeState {
    pub(crate) fn invalidate(&mut self, stamp: HybridTimestamp, invalidation: &Invalidation, now_ms: Timestamp) {
        self.record_stamp(stamp);
        if invalidation.mode == InvalidationMode::Purge {
            self.purge = self.purge.max(stamp);
        }
        if let Some(grace_period) = invalidation.grace_period {
            let until_ms = now_ms.saturating_add(grace_period.duration);
            self.set_grace_period(until_ms, grace_period.max_fresh, now_ms);
        }
        if let Some(end_ms) = hold_end_ms(now_ms, invalidation) {
            self.add_hold(end_ms);
        }
    }

    pub(crate) fn record_stamp(&mut self, stamp: HybridTimestamp) {
        if stamp > self.newest {
            self.before = std::mem::replace(&mut self.newest, stamp);
        } else {
            self.before = self.before.max(stamp);
        }
    }

    /// Adds the end of a hold.
    pub(crate) fn add_hold(&mut self, end_ms: Timestamp) {
        if !self.holds.iter().any(|end| end.last_ms == end_ms) {
            self.add(HoldEnd { first_ms: end_ms, last_ms: end_ms });
        }
    }

    fn add(&mut self, end: HoldEnd) {
        self.holds.push(end);
        if self.holds.len() > MAX_HOLDS {
            self.holds.sort_unstable_by_key(|end| end.last_ms);
            let first = self.holds.remove(0);
            self.holds[0].first_ms = self.holds[0].first_ms.min(first.first_ms);
        }
    }

    /// Whether a load that began then must not be stored.
    pub(crate) fn blocks_store(&self, began_ms: Timestamp) -> bool {
        self.holds.iter().any(|end| began_ms <= end.last_ms)
    }

    /// Whether a hold over a load that began then had ended when a caller arrived.
    pub(crate) fn hold_ended_between(&self, began_ms: Timestamp, until_ms: Timestamp) -> bool {
        self.holds.iter().any(|end| began_ms <= end.last_ms && end.first_ms < until_ms)
    }

    pub(crate) fn set_grace_period(&mut self, until_ms: Timestamp, fresh_ms: Duration, now_ms: Timestamp) {
        let is_running = self.grace_until_ms > now_ms;
        self.grace_fresh_ms = if is_running { self.grace_fresh_ms.min(fresh_ms) } else { fresh_ms };
        self.grace_until_ms = self.grace_until_ms.max(until_ms);
    }

    /// Whether an invalidation of this process has no number yet, so stored entries cannot be compared with it.
    pub(crate) fn is_pending(&self) -> bool {
        self.own > self.own_numbered
    }

    /// Sets the number a store assigned to the record with this timestamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn set_sequence(&mut self, numbered_invalidation: &NumberedInvalidation, stamp: HybridTimestamp) {
        self.newest_seq = self.newest_seq.max(numbered_invalidation.seq);
        self.numbered = self.numbered.max(stamp);
        if numbered_invalidation.invalidation.purges {
            self.purge_seq = self.purge_seq.max(numbered_invalidation.seq);
        }
    }

    /// Merges all restrictions of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.record_stamp(other.newest);
        self.record_stamp(other.before);
        self.purge = self.purge.max(other.purge);
        self.newest_seq = self.newest_seq.max(other.newest_seq);
        self.purge_seq = self.purge_seq.max(other.purge_seq);
        self.numbered = self.numbered.max(other.numbered);
        let both = [self.own_numbered, other.own_numbered];
        let is_pending = self.is_pending() || other.is_pending();
        self.own = self.own.max(other.own);
        self.own_numbered = if is_pending { both[0].min(both[1]) } else { both[0].max(both[1]) };
        other.holds.iter().for_each(|end| self.add(*end));
        if other.grace_until_ms > Timestamp::UNIX_EPOCH {
            // Whether our own grace period is over does not matter here: the stricter one counts.
            self.set_grace_period(other.grace_until_ms, other.grace_fresh_ms, Timestamp::UNIX_EPOCH);
        }
    }
}

/// End of the time during which an invalidation blocks storing.
pub(crate) fn hold_end_ms(now_ms: Timestamp, invalidation: &Invalidation) -> Option<Timestamp> {
    invalidation.unstorable_for.map(|duration| now_ms.saturating_add(duration))
}
