//! Writes: each is forwarded once, in a task that the client's disconnect cannot cancel. Its invalidations apply before
//! the client gets the response.

pub mod body_plan;
pub mod upload;

use std::sync::atomic::Ordering;

use greenroom_dialect::classification::{Classification, TokenRevocation, Write};
use greenroom_dialect::playback_stage::PlaybackStage;
use greenroom_dialect::request::RequestView;
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use http::header::HeaderValue;
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::feed::EchoWatch;
use crate::forward;
use crate::forward::outage;
use crate::invalidate::InvalidationSource;
use crate::proxy_request::ProxyRequest;
use crate::shadow::stats;
use crate::{access_log, invalidate, response};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::{UpstreamError, UpstreamErrorStage, UpstreamRequestKind};
use greenroom_origin::scheduler::QueueRequest;
use upload::{UploadHandle, UploadResult};

/// Bytes of a write's response that are read before the client gets it; the rest is streamed.
const MAX_RESPONSE_BYTES: u64 = 1024 * 1024;

/// Forwards a write and answers the client.
pub async fn pass(request: ProxyRequest, target: &str, parts: request::Parts, body: Incoming) -> Response<Body> {
    if request.server.origin.breaker.outage().is_some() {
        return outage::stream(&request, target, &parts.method);
    }
    request.server.counters.writes.fetch_add(1, Ordering::Relaxed);
    let head = RequestView { method: &parts.method, target, headers: &parts.headers, body: &[] };
    let body_use = request.server.origin.settings.kind.body_use(&head);
    let received = match upload::receive(&request, body_use, body).await {
        Ok(received) => received,
        Err(refused) => return *refused,
    };
    let view = RequestView { body: received.beginning(), ..head };
    let account = request.classified.identity.account();
    let write = match request.server.origin.settings.kind.classify(&view, account.as_deref()) {
        Classification::Write(write) => *write,
        _ => Write {
            name: "unknown",
            invalidations: vec![TagInvalidation::everyone(Tag::all())],
            throttled: None,
            revokes: TokenRevocation::Nothing,
            edit: None,
        },
    };
    let (body, upload_handle) = received.into_body();
    let Ok(upstream_request) = rebuild(&request, target, &parts, body) else {
        return response::problem(&request, StatusCode::BAD_REQUEST, "the request cannot be forwarded");
    };
    let (reply_sender, reply_receiver) = oneshot::channel();
    let owned_request = request.clone();
    request.server.origin.tasks.spawn(async move {
        // The client may have disconnected; the write is completed all the same.
        let _ = reply_sender.send(forward(&owned_request, write, upstream_request, upload_handle).await);
    });
    match reply_receiver.await {
        Ok(response) => response,
        Err(_) => response::problem(&request, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
    }
}

/// Sends the write. Its invalidations are durable before the response.
async fn forward(
    request: &ProxyRequest,
    write: Write,
    upstream_request: Request<Body>,
    upload_handle: Option<UploadHandle>,
) -> Response<Body> {
    let response = send_once(request, write, upstream_request, upload_handle).await;
    request.server.cache.flush_invalidations().await;
    // Revocations, as by a sign-out, must be durable.
    if request.classified.identity.revocations().has_pending() {
        request.classified.identity.revocations().flush().await;
    }
    response
}

async fn send_once(
    request: &ProxyRequest,
    write: Write,
    upstream_request: Request<Body>,
    upload_handle: Option<UploadHandle>,
) -> Response<Body> {
    let server = &request.server;
    // A streamed body takes no permit while it arrives, because its client may be slow.
    let _permit = if upload_handle.is_some() {
        None
    } else {
        let queue_request = server.ranked(&request.classified.identity, QueueRequest::write(&request.classified.app));
        let Ok(permit) = server.origin.queue.acquire(queue_request).await else {
            let message = "too many writes wait for the media server; this one was not sent";
            return response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message);
        };
        Some(permit)
    };
    if !server.origin.breaker.allows_requests() {
        return outage::refuse(request, "the media server is down; this write was not sent");
    }
    request.classified.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(request);
    server.record_passed(stats::WRITES, &request.classified.app);
    let limit = server.origin.settings.load_timeout;
    let limit = if upload_handle.is_some() { limit + upload::BODY_TIMEOUT } else { limit };
    let key = breaker::key_of(upstream_request.uri().path());
    match server.origin.clock.timeout(limit, send_and_read(request, upstream_request, key)).await {
        Ok(Ok((response, status))) => {
            apply_result(request, &write, status, response.headers());
            if status.is_success() {
                record_for_feed(request, &write, response.body());
            }
            response
        }
        Ok(Err(error)) => handle_upstream_error(request, &write, &error, upload_handle.as_ref()),
        Err(_) => {
            server.origin.record_timeout(key);
            server.origin.record_failure();
            apply_unknown_outcome(request, &write, upload_handle.as_ref());
            response::problem(
                request,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server is slow; the write may have happened",
            )
        }
    }
}

