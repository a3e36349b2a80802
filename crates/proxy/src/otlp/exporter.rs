//! Sends spans to a collector, many at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::span::{Span, batch};
use super::{On, Traces};
use greenroom_origin::probe_client::{Enquirer, Trust};

/// Spans of one request to the collector.
const MAX_BATCH: usize = 512;
/// How long the first of them waits for others.
const WAIT: Duration = Duration::from_secs(2);
/// How long the collector may take, and how much of its answer is read.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long the last batch may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Sends spans until the process ends.
pub(super) async fn keep(traces: Arc<Traces>, stop: CancellationToken) {
    let Some(on) = &traces.0 else { return };
    let Some(mut heard) = on.heard.lock().take() else { return };
    let enquirer = Enquirer::new(Trust::system(), on.clock.clone(), PATIENCE, MAX_ANSWER_BYTES);
    let mut was_taken = true;
    let mut spans: Vec<Span> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            received = heard.recv_many(&mut spans, MAX_BATCH) => if received == 0 { return },
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = fill(&mut heard, &mut spans) => {}
            () = on.clock.sleep(WAIT) => {}
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
        drop(on.clock.timeout(LAST_WORDS, send(on, &enquirer, &spans)).await);
    }
}

/// Ends as soon as a batch is full, or nothing more can come. What is received by then stays if nobody waits for the rest.
async fn fill(heard: &mut mpsc::Receiver<Span>, spans: &mut Vec<Span>) {
    while spans.len() < MAX_BATCH {
        let room = MAX_BATCH - spans.len();
        if heard.recv_many(spans, room).await == 0 {
            return;
        }
    }
}

/// Returns whether they were taken. They are not sent twice: a trace is not worth holding others up.
async fn send(on: &On, enquirer: &Enquirer, spans: &[Span]) -> bool {
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
    let answer = enquirer.ask(&on.settings.address.place, request).await;
    let is_taken = answer.is_ok_and(|heard| (200..300).contains(&heard.status));
    let counter = if is_taken { &on.sent } else { &on.failed };
    counter.fetch_add(spans.len() as u64, Ordering::Relaxed);
    is_taken
}
