//! Reads: answered from the cache where allowed, else loaded once for all identical requests.

pub mod bypass_read;
pub mod image;
pub mod internal;
pub mod miss_reason;
pub mod offline;
pub mod origin_loader;
pub mod prefetch_trigger;
pub mod shadow_read;
pub mod spot_check;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Entry, Key, LoadError, LoadErrorKind,
    LoadReason, Loader, Policy,
};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, SharingScope};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Response, request};

use crate::access_log::{is_saved, record_saved};
use crate::http::on_sent;
use crate::identity::Identity;
use crate::proxy_request::ProxyRequest;
use crate::read::image::ImageLoader;
use crate::read::miss_reason::MissReason;
use crate::read::origin_loader::ReadLoader;
use crate::record::{CacheResult as Decided, DecisionOutcome, DecisionReason, PassReason};
use crate::response;
use crate::response::base_url;
use crate::response::server_timing::ReadStopwatch;
use crate::response::{CacheHitDetails, ResponseOptions};
use crate::server::Server;
use greenroom_origin::body::Body;
use greenroom_state::grants::IMAGE_GRANT_TTL;

/// Answers a read.
pub async fn answer(visit: ProxyRequest, read: Arc<Read>, parts: &request::Parts) -> (Response<Body>, DecisionOutcome) {
    if let Some(outage) = visit.server.origin.breaker.outage() {
        return offline::read(&visit, &read, parts, &outage).await;
    }
    let watch = ReadStopwatch::start(&visit);
    let cause = MissReason::default();
    let asking = || cause.wrap(loader(&visit, &read));
    let answered = consult(&visit.server.cache, &visit, &read, &parts.headers, asking).await;
    let fetched = watch.map(ReadStopwatch::mark_fetched);
    let wanted = response_options(&visit, &read, parts);
    let outcome = outcome_from(&answered, &cause);
    let response = match answered {
        Ok(CacheResponse::Cached { entry, served, tier, age, left_ms, reason, delivery_guard: leaving }) => {
            let history = CacheHitDetails { served, tier, age, left_ms, reason };
            spot_check::schedule(&visit, &read, &entry, history, parts);
            let mut response = cached_response(&visit, &read, &entry, history, wanted);
            if let Some(leaving) = leaving {
                on_sent::run_after(&mut response, move || drop(leaving));
            }
            if let Some(fetched) = fetched {
                fetched.log_after_sent(&mut response, &visit, &read, &entry, history);
            }
            prefetch_trigger::watch(&visit, &read, (Some(entry.created()), entry.value()), &parts.method, response)
        }
        Ok(CacheResponse::Shared { value, served }) => {
            record_saved(&visit, served, None);
            // An image that was just loaded is shared like this.
            let response = response::shared(&value, wanted);
            prefetch_trigger::watch(&visit, &read, (None, &value), &parts.method, response)
        }
        Ok(CacheResponse::Passed(response)) => response::forwarded(response, "uncacheable"),
        Err(failure) => {
            tracing::debug!(server = visit.server.name(), class = read.class.name(), %failure, "no answer");
            response::failed(&visit, &failure, wanted)
        }
    };
    (response, outcome)
}

/// Result of a read for the statistics.
fn outcome_from<P>(answered: &Result<CacheResponse<P>, LoadError>, cause: &MissReason) -> DecisionOutcome {
    match answered {
        Ok(CacheResponse::Cached { served, age, reason, .. }) => {
            outcome_from_cached(*served, *age, *reason, cause.reason())
        }
        Ok(CacheResponse::Shared { served, .. }) => {
            let (why, is_saved) = (cause.reason().map(DecisionReason::Missed), is_saved(*served, None));
            DecisionOutcome { reason: why, is_saved, ..DecisionOutcome::without_reason(Decided::Shared) }
        }
        Ok(CacheResponse::Passed(_)) => {
            DecisionOutcome::new(Decided::Passed, DecisionReason::Passed(PassReason::Forbidden))
        }
        Err(failure) => DecisionOutcome::new(Decided::Failed, DecisionReason::Failed(failure.kind)),
    }
}

/// Result of a read from the cache.
fn outcome_from_cached(
    served: CacheStatus,
    age: Duration,
    reason: Option<CacheStatusReason>,
    cause: Option<LoadReason>,
) -> DecisionOutcome {
    let why = match served {
        CacheStatus::Loaded | CacheStatus::Refreshed => cause.map(DecisionReason::Missed),
        CacheStatus::Hit | CacheStatus::Stale | CacheStatus::Joined | CacheStatus::StaleOnError => {
            reason.map(DecisionReason::Cache)
        }
    };
    let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    DecisionOutcome {
        result: Decided::from_served(served),
        reason: why,
        age_ms: Some(age_ms),
        is_saved: is_saved(served, reason),
    }
}

