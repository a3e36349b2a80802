//! The state that all handles of a cache share.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::coordinator::Coordinator;
use crate::counters::CacheCounters;
use crate::warm_set::WarmSet;

/// All parts of a cache.
pub(crate) struct CacheEngine {
    pub(crate) coordinator: Coordinator,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    pub(crate) counters: CacheCounters,
    pub(crate) warm: WarmSet,
    pub(crate) stop: CancellationToken,
}
