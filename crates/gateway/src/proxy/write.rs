//! A write: forwarded once, in a task that the writer's hang-up cannot cancel; what it makes stale is stale before
//! the writer has its answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::ask::Ask;
use greenroom_upstream::tag::{Staling, Tag};
use greenroom_upstream::verdict::{Forgets, Verdict, Write};
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::{Visit, answer, headers, note, offline, stream};
use crate::body::{Body, Collected, collect};
use crate::breaker;
use crate::observe::tally;
use crate::origin::{Lane, NoResponse};
use crate::queue::Errand;
use crate::stale::{self, By};

/// Bytes of a write's body; a poster is a few megabytes.
const MAX_WRITE_BYTES: u64 = 64 * 1024 * 1024;
/// How long a client may take to send a write's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of the body the dialect gets to see.
const MAX_LOOKED_AT: usize = 64 * 1024;

/// Forwards a write and answers the writer.
pub async fn pass(visit: Visit, target: &str, parts: request::Parts, body: Incoming) -> Response<Body> {
    if visit.server.breaker.outage().is_some() {
        return offline::stream(&visit, target, &parts.method);
    }
    visit.server.counters.writes.fetch_add(1, Ordering::Relaxed);
    let body = match visit.server.clock.timeout(BODY_TIMEOUT, collect(body, MAX_WRITE_BYTES)).await {
        Ok(Collected::Whole(bytes)) => bytes,
        Ok(Collected::TooLong(..)) => {
            return answer::problem(&visit, StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 MiB");
        }
        Ok(Collected::Broken(_)) => {
            return answer::problem(&visit, StatusCode::BAD_REQUEST, "the body broke off");
        }
        Err(_) => return answer::problem(&visit, StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
    };
    let looked_at = &body[..body.len().min(MAX_LOOKED_AT)];
    let ask = Ask { method: &parts.method, target, headers: &parts.headers, body: looked_at };
    let account = visit.identity.account();
    let write = match visit.server.settings.kind.classify(&ask, account.as_deref()) {
        Verdict::Write(write) => *write,
        _ => Write {
            name: "unknown",
            stale: vec![Staling::everyone(Tag::all())],
            minutely: None,
            forgets: Forgets::Nobody,
        },
    };
    let Ok(request) = rebuild(&visit, target, &parts, body.into()) else {
        return answer::problem(&visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded");
    };
    let (reply, replied) = oneshot::channel();
    let owner = visit.clone();
    visit.server.tasks.spawn(async move {
        // The writer may have hung up: the write is finished all the same, only nobody hears of it.
        drop(reply.send(forward(&owner, write, request).await));
    });
    match replied.await {
        Ok(response) => response,
        Err(_) => answer::problem(&visit, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
    }
}

/// Sends the write. What it made stale is durable before its answer is given.
async fn forward(visit: &Visit, write: Write, request: Request<Body>) -> Response<Body> {
    let response = attempt(visit, write, request).await;
    visit.server.cache.settled().await;
    // A sign-out, say: tokens that are worth nothing any more stay so.
    if visit.identity.refused().is_behind() {
        visit.identity.refused().settled().await;
    }
    response
}

async fn attempt(visit: &Visit, write: Write, request: Request<Body>) -> Response<Body> {
    let server = &visit.server;
    let Ok(_place) = server.queue.place(Errand::write(&visit.app)).await else {
        let message = "too many writes wait for the media server; this one was not sent";
        return answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message);
    };
    if !server.breaker.admits() {
        return offline::refuse(visit, "the media server is down; this write was not sent");
    }
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    note::reached(visit);
    server.note_passing(tally::WRITES, &visit.app);
    let limit = server.settings.load_timeout;
    let key = breaker::key_of(request.uri().path());
    match server.clock.timeout(limit, exchange(visit, request, key)).await {
        Ok(Ok((response, status))) => {
            settle(visit, &write, status);
            response
        }
        Ok(Err(error)) if error.never_sent => {
            server.note_failure();
            tracing::info!(
                server = server.name(),
                write = write.name,
                reason = error.message,
                "write not sent"
            );
            answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached")
        }
        Ok(Err(error)) => {
            server.note_failure();
            tracing::warn!(
                server = server.name(),
                write = write.name,
                reason = error.message,
                "outcome of a write unknown"
            );
            mark(visit, &write, By::Unknown(&visit.identity));
            answer::problem(
                visit,
                StatusCode::BAD_GATEWAY,
                "the media server broke off; the write may have happened",
            )
        }
        Err(_) => {
            server.note_silence(key);
            server.note_failure();
            mark(visit, &write, By::Unknown(&visit.identity));
            answer::problem(
                visit,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server is slow; the write may have happened",
            )
        }
    }
}

/// Sends the write and reads the whole answer, so that a writer who has it knows that all of it is done.
async fn exchange(
    visit: &Visit,
    request: Request<Body>,
    key: u64,
) -> Result<(Response<Body>, StatusCode), NoResponse> {
    let response = visit.server.send(request, Lane::Write, key).await?;
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::for_client(&parts.headers);
    let status = parts.status;
    let body = match collect(body, MAX_WRITE_BYTES).await {
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
            visit.server.note_success();
            mark(visit, write, confirmed(visit, write));
            forget(visit, write.forgets);
        }
        401 | 498 => stale::heed_refusal(visit, status),
        400..=499 => {}
        _ => {
            visit.server.note_failure();
            mark(visit, write, By::Unknown(&visit.identity));
        }
    }
}

fn confirmed<'a>(visit: &'a Visit, write: &Write) -> By<'a> {
    if write.minutely.is_some() { By::Reported(&visit.identity) } else { By::Confirmed(&visit.identity) }
}

fn mark(visit: &Visit, write: &Write, by: By<'_>) {
    let server = &visit.server;
    stale::apply(server, &write.stale, by);
    if let Some(minutely) = &write.minutely
        && server.paces.is_due(&visit.identity, &minutely.item, server.clock.now_ms())
    {
        stale::apply(server, &minutely.stale, by);
    }
}

fn forget(visit: &Visit, forgets: Forgets) {
    match forgets {
        Forgets::Nobody => {}
        Forgets::Caller if visit.identity.is_anonymous() => {}
        Forgets::Caller => {
            visit.identity.refuse();
            stale::purge_partition(&visit.server, &visit.identity);
        }
        Forgets::Everyone => {
            visit.server.identities.refuse_everybody();
            stale::purge_everybody(&visit.server);
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
    *request.headers_mut() = stream::headers_for_server(visit, &parts.headers);
    request.headers_mut().insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if is_empty && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}
