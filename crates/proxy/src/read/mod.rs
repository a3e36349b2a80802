//! Reads: answered from the cache where allowed, else loaded once for all identical requests.

pub mod bypass_read;
mod cacheability;
pub(crate) mod fast_path;
mod identity_snapshot;
pub mod image;
pub mod internal;
pub mod miss_reason;
pub mod offline;
pub mod origin_loader;
mod plausibility;
pub mod prefetch_trigger;
pub mod refusal;
mod sessions;
pub mod shadow_read;
mod shared_read;
pub mod spot_check;

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Entry, Key, LoadError, LoadErrorKind,
    LoadReason, Loader, Policy, Value,
};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, SharingScope};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method, Response, StatusCode, request};

use crate::access_log::{is_saved, record_saved};
use crate::confirmation_check;
use crate::forward::upstream_slot;
use crate::identity::Identity;
use crate::proxy_request::ProxyRequest;
use crate::read::image::{FailedLoader, ImageLoader};
use crate::read::miss_reason::MissReason;
use crate::read::origin_loader::{ReadLoader, absence_tags};
use crate::read::shared_read::SharedRead;
use crate::request::classified_request::ClassifiedRequest;
use crate::response;
use crate::response::base_url;
use crate::response::server_timing::ReadStopwatch;
use crate::response::{CacheHitDetails, ResponseOptions};
use crate::server::Server;
use greenroom_http_server::on_sent;
use greenroom_origin::body::Body;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason};
use greenroom_state::grants::IMAGE_GRANT_TTL;

/// Answers a read.
pub async fn answer(
    request: ProxyRequest,
    read: Arc<Read>,
    parts: &request::Parts,
) -> (Response<Body>, DecisionOutcome) {
    if let Some(outage) = request.server.origin.breaker.outage() {
        return Box::pin(offline::read(&request, &read, parts, &outage)).await;
    }
    if read.class == Class::Sessions
        && let Some(answer) = Box::pin(sessions::answer(&request, &read, parts)).await
    {
        return answer;
    }
    let stopwatch = ReadStopwatch::start(&request);
    let miss_reason = MissReason::default();
    let new_loader = || miss_reason.wrap(loader(&request, &read));
    let result = consult(&request.server.cache, &request, &read, &parts.headers, new_loader).await;
    let fetch_timing = stopwatch.map(ReadStopwatch::mark_fetched);
    let options = response_options(&request, &read, parts);
    let outcome = outcome_from(&result, &miss_reason);
    let response = match result {
        Ok(CacheResponse::Cached { entry, served, tier, age, left_ms, reason, delivery_guard }) => {
            let hit = CacheHitDetails { served, tier, age, left_ms, reason };
            spot_check::schedule(&request, &read, &entry, hit, parts);
            let mut response = cached_response(&request, &read, &entry, hit, options);
            record_listing(&request, &read, entry.value(), (&parts.method, response.status()));
            if let Some(guard) = delivery_guard {
                on_sent::run_after(&mut response, move || drop(guard));
            }
            if let Some(fetch_timing) = fetch_timing {
                fetch_timing.log_after_sent(&mut response, &request, &read, &entry, hit);
            }
            prefetch_trigger::watch(&request, &read, (Some(entry.created()), entry.value()), &parts.method, response)
        }
        Ok(CacheResponse::Shared { value, served, .. }) => {
            record_saved(&request, served, None);
            // An image that was just loaded is shared like this.
            let response = response::shared(&value, served, options);
            record_listing(&request, &read, &value, (&parts.method, response.status()));
            prefetch_trigger::watch(&request, &read, (None, &value), &parts.method, response)
        }
        Ok(CacheResponse::Passed(response)) => {
            let reason = response::uncached::reason(&response);
            match upstream_slot::hold_long_response(&request, response) {
                Ok(response) => response::forwarded(response, reason.name()),
                Err(rejection) => {
                    let overloaded = DecisionReason::Failed(LoadErrorKind::Overloaded);
                    return (*rejection, DecisionOutcome::new(CacheResult::Failed, overloaded));
                }
            }
        }
        Err(failure) => {
            let now_ms = request.server.origin.clock.now();
            let reason = CacheStatusReason::Failed(failure.kind);
            if failure.kind.allows_stale()
                && let Some(answer) = sessions::last_told(&request, &read, parts, Timestamp::UNIX_EPOCH, now_ms, reason)
            {
                return answer;
            }
            tracing::debug!(server = request.server.name(), class = read.class.name(), %failure, "read failed");
            response::failed(&request, &failure, options)
        }
    };
    (response, outcome)
}

