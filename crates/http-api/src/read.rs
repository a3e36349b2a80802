//! A read: from the cache if the rules allow it, else from the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Entry, LoadError, LoadErrorKind, Tier, Validity,
};
use greenroom_http_caching::byte_range::if_range_matches;
use greenroom_http_caching::cache_status::{CacheStatusField, ForwardReason};
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::reuse::{Reuse, is_usable_on_error, reuse};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_origin::body::Body;
use greenroom_request_log::PassReason;
use http::header::{HeaderMap, RANGE};
use http::{Method, Response, StatusCode};

use crate::access_log;
use crate::api_request::{ApiRequest, part_key};
use crate::api_server::ApiServer;
use crate::loader::{ApiLoader, LoadTarget};
use crate::response;

/// Max lookups of one read: it looks up again when it learns by what the responses vary, or that it must validate.
const MAX_ROUNDS: usize = 4;

/// Result of a lookup.
enum Round {
    /// The client's response.
    Answer(Response<Body>),
    /// The stored response must be validated for this client.
    Validate,
    /// Another variant was loaded: look up again.
    Again,
}

/// Answers a read.
pub(crate) async fn read(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    let directives = &request.directives;
    if request.method == Method::GET && request.headers.contains_key(RANGE) {
        return read_part(server, request).await;
    }
    let mut directive = if directives.only_if_cached {
        CacheDirective::OnlyIfCached
    } else if directives.no_cache || directives.no_store {
        CacheDirective::LoadUnshared
    } else {
        CacheDirective::Any
    };
    if directives.max_stale_s.is_some()
        && let Some(response) = accepted_stale(server, request).await
    {
        return response;
    }
    for _ in 0..MAX_ROUNDS {
        match look_up(server, request, directive).await {
            Round::Answer(response) => return response,
            Round::Validate if directives.only_if_cached => return nothing_cached(),
            Round::Validate => directive = CacheDirective::LoadUnshared,
            Round::Again => {}
        }
    }
    load_unshared(server, request).await
}

/// Answers a read with what the server says now.
pub(crate) async fn load_unshared(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    match look_up(server, request, CacheDirective::LoadUnshared).await {
        Round::Answer(response) => response,
        Round::Validate | Round::Again => {
            response::problem(StatusCode::BAD_GATEWAY, "the responses of the server contradict each other", None)
        }
    }
}

async fn look_up(server: &Arc<ApiServer>, request: &Arc<ApiRequest>, directive: CacheDirective) -> Round {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let key = request.variant_key(&fields);
    let policy =
        server.policy(request.route.route.name.text(), request.route.settings().is_some_and(|route| route.warm));
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Whole };
    match server.cache.get_or_load(&key, &policy, directive, loader).await {
        Ok(CacheResponse::Cached { entry, served, tier, reason, age, .. }) => {
            let outcome = access_log::cached_outcome(request, (served, reason), age);
            match serve(server, request, &entry, (served, tier, reason)) {
                Round::Answer(response) => Round::Answer(access_log::with_default_outcome(response, outcome)),
                round => round,
            }
        }
        Ok(CacheResponse::Passed(mut response)) => {
            let reason = forward_reason(directive, served_reason(CacheStatus::Loaded));
            forwarded(reason, false, false, None).append_to(response.headers_mut());
            let outcome = access_log::passed_outcome(PassReason::Forbidden);
            Round::Answer(access_log::with_default_outcome(response, outcome))
        }
        Ok(CacheResponse::Shared { value, served, .. }) => {
            let mut response = from_value(request, &value.meta, &value.body);
            let reason = forward_reason(directive, ForwardReason::UriMiss);
            forwarded(reason, false, served == CacheStatus::Joined, None).append_to(response.headers_mut());
            Round::Answer(access_log::failed_with(response, LoadErrorKind::ServerError))
        }
        Err(error) => Round::Answer(access_log::failed(failed(request, &error), &error)),
    }
}

