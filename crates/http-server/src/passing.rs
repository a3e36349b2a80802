//! Counts responses of which only the body is still being sent, such as a film: no stored data depends on the rest.
//! Shutdown need not wait for them before it closes its files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of such responses.
#[derive(Debug, Default)]
pub struct PassThroughCount(Arc<AtomicUsize>);

/// One of them, counted until dropped.
#[derive(Debug)]
pub struct PassThroughGuard(Arc<AtomicUsize>);

impl PassThroughCount {
    /// Counts one more.
    pub fn begin(&self) -> PassThroughGuard {
        self.0.fetch_add(1, Ordering::AcqRel);
        PassThroughGuard(Arc::clone(&self.0))
    }

    /// Current number.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for PassThroughGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
