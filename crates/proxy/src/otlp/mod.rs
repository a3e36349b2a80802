//! Traces, for who has a collector: one span for each sampled request, sent as OTLP over HTTP in JSON.
//!
//! A span says which server was asked, for which class of reads, and how it was answered. It holds no path, no query, no
//! token and no user. [`traceparent`] understands what a client says of its own trace; nothing of it is passed on to a media
//! server. [`span`] is what is sent, [`exporter`] sends it, in batches, from a bounded queue: when that is full, spans are
//! dropped and counted, and no request ever waits. Turned off, a request pays for one look at an `Option`.

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

use crate::record::Decision;
use greenroom_origin::Origin;
use span::Span;
use traceparent::Parent;

/// Spans that wait to be sent.
const MAX_WAITING: usize = 4_096;

/// Where spans go, if anywhere.
#[derive(Debug, Default)]
pub struct Traces(Option<On>);

#[derive(Debug)]
struct On {
    settings: greenroom_config::Tracing,
    clock: Clock,
    asked: AtomicU64,
    spans: mpsc::Sender<Span>,
    heard: Mutex<Option<mpsc::Receiver<Span>>>,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Traces {
    /// Sends spans to where the settings say.
    pub fn new(settings: Option<greenroom_config::Tracing>, clock: &Clock) -> Self {
        Self(settings.map(|settings| {
            let (spans, heard) = mpsc::channel(MAX_WAITING);
            On {
                settings,
                clock: clock.clone(),
                asked: AtomicU64::new(0),
                spans,
                heard: Mutex::new(Some(heard)),
                sent: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }
        }))
    }

    /// Sends what is noted, until the process ends.
    pub fn begin(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        if self.0.is_some() {
            tasks.spawn(exporter::keep(Arc::clone(self), stop.clone()));
        }
    }

    /// What a client says of its own trace, if anybody wants to know.
    #[inline]
    pub fn parent(&self, headers: &HeaderMap) -> Option<Parent> {
        self.0.as_ref().and_then(|_| Parent::of(headers))
    }

    /// A request was answered.
    #[inline]
    pub fn note(&self, origin: &Origin, decision: &Decision, parent: Option<Parent>) {
        if let Some(on) = &self.0 {
            on.note(origin, decision, parent);
        }
    }

    /// Spans that were sent, could not be sent, and were dropped because too many waited; `None` if it is off.
    pub fn counts(&self) -> Option<[(&'static str, u64); 3]> {
        let on = self.0.as_ref()?;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some([("sent", read(&on.sent)), ("failed", read(&on.failed)), ("dropped", read(&on.dropped))])
    }
}

impl On {
    fn note(&self, origin: &Origin, decision: &Decision, parent: Option<Parent>) {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        if !number.is_multiple_of(self.settings.sample_one_in) {
            return;
        }
        let Some(span) = Span::of(origin, decision, parent) else { return };
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