/// A stored response that is past its freshness, if the request accepts it (`max-stale`). Nothing is asked of the server.
async fn accepted_stale(server: &ApiServer, request: &ApiRequest) -> Option<Response<Body>> {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let known = server.cache.diagnose(&request.variant_key(&fields));
    // What a write may have changed is not stale but wrong.
    let entry = known.entry.filter(|_| known.validity == Validity::Valid)?;
    let head = StoredHead::decode(entry.meta()).filter(|head| head.part.is_none() && request.selects(head))?;
    let now_ms = server.clock.now();
    if request.directives.no_store || reuse(&head, &request.directives, now_ms.as_millis()) != Reuse::Stale {
        return None;
    }
    let mut response = response::from_stored(request, &head, entry.body(), now_ms);
    let ttl_s = head.fresh_left_ms(now_ms.as_millis()).div_euclid(1000);
    CacheStatusField::Hit { ttl_s, detail: Some("max-stale") }.append_to(response.headers_mut());
    let age =
        Duration::from_millis(now_ms.saturating_sub(Duration::from_millis(entry.stored_ms().as_millis())).as_millis());
    let outcome = access_log::cached_outcome(request, (CacheStatus::Stale, None), age);
    Some(access_log::with_default_outcome(response, outcome))
}

/// The range of a whole stored response whose successor cannot be loaded.
async fn part_on_error(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Option<Response<Body>> {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let policy = server.policy(request.route.route.name.text(), false);
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Whole };
    let key = request.variant_key(&fields);
    let stored = server.cache.get_or_load(&key, &policy, CacheDirective::Offline, loader).await;
    let Ok(CacheResponse::Cached { entry, reason, age, .. }) = stored else { return None };
    let now_ms = server.clock.now();
    let head = StoredHead::decode(entry.meta())?;
    if head.part.is_some() || !request.selects(&head) || !is_usable_on_error(&head, now_ms.as_millis()) {
        return None;
    }
    let mut response = response::from_stored(request, &head, entry.body(), now_ms);
    let ttl_s = head.fresh_left_ms(now_ms.as_millis()).div_euclid(1000);
    CacheStatusField::Hit { ttl_s, detail: Some("stale-if-error") }.append_to(response.headers_mut());
    let outcome = access_log::cached_outcome(request, (CacheStatus::StaleOnError, reason), age);
    Some(access_log::with_default_outcome(response, outcome))
}

/// Serves an entry if the rules allow it for this request.
fn serve(
    server: &ApiServer,
    request: &ApiRequest,
    entry: &Entry,
    (served, tier, reason): (CacheStatus, Tier, Option<CacheStatusReason>),
) -> Round {
    let Some(head) = StoredHead::decode(entry.meta()) else { return Round::Validate };
    let now_ms = server.clock.now();
    let is_stored = !matches!(reason, Some(CacheStatusReason::NotStored(_)));
    let hit = |detail| {
        let mut response = response::from_stored(request, &head, entry.body(), now_ms);
        let ttl_s = head.fresh_left_ms(now_ms.as_millis()).div_euclid(1000);
        CacheStatusField::Hit { ttl_s, detail: Some(detail) }.append_to(response.headers_mut());
        Round::Answer(response)
    };
    let loaded = |is_collapsed| {
        let mut response = response::from_loaded(request, &head, entry.body());
        let reason = forward_reason(CacheDirective::Any, served_reason(served));
        forwarded(reason, is_stored, is_collapsed, None).append_to(response.headers_mut());
        Round::Answer(response)
    };
    if !request.is_searched(&head) {
        // What its key leaves out counts for this response.
        return if served == CacheStatus::Joined { Round::Again } else { Round::Validate };
    }
    match served {
        CacheStatus::Hit => match reuse(&head, &request.directives, now_ms.as_millis()) {
            Reuse::Now | Reuse::Stale => hit(tier.name()),
            Reuse::Validate => Round::Validate,
        },
        CacheStatus::Stale if demands_freshness(&request.directives) => Round::Validate,
        CacheStatus::Stale => hit("stale-while-revalidate"),
        CacheStatus::StaleOnError if is_usable_on_error(&head, now_ms.as_millis()) => hit("stale-if-error"),
        CacheStatus::StaleOnError => Round::Answer(response::problem(
            StatusCode::GATEWAY_TIMEOUT,
            "the server cannot be asked, and forbids to use its stored response",
            None,
        )),
        CacheStatus::Joined if !request.selects(&head) => Round::Again,
        CacheStatus::Joined if head.needs_validation => Round::Validate,
        CacheStatus::Joined => loaded(true),
        CacheStatus::Loaded | CacheStatus::Refreshed => loaded(false),
    }
}

