//! The gate every request passes: gathers what is known of it, lets it in or says why not, and puts the headers on
//! every answer that keep a browser from doing harm with it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use super::session::SessionId;
use super::token::Worth;
use crate::Plane;
use crate::auth::policy::{Decision, Facts, Proof, Route, decide};
use crate::auth::rate_limit::Guesser;
use crate::auth::request;
use crate::error::Problem;

/// Nothing from elsewhere, nothing inline, no frames, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// On every answer.
const PROTECTION: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Where the connection comes from. The door puts it into every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// Whether the request came below the path that a reverse proxy puts before ours.
    pub came_below_base_path: bool,
}

impl Peer {
    /// A connection that has not asked anything yet.
    pub(crate) fn new(address: SocketAddr, is_encrypted: bool) -> Self {
        Self { address, is_encrypted, came_below_base_path: false }
    }
}

/// What let a request in, as far as that can end while it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Nothing that was shown.
    Free,
    /// A session.
    Session(SessionId),
    /// A token.
    Token(Worth),
}

/// What was found out about a request that was let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted {
    /// What let it in.
    pub pass: Pass,
    /// Whether the same caller may read figures.
    pub may_read: bool,
    /// Whether the same caller may change something.
    pub may_change: bool,
}

/// Lets the request in, or says why not.
pub(crate) async fn admit(State(plane): State<Arc<Plane>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (facts, pass) = plane.facts(&parts);
    let decision = decide(&facts);
    let mut response = if let Some(problem) = decision.problem() {
        plane.note_refusal(decision, &parts);
        let mut refused = problem.into_response();
        if decision == Decision::Throttled {
            plane.tell_how_long(&parts, refused.headers_mut());
        }
        refused
    } else {
        let may = |route| decide(&Facts { route, ..facts }) == Decision::Allow;
        let (may_read, may_change) = (may(Route::Read), may(Route::Change));
        parts.extensions.insert(Admitted { pass, may_read, may_change });
        in_our_words(next.run(Request::from_parts(parts, body)).await)
    };
    protect(response.headers_mut());
    response
}

/// A path or a query that cannot be read is refused before any of our rooms sees it, in words that repeat it: those
/// are replaced.
fn in_our_words(response: Response) -> Response {
    let is_plain = || {
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        media_type.is_none_or(|media_type| media_type.starts_with("text/plain"))
    };
    let unread = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&response.status());
    if unread && is_plain() { Problem::BAD_QUERY.into_response() } else { response }
}

impl Plane {
    fn facts(&self, parts: &Parts) -> (Facts, Pass) {
        let now_ms = self.control.clock.now_ms();
        let connection = parts.extensions.get::<Peer>();
        let peer = connection.map(|peer| peer.address.ip());
        let headers = &parts.headers;
        // What was opened was opened for looking, not for questions that are sent with a body.
        let looks = parts.method == Method::GET || parts.method == Method::HEAD;
        let (proof, pass) = self.proof(headers, now_ms);
        let facts = Facts {
            route: Route::of(&parts.method, parts.uri.path()),
            host: request::host(headers, &parts.uri, |name| self.settings.is_called(name)),
            listens_beyond_loopback: !request::is_loopback(self.listen.ip()),
            peer_is_loopback: peer.is_some_and(request::is_loopback),
            is_forwarded: request::is_forwarded(headers)
                // Browsers and programs of today speak 1.1; some proxies speak 1.0 and say nothing else.
                || parts.version == Version::HTTP_10
                || connection.is_some_and(|peer| peer.came_below_base_path),
            is_open_read: looks && peer.is_some_and(|peer| self.settings.is_open(parts.uri.path(), peer)),
            origin: request::origin(headers),
            site: request::site(headers),
            proof,
            is_throttled: self.waits_ms(parts).is_some(),
        };
        (facts, pass)
    }

    fn proof(&self, headers: &HeaderMap, now_ms: u64) -> (Proof, Pass) {
        let session = SessionId::shown_in(headers).filter(|id| self.control.sessions.is_open(*id, now_ms));
        if let Some(session) = session {
            return (Proof::Session, Pass::Session(session));
        }
        let Some(shown) = request::bearer(headers) else { return (Proof::Absent, Pass::Free) };
        match self.control.token.worth(shown) {
            Some(worth @ Worth::Control(_)) => (Proof::Token, Pass::Token(worth)),
            Some(worth @ Worth::Reads(_)) => (Proof::ReadToken, Pass::Token(worth)),
            None => (Proof::Wrong, Pass::Free),
        }
    }

    /// Whether what let somebody in still counts: a session that has not ended, a token that was not renewed.
    pub(crate) fn still_admits(&self, pass: Pass) -> bool {
        match pass {
            Pass::Free => true,
            Pass::Session(session) => self.control.sessions.is_open(session, self.control.clock.now_ms()),
            Pass::Token(worth) => self.control.token.still_holds(worth),
        }
    }

    /// How long no token from there is looked at.
    fn waits_ms(&self, parts: &Parts) -> Option<u64> {
        let peer = parts.extensions.get::<Peer>()?;
        let guesser = self.guesser(*peer, &parts.headers);
        self.control.throttle.waits_ms(guesser, self.control.clock.now_ms())
    }

    fn tell_how_long(&self, parts: &Parts, headers: &mut HeaderMap) {
        if let Some(waits_ms) = self.waits_ms(parts) {
            headers.insert(RETRY_AFTER, HeaderValue::from(waits_ms.div_ceil(1000)));
        }
    }

    /// Who asks: the other end of the connection, or whom a trusted proxy there names.
    fn guesser(&self, peer: Peer, headers: &HeaderMap) -> Guesser {
        let address = greenroom_proxy::request::client_ip::client(
            peer.address.ip(),
            headers,
            &self.settings.trusted_proxies,
        );
        Guesser { address, is_forwarded: peer.came_below_base_path || request::is_forwarded(headers) }
    }

    fn note_refusal(&self, decision: Decision, parts: &Parts) {
        self.control.note_refusal(decision);
        let peer = parts.extensions.get::<Peer>();
        if let (Decision::TokenWrong, Some(peer)) = (decision, peer) {
            self.note_wrong_token(*peer, &parts.headers);
        }
    }

    /// Somebody showed a wrong token.
    pub(crate) fn note_wrong_token(&self, peer: Peer, headers: &HeaderMap) {
        let guesser = self.guesser(peer, headers);
        tracing::warn!(peer = %guesser.address, "a wrong control token was shown");
        self.control.throttle.note_failure(guesser, self.control.clock.now_ms());
    }
}

/// Puts what keeps a browser from doing harm on an answer.
pub fn protect(headers: &mut HeaderMap) {
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