/// Asks an engine for this request's response. A miss is loaded through `loader`.
pub(crate) async fn consult<L: Loader + Clone>(
    cache: &Cache,
    visit: &ProxyRequest,
    read: &Arc<Read>,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<CacheResponse<L::Pass>, LoadError> {
    let prove = || check_authorization(&visit.server, &visit.identity, read, visit.server.origin.clock.now_ms());
    let proof = prove();
    let mut policy = visit.server.policy(read, &visit.identity);
    if proof != AuthorizationStatus::Valid {
        // Without a grant, an expired entry may be served only if the server fails, not if it is slow.
        policy.soft_timeout = policy.hard_timeout;
    }
    let outcome = if let SharingScope::Image(_) = read.sharing {
        image(cache, visit, read, &policy, proof, headers, loader).await
    } else {
        let demand = if proof == AuthorizationStatus::Valid {
            requested_freshness(headers)
        } else {
            CacheDirective::ReloadStrict
        };
        if proof == AuthorizationStatus::Valid && read.sharing == SharingScope::Identity {
            visit.identity.mark_authorized(
                read.class,
                visit.server.origin.clock.now_ms(),
                visit.server.origin.settings.auth_ttl,
            );
        }
        let key = key(visit, read);
        match cache.get_or_load(&key, &policy, demand, &loader).await {
            // An entry loaded a moment ago counts as a load, unless an earlier process loaded it: the server may have
            // revoked the token since.
            Ok(CacheResponse::Cached { served: CacheStatus::Hit, entry, .. })
                if demand == CacheDirective::ReloadStrict
                    && entry.created_ms() < visit.server.origin.started_ms
                    && prove() != AuthorizationStatus::Valid =>
            {
                cache.get_or_load(&key, &policy, CacheDirective::LoadUnshared, loader).await
            }
            outcome => outcome,
        }
    };
    match outcome {
        // The server may have accepted this token in a response that the shrink guard rejected.
        Ok(CacheResponse::Cached { served: CacheStatus::StaleOnError, .. })
            if prove() == AuthorizationStatus::Missing =>
        {
            Err(LoadError::new(LoadErrorKind::Unreachable, "no proof for this token while offline"))
        }
        outcome => outcome,
    }
}

/// Cache key of a read.
pub fn key(visit: &ProxyRequest, read: &Read) -> Key {
    let made = || Key::new(visit.server.name(), visit.server.partition_of(&visit.identity, read), &read.key);
    visit.key.clone().unwrap_or_else(made)
}

/// What the response depends on beyond its content.
fn response_options<'a>(visit: &'a ProxyRequest, read: &Read, parts: &'a request::Parts) -> ResponseOptions<'a> {
    let is_api = !matches!(read.class, Class::Images | Class::Assets);
    ResponseOptions { headers: &parts.headers, method: &parts.method, is_api, cached_headers: &visit.cached_headers }
}

/// A cached response, with the base URL that the client used.
fn cached_response(
    visit: &ProxyRequest,
    read: &Read,
    entry: &Entry,
    history: CacheHitDetails,
    wanted: ResponseOptions<'_>,
) -> Response<Body> {
    record_saved(visit, history.served, history.reason);
    match base_url::rewrite(visit, read, wanted.headers, entry.value()) {
        Some(rewritten) => response::cached(&rewritten, None, history, wanted),
        None => response::cached(entry.value(), Some(entry.created()), history, wanted),
    }
}

/// The loader for this request.
pub(crate) fn loader(visit: &ProxyRequest, read: &Arc<Read>) -> ReadLoader {
    let settings = &visit.server.origin.settings;
    let credential = settings.kind.credential_headers(&visit.credential, settings.translate_legacy_auth);
    ReadLoader {
        server: Arc::clone(&visit.server),
        identity: Arc::clone(&visit.identity),
        credential: Arc::new(credential),
        app: Arc::clone(&visit.app),
        read: Arc::clone(read),
    }
}

/// An image: its bytes are shared, but the server's response to one identity says nothing about another. So each
/// identity has its own flight, which fills the shared entry.
async fn image<L: Loader + Clone>(
    cache: &Cache,
    visit: &ProxyRequest,
    read: &Arc<Read>,
    policy: &Policy,
    proof: AuthorizationStatus,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<CacheResponse<L::Pass>, LoadError> {
    let shared = key(visit, read);
    if proof == AuthorizationStatus::Valid && requested_freshness(headers) != CacheDirective::Reload {
        let kept = cache.get_or_load(&shared, policy, CacheDirective::OnlyIfCached, &loader).await;
        match kept {
            Err(failure)
                if failure.kind == LoadErrorKind::NotCached && requested_freshness(headers) == CacheDirective::Any => {}
            outcome => return outcome,
        }
    }
    let own = Key::new(visit.server.name(), visit.identity.partition(), &read.key);
    let own_policy = Policy { warm: false, ..*policy };
    let fill = || {
        let policy = visit.server.policy(read, &visit.identity);
        ImageLoader { inner: loader(), cache: cache.clone(), shared: shared.clone(), policy }
    };
    let outcome = cache.get_or_load(&own, &own_policy, CacheDirective::Reload, fill).await;
    if let Ok(CacheResponse::Shared { served: CacheStatus::Joined, .. }) = &outcome {
        cache.record_read(&shared);
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
pub fn check_authorization(server: &Server, identity: &Identity, read: &Read, at_ms: u64) -> AuthorizationStatus {
    if needs_no_proof(server, identity, read) {
        return AuthorizationStatus::Valid;
    }
    let accepted = |ttl| match &read.sharing {
        SharingScope::Public => true,
        SharingScope::Identity => identity.is_accepted(read.class, at_ms, ttl),
        SharingScope::Image(item) => server.identities.is_image_accepted(identity, item, at_ms, ttl),
    };
    let ttl = match &read.sharing {
        SharingScope::Image(_) => IMAGE_GRANT_TTL,
        _ => server.origin.settings.auth_ttl,
    };
    if accepted(ttl) {
        AuthorizationStatus::Valid
    } else if accepted(server.origin.settings.offline_auth_ttl) {
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
    let Some(said) = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()) else {
        return CacheDirective::Any;
    };
    let mut directives = said.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives.clone().any(|directive| directive == "only-if-cached") {
        CacheDirective::OnlyIfCached
    } else if directives.any(|directive| directive == "no-cache" || directive == "max-age=0") {
        CacheDirective::Reload
    } else {
        CacheDirective::Any
    }
}
