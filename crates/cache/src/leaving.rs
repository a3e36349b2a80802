//! Answers on their way out. What a load brought is written only when the answers that waited for it have left: the
//! disk never competes with them for anything.

use std::sync::Arc;

use crate::value::Entry;

/// Rung when the last answer that waited for a value has left.
#[cfg(not(feature = "shuttle"))]
pub(crate) trait Bell: std::fmt::Debug + Send + Sync {
    /// Something may be ready to be written.
    fn ring(&self);
}

/// Held by whoever delivers an answer until its last byte has left. Dropping it says that it has. Whoever holds it too
/// long delays nothing but the writing of this one value, and that not for ever.
#[derive(Debug)]
pub struct Leaving {
    entry: Arc<Entry>,
    #[cfg(not(feature = "shuttle"))]
    bell: Arc<dyn Bell>,
}

#[cfg(not(feature = "shuttle"))]
impl Leaving {
    pub(crate) fn begin(entry: &Arc<Entry>, bell: Arc<dyn Bell>) -> Self {
        entry.answer_begins();
        Self { entry: Arc::clone(entry), bell }
    }
}

impl Clone for Leaving {
    fn clone(&self) -> Self {
        self.entry.answer_begins();
        Self {
            entry: Arc::clone(&self.entry),
            #[cfg(not(feature = "shuttle"))]
            bell: Arc::clone(&self.bell),
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let is_last = self.entry.answer_ends();
        #[cfg(not(feature = "shuttle"))]
        if is_last {
            self.bell.ring();
        }
        #[cfg(feature = "shuttle")]
        let _: bool = is_last;
    }
}
