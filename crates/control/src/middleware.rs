//! The middleware of every request: gathers its facts, applies the access policy, and adds the security headers to
//! every response.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::auth::caller::{AuthContext, AuthGrant, ConnectionInfo};
use crate::auth::policy::{AccessDecision, AccessInput, PresentedCredential, RouteAccess, decide, is_path_of};
use crate::auth::rate_limit::RateLimitKey;
use crate::auth::request;
use crate::auth::session::SessionId;
use crate::error::Problem;
use crate::misdirected_page;
use crate::state::ApiState;
use greenroom_state::control_tokens::TokenScope;

/// Content security policy: own resources only, nothing inline, no frames, and no text that becomes markup.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// Headers of every response.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Passes the request on, or responds with the reason it is denied.
pub async fn authorize(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (mut input, mut grant) = state.access_input(&parts);
    if decide(&input) == AccessDecision::TokenWrong {
        // The token may have been issued a moment ago.
        state.control.token.reload_and_wait().await;
        (input, grant) = state.access_input(&parts);
    }
    let decision = decide(&input);
    if decision == AccessDecision::Misdirected && request::accepts_page(&parts) {
        state.record_refusal(decision, &parts);
        return misdirected(&parts.headers);
    }
    let mut response = if let Some(problem) = decision.problem() {
        state.record_refusal(decision, &parts);
        let mut denial = problem.into_response();
        if decision == AccessDecision::Throttled {
            state.set_retry_after(&parts, denial.headers_mut());
        }
        denial
    } else {
        let is_allowed = |route| decide(&AccessInput { route, ..input }) == AccessDecision::Allow;
        let (may_read, may_change) = (is_allowed(RouteAccess::Read), is_allowed(RouteAccess::Change));
        parts.extensions.insert(AuthContext { grant, may_read, may_change });
        as_problem_response(next.run(Request::from_parts(parts, body)).await)
    };
    set_security_headers(response.headers_mut());
    response
}

/// The page for a browser that comes under an unknown host name.
fn misdirected(headers: &HeaderMap) -> Response {
    let mut response = misdirected_page::response(headers);
    set_security_headers(response.headers_mut());
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(misdirected_page::CONTENT_POLICY));
    response
}

/// axum rejects unreadable paths and queries before any handler runs, with texts that echo the input: those are
/// replaced by problems.
fn as_problem_response(response: Response) -> Response {
    let is_plain = || {
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        media_type.is_none_or(|media_type| media_type.starts_with("text/plain"))
    };
    let is_unreadable = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&response.status());
    if is_unreadable && is_plain() { Problem::BAD_QUERY.into_response() } else { response }
}

impl ApiState {
    fn access_input(&self, parts: &Parts) -> (AccessInput, AuthGrant) {
        let now_ms = self.control.clock.now();
        let connection = parts.extensions.get::<ConnectionInfo>();
        let peer = connection.map(|peer| peer.address.ip());
        let headers = &parts.headers;
        // Open reads cover plain reads, not lookups sent with a body.
        let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
        let (credential, grant) = self.presented_credential(parts, now_ms);
        let input = AccessInput {
            route: RouteAccess::classify(&parts.method, parts.uri.path()),
            host: request::host(headers, &parts.uri, |name| self.settings.is_called(name)),
            listens_beyond_loopback: !request::is_loopback(self.listen.ip()),
            peer_is_loopback: peer.is_some_and(request::is_loopback),
            peer_is_private: peer.is_some_and(request::is_private),
            is_forwarded: request::is_forwarded(headers)
                // Current browsers and programs use HTTP/1.1; some proxies use 1.0 and add no header.
                || parts.version == Version::HTTP_10
                || connection.is_some_and(|peer| peer.is_under_base_path),
            is_open_read: is_read && peer.is_some_and(|peer| self.settings.is_open(parts.uri.path(), peer)),
            origin: request::origin(headers),
            site: request::site(headers),
            credential,
            is_throttled: self.retry_after_ms(parts).is_some(),
        };
        (input, grant)
    }

    fn presented_credential(&self, parts: &Parts, now_ms: Timestamp) -> (PresentedCredential, AuthGrant) {
        let headers = &parts.headers;
        let session = SessionId::from_headers(headers).filter(|id| self.control.sessions.is_open(*id, now_ms));
        if let Some(session) = session {
            return (PresentedCredential::Session, AuthGrant::Session(session));
        }
        let Some(token) = request::bearer(headers) else {
            return (PresentedCredential::Absent, AuthGrant::Anonymous);
        };
        if let Some(app) = self.control.app_tokens.find(token) {
            let compat = self.control.folders.compat().map(|folder| folder.settings.name.as_str());
            let is_covered = is_path_of(parts.uri.path(), &app.access, compat);
            let credential = PresentedCredential::AppToken { is_covered, is_read_only: app.access.is_read_only };
            return (credential, AuthGrant::App(app.number()));
        }
        match self.control.token.scope_of(token) {
            Some(scope @ TokenScope::Control(_)) => (PresentedCredential::Token, AuthGrant::Token(scope)),
            Some(scope @ TokenScope::Reads(_)) => (PresentedCredential::ReadToken, AuthGrant::Token(scope)),
            None => (PresentedCredential::Wrong, AuthGrant::Anonymous),
        }
    }

    /// True if the credential is still valid: the session is open, the token was not renewed.
    pub fn is_grant_valid(&self, grant: AuthGrant) -> bool {
        match grant {
            AuthGrant::Anonymous => true,
            AuthGrant::Session(session) => self.control.sessions.is_open(session, self.control.clock.now()),
            AuthGrant::Token(scope) => self.control.token.is_valid(scope),
            AuthGrant::App(number) => self.control.app_tokens.is_valid(number),
        }
    }

    /// Time for which tokens of this peer are not checked.
    fn retry_after_ms(&self, parts: &Parts) -> Option<Duration> {
        let peer = parts.extensions.get::<ConnectionInfo>()?;
        let key = self.rate_limit_key(*peer, &parts.headers);
        self.control.login_rate_limiter.retry_after_ms(key, self.control.clock.now())
    }

    fn set_retry_after(&self, parts: &Parts, headers: &mut HeaderMap) {
        if let Some(retry_after_ms) = self.retry_after_ms(parts) {
            headers.insert(RETRY_AFTER, HeaderValue::from(millis(retry_after_ms).div_ceil(1000)));
        }
    }

    /// The caller: the peer, or the client that a trusted proxy names.
    fn rate_limit_key(&self, peer: ConnectionInfo, headers: &HeaderMap) -> RateLimitKey {
        let address =
            greenroom_proxy::request::client_ip::client(peer.address.ip(), headers, &self.settings.trusted_proxies);
        RateLimitKey { address, is_forwarded: peer.is_under_base_path || request::is_forwarded(headers) }
    }

    fn record_refusal(&self, decision: AccessDecision, parts: &Parts) {
        self.control.record_refusal(decision);
        let peer = parts.extensions.get::<ConnectionInfo>();
        if let (AccessDecision::TokenWrong, Some(peer)) = (decision, peer) {
            self.record_wrong_token(*peer, &parts.headers);
        }
    }

    /// Records a wrong token.
    pub fn record_wrong_token(&self, peer: ConnectionInfo, headers: &HeaderMap) {
        let key = self.rate_limit_key(peer, headers);
        tracing::warn!(peer = %key.address, "wrong control token");
        self.control.login_rate_limiter.record_failure(key, self.control.clock.now());
    }
}

/// Adds the security headers to a response.
pub fn set_security_headers(headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
