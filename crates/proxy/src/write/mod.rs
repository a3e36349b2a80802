//! A write: forwarded once, in a task that the writer's hang-up cannot cancel; what it makes stale is stale before
//! the writer has its answer.

pub mod body_plan;
pub mod upload;

use std::sync::atomic::Ordering;

use greenroom_dialect::ask::Ask;
use greenroom_dialect::tag::{Staling, Tag};
use greenroom_dialect::verdict::{Forgets, Verdict, Write};
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::forward;
use crate::forward::outage;
use crate::invalidate::By;
use crate::request::headers;
use crate::shadow::tally;
use crate::visit::Visit;
use crate::{access_log, invalidate, response};
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::{Cause, Lane, NoResponse};
use greenroom_origin::scheduler::Errand;
use upload::{End, Passing};

/// Bytes of the answer to a write that are read before the writer gets it; what is longer is passed on from there.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// Forwards a write and answers the writer.
pub async fn pass(visit: Visit, target: &str, parts: request::Parts, body: Incoming) -> Response<Body> {
    if visit.server.origin.breaker.outage().is_some() {
        return outage::stream(&visit, target, &parts.method);
    }
    visit.server.counters.writes.fetch_add(1, Ordering::Relaxed);
    let head = Ask { method: &parts.method, target, headers: &parts.headers, body: &[] };
    let body_use = visit.server.origin.settings.kind.body_use(&head);
    let received = match upload::receive(&visit, body_use, body).await {
        Ok(received) => received,
        Err(refused) => return *refused,
    };
    let ask = Ask { body: received.beginning(), ..head };
    let account = visit.identity.account();
    let write = match visit.server.origin.settings.kind.classify(&ask, account.as_deref()) {
        Verdict::Write(write) => *write,
        _ => Write {
            name: "unknown",
            stale: vec![Staling::everyone(Tag::all())],
            minutely: None,
            forgets: Forgets::Nobody,
        },
    };
    let (body, passing) = received.into_body();
    let Ok(request) = rebuild(&visit, target, &parts, body) else {
        return response::problem(&visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded");
    };
    let (reply, replied) = oneshot::channel();
    let owner = visit.clone();
    visit.server.origin.tasks.spawn(async move {
        // The writer may have hung up: the write is finished all the same, only nobody hears of it.
        drop(reply.send(forward(&owner, write, request, passing).await));
    });
    match replied.await {
        Ok(response) => response,
        Err(_) => {
            response::problem(&visit, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log")
        }
    }
}

/// Sends the write. What it made stale is durable before its answer is given.
async fn forward(
    visit: &Visit,
    write: Write,
    request: Request<Body>,
    passing: Option<Passing>,
) -> Response<Body> {
    let response = attempt(visit, write, request, passing).await;
    visit.server.cache.settled().await;
    // A sign-out, say: tokens that are worth nothing any more stay so.
    if visit.identity.refused().is_behind() {
        visit.identity.refused().settled().await;
    }
    response
}

async fn attempt(
    visit: &Visit,
    write: Write,
    request: Request<Body>,
    passing: Option<Passing>,
) -> Response<Body> {
    let server = &visit.server;
    // A body that is still on its way holds no place while it comes: its sender may be slow.
    let _place = if passing.is_some() {
        None
    } else {
        let Ok(place) = server.origin.queue.place(Errand::write(&visit.app)).await else {
            let message = "too many writes wait for the media server; this one was not sent";
            return response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message);
        };
        Some(place)
    };
    if !server.origin.breaker.admits() {
        return outage::refuse(visit, "the media server is down; this write was not sent");
    }
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    access_log::reached(visit);
    server.note_passing(tally::WRITES, &visit.app);
    let limit = server.origin.settings.load_timeout;
    let limit = if passing.is_some() { limit + upload::BODY_TIMEOUT } else { limit };
    let key = breaker::key_of(request.uri().path());
    match server.origin.clock.timeout(limit, exchange(visit, request, key)).await {
        Ok(Ok((response, status))) => {
            settle(visit, &write, status);
            response
        }
        Ok(Err(error)) => unanswered(visit, &write, &error, passing.as_ref()),
        Err(_) => {
            server.origin.note_silence(key);
            server.origin.note_failure();
            mark_unknown(visit, &write, passing.as_ref());
            response::problem(
                visit,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server is slow; the write may have happened",
            )
        }
    }
}

/// What the writer hears if the server said nothing that can be used, and what is stale then.
fn unanswered(visit: &Visit, write: &Write, error: &NoResponse, passing: Option<&Passing>) -> Response<Body> {
    let server = &visit.server;
    if error.never_sent {
        server.origin.note_failure();
        tracing::info!(server = server.name(), write = write.name, reason = error.message, "write not sent");
        return response::problem(
            visit,
            StatusCode::SERVICE_UNAVAILABLE,
            "the media server cannot be reached",
        );
    }
    mark_unknown(visit, write, passing);
    if error.cause == Cause::Request
        && let Some(end) = passing.and_then(Passing::end)
    {
        tracing::debug!(server = server.name(), write = write.name, ?end, "the body of a write was cut off");
        return upload::cut_off(visit, end);
    }
    server.origin.note_failure();
    tracing::warn!(
        server = server.name(),
        write = write.name,
        reason = error.message,
        "outcome of a write unknown"
    );
    response::problem(
        visit,
        StatusCode::BAD_GATEWAY,
        "the media server broke off; the write may have happened",
    )
}

/// Marks what a write of unknown outcome may have made stale. A part of a body with a token that was never accepted
/// counts for nothing: else any stranger could have everything asked for again by hanging up in the middle.
fn mark_unknown(visit: &Visit, write: &Write, passing: Option<&Passing>) {
    let is_partial = passing.is_some_and(|passing| passing.end() != Some(End::Whole));
    if !is_partial || visit.identity.was_let_in() {
        mark(visit, write, By::Unknown(&visit.identity));
    }
}

/// Sends the write and reads the answer (all of it, unless it is very long), so that a writer who has it knows that all of it is done.
async fn exchange(
    visit: &Visit,
    request: Request<Body>,
    key: u64,
) -> Result<(Response<Body>, StatusCode), NoResponse> {
    let response = visit.server.origin.send(request, Lane::Write, key).await?;
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::for_client(&parts.headers);
    let status = parts.status;
    let body = match collect(body, MAX_ANSWER_BYTES).await {
        Collected::Whole(bytes) => bytes.into(),
        Collected::TooLong(read, rest) => Body::Resumed { read, rest },
        Collected::Broken(_) => {
            return Err(NoResponse::because(&"the answer broke off"));
        }
    };
    Ok((Response::from_parts(parts, body), status))
}

/// What the server's word means for what is kept.
fn settle(visit: &Visit, write: &Write, status: StatusCode) {
    match status.as_u16() {
        200..=399 => {
            visit.server.origin.note_success();
            mark(visit, write, confirmed(visit, write));
            forget(visit, write.forgets);
        }
        401 | 498 => invalidate::heed_refusal(visit, status),
        400..=499 => {}
        _ => {
            visit.server.origin.note_failure();
            mark(visit, write, By::Unknown(&visit.identity));
        }
    }
}

fn confirmed<'a>(visit: &'a Visit, write: &Write) -> By<'a> {
    if write.minutely.is_some() { By::Reported(&visit.identity) } else { By::Confirmed(&visit.identity) }
}

