//! Observe mode: works out what the cache would do, while the server answers everything.
//!
//! A second, shadow engine runs beside the traffic, with the same settings, keys and policies, and every invalidation.
//! It gets each client request at the same moment, and its loads use the response that passes to the client anyway. So
//! its hits, joins and refreshes are those of the cache, without a request to the server. No client is ever served from
//! it, because a response to the client's own request may depend on more than the key holds.
//!
//! Modules: [`comparison`] (whether the response would have been right, and why not), [`stats`] (counters), [`report`]
//! (the report), [`spot_checks`] (the same comparison behind real hits).

pub mod comparison;
pub mod report;
pub mod spot_checks;
pub mod stats;

use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;

use greenroom_cache::{Cache, Invalidation, Scope};

pub use comparison::CacheCorrectness;
pub use report::ShadowReport;
pub use stats::{PredictedOutcome, ShadowCounts, ShadowStats};

use greenroom_origin::Origin;

/// Observation of one server since it began.
#[derive(Debug)]
pub struct ShadowRun {
    /// The shadow engine, which serves no client.
    pub cache: Cache,
    /// Counters.
    pub stats: ShadowStats,
    server: String,
    started_ms: Timestamp,
    /// Own requests before it began.
    own_before: u64,
}

impl ShadowRun {
    /// Starts with an empty cache.
    pub fn start(origin: &Origin, cache: &Cache) -> Self {
        let settings = cache.settings().clone();
        let cache = Cache::new(settings, origin.clock.clone(), origin.tasks.clone());
        cache.run_warmer();
        Self {
            cache,
            stats: ShadowStats::default(),
            server: origin.name().to_owned(),
            started_ms: origin.clock.now(),
            own_before: origin.counters.own.load(Ordering::Relaxed),
        }
    }

    /// Ends its tasks. Loads in flight end by themselves.
    pub(crate) fn stop(&self) {
        self.cache.shutdown();
    }

    /// Invalidates in the shadow cache as in the cache.
    pub(crate) fn invalidate(&self, scope: &Scope, how: &Invalidation) {
        self.cache.invalidate(scope, how);
    }

    /// Report so far. `own` is the number of own requests until now.
    pub fn report(&self, own: u64, now_ms: Timestamp) -> ShadowReport {
        let own = own.saturating_sub(self.own_before);
        ShadowReport::new(&self.server, (self.started_ms, now_ms), own, &self.stats.rows())
    }
}
