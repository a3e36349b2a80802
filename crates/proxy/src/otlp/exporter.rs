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
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Timeout for the last batch at shutdown.
const FINAL_FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends spans until the process ends.
pub(super) async fn run(exporter: Arc<OtlpExporter>, stop: CancellationToken) {
    let Some(state) = &exporter.0 else { return };
    let Some(mut receiver) = state.receiver.lock().take() else { return };
    let client = ProbeClient::new(ProbeTrust::system(), state.clock.clone(), COLLECTOR_TIMEOUT, MAX_RESPONSE_BYTES);
    let mut was_accepted = true;
    let mut spans: Vec<OtlpSpan> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            received = receiver.recv_many(&mut spans, MAX_BATCH) => if received == 0 { return },
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = fill(&mut receiver, &mut spans) => {}
            () = state.clock.sleep(BATCH_DELAY) => {}
        }
        let is_accepted = send(state, &client, &spans).await;
        spans.clear();
        if was_accepted && !is_accepted {
            tracing::warn!("the trace collector does not accept spans; they are dropped until it does");
        }
        was_accepted = is_accepted;
    }
    while let Ok(span) = receiver.try_recv() {
        spans.push(span);
    }
    if !spans.is_empty() {
        let _ = state.clock.timeout(FINAL_FLUSH_TIMEOUT, send(state, &client, &spans)).await; // the process ends
    }
}

/// Ends when the batch is full or the queue is closed. Cancel-safe: received spans stay in the batch.
async fn fill(receiver: &mut mpsc::Receiver<OtlpSpan>, spans: &mut Vec<OtlpSpan>) {
    while spans.len() < MAX_BATCH {
        let remaining = MAX_BATCH - spans.len();
        if receiver.recv_many(spans, remaining).await == 0 {
            return;
        }
    }
}

/// Returns whether the collector accepted them. Never retried: a trace is not worth delaying others.
async fn send(state: &ExporterState, client: &ProbeClient, spans: &[OtlpSpan]) -> bool {
    let mut request = Request::new(Bytes::from(batch(spans).to_string()));
    *request.method_mut() = Method::POST;
    let target = state.settings.address.target.expose().trim_end_matches('/');
    *request.uri_mut() = format!("{target}/v1/traces").parse().unwrap_or_default();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let authorization = state.settings.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
    if let Some(Ok(mut authorization)) = authorization.map(HeaderValue::try_from) {
        authorization.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    let response = client.send(&state.settings.address.endpoint, request).await;
    let is_accepted = response.is_ok_and(|received| (200..300).contains(&received.status));
    let counter = if is_accepted { &state.sent } else { &state.failed };
    counter.fetch_add(spans.len() as u64, Ordering::Relaxed);
    is_accepted
}