/// Records a served page of the listing of a whole library.
fn record_listing(request: &ProxyRequest, read: &Read, value: &Value, (method, status): (&Method, StatusCode)) {
    if *method == Method::GET {
        record_listing_of(&request.server, &request.classified, read, value, status);
    }
}

fn record_listing_of(server: &Server, classified: &ClassifiedRequest, read: &Read, value: &Value, status: StatusCode) {
    if matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED) {
        let partition = classified.identity.partition();
        let now_ms = || server.origin.clock.now().as_millis();
        server.listing_watch.record(server.origin.settings.kind, read, partition, &value.body, now_ms);
    }
}

/// Result of a read for the statistics.
fn outcome_from(
    result: &Result<CacheResponse<Response<Body>>, LoadError>,
    miss_reason: &MissReason,
) -> DecisionOutcome {
    match result {
        Ok(CacheResponse::Cached { served, age, reason, .. }) => {
            outcome_from_cached(*served, *age, *reason, miss_reason.reason())
        }
        Ok(CacheResponse::Shared { served, .. }) => {
            let (reason, is_saved) = (miss_reason.reason().map(DecisionReason::Missed), is_saved(*served, None));
            let result = if *served == CacheStatus::Hit { CacheResult::Hit } else { CacheResult::Shared };
            DecisionOutcome { reason, is_saved, ..DecisionOutcome::without_reason(result) }
        }
        Ok(CacheResponse::Passed(response)) => {
            let reason = response::uncached::reason(response);
            DecisionOutcome::new(CacheResult::Passed, DecisionReason::Passed(reason))
        }
        Err(failure) => DecisionOutcome::new(CacheResult::Failed, DecisionReason::Failed(failure.kind)),
    }
}

/// Result of a read from the cache.
fn outcome_from_cached(
    served: CacheStatus,
    age: Duration,
    reason: Option<CacheStatusReason>,
    miss_reason: Option<LoadReason>,
) -> DecisionOutcome {
    let decision_reason = match served {
        CacheStatus::Loaded | CacheStatus::Refreshed => miss_reason.map(DecisionReason::Missed),
        CacheStatus::Hit | CacheStatus::Stale | CacheStatus::Joined | CacheStatus::StaleOnError => {
            reason.map(DecisionReason::Cache)
        }
    };
    let age_ms = millis(age);
    DecisionOutcome {
        result: CacheResult::from_served(served),
        reason: decision_reason,
        age_ms: Some(Duration::from_millis(age_ms)),
        is_saved: is_saved(served, reason),
    }
}

