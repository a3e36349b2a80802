//! Whether every token that the state may hold something of is known to this process.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether `state.db` was read whole, so that a token that is not known holds nothing on disk.
#[derive(Debug)]
pub struct KnownTokens(AtomicBool);

impl Default for KnownTokens {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl KnownTokens {
    /// True as long as the state was read whole and held no more tokens than are remembered.
    pub fn are_complete(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Records that the state may hold tokens that are not known.
    pub fn set_incomplete(&self) {
        self.0.store(false, Ordering::Release);
    }
}
