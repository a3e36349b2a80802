//! Internal reads: for a dashboard, answered and counted like an app's, or for Greenroom itself, counted for no app.
//! Returns the stored value as it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::{CacheResponse, Entry, LoadError, LoadReason, LoadResult, Loader};
use greenroom_dialect::classification::Read;
use http::{HeaderMap, Response, StatusCode};

use super::offline;
use crate::proxy_request::ProxyRequest;
use crate::read::miss_reason::MissReason;
use crate::read::origin_loader::ReadLoader;
use crate::{access_log, read, response};
use greenroom_origin::body::Body;

/// Answers a dashboard's read.
///
/// # Errors
/// If the load fails and nothing usable is cached.
pub async fn answer(
    visit: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<CacheResponse<Response<Body>>, LoadError> {
    let server = &visit.server;
    let began_us = server.origin.clock.now_us();
    server.counters.requests.fetch_add(1, Ordering::Relaxed);
    let now_ms = server.origin.clock.now_ms();
    server.counters.last_request_ms.store(now_ms, Ordering::Relaxed);
    visit.app.requests.fetch_add(1, Ordering::Relaxed);
    visit.app.record_seen(now_ms);
    visit.app.first_asked.get_or_init(|| read.class.name());
    let waiting = access_log::InFlightRequest::new(
        server,
        &visit.classified,
        access_log::RequestStart { started_us: began_us, parent: None },
    );
    let cause = MissReason::default();
    let asking = || cause.wrap(read::loader(visit, read));
    let answered = match server.origin.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, visit, read, &outage, asking).await,
        None => read::consult(&server.cache, visit, read, headers, asking).await,
    };
    let (status, bytes) = match &answered {
        Ok(CacheResponse::Cached { entry, served, reason, .. }) => {
            access_log::record_saved(visit, *served, *reason);
            (response::parse_head(entry.meta()).0, entry.body().len() as u64)
        }
        Ok(CacheResponse::Shared { value, served }) => {
            access_log::record_saved(visit, *served, None);
            (response::parse_head(&value.meta).0, value.body.len() as u64)
        }
        Ok(CacheResponse::Passed(response)) => (response.status(), 0),
        Err(_) => {
            visit.app.failed.fetch_add(1, Ordering::Relaxed);
            (StatusCode::SERVICE_UNAVAILABLE, 0)
        }
    };
    if answered.is_ok() {
        // The caller was authorised already, and the configured token is as valid as the server's response to it.
        visit.identity.mark_member();
        access_log::admit_app(server, &visit.classified);
    }
    waiting.finish_internal(read::outcome_from(&answered, &cause), status, bytes);
    answered
}

/// Answers an own read.
///
/// # Errors
/// If the load fails and nothing usable is cached.
pub async fn answer_as_self(
    visit: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<CacheResponse<Response<Body>>, LoadError> {
    let server = &visit.server;
    let asking = || OwnWorkLoader(read::loader(visit, read));
    match server.origin.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, visit, read, &outage, asking).await,
        None => read::consult(&server.cache, visit, read, headers, asking).await,
    }
}

/// A loader whose loads all count as own requests, whatever the engine's reason for them.
#[derive(Debug, Clone)]
struct OwnWorkLoader(ReadLoader);

impl Loader for OwnWorkLoader {
    type Pass = Response<Body>;

    async fn load(&self, _: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        self.0.load(LoadReason::Prefetch, old).await
    }
}