/// The response to a `HEAD`, if a stored response to a `GET` may be used.
pub(crate) async fn stored_head(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Option<Response<Body>> {
    if request.method != Method::HEAD || request.directives.no_store {
        return None;
    }
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let policy = server.policy(request.route.route.name.text(), false);
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Whole };
    let key = request.variant_key(&fields);
    let stored = server.cache.get_or_load(&key, &policy, CacheDirective::OnlyIfCached, loader).await;
    let Ok(CacheResponse::Cached { entry, served: CacheStatus::Hit, tier, age, .. }) = stored else { return None };
    let outcome = access_log::cached_outcome(request, (CacheStatus::Hit, None), age);
    match serve(server, request, &entry, (CacheStatus::Hit, tier, None)) {
        Round::Answer(response) => Some(access_log::with_default_outcome(response, outcome)),
        Round::Validate | Round::Again => None,
    }
}

/// A read of a range: from the whole response, or from a stored part, else from the server.
async fn read_part(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let key = request.variant_key(&fields);
    let part_key = part_key(&key);
    let policy = server.policy(request.route.route.name.text(), false);
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Part };
    for key in [&key, &part_key] {
        let stored = server.cache.get_or_load(key, &policy, CacheDirective::OnlyIfCached, loader).await;
        let Ok(CacheResponse::Cached { entry, served: CacheStatus::Hit, tier, age, .. }) = stored else { continue };
        let Some(head) = StoredHead::decode(entry.meta()) else { continue };
        let now_ms = server.clock.now();
        let is_usable = reuse(&head, &request.directives, now_ms.as_millis()) != Reuse::Validate;
        if !is_usable || !request.is_searched(&head) || request.directives.no_store {
            continue;
        }
        let response = match head.part {
            None => Some(response::from_stored(request, &head, entry.body(), now_ms)),
            Some(_) => response::from_stored_part(request, &head, entry.body(), now_ms),
        };
        if let Some(mut response) = response {
            let ttl_s = head.fresh_left_ms(now_ms.as_millis()).div_euclid(1000);
            CacheStatusField::Hit { ttl_s, detail: Some(tier.name()) }.append_to(response.headers_mut());
            let outcome = access_log::cached_outcome(request, (CacheStatus::Hit, None), age);
            return access_log::with_default_outcome(response, outcome);
        }
    }
    if request.directives.only_if_cached {
        return nothing_cached();
    }
    load_part(server, request).await
}

