//! The marks of one file, shared by all generations that list it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The marks of one file as bits, shared by all generations that list it.
#[derive(Debug, Clone, Default)]
pub struct MarkCell(Arc<AtomicU32>);

impl MarkCell {
    /// Its marks.
    pub fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces its marks.
    pub fn set(&self, bits: u32) {
        self.0.store(bits, Ordering::Relaxed);
    }
}