fn mark(visit: &Visit, write: &Write, by: By<'_>) {
    let server = &visit.server;
    invalidate::apply(server, &write.stale, by);
    if let Some(minutely) = &write.minutely
        && server.invalidation.paces.is_due(&visit.identity, &minutely.item, server.origin.clock.now_ms())
    {
        invalidate::apply(server, &minutely.stale, by);
    }
}

fn forget(visit: &Visit, forgets: Forgets) {
    match forgets {
        Forgets::Nobody => {}
        Forgets::Caller if visit.identity.is_anonymous() => {}
        Forgets::Caller => {
            visit.identity.refuse();
            visit.server.purge_partition(&visit.identity);
        }
        Forgets::Everyone => {
            visit.server.identities.refuse_everybody();
            invalidate::purge_everybody(&visit.server);
        }
    }
}

/// The client's request as the server gets it: same target, same end-to-end headers, our framing.
fn rebuild(
    visit: &Visit,
    target: &str,
    parts: &request::Parts,
    body: Body,
) -> Result<Request<Body>, http::Error> {
    // A write says that it has no body; some servers wait for one otherwise.
    let is_empty = body.is_end_stream();
    let mut request = Request::builder().method(parts.method.clone()).uri(visit.uri(target)?).body(body)?;
    *request.headers_mut() = forward::headers_for_server(visit, &parts.headers);
    request.headers_mut().insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if is_empty && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}
