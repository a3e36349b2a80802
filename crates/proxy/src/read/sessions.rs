//! Answers `/Sessions` from what the server's events last told, to tokens that see all sessions; in an outage too.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::{CacheDirective, CacheStatus, CacheStatusReason, Value};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, Representation};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::session_list::{SessionFilter, SessionList, SessionViewer, VIEWER_TARGET};
use http::header::{ACCEPT, AGE, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode, request};

use super::{requested_freshness, response_options};
use crate::access_log::record_saved;
use crate::feed::SessionRights;
use crate::identity::within;
use crate::proxy_request::ProxyRequest;
use crate::response::{self, CACHE_STATUS};
use crate::server::Server;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason};

/// Max bytes of the response about a token.
const MAX_BYTES: u64 = 256 * 1024;

/// The answer; `None` if the cache or the server must give it.
pub(super) async fn answer(
    request: &ProxyRequest,
    read: &Arc<Read>,
    parts: &request::Parts,
) -> Option<(Response<Body>, DecisionOutcome)> {
    let server = &request.server;
    if read.class != Class::Sessions || server.feed.sessions.since_ms().is_none() || !is_plain(read) {
        return None;
    }
    let identity = &request.classified.identity;
    let filter = SessionFilter::parse(&read.target)?;
    if requested_freshness(&parts.headers) != CacheDirective::Any || identity.is_path_denied(read) {
        return None;
    }
    let generation = identity.generation();
    let SessionRights::All(viewer) = rights(request).await? else { return None };
    identity.mark_authorized_by_rights(server.origin.clock.now(), generation);
    // A machine that slept may not have noticed yet that the connection is gone.
    if server.feed.sessions.told_ms(&server.origin.clock) < server.origin.clock.last_leap() {
        return None;
    }
    let list = server.feed.sessions.current_for(identity, &server.origin.clock).await?;
    let value = value(server, &list, &viewer, &filter, server.origin.clock.now())?;
    record_saved(request, CacheStatus::Hit, None);
    let response = response::shared(&value, CacheStatus::Hit, response_options(request, read, parts));
    let outcome = DecisionOutcome { is_saved: true, ..DecisionOutcome::without_reason(CacheResult::Hit) };
    Some((response, outcome))
}

/// The answer while the server fails: what was told last, to a token whose rights were checked at most
/// `offline_auth_ttl` before `checked_by_ms`. `None` if nothing was told since `cached_ms` and since the last write of
/// this account, or too long ago.
pub(super) fn last_told(
    request: &ProxyRequest,
    read: &Arc<Read>,
    parts: &request::Parts,
    cached_ms: Timestamp,
    checked_by_ms: Timestamp,
    reason: CacheStatusReason,
) -> Option<(Response<Body>, DecisionOutcome)> {
    let (server, identity) = (&request.server, &request.classified.identity);
    if read.class != Class::Sessions || !is_plain(read) || identity.is_path_denied(read) {
        return None;
    }
    let (list, told_ms) = server.feed.sessions.last_told_for(identity)?;
    let policy = server.policy(read, identity);
    let now_ms = server.origin.clock.now();
    if told_ms <= cached_ms || !within(told_ms, now_ms, policy.fresh + policy.stale + policy.stale_on_error) {
        return None;
    }
    let rights = server.feed.sessions.rights(identity, checked_by_ms, server.origin.settings.offline_auth_ttl)?;
    let SessionRights::All(viewer) = rights else { return None };
    let value = value(server, &list, &viewer, &SessionFilter::parse(&read.target)?, told_ms)?;
    let mut response = response::shared(&value, CacheStatus::StaleOnError, response_options(request, read, parts));
    let status = HeaderValue::from_str(&format!("Greenroom; hit; detail={}", reason.name())).ok()?;
    response.headers_mut().insert(CACHE_STATUS, status);
    response.headers_mut().insert(AGE, HeaderValue::from(now_ms.duration_since(told_ms).as_secs()));
    record_saved(request, CacheStatus::StaleOnError, Some(reason));
    let outcome = DecisionOutcome::new(CacheResult::StaleOnError, DecisionReason::Cache(reason));
    Some((response, DecisionOutcome { is_saved: true, ..outcome }))
}

/// The list as the server would have answered it to this viewer at `at_ms`.
fn value(
    server: &Server,
    list: &SessionList,
    viewer: &SessionViewer,
    filter: &SessionFilter,
    at_ms: Timestamp,
) -> Option<Value> {
    let now_s = at_ms.as_secs();
    let body = list.body(viewer, filter, now_s.saturating_add_signed(server.origin.clock_ahead_s().unwrap_or(0)))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    Some(response::to_cached_value(StatusCode::OK, &headers, body))
}

/// Whether the request is for the JSON that the events carry.
fn is_plain(read: &Read) -> bool {
    let names_profile = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("profile"));
    let accepts = |name: &http::HeaderName, value: &HeaderValue| *name == ACCEPT && names_profile(value);
    read.representation == Representation::Json && !read.headers.iter().any(|(name, value)| accepts(name, value))
}

/// Rights of the request's token to sessions. The server is asked once in the lifetime of a grant.
async fn rights(request: &ProxyRequest) -> Option<SessionRights> {
    let (server, identity) = (&request.server, &request.classified.identity);
    if identity.is_anonymous() || server.origin.settings.kind != ServerKind::Jellyfin {
        return None;
    }
    let now_ms = server.origin.clock.now();
    if let Some(rights) = server.feed.sessions.rights(identity, now_ms, server.origin.settings.auth_ttl) {
        return Some(rights);
    }
    // Requests at the same time wait for one.
    let _only = identity.lock_account_request().await;
    if let Some(rights) = server.feed.sessions.rights(identity, now_ms, server.origin.settings.auth_ttl) {
        return Some(rights);
    }
    let generation = identity.generation();
    let asking = ask(request);
    let (status, body) = server.origin.clock.timeout(server.origin.settings.load_timeout, asking).await.ok()??;
    let rights = match SessionViewer::parse(status, &body) {
        Some(viewer) => SessionRights::All(viewer),
        None if status == 200 => SessionRights::Some,
        // The request itself will show what the server says to this token.
        None => return None,
    };
    identity.mark_proven(now_ms, generation);
    server.feed.sessions.set_rights(identity, rights.clone(), now_ms, generation);
    Some(rights)
}

async fn ask(request: &ProxyRequest) -> Option<(u16, bytes::Bytes)> {
    let origin = &request.server.origin;
    let ours = origin.own_request(VIEWER_TARGET, &request.classified.credential)?;
    origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let _permit = origin.queue.acquire(QueueRequest::background(None, Class::Users)).await.ok()?;
    let response = origin.send(ours, UpstreamRequestKind::Read, breaker::key_of(VIEWER_TARGET)).await.ok()?;
    let status = response.status().as_u16();
    match collect(response.into_body(), MAX_BYTES).await {
        CollectedBody::Whole(body) => Some((status, body)),
        _ => None,
    }
}
