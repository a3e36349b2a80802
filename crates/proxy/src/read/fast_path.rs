//! Answers a read where its bytes arrive, before it is parsed: one whose head is known byte by byte, if a fresh response
//! is in memory and the token has a grant for it. Everything else is left to the HTTP parser, untouched.
//!
//! It decides by the same functions as [`super::answer`] and records the same. What needs more than that (an outage, a
//! load, another mode, a spot check, a response that prefetch reads, a trace) is not decided here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::{CacheStatus, Entry, Timestamp};
use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, Read, SharingScope};
use http::{HeaderMap, StatusCode, Uri};

use super::{AuthorizationStatus, check_authorization, outcome_from_cached, prefetch_trigger, record_listing_of};
use crate::access_log::{self, InFlightRequest, RequestStart};
use crate::account_request;
use crate::request::classified_request::{CachedClassification, ClassifiedRequest};
use crate::response::{base_url, server_timing, write_hit_headers};
use crate::sabotage;
use crate::server::Server;
use greenroom_config::CacheMode;
use greenroom_http_server::connection::{ClientConnection, FastPath, FastRequest, FastResponse, MAX_FAST_BODY_BYTES};
use greenroom_request_log::{CacheResult, DecisionOutcome};

/// The fast path of a server's listener, if it is switched on.
pub(crate) fn of(server: &Arc<Server>) -> Option<FastPath> {
    let respond = |server: Arc<Server>| {
        move |request: FastRequest<'_>, out: &mut Vec<u8>| {
            let body = answer(&server, request, out)?;
            Some(FastResponse { body, has_date: false })
        }
    };
    is_switched_on(server).then(|| FastPath::new(respond(Arc::clone(server))))
}

fn is_switched_on(server: &Server) -> bool {
    server.origin.settings.listener_limits.fast_path
}

/// The head of the request that is being answered, if later ones may be recognised by it and are not yet.
pub(crate) fn unknown_head(
    server: &Server,
    classified: &Arc<ClassifiedRequest>,
    connection: Option<&Arc<ClientConnection>>,
    request: (&Uri, &HeaderMap),
) -> Option<Box<[u8]>> {
    if !classified.is_plain || !is_switched_on(server) {
        return None;
    }
    connection?.read_raw_head(|raw| server.classifications.unknown_raw_head(raw, request, classified))
}

/// Learns the head of a request that was answered with a hit.
pub(crate) fn learn(
    server: &Server,
    classified: &Arc<ClassifiedRequest>,
    head: Option<Box<[u8]>>,
    outcome: DecisionOutcome,
) {
    if let Some(head) = head.filter(|_| outcome.result == CacheResult::Hit && outcome.reason.is_none()) {
        server.classifications.learn_raw_head(head, classified, server.origin.clock.now());
    }
}

/// Answers these bytes, or says no: then nothing is counted, and the HTTP parser gets them.
fn answer(server: &Arc<Server>, request: FastRequest<'_>, out: &mut Vec<u8>) -> Option<Bytes> {
    let now_ms = Timestamp::from_millis(server.origin.clock.wall_us(request.now_us) / 1000);
    let known = server.classifications.recognise(request.head, now_ms)?;
    let classified = &*known.classified;
    let Classification::Read(read) = &classified.classification else { return None };
    if !may_answer(server, classified, read, now_ms) {
        return None;
    }
    let policy = server.policy(read, &classified.identity);
    let mut status = None;
    let (entry, left_ms) = server.cache.fresh_entry(classified.key.as_ref()?, &policy, now_ms, |entry| {
        // Asked after the lookup: a token that was revoked until now, or proven to be another account's, gets nothing.
        if !(is_authorized(server, &known, read, now_ms) || sabotage::is_disabled("fast-grant"))
            || prefetch_trigger::is_wanted(server, classified, read, entry, now_ms)
        {
            return false;
        }
        status = classified.cached_headers.encode(entry.created(), out);
        status.is_some_and(|status| body_of(entry, status).is_some())
            && server.recorders.spot_checks.count_unchecked(read.class, entry.age(now_ms))
    })?;
    let status = status?;
    let body = body_of(&entry, status)?;
    let length = (status == StatusCode::OK).then_some(body.len());
    write_hit_headers(out, entry.age(now_ms), left_ms, length);
    let served = ServedHit { entry: &entry, status, bytes: body.len() as u64, started_us: request.now_us, now_ms };
    record(server, classified, read, &served);
    Some(body)
}

/// Whether this token may have what the cache has under the key of the request.
fn is_authorized(server: &Server, known: &CachedClassification, read: &Read, now_ms: Timestamp) -> bool {
    check_authorization(server, &known.classified.identity, read, now_ms) == AuthorizationStatus::Valid
        && known.is_valid(now_ms)
}

/// The body of a response with this status; `None` if such a one is left to the parser.
fn body_of(entry: &Entry, status: StatusCode) -> Option<Bytes> {
    match status {
        StatusCode::OK if (1..=MAX_FAST_BODY_BYTES).contains(&entry.body().len()) => Some(entry.body().clone()),
        StatusCode::NOT_MODIFIED => Some(Bytes::new()),
        _ => None,
    }
}

/// Whether the request is to be answered from the cache at all now.
fn may_answer(server: &Server, classified: &ClassifiedRequest, read: &Read, now_ms: Timestamp) -> bool {
    let origin = &server.origin;
    classified.anonymous_access == AnonymousAccess::Cacheable
        && !classified.credential.ambiguous
        && read.class != Class::Sessions
        && (server.read_mode(read.class, &classified.app) == CacheMode::Cache || sabotage::is_disabled("fast-mode"))
        && (origin.breaker.allows_requests() || sabotage::is_disabled("fast-outage"))
        && !origin.is_emby()
        && !base_url::is_rewritten(&origin.settings, read)
        && !account_request::is_due(server, classified, now_ms)
        && !server.recorders.otlp.is_enabled()
        && !server_timing::is_enabled()
}

/// A response of the fast path.
#[derive(Clone, Copy)]
struct ServedHit<'a> {
    entry: &'a Entry,
    status: StatusCode,
    bytes: u64,
    started_us: u64,
    now_ms: Timestamp,
}

/// Records what the parser's path would have recorded.
fn record(server: &Server, classified: &ClassifiedRequest, read: &Read, hit: &ServedHit<'_>) {
    let ServedHit { entry, status, bytes, started_us, now_ms } = *hit;
    server.counters.last_request_ms.store(now_ms, Ordering::Relaxed);
    if !server.is_own_app(&classified.app) {
        server.counters.requests.fetch_add(1, Ordering::Relaxed);
        server.counters.fast_path.fetch_add(1, Ordering::Relaxed);
    }
    classified.app.requests.fetch_add(1, Ordering::Relaxed);
    classified.app.record_seen(now_ms);
    if read.sharing == SharingScope::Identity {
        classified.identity.mark_authorized(read.class, now_ms, server.origin.settings.auth_ttl);
    }
    access_log::record_saved_by(server, classified);
    record_listing_of(server, classified, read, entry.value(), status);
    access_log::record_auth_status(server, classified, status);
    let outcome = outcome_from_cached(CacheStatus::Hit, entry.age(now_ms), None, None);
    let start = RequestStart { started_us, parent: None };
    InFlightRequest::new(server, classified, start).finish_internal(outcome, status, bytes);
}

#[cfg(test)]
mod allocation_tests;
#[cfg(test)]
mod tests;
