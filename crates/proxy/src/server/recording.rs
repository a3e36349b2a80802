//! What is recorded of a server's answers.

use std::sync::Arc;

use crate::otlp::Traces;
use crate::record::Ledger;
use crate::shadow::spot_checks::Spots;

/// Where it is recorded how a server's requests were answered.
#[derive(Debug, Default)]
pub struct Recording {
    /// What was asked and how it was answered, over time.
    pub ledger: Ledger,
    /// Whether what is answered is what it says itself.
    pub spots: Spots,
    /// Where traces go.
    pub traces: Arc<Traces>,
}