/// Response if the server's is missing or unusable; invalidates what the write may have changed.
fn handle_upstream_error(
    request: &ProxyRequest,
    write: &Write,
    error: &UpstreamError,
    upload_handle: Option<&UploadHandle>,
) -> Response<Body> {
    let server = &request.server;
    if error.never_sent {
        server.origin.record_failure();
        tracing::info!(server = server.name(), write = write.name, reason = error.message, "write not sent");
        return response::problem(request, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached");
    }
    apply_unknown_outcome(request, write, upload_handle);
    if error.stage == UpstreamErrorStage::Request
        && let Some(end) = upload_handle.and_then(UploadHandle::result)
    {
        tracing::debug!(server = server.name(), write = write.name, ?end, "the body of a write ended early");
        return upload::interrupted_response(request, end);
    }
    server.origin.record_failure();
    tracing::warn!(server = server.name(), write = write.name, reason = error.message, "outcome of a write unknown");
    response::problem(
        request,
        StatusCode::BAD_GATEWAY,
        "the media server closed the connection; the write may have happened",
    )
}

/// Invalidates after a write with unknown outcome. A partial body with a token that was never accepted is ignored:
/// otherwise any client could invalidate everything by disconnecting midway.
fn apply_unknown_outcome(request: &ProxyRequest, write: &Write, upload_handle: Option<&UploadHandle>) {
    let is_partial = upload_handle.is_some_and(|upload_handle| upload_handle.result() != Some(UploadResult::Whole));
    if !is_partial || request.classified.identity.was_authorized() {
        apply_invalidations(request, write, InvalidationSource::UnconfirmedWrite(&request.classified.identity));
    }
}

/// Sends the write and reads the response (whole, unless very long), so that a client that has it knows the write is
/// complete.
async fn send_and_read(
    request: &ProxyRequest,
    upstream_request: Request<Body>,
    key: u64,
) -> Result<(Response<Body>, StatusCode), UpstreamError> {
    let response = request.server.origin.send(upstream_request, UpstreamRequestKind::Write, key).await?;
    let (parts, body) = response.into_parts();
    let status = parts.status;
    let body = match collect(body, MAX_RESPONSE_BYTES).await {
        CollectedBody::Whole(bytes) => bytes.into(),
        CollectedBody::TooLong(read, rest) => Body::Resumed { read, rest },
        CollectedBody::Broken(_) => {
            return Err(UpstreamError::from_reason(&"the response ended early"));
        }
    };
    Ok((response::forwarded(Response::from_parts(parts, body), "write"), status))
}

/// Invalidates according to the response's status.
fn apply_result(request: &ProxyRequest, write: &Write, status: StatusCode, headers: &HeaderMap) {
    match status.as_u16() {
        200..=399 => {
            request.server.origin.record_success();
            apply_invalidations(request, write, confirmed_source(request, write));
            apply_revocation(request, write.revokes);
        }
        400..=499 => invalidate::apply_token_rejection(request, status, headers),
        _ => {
            request.server.origin.record_failure();
            apply_invalidations(request, write, InvalidationSource::UnconfirmedWrite(&request.classified.identity));
        }
    }
}

/// The feed must hear a write of its own user, and tell sessions no older than a write about them.
fn record_for_feed(request: &ProxyRequest, write: &Write, response: &Body) {
    let (server, identity) = (&request.server, &request.classified.identity);
    let is_own = server.feed.own_account().is_some_and(|own| identity.account() == Some(own));
    let is_of_other = write.invalidations.iter().any(
        |stale| matches!(&stale.audience, Audience::User(user) if identity.account().as_deref() != Some(user.as_str())),
    );
    if is_own && !is_of_other && EchoWatch::is_echoed(write.name, whole(response)) {
        server.feed.echo.expect(server.origin.clock.now());
    } else if EchoWatch::is_echoed(write.name, &[]) {
        server.feed.echo.postpone(server.origin.clock.now());
    }
    if write.invalidations.iter().any(|stale| stale.tag == Tag::sessions()) {
        server.feed.sessions.record_write(identity, server.origin.clock.now_us());
    }
}

fn whole(body: &Body) -> &[u8] {
    match body {
        Body::Whole(Some(bytes)) => bytes,
        _ => &[],
    }
}

fn confirmed_source<'a>(request: &'a ProxyRequest, write: &Write) -> InvalidationSource<'a> {
    if write.throttled.is_some() {
        InvalidationSource::PlaybackReport(&request.classified.identity)
    } else {
        InvalidationSource::ConfirmedWrite(&request.classified.identity)
    }
}

