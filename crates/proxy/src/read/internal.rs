//! A read of our own: for a dashboard, answered and counted as any app's, or for ourselves, counted as nobody's. It is
//! handed over as it is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::{Answer, Entry, Failure, Load, LoadReason, Loader};
use greenroom_dialect::verdict::Read;
use http::{HeaderMap, Response, StatusCode};

use super::offline;
use crate::read::miss_reason::Cause;
use crate::read::origin_loader::ReadLoader;
use crate::visit::Visit;
use crate::{access_log, read, response};
use greenroom_origin::body::Body;

/// Answers it for a dashboard.
///
/// # Errors
/// If there is neither an answer nor anything kept that may stand in.
pub async fn answer(
    visit: &Visit,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<Answer<Response<Body>>, Failure> {
    let server = &visit.server;
    let began_us = server.origin.clock.now_us();
    server.counters.asked.fetch_add(1, Ordering::Relaxed);
    let now_ms = server.origin.clock.now_ms();
    server.counters.last_asked_ms.store(now_ms, Ordering::Relaxed);
    visit.app.asked.fetch_add(1, Ordering::Relaxed);
    visit.app.see(now_ms);
    visit.app.first_asked.get_or_init(|| read.class.name());
    let waiting =
        access_log::Waiting::new(server, &visit.meaning, access_log::Asked { began_us, parent: None });
    let cause = Cause::default();
    let asking = || cause.noting(read::loader(visit, read));
    let answered = match server.origin.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, visit, read, &outage, asking).await,
        None => read::consult(&server.cache, visit, read, headers, asking).await,
    };
    let (status, bytes) = match &answered {
        Ok(Answer::Kept { entry, served, reason, .. }) => {
            access_log::note_saved(visit, *served, *reason);
            (response::head_of(entry.meta()).0, entry.body().len() as u64)
        }
        Ok(Answer::Shared { value, served }) => {
            access_log::note_saved(visit, *served, None);
            (response::head_of(&value.meta).0, value.body.len() as u64)
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
        access_log::admit(server, &visit.meaning);
    }
    waiting.answered_within(read::outcome_of(&answered, &cause), status, bytes);
    answered
}

/// Answers it for ourselves.
///
/// # Errors
/// If there is neither an answer nor anything kept that may stand in.
pub async fn answer_ourselves(
    visit: &Visit,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<Answer<Response<Body>>, Failure> {
    let server = &visit.server;
    let asking = || Unasked(read::loader(visit, read));
    match server.origin.breaker.outage() {
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
