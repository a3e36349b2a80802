//! What is likely to be asked after one answer.

use std::sync::Arc;

use greenroom_dialect::sequel::habits::Expected;

use crate::prefetch::clients::Guest;
use crate::request::meaning::Meaning;

/// What is likely to be asked after one answer.
pub struct Round {
    /// Whose it is.
    pub(crate) guest: Guest,
    /// On whose behalf, with the credential that was shown.
    pub(crate) meaning: Arc<Meaning>,
    /// What is expected, the most likely first.
    pub(crate) expected: Vec<Expected>,
    /// When the answer left.
    pub(crate) at_ms: u64,
}

impl std::fmt::Debug for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Round({})", self.expected.len())
    }
}