async fn load_part(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let part_key = part_key(&request.variant_key(&fields));
    let policy = server.policy(request.route.route.name.text(), false);
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Part };
    let loaded = server.cache.get_or_load(&part_key, &policy, CacheDirective::LoadUnshared, loader).await;
    let status = |is_stored| forwarded(ForwardReason::Partial, is_stored, false, None);
    match loaded {
        Ok(CacheResponse::Cached { entry, served, reason, age, .. }) => {
            let Some(head) = StoredHead::decode(entry.meta()) else { return nothing_cached() };
            if is_wrong_part(request, head.status, &head.headers) {
                return load_whole(server, request).await;
            }
            let mut response = response::from_loaded_part(request, &head, entry.body());
            status(true).append_to(response.headers_mut());
            access_log::with_default_outcome(response, access_log::cached_outcome(request, (served, reason), age))
        }
        Ok(CacheResponse::Passed(response)) if is_wrong_part(request, response.status(), response.headers()) => {
            load_whole(server, request).await
        }
        Ok(CacheResponse::Passed(mut response)) => {
            status(false).append_to(response.headers_mut());
            access_log::with_default_outcome(response, access_log::passed_outcome(PassReason::Forbidden))
        }
        Ok(CacheResponse::Shared { value, .. }) => {
            let mut response = from_value(request, &value.meta, &value.body);
            status(false).append_to(response.headers_mut());
            access_log::failed_with(response, LoadErrorKind::ServerError)
        }
        Err(error) if error.kind.allows_stale() => match part_on_error(server, request).await {
            Some(response) => response,
            None => access_log::failed(failed(request, &error), &error),
        },
        Err(error) => access_log::failed(failed(request, &error), &error),
    }
}

/// Whether a part is of another version than the one that the client has, although it asked for no other (`If-Range`).
fn is_wrong_part(request: &ApiRequest, status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::PARTIAL_CONTENT && !if_range_matches(&request.headers, headers)
}

/// The whole response, for a client whose part is outdated.
async fn load_whole(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    match look_up(server, request, CacheDirective::LoadUnshared).await {
        Round::Answer(response) => response,
        Round::Validate | Round::Again => nothing_cached(),
    }
}

/// The response in place of one that could not be loaded.
fn failed(request: &ApiRequest, error: &LoadError) -> Response<Body> {
    if let Some(value) = &error.response {
        return from_value(request, &value.meta, &value.body);
    }
    match error.kind {
        LoadErrorKind::NotCached => nothing_cached(),
        LoadErrorKind::Overloaded => {
            response::problem(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for the server", Some(1))
        }
        LoadErrorKind::Offline => response::problem(StatusCode::SERVICE_UNAVAILABLE, "the server is down", Some(2)),
        LoadErrorKind::TimedOut => response::problem(StatusCode::GATEWAY_TIMEOUT, "the server is slow", None),
        LoadErrorKind::Malformed => {
            response::problem(StatusCode::BAD_GATEWAY, "the response of the server ended early", None)
        }
        LoadErrorKind::Refused => response::problem(StatusCode::BAD_REQUEST, "the request cannot be forwarded", None),
        LoadErrorKind::Unreachable => {
            response::problem(StatusCode::SERVICE_UNAVAILABLE, "the server cannot be reached", Some(2))
        }
        _ => response::problem(StatusCode::BAD_GATEWAY, "the server failed", None),
    }
}

fn from_value(request: &ApiRequest, meta: &Bytes, body: &Bytes) -> Response<Body> {
    match StoredHead::decode(meta) {
        Some(head) => response::from_loaded(request, &head, body),
        None => response::problem(StatusCode::BAD_GATEWAY, "the response of the server cannot be used", None),
    }
}

fn nothing_cached() -> Response<Body> {
    response::problem(StatusCode::GATEWAY_TIMEOUT, "nothing usable is stored", None)
}

fn demands_freshness(directives: &RequestDirectives) -> bool {
    directives.no_cache || directives.max_age_s.is_some() || directives.min_fresh_s.is_some()
}

fn served_reason(served: CacheStatus) -> ForwardReason {
    if served == CacheStatus::Refreshed { ForwardReason::Stale } else { ForwardReason::UriMiss }
}

fn forward_reason(directive: CacheDirective, otherwise: ForwardReason) -> ForwardReason {
    if directive == CacheDirective::LoadUnshared { ForwardReason::Request } else { otherwise }
}

fn forwarded(
    reason: ForwardReason,
    is_stored: bool,
    is_collapsed: bool,
    detail: Option<&'static str>,
) -> CacheStatusField {
    CacheStatusField::Forwarded { reason, status: None, is_stored, is_collapsed, detail }
}