/// Asks an engine for this request's response. A miss is loaded through `loader`.
pub(crate) async fn consult<L: Loader + Clone>(
    cache: &Cache,
    request: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<CacheResponse<L::Pass>, LoadError> {
    let authorize =
        || check_authorization(&request.server, &request.classified.identity, read, request.server.origin.clock.now());
    let authorization = authorize();
    if matches!(read.sharing, SharingScope::Image(_)) {
        Box::pin(confirmation_check::confirm_images(&request.server)).await;
    }
    let mut policy = request.server.policy(read, &request.classified.identity);
    if authorization != AuthorizationStatus::Valid {
        // Without a grant, an expired entry may be served only if the server fails, not if it is slow.
        policy.soft_timeout = policy.hard_timeout;
    }
    let outcome = if let SharingScope::Image(_) = read.sharing {
        Box::pin(image(cache, request, read, &policy, authorization, headers, loader)).await
    } else {
        let directive = if authorization == AuthorizationStatus::Valid {
            requested_freshness(headers)
        } else {
            CacheDirective::ReloadStrict
        };
        if authorization == AuthorizationStatus::Valid && read.sharing == SharingScope::Identity {
            request.classified.identity.mark_authorized(
                read.class,
                request.server.origin.clock.now(),
                request.server.origin.settings.auth_ttl,
            );
        }
        let key = key(request, read);
        if read.sharing == SharingScope::Identity && key.partition() != request.classified.identity.token() {
            SharedRead { cache, request, read, policy: &policy }.consult(&key, directive, loader).await
        } else {
            match cache.get_or_load(&key, &policy, directive, &loader).await {
                // An entry loaded a moment ago counts as a load, unless an earlier process loaded it: the server may have
                // revoked the token since.
                Ok(CacheResponse::Cached { served: CacheStatus::Hit, entry, .. })
                    if directive == CacheDirective::ReloadStrict
                        && entry.created_ms() < request.server.origin.started_ms
                        && authorize() != AuthorizationStatus::Valid =>
                {
                    cache.get_or_load(&key, &policy, CacheDirective::LoadUnshared, loader).await
                }
                outcome => outcome,
            }
        }
    };
    match outcome {
        // The server may have accepted this token in a response that the shrink guard rejected.
        Ok(CacheResponse::Cached { served: CacheStatus::StaleOnError, .. })
            if authorize() == AuthorizationStatus::Missing =>
        {
            Err(LoadError::new(LoadErrorKind::Unreachable, "no proof for this token while offline"))
        }
        outcome => outcome,
    }
}

/// Cache key of a read.
pub fn key(request: &ProxyRequest, read: &Read) -> Key {
    request.classified.key.clone().unwrap_or_else(|| request.server.key_of(&request.classified.identity, read))
}

/// Dependences of the response beyond its content.
fn response_options<'a>(request: &'a ProxyRequest, read: &Read, parts: &'a request::Parts) -> ResponseOptions<'a> {
    let is_api = !matches!(read.class, Class::Images | Class::Assets);
    ResponseOptions {
        headers: &parts.headers,
        method: &parts.method,
        is_api,
        cached_headers: &request.classified.cached_headers,
    }
}

/// A cached response, with the base URL that the client used.
fn cached_response(
    request: &ProxyRequest,
    read: &Read,
    entry: &Entry,
    hit: CacheHitDetails,
    options: ResponseOptions<'_>,
) -> Response<Body> {
    record_saved(request, hit.served, hit.reason);
    match base_url::rewrite(request, read, options.headers, entry.value()) {
        Some(rewritten) => response::cached(&rewritten, None, hit, options),
        None => response::cached(entry.value(), Some(entry.created()), hit, options),
    }
}

/// The loader for this request.
pub(crate) fn loader(request: &ProxyRequest, read: &Arc<Read>) -> ReadLoader {
    let settings = &request.server.origin.settings;
    let credential = settings.kind.credential_headers(&request.classified.credential, settings.translate_legacy_auth);
    ReadLoader {
        server: Arc::clone(&request.server),
        identity: Arc::clone(&request.classified.identity),
        // That of the key, which may be from before the token's account was proven.
        partition: key(request, read).partition().clone(),
        credential: Arc::new(credential),
        app: Arc::clone(&request.classified.app),
        read: Arc::clone(read),
    }
}

/// An image: its bytes are shared, but the server's response to one identity says nothing about another. So each
/// identity has its own flight, which fills the shared entry.
async fn image<L: Loader + Clone>(
    cache: &Cache,
    request: &ProxyRequest,
    read: &Arc<Read>,
    policy: &Policy,
    authorization: AuthorizationStatus,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<CacheResponse<L::Pass>, LoadError> {
    let shared_key = key(request, read);
    if authorization == AuthorizationStatus::Valid && requested_freshness(headers) != CacheDirective::Reload {
        let cached = cache.get_or_load(&shared_key, policy, CacheDirective::OnlyIfCached, &loader).await;
        match cached {
            Err(failure)
                if failure.kind == LoadErrorKind::NotCached && requested_freshness(headers) == CacheDirective::Any => {}
            outcome => return outcome,
        }
    }
    let own_key = request.server.token_key_of(&request.classified.identity, read);
    let own_policy = Policy { warm: false, ..*policy };
    let image_loader = || {
        let policy = request.server.policy(read, &request.classified.identity);
        ImageLoader {
            inner: loader(),
            cache: cache.clone(),
            shared: shared_key.clone(),
            policy,
            absence_tags: absence_tags(read),
        }
    };
    // Nothing is stored under it, and only a 404 is remembered, which a client may want to have confirmed.
    let is_reload = requested_freshness(headers) == CacheDirective::Reload;
    let directive = if is_reload { CacheDirective::Reload } else { CacheDirective::Any };
    let outcome = cache.get_or_load(&own_key, &own_policy, directive, image_loader).await;
    match outcome {
        Ok(CacheResponse::Shared { served: CacheStatus::Joined, .. }) => cache.record_read(&shared_key),
        // The shared entry is as good as one of its own, for a token with a grant.
        Err(failure) if failure.kind.allows_stale() && authorization == AuthorizationStatus::Valid => {
            let without_response = LoadError::new(failure.kind, Arc::clone(&failure.message));
            let repeat = || FailedLoader { failure: without_response, pass: PhantomData };
            let shared = cache.get_or_load(&shared_key, policy, CacheDirective::Reload, repeat).await;
            return shared.map_err(|_| failure);
        }
        _ => {}
    }
    outcome
}

/// Whether this token may have the cached response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// Valid grant, or a public response.
    Valid,
    /// Grant within `offline_auth_ttl`: sufficient only during an outage.
    Expired,
    /// No grant, or one too old.
    Missing,
}

/// The status at `at_ms`.
pub fn check_authorization(server: &Server, identity: &Identity, read: &Read, at_ms: Timestamp) -> AuthorizationStatus {
    if needs_no_proof(server, identity, read) {
        return AuthorizationStatus::Valid;
    }
    let settings = &server.origin.settings;
    let image = |subject, ttl| server.identities.is_image_accepted(identity, subject, at_ms, ttl);
    let (is_valid, was_valid) = match &read.sharing {
        SharingScope::Public => (true, true),
        SharingScope::Identity if identity.is_path_denied(read) => (false, false),
        SharingScope::Identity => (
            identity.is_accepted(read.class, at_ms, settings.auth_ttl),
            identity.was_accepted_within(read.class, at_ms, settings.offline_auth_ttl),
        ),
        SharingScope::Image(subject) => (image(subject, IMAGE_GRANT_TTL), image(subject, settings.offline_auth_ttl)),
    };
    if is_valid {
        AuthorizationStatus::Valid
    } else if was_valid {
        AuthorizationStatus::Expired
    } else {
        AuthorizationStatus::Missing
    }
}

/// Whether the response is public.
fn needs_no_proof(server: &Server, identity: &Identity, read: &Read) -> bool {
    match read.sharing {
        SharingScope::Public => true,
        SharingScope::Identity => false,
        SharingScope::Image(_) => identity.is_anonymous() && server.origin.settings.listener_limits.public_images,
    }
}

/// The client's demand for freshness.
fn requested_freshness(headers: &HeaderMap) -> CacheDirective {
    let Some(value) = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()) else {
        return CacheDirective::Any;
    };
    let mut directives = value.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives.clone().any(|directive| directive == "only-if-cached") {
        CacheDirective::OnlyIfCached
    } else if directives.any(|directive| directive == "no-cache" || directive == "max-age=0") {
        CacheDirective::Reload
    } else {
        CacheDirective::Any
    }
}
