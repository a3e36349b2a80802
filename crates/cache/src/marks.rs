//! What is known of one scope: when it was invalidated, purged, held, and until when it settles.

use crate::clock::millis;
use crate::scope::{Invalidation, Mode};
use crate::stamp::Stamp;

/// So many writes of unknown outcome are told apart per scope. Of more, the first to end counts as an invalidation
/// at its end, already now: that may keep callers from joining a load, but lets none join wrongly.
const MAX_HOLDS: usize = 8;

/// What is known of one scope. All stamps and times only grow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// The namespace the scope lies in; `None` for scopes that are never folded into it.
    pub(crate) folds_into: Option<u64>,
    /// The newest invalidation, and the one before.
    pub(crate) newest: Stamp,
    pub(crate) before: Stamp,
    /// The newest purge.
    pub(crate) purge: Stamp,
    /// The ends of holds (writes of unknown outcome), some of them in the future: loads that began before one are
    /// not stored, and nobody who came after one joins a load that began before it.
    pub(crate) holds: Vec<Stamp>,
    /// Loads that began before this live for `settle_fresh_ms` at most.
    pub(crate) settle_until_ms: u64,
    pub(crate) settle_fresh_ms: u64,
    /// The numbers that a store gave to the newest invalidation and the newest purge; zero if to none.
    pub(crate) newest_seq: u64,
    pub(crate) purge_seq: u64,
    /// The newest invalidation of any process that has a number.
    pub(crate) numbered: Stamp,
    /// The newest invalidation of this process, and the newest of those that has a number.
    pub(crate) ours: Stamp,
    pub(crate) ours_numbered: Stamp,
}

impl Marks {
    pub(crate) fn invalidate(&mut self, stamp: Stamp, how: &Invalidation) {
        self.see(stamp);
        if how.mode == Mode::Purge {
            self.purge = self.purge.max(stamp);
        }
        if let Some(settle) = how.settle {
            self.settle(
                stamp.ms().saturating_add(millis(settle.lasting)),
                millis(settle.max_fresh),
                stamp.ms(),
            );
        }
        if let Some(end) = hold_end(stamp, how) {
            self.hold(end);
        }
    }

    pub(crate) fn see(&mut self, stamp: Stamp) {
        if stamp > self.newest {
            self.before = std::mem::replace(&mut self.newest, stamp);
        } else {
            self.before = self.before.max(stamp);
        }
    }

    /// Adds the end of a hold.
    pub(crate) fn hold(&mut self, end: Stamp) {
        self.holds.push(end);
        if self.holds.len() > MAX_HOLDS {
            self.holds.sort_unstable();
            let first = self.holds.remove(0);
            self.see(first);
        }
    }

    /// Whether a load that began then is not to be stored.
    pub(crate) fn holds(&self, began: Stamp) -> bool {
        self.holds.iter().any(|end| began <= *end)
    }

    /// Whether a hold over a load that began then had ended when a caller came.
    pub(crate) fn held(&self, began: Stamp, arrived: Stamp) -> bool {
        self.holds.iter().any(|end| began <= *end && *end < arrived)
    }

    pub(crate) fn settle(&mut self, until_ms: u64, fresh_ms: u64, now_ms: u64) {
        let running = self.settle_until_ms > now_ms;
        self.settle_fresh_ms = if running { self.settle_fresh_ms.min(fresh_ms) } else { fresh_ms };
        self.settle_until_ms = self.settle_until_ms.max(until_ms);
    }

    /// Whether an invalidation of this process has no number yet: what a store holds cannot be compared with it.
    pub(crate) fn is_pending(&self) -> bool {
        self.ours > self.ours_numbered
    }

    /// Takes over all that `other` forbids.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.see(other.newest);
        self.see(other.before);
        self.purge = self.purge.max(other.purge);
        self.newest_seq = self.newest_seq.max(other.newest_seq);
        self.purge_seq = self.purge_seq.max(other.purge_seq);
        self.numbered = self.numbered.max(other.numbered);
        let both = [self.ours_numbered, other.ours_numbered];
        let is_pending = self.is_pending() || other.is_pending();
        self.ours = self.ours.max(other.ours);
        self.ours_numbered = if is_pending { both[0].min(both[1]) } else { both[0].max(both[1]) };
        other.holds.iter().for_each(|end| self.hold(*end));
        if other.settle_until_ms > 0 {
            self.settle(other.settle_until_ms, other.settle_fresh_ms, self.newest.ms());
        }
    }
}

/// Until when an invalidation lets nothing be stored.
pub(crate) fn hold_end(stamp: Stamp, how: &Invalidation) -> Option<Stamp> {
    how.unstorable_for.map(|lasting| Stamp::end_of(stamp.ms().saturating_add(millis(lasting))))
}
