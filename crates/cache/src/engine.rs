//! What every handle of a cache points to.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::tally::Tally;
use crate::warm_set::WarmSet;

/// Everything a cache is made of.
pub(crate) struct Engine {
    pub(crate) desk: Desk,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    pub(crate) tally: Tally,
    pub(crate) warm: WarmSet,
    pub(crate) stop: CancellationToken,
}
