//! What the cache would do, while the server answers everything itself.
//!
//! Beside the traffic runs a second engine, with the same settings, the same keys and policies, and every
//! invalidation. It is asked whatever a client asks, at that moment, and what it would load it gets from the answer
//! that passes to that client anyway. So its hits, its joins and its refreshes are those the cache would have, and
//! the server hears nothing of it. Nobody is ever answered from it: what passes was asked in the client's own words,
//! and may depend on more than the key holds.
//!
//! Rooms: [`comparison`] (whether the answer would have been the right one, and why not), [`tally`] (what is counted),
//! [`report`] (what is told), [`spot_checks`] (the same comparison behind answers that did come from the cache).

pub mod comparison;
pub mod report;
pub mod spot_checks;
pub mod tally;

use std::sync::atomic::Ordering;

use greenroom_cache::{Cache, Invalidation, Scope};

pub use comparison::{Comparison, Rule};
pub use report::Report;
pub use tally::{Counts, Prediction, Tally};

use greenroom_origin::Origin;

/// What is observed of one server since it began.
#[derive(Debug)]
pub struct Observation {
    /// The engine nobody is answered from.
    pub cache: Cache,
    /// What was counted.
    pub tally: Tally,
    server: String,
    began_ms: u64,
    /// What Greenroom had asked for itself before.
    own_before: u64,
}

impl Observation {
    /// Begins with nothing kept.
    pub fn begin(origin: &Origin, cache: &Cache) -> Self {
        let settings = cache.settings().clone();
        let cache = Cache::new(settings, origin.clock.clone(), origin.tasks.clone());
        cache.run_warmer();
        Self {
            cache,
            tally: Tally::default(),
            server: origin.name().to_owned(),
            began_ms: origin.clock.now_ms(),
            own_before: origin.counters.own.load(Ordering::Relaxed),
        }
    }

    /// Ends its tasks. What is under way ends by itself.
    pub(crate) fn end(&self) {
        self.cache.shutdown();
    }

    /// What went stale in the cache is stale here too.
    pub(crate) fn invalidate(&self, scope: &Scope, how: &Invalidation) {
        self.cache.invalidate(scope, how);
    }

    /// The outcome until now. `own` is what Greenroom has asked for itself until now.
    pub fn report(&self, own: u64, now_ms: u64) -> Report {
        let own = own.saturating_sub(self.own_before);
        Report::new(&self.server, (self.began_ms, now_ms), own, &self.tally.lines())
    }
}
