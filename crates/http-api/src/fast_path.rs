//! Answers a read where its bytes arrive, before it is parsed: one whose head is known byte by byte, if a fresh response
//! to it is in memory. Everything else is left to the HTTP parser, untouched.
//!
//! Heads are learned when the parser's path answers them with a hit ([`unknown_head`], [`learn`]), and only those of which
//! the response depends on nothing but the head: no body, no condition on the cache, no prefetch rule, no GraphQL. What
//! decides on the key of the response (routes, `Vary`, `No-Vary-Search`, the app) is compared at every request; what decides
//! on its use (freshness, invalidations) is asked of the engine as always.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::{CacheStatus, Timestamp};
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::reuse::{Reuse, reuse};
use greenroom_http_server::connection::{ClientConnection, FastPath, FastRequest, FastResponse};
use greenroom_http_server::raw_head::{has_lines_of, is_head_of, is_plain};
use greenroom_origin::body::Body;
use greenroom_request_log::{CacheResult, DecisionOutcome};
use http::header::PRAGMA;
use http::{HeaderMap, Response, StatusCode, Uri};

use crate::access_log::{self, InFlightRequest};
use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::known_reads::{EncodedHead, Fact, KnownRead, is_answered, is_short};

/// The fast path of a server's listener, if it is switched on.
pub(crate) fn of(server: &Arc<ApiServer>) -> Option<FastPath> {
    let server = Arc::clone(server);
    is_switched_on(&server).then(|| FastPath::new(move |request, out| answer(&server, request, out)))
}

fn is_switched_on(server: &ApiServer) -> bool {
    server.settings.listener_limits.fast_path
}

/// A copy of the head of the request that is being answered, if later ones may be recognised by it and are not yet.
pub(crate) fn unknown_head(
    server: &ApiServer,
    request: &ApiRequest,
    connection: &ClientConnection,
    (uri, headers): (&Uri, &HeaderMap),
) -> Option<Box<[u8]>> {
    if !is_switched_on(server) || !is_plain(&request.method, headers) || !is_plain_read(request, headers) {
        return None;
    }
    connection.read_raw_head(|raw| {
        let is_known = || server.known_reads.has(raw, |known| is_current(known, server));
        (is_head_of(raw, uri) && !is_known() && has_lines_of(raw, headers)).then(|| raw.into())
    })
}

/// Whether the cache answers this read by its head alone, and nothing follows from it.
fn is_plain_read(request: &ApiRequest, headers: &HeaderMap) -> bool {
    let is_plain_route =
        request.route.settings().is_none_or(|route| route.prefetch.is_empty() && route.graphql.is_none());
    is_plain_route
        && !request.route.route.is_prefetched
        && request.body.is_none()
        && !request.is_graphql_query
        && request.directives == RequestDirectives::default()
        && !headers.contains_key(PRAGMA)
        && request.caller.is_some()
}

/// Whether a later request with the same head may be answered like this one before it is parsed: with a hit whose head and
/// body are within the limits of the fast path.
pub(crate) fn is_learnable(response: &Response<Body>) -> bool {
    let is_hit = |outcome: &DecisionOutcome| outcome.result == CacheResult::Hit && outcome.reason.is_none();
    let is_sent = match response.body() {
        Body::Whole(Some(body)) => is_answered(response.status(), body.len()),
        _ => is_answered(response.status(), 0),
    };
    is_sent && response.extensions().get().is_some_and(is_hit) && is_short(response.headers())
}

/// Learns the head of a request whose response is learnable.
pub(crate) async fn learn(server: &ApiServer, request: &ApiRequest, head: Box<[u8]>) {
    let routes = Arc::clone(&server.routes());
    let search = match request.path_key().filter(|_| request.resource_name.contains('?')) {
        Some(path) => Some(Fact::of(&server.cache, &server.search_variances, &path).await),
        None => None,
    };
    let fields = Fact::of(&server.cache, &server.variants, &request.resource).await;
    let known = KnownRead::new(request.without_connection(), (routes, fields, search), server.clock.now());
    if is_routed(&known, server) && known.is_searched() {
        server.known_reads.learn(head, known);
    }
}

/// Whether a request with this head still has this key.
fn is_current(known: &KnownRead, server: &ApiServer) -> bool {
    let is_listed = known.request.caller.as_ref().is_some_and(|caller| !caller.app.needs_lookup());
    is_listed
        && Arc::ptr_eq(&known.routes, &server.routes())
        && known.fields.holds(&server.variants)
        && known.search.as_ref().is_none_or(|search| search.holds(&server.search_variances))
}

/// Whether the request has the route that the table says: it may have been replaced while it was answered.
fn is_routed(known: &KnownRead, server: &ApiServer) -> bool {
    let path = known.request.path();
    Arc::ptr_eq(&server.routes().find(&known.request.method, path).route, &known.request.route.route)
}

/// Answers these bytes, or says no: then nothing is counted, and the HTTP parser gets them.
fn answer(server: &Arc<ApiServer>, request: FastRequest<'_>, out: &mut Vec<u8>) -> Option<FastResponse> {
    let now_ms = Timestamp::from_millis(server.clock.wall_us(request.now_us) / 1000);
    let known = server.known_reads.recognise(request.head, now_ms, |known| is_current(known, server))?;
    let caller = known.request.caller.as_ref()?;
    let route = &known.request.route;
    let class = route.route.name.text();
    if server.bypasses.covers(server.name(), class, &caller.app.name) || server.running_observation().is_some() {
        return None;
    }
    let policy = server.policy(class, route.settings().is_some_and(|route| route.warm));
    let mut head = None;
    let (entry, _) = server.cache.fresh_entry(&known.key, &policy, now_ms, |entry| {
        let is_usable =
            |head: &Arc<EncodedHead>| reuse(&head.stored, &known.request.directives, now_ms.as_millis()) == Reuse::Now;
        head = known.encoded_head(entry, now_ms).filter(is_usable);
        head.is_some()
    })?;
    let head = head?;
    let body = if head.status == StatusCode::OK { entry.body().clone() } else { Bytes::new() };
    head.write(out, body.len(), now_ms);
    server.counters.fast_path.fetch_add(1, Ordering::Relaxed);
    access_log::count(caller, now_ms);
    let outcome = access_log::cached_outcome(&known.request, (CacheStatus::Hit, None), entry.age(now_ms));
    let mut in_flight = InFlightRequest::started(server, caller.clone(), request.now_us, now_ms);
    in_flight.record(outcome, head.status.as_u16(), body.len() as u64);
    Some(FastResponse { body, has_date: head.has_date })
}
