//! Writes: each is forwarded once, in a task that the client's disconnect cannot cancel. Its invalidations apply before
//! the client gets the response.

pub mod body_plan;
pub mod upload;

use std::sync::atomic::Ordering;

use greenroom_dialect::classification::{Classification, TokenRevocation, Write};
use greenroom_dialect::request::RequestView;
use greenroom_dialect::tag::{Tag, TagInvalidation};
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::forward;
use crate::forward::outage;
use crate::invalidate::InvalidationSource;
use crate::proxy_request::ProxyRequest;
use crate::request::headers;
use crate::shadow::stats;
use crate::{access_log, invalidate, response};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::{UpstreamError, UpstreamErrorStage, UpstreamRequestKind};
use greenroom_origin::scheduler::QueueRequest;
use upload::{UploadHandle, UploadResult};

/// Bytes of a write's response that are read before the client gets it; the rest is streamed.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// Forwards a write and answers the client.
pub async fn pass(visit: ProxyRequest, target: &str, parts: request::Parts, body: Incoming) -> Response<Body> {
    if visit.server.origin.breaker.outage().is_some() {
        return outage::stream(&visit, target, &parts.method);
    }
    visit.server.counters.writes.fetch_add(1, Ordering::Relaxed);
    let head = RequestView { method: &parts.method, target, headers: &parts.headers, body: &[] };
    let body_use = visit.server.origin.settings.kind.body_use(&head);
    let received = match upload::receive(&visit, body_use, body).await {
        Ok(received) => received,
        Err(refused) => return *refused,
    };
    let ask = RequestView { body: received.beginning(), ..head };
    let account = visit.identity.account();
    let write = match visit.server.origin.settings.kind.classify(&ask, account.as_deref()) {
        Classification::Write(write) => *write,
        _ => Write {
            name: "unknown",
            invalidations: vec![TagInvalidation::everyone(Tag::all())],
            throttled: None,
            revokes: TokenRevocation::Nothing,
        },
    };
    let (body, passing) = received.into_body();
    let Ok(request) = rebuild(&visit, target, &parts, body) else {
        return response::problem(&visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded");
    };
    let (reply, replied) = oneshot::channel();
    let owner = visit.clone();
    visit.server.origin.tasks.spawn(async move {
        // The client may have disconnected; the write is completed all the same.
        drop(reply.send(forward(&owner, write, request, passing).await));
    });
    match replied.await {
        Ok(response) => response,
        Err(_) => response::problem(&visit, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
    }
}

/// Sends the write. Its invalidations are durable before the response.
async fn forward(
    visit: &ProxyRequest,
    write: Write,
    request: Request<Body>,
    passing: Option<UploadHandle>,
) -> Response<Body> {
    let response = attempt(visit, write, request, passing).await;
    visit.server.cache.flush_invalidations().await;
    // Revocations, as by a sign-out, must be durable.
    if visit.identity.revocations().has_pending() {
        visit.identity.revocations().flush().await;
    }
    response
}

async fn attempt(
    visit: &ProxyRequest,
    write: Write,
    request: Request<Body>,
    passing: Option<UploadHandle>,
) -> Response<Body> {
    let server = &visit.server;
    // A streamed body takes no permit while it arrives, because its client may be slow.
    let _place = if passing.is_some() {
        None
    } else {
        let Ok(place) = server.origin.queue.acquire(QueueRequest::write(&visit.app)).await else {
            let message = "too many writes wait for the media server; this one was not sent";
            return response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message);
        };
        Some(place)
    };
    if !server.origin.breaker.allows_requests() {
        return outage::refuse(visit, "the media server is down; this write was not sent");
    }
    visit.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(visit);
    server.record_passed(stats::WRITES, &visit.app);
    let limit = server.origin.settings.load_timeout;
    let limit = if passing.is_some() { limit + upload::BODY_TIMEOUT } else { limit };
    let key = breaker::key_of(request.uri().path());
    match server.origin.clock.timeout(limit, exchange(visit, request, key)).await {
        Ok(Ok((response, status))) => {
            apply_result(visit, &write, status);
            response
        }
        Ok(Err(error)) => unanswered(visit, &write, &error, passing.as_ref()),
        Err(_) => {
            server.origin.record_timeout(key);
            server.origin.record_failure();
            mark_unknown(visit, &write, passing.as_ref());
            response::problem(
                visit,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server is slow; the write may have happened",
            )
        }
    }
}

/// Response if the server's is missing or unusable; invalidates what the write may have changed.
fn unanswered(
    visit: &ProxyRequest,
    write: &Write,
    error: &UpstreamError,
    passing: Option<&UploadHandle>,
) -> Response<Body> {
    let server = &visit.server;
    if error.never_sent {
        server.origin.record_failure();
        tracing::info!(server = server.name(), write = write.name, reason = error.message, "write not sent");
        return response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached");
    }
    mark_unknown(visit, write, passing);
    if error.stage == UpstreamErrorStage::Request
        && let Some(end) = passing.and_then(UploadHandle::result)
    {
        tracing::debug!(server = server.name(), write = write.name, ?end, "the body of a write was cut off");
        return upload::interrupted_response(visit, end);
    }
    server.origin.record_failure();
    tracing::warn!(server = server.name(), write = write.name, reason = error.message, "outcome of a write unknown");
    response::problem(visit, StatusCode::BAD_GATEWAY, "the media server broke off; the write may have happened")
}

/// Invalidates after a write with unknown outcome. A partial body with a token that was never accepted is ignored:
/// otherwise any client could invalidate everything by disconnecting midway.
fn mark_unknown(visit: &ProxyRequest, write: &Write, passing: Option<&UploadHandle>) {
    let is_partial = passing.is_some_and(|passing| passing.result() != Some(UploadResult::Whole));
    if !is_partial || visit.identity.was_authorized() {
        mark(visit, write, InvalidationSource::UnconfirmedWrite(&visit.identity));
    }
}

/// Sends the write and reads the response (whole, unless very long), so that a client that has it knows the write is
/// complete.
async fn exchange(
    visit: &ProxyRequest,
    request: Request<Body>,
    key: u64,
) -> Result<(Response<Body>, StatusCode), UpstreamError> {
    let response = visit.server.origin.send(request, UpstreamRequestKind::Write, key).await?;
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::for_client(&parts.headers);
    let status = parts.status;
    let body = match collect(body, MAX_ANSWER_BYTES).await {
        CollectedBody::Whole(bytes) => bytes.into(),
        CollectedBody::TooLong(read, rest) => Body::Resumed { read, rest },
        CollectedBody::Broken(_) => {
            return Err(UpstreamError::from_reason(&"the answer broke off"));
        }
    };
    Ok((Response::from_parts(parts, body), status))
}

/// Invalidates according to the response's status.
fn apply_result(visit: &ProxyRequest, write: &Write, status: StatusCode) {
    match status.as_u16() {
        200..=399 => {
            visit.server.origin.record_success();
            mark(visit, write, confirmed(visit, write));
            forget(visit, write.revokes);
        }
        401 | 498 => invalidate::apply_token_rejection(visit, status),
        400..=499 => {}
        _ => {
            visit.server.origin.record_failure();
            mark(visit, write, InvalidationSource::UnconfirmedWrite(&visit.identity));
        }
    }
}

fn confirmed<'a>(visit: &'a ProxyRequest, write: &Write) -> InvalidationSource<'a> {
    if write.throttled.is_some() {
        InvalidationSource::PlaybackReport(&visit.identity)
    } else {
        InvalidationSource::ConfirmedWrite(&visit.identity)
    }
}

