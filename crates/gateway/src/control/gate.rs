//! The gate every request passes: gathers what is known of it, lets it in or says why not, and puts the headers on
//! every answer that keep a browser from doing harm with it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, Version};

use super::Plane;
use super::facts;
use super::guard::{Decision, Facts, Proof, Route, decide};
use super::session::SessionId;

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
pub(super) struct Peer {
    /// Its address.
    pub(super) address: SocketAddr,
    /// Whether it is encrypted.
    pub(super) is_encrypted: bool,
    /// Whether the request came below the path that a reverse proxy puts before ours.
    pub(super) came_below_base_path: bool,
}

impl Peer {
    /// A connection that has not asked anything yet.
    pub(super) fn new(address: SocketAddr, is_encrypted: bool) -> Self {
        Self { address, is_encrypted, came_below_base_path: false }
    }
}

/// What was found out about a request that was let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted {
    /// The session it belongs to, where that is what let it in.
    pub(super) session: Option<SessionId>,
    /// Whether the same caller may read figures.
    pub(super) may_read: bool,
    /// Whether the same caller may change something.
    pub(super) may_change: bool,
}

/// Lets the request in, or says why not.
pub(super) async fn admit(State(plane): State<Arc<Plane>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let facts = plane.facts(&parts);
    let decision = decide(&facts);
    let mut response = if let Some(problem) = decision.problem() {
        plane.note_refusal(decision, &parts);
        problem.into_response()
    } else {
        let may = |route| decide(&Facts { route, ..facts }) == Decision::Allow;
        let session = SessionId::shown_in(&parts.headers).filter(|_| facts.proof == Proof::Session);
        let (may_read, may_change) = (may(Route::Read), may(Route::Change));
        parts.extensions.insert(Admitted { session, may_read, may_change });
        next.run(Request::from_parts(parts, body)).await
    };
    protect(response.headers_mut());
    response
}

impl Plane {
    fn facts(&self, parts: &Parts) -> Facts {
        let now_ms = self.control.clock.now_ms();
        let connection = parts.extensions.get::<Peer>();
        let peer = connection.map(|peer| peer.address.ip());
        let headers = &parts.headers;
        if self.control.token.was_renewed(now_ms) {
            tracing::info!("the control token was renewed; whoever was logged in is logged out");
            self.control.sessions.close_all();
        }
        Facts {
            route: Route::of(&parts.method, parts.uri.path()),
            host: facts::host(headers, &parts.uri, |name| self.settings.is_called(name)),
            listens_beyond_loopback: !facts::is_loopback(self.listen.ip()),
            peer_is_loopback: peer.is_some_and(facts::is_loopback),
            is_forwarded: facts::is_forwarded(headers)
                // Browsers and programs of today speak 1.1; some proxies speak 1.0 and say nothing else.
                || parts.version == Version::HTTP_10
                || connection.is_some_and(|peer| peer.came_below_base_path),
            is_open_read: peer.is_some_and(|peer| self.settings.is_open(parts.uri.path(), peer)),
            origin: facts::origin(headers),
            site: facts::site(headers),
            proof: self.proof(headers, now_ms),
            is_throttled: peer.is_some_and(|peer| self.control.throttle.is_throttled(peer, now_ms)),
        }
    }

    fn proof(&self, headers: &HeaderMap, now_ms: u64) -> Proof {
        if SessionId::shown_in(headers).is_some_and(|id| self.control.sessions.is_open(id, now_ms)) {
            return Proof::Session;
        }
        match facts::bearer(headers) {
            None => Proof::Absent,
            Some(token) if self.is_token(token) => Proof::Token,
            Some(_) => Proof::Wrong,
        }
    }

    fn note_refusal(&self, decision: Decision, parts: &Parts) {
        self.control.note_refusal(decision);
        let peer = parts.extensions.get::<Peer>();
        if let (Decision::TokenWrong, Some(peer)) = (decision, peer) {
            self.note_wrong_token(peer.address);
        }
    }

    /// Whether this is the control token.
    pub(super) fn is_token(&self, shown: &[u8]) -> bool {
        facts::is_same_secret(shown, self.control.token.secret().expose().as_bytes())
    }

    /// Somebody showed a wrong token.
    pub(super) fn note_wrong_token(&self, peer: SocketAddr) {
        tracing::warn!(peer = %peer.ip(), "a wrong control token was shown");
        self.control.throttle.note_failure(peer.ip(), self.control.clock.now_ms());
    }
}

/// Puts what keeps a browser from doing harm on an answer.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
