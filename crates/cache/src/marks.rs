//! What is known of one scope: when it was invalidated, purged, held, and until when it settles.

use crate::clock::millis;
use crate::scope::{Invalidation, Mode};
use crate::stamp::Stamp;
#[cfg(not(feature = "shuttle"))]
use crate::stored_marker::Placed;

/// So many writes of unknown outcome are told apart per scope. Of more, the first two to end become one that ends
/// somewhere between: that may keep callers from joining a load, but lets none join wrongly.
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
    pub(crate) holds: Vec<HoldEnd>,
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

/// One or more holds end between these, and the last of them at the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldEnd {
    first_ms: u64,
    last_ms: u64,
}

impl Marks {
    pub(crate) fn invalidate(&mut self, stamp: Stamp, how: &Invalidation, now_ms: u64) {
        self.see(stamp);
        if how.mode == Mode::Purge {
            self.purge = self.purge.max(stamp);
        }
        if let Some(settle) = how.settle {
            let until_ms = now_ms.saturating_add(millis(settle.lasting));
            self.settle(until_ms, millis(settle.max_fresh), now_ms);
        }
        if let Some(end_ms) = hold_end_ms(now_ms, how) {
            self.hold(end_ms);
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
    pub(crate) fn hold(&mut self, end_ms: u64) {
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

    /// Whether a load that began then is not to be stored.
    pub(crate) fn holds(&self, began_ms: u64) -> bool {
        self.holds.iter().any(|end| began_ms <= end.last_ms)
    }

    /// Whether a hold over a load that began then had ended when a caller came.
    pub(crate) fn held(&self, began_ms: u64, arrived_ms: u64) -> bool {
        self.holds.iter().any(|end| began_ms <= end.last_ms && end.first_ms < arrived_ms)
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

    /// Takes in the number a store gave to the marker with that stamp.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn take_number(&mut self, placed: &Placed, stamp: Stamp) {
        self.newest_seq = self.newest_seq.max(placed.seq);
        self.numbered = self.numbered.max(stamp);
        if placed.mark.purges {
            self.purge_seq = self.purge_seq.max(placed.seq);
        }
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
        other.holds.iter().for_each(|end| self.add(*end));
        if other.settle_until_ms > 0 {
            // Whether ours is over nobody asks here: the stricter counts.
            self.settle(other.settle_until_ms, other.settle_fresh_ms, 0);
        }
    }
}

/// Until when an invalidation lets nothing be stored.
pub(crate) fn hold_end_ms(now_ms: u64, how: &Invalidation) -> Option<u64> {
    how.unstorable_for.map(|lasting| now_ms.saturating_add(millis(lasting)))
}
