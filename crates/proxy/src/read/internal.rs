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
    request: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<CacheResponse<Response<Body>>, LoadError> {
    let server = &request.server;
    let started_us = server.origin.clock.now_us();
    server.counters.requests.fetch_add(1, Ordering::Relaxed);
    let now_ms = server.origin.clock.now();
    server.counters.last_request_ms.store(now_ms, Ordering::Relaxed);
    request.classified.app.requests.fetch_add(1, Ordering::Relaxed);
    request.classified.app.record_seen(now_ms);
    request.classified.app.first_asked.get_or_init(|| read.class.name());
    let in_flight = access_log::InFlightRequest::new(
        server,
        &request.classified,
        access_log::RequestStart { started_us, parent: None },
    );
    let miss_reason = MissReason::default();
    let new_loader = || miss_reason.wrap(read::loader(request, read));
    let result = match server.origin.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, request, read, &outage, new_loader).await,
        None => read::consult(&server.cache, request, read, headers, new_loader).await,
    };
    let (status, bytes) = match &result {
        Ok(CacheResponse::Cached { entry, served, reason, .. }) => {
            access_log::record_saved(request, *served, *reason);
            (response::parse_head(entry.meta()).0, entry.body().len() as u64)
        }
        Ok(CacheResponse::Shared { value, served, .. }) => {
            access_log::record_saved(request, *served, None);
            (response::parse_head(&value.meta).0, value.body.len() as u64)
        }
        Ok(CacheResponse::Passed(response)) => (response.status(), 0),
        Err(_) => {
            request.classified.app.failed.fetch_add(1, Ordering::Relaxed);
            (StatusCode::SERVICE_UNAVAILABLE, 0)
        }
    };
    if result.is_ok() {
        // The caller was authorised already, and the configured token is as valid as the server's response to it.
        request.classified.identity.mark_member();
        access_log::admit_app(server, &request.classified);
    }
    in_flight.finish_internal(read::outcome_from(&result, &miss_reason), status, bytes);
    result
}

/// Answers an own read.
///
/// # Errors
/// If the load fails and nothing usable is cached.
pub async fn answer_as_self(
    request: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
) -> Result<CacheResponse<Response<Body>>, LoadError> {
    let server = &request.server;
    let new_loader = || OwnWorkLoader(read::loader(request, read));
    match server.origin.breaker.outage() {
        Some(outage) => offline::consult(&server.cache, request, read, &outage, new_loader).await,
        None => read::consult(&server.cache, request, read, headers, new_loader).await,
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
