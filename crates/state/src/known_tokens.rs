//! Whether this process knows every token that the state may have entries for.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether `state.db` was read whole, so that an unknown token has no entries on disk.
#[derive(Debug)]
pub struct KnownTokens(AtomicBool);

impl Default for KnownTokens {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl KnownTokens {
    /// Whether the state was read whole and held no more tokens than are remembered.
    pub fn are_complete(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Records that the state may hold unknown tokens.
    pub fn set_incomplete(&self) {
        self.0.store(false, Ordering::Release);
    }
}