fn mark(visit: &ProxyRequest, write: &Write, by: InvalidationSource<'_>) {
    let server = &visit.server;
    invalidate::apply(server, &write.invalidations, by);
    if let Some(minutely) = &write.throttled
        && server.invalidation.progress_throttle.is_due(&visit.identity, &minutely.item, server.origin.clock.now_ms())
    {
        invalidate::apply(server, &minutely.invalidations, by);
    }
}

fn forget(visit: &ProxyRequest, forgets: TokenRevocation) {
    match forgets {
        TokenRevocation::Nothing => {}
        TokenRevocation::Caller if visit.identity.is_anonymous() => {}
        TokenRevocation::Caller => {
            visit.identity.refuse();
            visit.server.purge_partition(&visit.identity);
        }
        TokenRevocation::Everyone => {
            visit.server.identities.refuse_all();
            invalidate::purge_all_identities(&visit.server);
        }
    }
}

/// The upstream request: same target, same end-to-end headers, new framing.
fn rebuild(
    visit: &ProxyRequest,
    target: &str,
    parts: &request::Parts,
    body: Body,
) -> Result<Request<Body>, http::Error> {
    // An empty body is declared, because some servers wait for one otherwise.
    let is_empty = body.is_end_stream();
    let mut request = Request::builder().method(parts.method.clone()).uri(visit.uri(target)?).body(body)?;
    *request.headers_mut() = forward::headers_for_server(visit, &parts.headers);
    request.headers_mut().insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if is_empty && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}
