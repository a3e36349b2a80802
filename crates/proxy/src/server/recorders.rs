//! Recorders of a server's requests.

use std::sync::Arc;

use crate::otlp::OtlpExporter;
use crate::shadow::spot_checks::SpotChecker;
use greenroom_request_log::RequestRecorder;

/// Recorders of a server's requests.
#[derive(Debug, Default)]
pub struct RequestRecorders {
    /// Requests and results over time.
    pub requests: RequestRecorder,
    /// Spot checks: compare cached responses with the server's.
    pub spot_checks: SpotChecker,
    /// Exporter of traces.
    pub otlp: Arc<OtlpExporter>,
}
