//! Messages that several caches exchange through a store.

use std::time::Duration;

use crate::disk::scope_codec;
use crate::scope::{GracePeriod, Invalidation, InvalidationMode, Scope};

/// A position in the store's sequence of invalidations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteSequence {
    /// Id of the sequence: another one begins where the store lost numbers that it had assigned.
    pub epoch: u64,
    /// The newest number known.
    pub seq: u64,
}

/// An invalidation as it travels between caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedInvalidation {
    /// The scope, encoded: keys and tags, no values.
    pub scope: String,
    /// Whether it purges.
    pub purges: bool,
    /// Nothing covered may be stored for this long.
    pub unstorable_ms: Duration,
    /// Loads of what is covered within this time …
    pub grace_ms: Duration,
    /// … are fresh for this long at most.
    pub grace_fresh_ms: Duration,
    /// Identifies it in the cache that made it.
    pub ticket: u64,
}

impl SharedInvalidation {
    /// The form in which an invalidation travels.
    pub(crate) fn new(scope: &Scope, invalidation: &Invalidation, ticket: u64) -> Self {
        let grace = invalidation.grace_period;
        Self {
            scope: scope_codec::encode(scope),
            purges: invalidation.mode == InvalidationMode::Purge,
            unstorable_ms: invalidation.unstorable_for.unwrap_or_default(),
            grace_ms: grace.map_or(Duration::ZERO, |grace| grace.duration),
            grace_fresh_ms: grace.map_or(Duration::ZERO, |grace| grace.max_fresh),
            ticket,
        }
    }

    /// Everything: for where it is not known what was invalidated. Purged only if something is known to have been.
    pub fn everything(purges: bool) -> Self {
        let invalidation = if purges { Invalidation::purge() } else { Invalidation::mark_stale() };
        Self::new(&Scope::All, &invalidation, 0)
    }

    /// Merges an earlier invalidation of the same scope that was not sent.
    pub fn absorb(&mut self, earlier: &Self) {
        self.purges |= earlier.purges;
        self.unstorable_ms = self.unstorable_ms.max(earlier.unstorable_ms);
        if earlier.grace_ms > Duration::ZERO {
            let is_only = self.grace_ms == Duration::ZERO;
            self.grace_fresh_ms =
                if is_only { earlier.grace_fresh_ms } else { self.grace_fresh_ms.min(earlier.grace_fresh_ms) };
            self.grace_ms = self.grace_ms.max(earlier.grace_ms);
        }
        self.ticket = self.ticket.max(earlier.ticket);
    }

    /// The scope; everything if it cannot be decoded.
    pub fn scope(&self) -> Scope {
        decode_scope(&self.scope)
    }

    pub(crate) fn invalidation(&self) -> Invalidation {
        let some = |duration: Duration| (!duration.is_zero()).then_some(duration);
        Invalidation {
            mode: if self.purges { InvalidationMode::Purge } else { InvalidationMode::MarkStale },
            grace_period: some(self.grace_ms).map(|duration| GracePeriod { duration, max_fresh: self.grace_fresh_ms }),
            unstorable_for: some(self.unstorable_ms),
        }
    }
}

/// The scope of an encoded text. One that cannot be decoded could mean anything, so it means everything.
pub(crate) fn decode_scope(text: &str) -> Scope {
    scope_codec::decode(text).unwrap_or(Scope::All)
}
