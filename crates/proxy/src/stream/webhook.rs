//! Plex webhooks: messages of its account service about playback, ratings and additions.
//!
//! They arrive at `/hooks/plex/<secret>` on the server's listener, are read up to a limit, and can only invalidate: a
//! guessed secret costs requests to the server, nothing else.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::plex::webhook;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use subtle::ConstantTimeEq;

use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::response::complete;
use crate::server::Server;
use greenroom_http_server::client_network::client_network;
use greenroom_origin::body::{Body, CollectedBody, collect};

/// Path of webhooks; the secret follows.
pub const PREFIX: &str = "/hooks/plex/";
/// Longest webhook: a payload of some kilobytes and a small image.
const MAX_HOOK_BYTES: u64 = 2 * 1024 * 1024;
/// Timeout for the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Receives a webhook. Without the right secret the response is 404.
pub async fn receive(
    server: Arc<Server>,
    peer: IpAddr,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    let secret = target.strip_prefix(PREFIX).unwrap_or_default();
    let is_valid = bool::from(secret.as_bytes().ct_eq(server.webhook_secret.expose().as_bytes()));
    if !is_valid || parts.method != Method::POST {
        server.counters.refused.fetch_add(1, Ordering::Relaxed);
        return plain(StatusCode::NOT_FOUND, "not found\n");
    }
    let mut reservation = server.limits.bodies.reserve(client_network(peer), true);
    let length = body.size_hint().exact().unwrap_or(MAX_HOOK_BYTES).min(MAX_HOOK_BYTES);
    if let Err(exhausted) = reservation.grow(length) {
        server.limits.counters.record(exhausted.limit_kind());
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many request bodies are held in memory\n");
    }
    let body = server.origin.clock.timeout(BODY_TIMEOUT, collect(body, MAX_HOOK_BYTES)).await;
    let Ok(CollectedBody::Whole(bytes)) = body else {
        server.counters.refused.fetch_add(1, Ordering::Relaxed);
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the webhook is too long or too slow\n");
    };
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(payload) = payload(kind, bytes).await else {
        return plain(StatusCode::BAD_REQUEST, "the form has no payload\n");
    };
    let invalidations = webhook(&payload);
    invalidate::apply(&server, &invalidations, InvalidationSource::ServerEvent(server.identities.anonymous()));
    server.cache.flush_invalidations().await;
    plain(StatusCode::OK, "ok\n")
}

/// The field `payload` of the form, or the body itself if it is JSON.
pub async fn payload(content_type: &str, body: Bytes) -> Option<Bytes> {
    if content_type.starts_with("application/json") {
        return Some(body);
    }
    let boundary = multer::parse_boundary(content_type).ok()?;
    let body_stream = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(body_stream, boundary);
    while let Some(field) = form.next_field().await.ok()? {
        if field.name() == Some("payload") {
            return field.bytes().await.ok();
        }
    }
    None
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    complete(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}
