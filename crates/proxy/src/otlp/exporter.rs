//! Sends spans to a collector, in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::span::{OtlpSpan, batch};
use super::{ExporterState, OtlpExporter};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};

/// Max spans per request to the collector.
const MAX_BATCH: usize = 512;
/// Max wait of a batch's first span.
const BATCH_DELAY: Duration = Duration::from_secs(2);
/// Timeout for the collector's response.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Timeout for the last batch at shutdown.
const FINAL_FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends spans until the process ends.
pub(super) async fn run(traces: Arc<OtlpExporter>, stop: CancellationToken) {
    let Some(on) = &traces.0 else { return };
    let Some(mut heard) = on.receiver.lock().take() else { return };
    let enquirer = ProbeClient::new(ProbeTrust::system(), on.clock.clone(), COLLECTOR_TIMEOUT, MAX_ANSWER_BYTES);
    let mut was_taken = true;
    let mut spans: Vec<OtlpSpan> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            received = heard.recv_many(&mut spans, MAX_BATCH) => if received == 0 { return },
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = fill(&mut heard, &mut spans) => {}
            () = on.clock.sleep(BATCH_DELAY) => {}
        }
        let is_taken = send(on, &enquirer, &spans).await;
        spans.clear();
        if was_taken && !is_taken {
            tracing::warn!("the collector of traces does not take them; they are dropped until it does");
        }
        was_taken = is_taken;
    }
    while let Ok(span) = heard.try_recv() {
        spans.push(span);
    }
    if !spans.is_empty() {
        drop(on.clock.timeout(FINAL_FLUSH_TIMEOUT, send(on, &enquirer, &spans)).await);
    }
}

/// Ends when the batch is full or the queue is closed. Cancel-safe: received spans stay in the batch.
async fn fill(heard: &mut mpsc::Receiver<OtlpSpan>, spans: &mut Vec<OtlpSpan>) {
    while spans.len() < MAX_BATCH {
        let room = MAX_BATCH - spans.len();
        if heard.recv_many(spans, room).await == 0 {
            return;
        }
    }
}

/// Returns whether the collector accepted them. Never retried: a trace is not worth delaying others.
async fn send(on: &ExporterState, enquirer: &ProbeClient, spans: &[OtlpSpan]) -> bool {
    let mut request = Request::new(Bytes::from(batch(spans).to_string()));
    *request.method_mut() = Method::POST;
    let target = on.settings.address.target.expose().trim_end_matches('/');
    *request.uri_mut() = format!("{target}/v1/traces").parse().unwrap_or_default();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let said = on.settings.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
    if let Some(Ok(mut said)) = said.map(HeaderValue::try_from) {
        said.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, said);
    }
    let answer = enquirer.send(&on.settings.address.endpoint, request).await;
    let is_taken = answer.is_ok_and(|heard| (200..300).contains(&heard.status));
    let counter = if is_taken { &on.sent } else { &on.failed };
    counter.fetch_add(spans.len() as u64, Ordering::Relaxed);
    is_taken
}
