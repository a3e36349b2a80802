//! Offline responses to reads: from the cache, or of what the server told last, at once; or a quick error. Nothing here
//! asks the server.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::{Cache, CacheDirective, CacheResponse, CacheStatusReason, LoadError, LoadErrorKind, Loader};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, SharingScope};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Response, StatusCode, request};

use crate::access_log::GeneratedResponse;
use crate::forward::outage::{may_open_socket, record_offline_response, refuse};
use crate::identity::within;
use crate::proxy_request::ProxyRequest;
use crate::read::{AuthorizationStatus, sessions};
use crate::response::complete;
use crate::{read, response};
use greenroom_origin::body::Body;
use greenroom_origin::breaker::Outage;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason};

/// Answers a read with a usable entry of any age, for tokens that were authorised at the last contact with the server.
pub async fn read(
    request: &ProxyRequest,
    read: &Arc<Read>,
    parts: &request::Parts,
    outage: &Outage,
) -> (Response<Body>, DecisionOutcome) {
    let result = consult(&request.server.cache, request, read, outage, || read::loader(request, read)).await;
    let cached_ms = match &result {
        Ok(CacheResponse::Cached { entry, .. }) => entry.created_ms(),
        _ => Timestamp::UNIX_EPOCH,
    };
    if may_open_socket(request, outage)
        && let Some((mut response, outcome)) =
            sessions::last_told(request, read, parts, cached_ms, outage.last_response_ms, CacheStatusReason::Offline)
    {
        response.extensions_mut().insert(GeneratedResponse::WhileOffline);
        return (response, outcome);
    }
    match result {
        Ok(CacheResponse::Cached { entry, served, tier, age, left_ms, reason, .. }) => {
            let hit = response::CacheHitDetails { served, tier, age, left_ms, reason };
            let response =
                read::cached_response(request, read, &entry, hit, read::response_options(request, read, parts));
            (response, read::outcome_from_cached(served, age, reason, None))
        }
        Err(failure) if failure.kind == LoadErrorKind::Denied => {
            let message = "the media server is down, and cannot confirm that this token may read this";
            (
                refuse(request, message),
                DecisionOutcome::new(CacheResult::Failed, DecisionReason::Failed(LoadErrorKind::Denied)),
            )
        }
        _ => {
            let identity = identity_response(request, read).map(|response| {
                let is_saved = true;
                (
                    record_offline_response(request, response),
                    DecisionOutcome {
                        is_saved,
                        ..DecisionOutcome::new(
                            CacheResult::StaleOnError,
                            DecisionReason::Cache(CacheStatusReason::Offline),
                        )
                    },
                )
            });
            identity.unwrap_or_else(|| {
                let message = "the media server is down, and this response is not cached";
                (
                    refuse(request, message),
                    DecisionOutcome::new(CacheResult::Failed, DecisionReason::Failed(LoadErrorKind::Offline)),
                )
            })
        }
    }
}

/// The server's identity, for a client that starts now with a request that is not cached in its form.
fn identity_response(request: &ProxyRequest, read: &Read) -> Option<Response<Body>> {
    if read.class != Class::Identity || read.sharing != SharingScope::Public {
        return None;
    }
    let (content_type, body) = request.server.origin.identity_response_as(read.representation)?;
    let mut response = complete(StatusCode::OK, content_type, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// Asks an engine for this request's offline response.
pub(crate) async fn consult<L: Loader>(
    cache: &Cache,
    request: &ProxyRequest,
    read: &Read,
    outage: &Outage,
    loader: impl FnOnce() -> L,
) -> Result<CacheResponse<L::Pass>, LoadError> {
    if !is_authorized(request, read, outage) {
        return Err(LoadError::new(LoadErrorKind::Denied, "no proof for this token while the server is down"));
    }
    let key = read::key(request, read);
    let policy = request.server.policy(read, &request.classified.identity);
    cache.get_or_load(&key, &policy, CacheDirective::Offline, loader).await
}

fn is_authorized(request: &ProxyRequest, read: &Read, outage: &Outage) -> bool {
    if read::needs_no_proof(&request.server, &request.classified.identity, read) {
        return true;
    }
    let offline_ttl = request.server.origin.settings.offline_auth_ttl;
    let is_contact_recent = || within(outage.last_response_ms, request.server.origin.clock.now(), offline_ttl);
    match &read.sharing {
        // Grants of the last contact stay valid.
        SharingScope::Public | SharingScope::Image(_) => {
            read::check_authorization(&request.server, &request.classified.identity, read, outage.last_response_ms)
                == AuthorizationStatus::Valid
                && is_contact_recent()
        }
        // A class read less often than `auth_ttl` rarely has a grant; proof of the token itself suffices.
        SharingScope::Identity => {
            request.classified.identity.was_accepted_within(read.class, outage.last_response_ms, offline_ttl)
                && !request.classified.identity.is_path_denied(read)
                && if request.classified.identity.is_anonymous() {
                    is_contact_recent()
                } else {
                    may_open_socket(request, outage)
                }
        }
    }
}
