//! Traces for a collector: one span per sampled request, sent as OTLP over HTTP in JSON.
//!
//! A span names the server, the class of reads and the result. It holds no path, no query, no token and no user.
//! [`traceparent`] parses the client's trace context; nothing of it is sent to a media server. [`span`] is the data
//! sent, [`exporter`] sends it in batches from a bounded queue: when that is full, spans are dropped and counted, and
//! no request ever waits. Turned off, it costs a request one check of an `Option`.

mod exporter;
mod span;
pub mod traceparent;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Clock;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use greenroom_origin::Origin;
use greenroom_request_log::Decision;
use span::OtlpSpan;
use traceparent::TraceParent;

/// Max queued spans.
const MAX_QUEUED: usize = 4_096;

/// Exports spans, if a collector is configured.
#[derive(Debug, Default)]
pub struct OtlpExporter(Option<ExporterState>);

#[derive(Debug)]
struct ExporterState {
    settings: greenroom_config::TracingSettings,
    clock: Clock,
    requests: AtomicU64,
    spans: mpsc::Sender<OtlpSpan>,
    receiver: Mutex<Option<mpsc::Receiver<OtlpSpan>>>,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl OtlpExporter {
    /// An exporter with these settings.
    pub fn new(settings: Option<greenroom_config::TracingSettings>, clock: &Clock) -> Self {
        Self(settings.map(|settings| {
            let (spans, receiver) = mpsc::channel(MAX_QUEUED);
            ExporterState {
                settings,
                clock: clock.clone(),
                requests: AtomicU64::new(0),
                spans,
                receiver: Mutex::new(Some(receiver)),
                sent: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }
        }))
    }

    /// Starts sending recorded spans, until the process ends.
    pub fn start(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        if self.0.is_some() {
            tasks.spawn(exporter::run(Arc::clone(self), stop.clone()));
        }
    }

    /// The client's trace context, if the exporter is on.
    #[inline]
    pub fn parent(&self, headers: &HeaderMap) -> Option<TraceParent> {
        self.0.as_ref().and_then(|_| TraceParent::from_headers(headers))
    }

    /// Whether spans are exported.
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Records the span of a finished request.
    #[inline]
    pub fn record(&self, origin: &Origin, decision: &Decision, parent: Option<TraceParent>) {
        if let Some(state) = &self.0 {
            state.record(origin, decision, parent);
        }
    }

    /// Number of spans that were sent, failed, and were dropped because the queue was full; `None` if off.
    pub fn counts(&self) -> Option<[(&'static str, u64); 3]> {
        let state = self.0.as_ref()?;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some([("sent", read(&state.sent)), ("failed", read(&state.failed)), ("dropped", read(&state.dropped))])
    }
}

impl ExporterState {
    fn record(&self, origin: &Origin, decision: &Decision, parent: Option<TraceParent>) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if !number.is_multiple_of(self.settings.sample_one_in) {
            return;
        }
        let Some(span) = OtlpSpan::from_decision(origin, decision, parent) else { return };
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
