//! Asks the server whose token a token is, so that it may share its account's cached responses.
//!
//! A Jellyfin server says so at `/Users/Me`. It is asked once per token, at the token's first read, and again after signs
//! of a restart of the server. A log-in that passes through proves its token without a request. A Plex server names the
//! account of no token, so tokens of Plex stay alone.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, SharingScope};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::own_user;
use greenroom_dialect::request::ServerKind;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};

use crate::identity::Identity;
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_config::CacheMode;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::client_apps::ClientApp;
use greenroom_origin::scheduler::QueueRequest;

/// The server's own name for the user of a token.
const TARGET: &str = "/Users/Me";
/// Longest response, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
/// A read waits for the response for this long at most.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A server that did not name the account is asked again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// A server that failed to answer is asked again after this time.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Whether the server is to be asked for the account before this request is answered.
pub fn is_due(server: &Server, classified: &ClassifiedRequest, now_ms: Timestamp) -> bool {
    let Classification::Read(read) = &classified.classification else { return false };
    server.origin.settings.kind == ServerKind::Jellyfin
        && classified.identity.shared_owner().is_none()
        && read.sharing == SharingScope::Identity
        && !classified.credential.ambiguous
        && classified.identity.may_request_account(now_ms)
        && server.read_mode(read.class, &classified.app) == CacheMode::Cache
        && server.origin.breaker.allows_requests()
        && !server.origin.is_emby()
}

/// Asks the server before a client's read, unless another request of the token did meanwhile.
pub async fn send_for(server: &Arc<Server>, classified: &ClassifiedRequest) {
    let settings = &server.origin.settings;
    let credential = settings.kind.credential_headers(&classified.credential, settings.translate_legacy_auth);
    send(server, &classified.identity, &credential, &classified.app).await;
}

/// Asks the server whose token this is. Requests at the same time wait for one.
pub async fn send(
    server: &Arc<Server>,
    identity: &Identity,
    credential: &[(HeaderName, HeaderValue)],
    app: &Arc<ClientApp>,
) {
    let _only = identity.lock_account_request().await;
    let now_ms = server.origin.clock.now();
    let is_proven = identity.shared_owner().is_some() && server.is_account_current(identity);
    if is_proven || !identity.may_request_account(now_ms) || !server.origin.breaker.allows_requests() {
        return;
    }
    let exchange = exchange(server, identity, credential, app);
    let answer = server.origin.clock.timeout(TIMEOUT, exchange).await.ok().flatten();
    // A server that is starting, or out of reach, is asked again soon.
    let is_definite = answer.as_ref().is_some_and(|(status, _)| !status.is_server_error());
    if let Some(owner) = answer.and_then(|(status, body)| own_user::token_owner(status.as_u16(), &body)) {
        server.prove_owner(identity, &owner);
    } else {
        let pause = if is_definite { RETRY_AFTER } else { RETRY_AFTER_FAILURE };
        let retry = pause;
        identity.postpone_account_request(now_ms.saturating_add(retry));
    }
}

async fn exchange(
    server: &Server,
    identity: &Identity,
    credential: &[(HeaderName, HeaderValue)],
    app: &Arc<ClientApp>,
) -> Option<(StatusCode, Bytes)> {
    let mut request = Request::builder().method(Method::GET).uri(server.origin.client.uri(TARGET).ok()?);
    for (name, value) in credential {
        request = request.header(name, value);
    }
    let request =
        request.header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "identity").body(Body::empty()).ok()?;
    let queued = QueueRequest::read(app, Class::Users, TARGET, server.origin.clock.now());
    let _permit = server.origin.queue.acquire(server.ranked(identity, queued)).await.ok()?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.origin.send(request, UpstreamRequestKind::Read, breaker::key_of(TARGET)).await.ok()?;
    let status = response.status();
    match collect(response.into_body(), MAX_BYTES).await {
        CollectedBody::Whole(body) => Some((status, body)),
        CollectedBody::TooLong(..) | CollectedBody::Broken(_) => None,
    }
}

/// Learns from the whole response to a log-in whose token it issued.
pub fn record_login(server: &Server, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    if let Some((token, owner)) = own_user::issued_token(status.as_u16(), headers, body) {
        let credential = Credential { token: Some(token), ..Credential::default() };
        server.prove_owner(&server.identify(&credential), &owner);
    }
}
