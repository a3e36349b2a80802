//! The state shared by all handles of one cache.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::coordinator::Coordinator;
use crate::counters::CacheCounters;
use crate::warm_set::WarmSet;

/// The parts of a cache. [`crate::Cache`] is a handle to them.
pub(crate) struct CacheEngine {
    pub(crate) coordinator: Coordinator,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    pub(crate) counters: CacheCounters,
    pub(crate) warm: WarmSet,
    pub(crate) stop: CancellationToken,
}
