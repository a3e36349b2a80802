//! A read of our own: for a dashboard, answered and counted as any app's, or for ourselves, counted as nobody's. It is
//! handed over as it is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::{Answer, Entry, Failure, Load, LoadReason, Loader};
use greenroom_upstream::verdict::Read;
use http::{HeaderMap, Response, StatusCode};

use super::cause::Cause;
use super::load::ReadLoader;
use super::{Visit, answer, note, offline, read};
use crate::body::Body;

/// Answers it for a dashboard.
///
/// # Errors
/// If there is neither an answer nor anything kept that may stand in.
pub(crate) async fn answer(
    visit: &Visit,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<Answer<Response<Body>>, Failure> {
    let server = &visit.server;
    let began_us = server.clock.now_us();
    server.counters.asked.fetch_add(1, Ordering::Relaxed);
    let now_ms = server.clock.now_ms();
    server.counters.last_asked_ms.store(now_ms, Ordering::Relaxed);
    visit.app.asked.fetch_add(1, Ordering::Relaxed);
    visit.app.see(now_ms);
    visit.app.first_asked.get_or_init(|| read.class.name());
    let waiting = note::Waiting::new(server, &visit.meaning, note::Asked { began_us, parent: None });
    let cause = Cause::default();
    let asking = || cause.noting(read::loader(visit, read));
    let answered = match server.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, visit, read, &outage, asking).await,
        None => read::consult(&server.cache, visit, read, headers, asking).await,
    };
    let (status, bytes) = match &answered {
        Ok(Answer::Kept { entry, served, reason, .. }) => {
            read::note_saved(visit, *served, *reason);
            (answer::head_of(entry.meta()).0, entry.body().len() as u64)
        }
        Ok(Answer::Shared { value, served }) => {
            read::note_saved(visit, *served, None);
            (answer::head_of(&value.meta).0, value.body.len() as u64)
        }
        Ok(Answer::Passed(response)) => (response.status(), 0),
        Err(_) => {
            visit.app.failed.fetch_add(1, Ordering::Relaxed);
            (StatusCode::SERVICE_UNAVAILABLE, 0)
        }
    };
    if answered.is_ok() {
        // Who may ask here was asked already, and the configured token is as good as its answer.
        visit.identity.note_member();
        note::admit(server, &visit.meaning);
    }
    waiting.answered_within(read::outcome_of(&answered, &cause), status, bytes);
    answered
}

/// Answers it for ourselves.
///
/// # Errors
/// If there is neither an answer nor anything kept that may stand in.
pub(crate) async fn answer_ourselves(
    visit: &Visit,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<Answer<Response<Body>>, Failure> {
    let server = &visit.server;
    let asking = || Unasked(read::loader(visit, read));
    match server.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, visit, read, &outage, asking).await,
        None => read::consult(&server.cache, visit, read, headers, asking).await,
    }
}

/// A loader of what no app asked for: whatever the engine loads it for, it is our own work.
#[derive(Debug, Clone)]
struct Unasked(ReadLoader);

impl Loader for Unasked {
    type Pass = Response<Body>;

    async fn load(&self, _: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<Self::Pass>, Failure> {
        self.0.load(LoadReason::Ahead, old).await
    }
}
