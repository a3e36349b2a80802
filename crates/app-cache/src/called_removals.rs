//! Removals that a call continues itself.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Numbers of the removals that calls continue; the sweeper leaves them alone.
#[derive(Debug, Default)]
pub(crate) struct CalledRemovals {
    numbers: Mutex<Vec<u64>>,
    /// Wakes the sweeper.
    pub(crate) sweep_due: Notify,
}

impl CalledRemovals {
    /// Their numbers now.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.numbers.lock().clone()
    }
}

/// Keeps the sweeper from a removal that a call continues; the sweeper continues it once the call ends.
pub(crate) struct RemovalGuard {
    removals: Arc<CalledRemovals>,
    sequence: u64,
}

impl RemovalGuard {
    /// Guards the removal with this number.
    pub(crate) fn new(removals: Arc<CalledRemovals>, sequence: u64) -> Self {
        removals.numbers.lock().push(sequence);
        Self { removals, sequence }
    }

    /// Number of the removal.
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Drop for RemovalGuard {
    fn drop(&mut self) {
        self.removals.numbers.lock().retain(|sequence| *sequence != self.sequence);
        self.removals.sweep_due.notify_one();
    }
}