fn apply_invalidations(request: &ProxyRequest, write: &Write, source: InvalidationSource<'_>) {
    let server = &request.server;
    let narrowed = write.edit.as_ref().filter(|_| matches!(source, InvalidationSource::ConfirmedWrite(_)));
    let narrowed = narrowed.and_then(|edit| {
        let lineage = server.invalidation.lineage.lock();
        edit.narrowed(lineage.document(&edit.document.key())?)
    });
    let is_asked = !server.origin.settings.pulse_interval.is_zero() && server.feed.is_whole();
    let stale = narrowed.unwrap_or_else(|| if is_asked { write.at_once() } else { write.invalidations.clone() });
    invalidate::apply(server, &stale, source);
    if let Some(throttled) = &write.throttled
        && server.invalidation.progress_throttle.is_due(
            &request.classified.identity,
            &throttled.item,
            PlaybackStage::of(throttled, &server.invalidation.lineage.lock()),
            server.origin.clock.now(),
        )
    {
        invalidate::apply(server, &throttled.invalidations, source);
    }
}

fn apply_revocation(request: &ProxyRequest, revocation: TokenRevocation) {
    match revocation {
        TokenRevocation::Nothing => {}
        TokenRevocation::Caller if request.classified.identity.is_anonymous() => {}
        TokenRevocation::Caller => {
            request.classified.identity.refuse();
            request.server.forget_token(&request.classified.identity);
        }
        TokenRevocation::Everyone => {
            request.server.identities.refuse_all();
            invalidate::purge_all_identities(&request.server);
        }
    }
}

/// The upstream request: same target, same end-to-end headers, new framing.
fn rebuild(
    request: &ProxyRequest,
    target: &str,
    parts: &request::Parts,
    body: Body,
) -> Result<Request<Body>, http::Error> {
    // An empty body is declared, because some servers wait for one otherwise.
    let is_empty = body.is_end_stream();
    let mut upstream_request = Request::builder().method(parts.method.clone()).uri(request.uri(target)?).body(body)?;
    *upstream_request.headers_mut() = forward::headers_for_server(request, &parts.headers);
    upstream_request.headers_mut().insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if is_empty && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        upstream_request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(upstream_request)
}
