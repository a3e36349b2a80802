//! Predicted requests after one response.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_prefetch::prediction::model::Prediction;

use crate::prefetch::clients::ClientId;
use crate::request::classified_request::ClassifiedRequest;

/// Predicted requests after one response.
pub struct PrefetchBatch {
    /// The client.
    pub(crate) client: ClientId,
    /// The client's request, with its credential.
    pub(crate) classified: Arc<ClassifiedRequest>,
    /// Predictions, the most likely first.
    pub(crate) predictions: Vec<Prediction>,
    /// When the response was sent.
    pub(crate) at_ms: Timestamp,
}

impl std::fmt::Debug for PrefetchBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrefetchBatch({})", self.predictions.len())
    }
}
