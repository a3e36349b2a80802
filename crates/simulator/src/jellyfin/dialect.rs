//! Entry and exit of a request: routing, authentication, and the encoding of the response.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderMap, Method};
use parking_lot::Mutex;

use super::casing::PropertyCasing;
use super::credential::ClientCredential;
use super::dto::client_fields;
use super::error::JellyfinError;
use super::params::JellyfinParams;
use super::request::{Caller, JellyfinRequest};
use super::response::{JellyfinBody, JellyfinResponse, ResponseMarkers};
use super::server::{JellyfinServer, SocketEvent};
use super::socket::SessionKey;
use super::{routes, socket};
use crate::class::RequestClass;
use crate::media;
use crate::serve::{Dialect, SimulatedRequest, SimulatedResponse, SimulatorContext, decoded};
use crate::users::UserId;

/// Requests of a session within this time of its last one are no news about sessions.
const ACTIVITY_TOLD_EVERY_MS: u64 = 10_000;

/// Smaller bodies are not worth compressing.
const LEAST_COMPRESSED_BYTES: usize = 256;

/// Page of a starting server.
const START_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Jellyfin Startup</title></head><body>The server is starting.</body></html>";

const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time-ms");

#[derive(Debug)]
pub(crate) struct JellyfinDialect {
    server: Arc<JellyfinServer>,
}

/// Segments of a path, as sent and in lower case.
struct PathSegments {
    raw: Vec<String>,
    path: Vec<String>,
}

impl JellyfinDialect {
    pub(crate) fn new(house: Arc<JellyfinServer>) -> Self {
        Self { server: house }
    }

    fn credential(&self, asked: &SimulatedRequest) -> ClientCredential {
        ClientCredential::from_request(
            &asked.headers,
            &JellyfinParams::parse(&asked.query),
            !self.server.switches.reject_legacy_auth,
        )
    }

    /// The segments below the base URL; `None` if the path is not below it.
    fn parse_path(&self, path: &str) -> Option<PathSegments> {
        let base: Vec<&str> = self.server.switches.base_url.split('/').filter(|part| !part.is_empty()).collect();
        let raw: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part).into_owned()).collect();
        let below =
            raw.len() >= base.len() && raw.iter().zip(&base).all(|(part, base)| part.eq_ignore_ascii_case(base));
        let mut raw = if below { raw[base.len()..].to_vec() } else { return None };
        if self.server.switches.emby_prefix && raw.first().is_some_and(|first| first.eq_ignore_ascii_case("emby")) {
            raw.remove(0);
        }
        let path = raw.iter().map(|part| part.to_lowercase()).collect();
        Some(PathSegments { raw, path })
    }

    /// The caller, if the token is valid; records the use of the device.
    fn caller(
        &self,
        says: &ClientCredential,
        asked: &SimulatedRequest,
        ground: &SimulatorContext,
        now_ms: u64,
    ) -> Option<Caller> {
        let secret = says.token.as_deref()?;
        let known = self.server.tokens.find(secret)?;
        if ground.is_revoked(&known.label) {
            return None;
        }
        if known.user.is_some_and(|user| ground.state.is_disabled(user)) {
            return None;
        }
        self.server.tokens.record_use(secret, says, &asked.peer.ip().to_string(), now_ms);
        if known.user.is_some() && now_ms.saturating_sub(known.active_ms) > ACTIVITY_TOLD_EVERY_MS {
            self.server.notify(SocketEvent::SessionsChanged { at_once: known.active_ms == 0 });
        }
        let grant = self.server.tokens.find(secret)?;
        let user = grant.user.map(|user| ground.state.user(user));
        match user {
            None => Some(Caller { grant, admin: true }),
            Some(user) => user.map(|user| Caller { grant, admin: user.admin }),
        }
    }

    fn enter(&self, asked: &mut SimulatedRequest, ground: &Arc<SimulatorContext>) -> SimulatedResponse {
        let now_ms = ground.state.clock().now_ms();
        let mut way = self.parse_path(&asked.path);
        let mut params = JellyfinParams::parse(&asked.query);
        let says = self.credential(asked);
        if self.server.switches.client_fields {
            params.client_fields = client_fields(says.client.as_deref().unwrap_or_default());
        }
        let caller = self.caller(&says, asked, ground, now_ms);
        if socket::is_upgrade(asked) {
            return match caller {
                Some(caller) => {
                    let session = SessionKey::of_request(&says, &caller.grant);
                    socket::open(asked, ground, &self.server, caller, session)
                }
                None => self.leave(
                    JellyfinResponse::from_error(&JellyfinError::Unauthorized),
                    asked,
                    ground,
                    &ResponseMarkers::default(),
                    now_ms,
                ),
            };
        }
        let legacy = way.as_ref().and_then(|way| routes::without_user(&way.raw, &way.path));
        if let (Some((user, raw)), true) = (legacy, self.server.switches.legacy_routes) {
            params.put_first("userid", &user);
            let path = raw.iter().map(|part| part.to_lowercase()).collect();
            way = Some(PathSegments { raw, path });
        }
        let Some(way) = way else {
            return self.leave(
                JellyfinResponse::from_error(&JellyfinError::NotFound),
                asked,
                ground,
                &ResponseMarkers::default(),
                now_ms,
            );
        };
        let marks = Mutex::new(first_marks(caller.as_ref(), ground));
        let method = if asked.method == Method::HEAD { Method::GET } else { asked.method.clone() };
        let ask = JellyfinRequest {
            context: ground,
            server: &self.server,
            method,
            raw: way.raw,
            path: way.path,
            params,
            headers: &asked.headers,
            body: &asked.body,
            caller,
            peer: asked.peer.ip().to_string(),
            starting: asked.starting,
            now_ms,
            marks,
        };
        let open = routes::is_open(&ask.method, &ask.parts());
        let outcome =
            if open || ask.caller.is_some() { routes::answer(&ask) } else { Err(JellyfinError::Unauthorized) };
        let reply = outcome.unwrap_or_else(|refusal| JellyfinResponse::from_error(&refusal));
        let marks = ask.marks.into_inner();
        self.leave(reply, asked, ground, &marks, now_ms)
    }

    /// Marks, converts and compresses a response.
    fn leave(
        &self,
        reply: JellyfinResponse,
        asked: &SimulatedRequest,
        ground: &Arc<SimulatorContext>,
        marks: &ResponseMarkers,
        now_ms: u64,
    ) -> SimulatedResponse {
        let casing = PropertyCasing::negotiate(&asked.headers);
        let (status, mut headers, body) = reply.written(casing, self.server.switches.marks.then_some(marks));
        let taken_ms = ground.state.clock().now_ms().saturating_sub(now_ms);
        if let Ok(value) = format!("{taken_ms}.0").parse() {
            headers.insert(RESPONSE_TIME, value);
        }
        let answer = match body {
            JellyfinBody::File { item, start, length } => {
                let chance = ground.state.catalogue().rng();
                SimulatedResponse::stream(
                    status.as_u16(),
                    "",
                    Some(length),
                    media::bytes(chance, "file", item, start, length),
                )
            }
            JellyfinBody::Bytes(bytes) => {
                let bytes = self.compressed(bytes, &mut headers, &asked.headers);
                if asked.method == Method::HEAD {
                    headers.insert(CONTENT_LENGTH, bytes.len().into());
                }
                SimulatedResponse::new(status.as_u16(), "", bytes)
            }
            JellyfinBody::Json(_) | JellyfinBody::Empty => SimulatedResponse::empty(status.as_u16()),
        };
        headers.iter().fold(answer, |answer, (name, value)| match value.to_str() {
            Ok(value) => answer.with_added_header(name.clone(), value),
            Err(_) => answer,
        })
    }

    /// Compresses text for clients that accept it.
    fn compressed(&self, bytes: Bytes, headers: &mut HeaderMap, asked: &HeaderMap) -> Bytes {
        let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|content_type| {
            ["application/json", "application/problem+json", "text/"]
                .iter()
                .any(|start| content_type.starts_with(start))
        });
        if !text || !self.server.switches.compress {
            return bytes;
        }
        headers.append(VARY, http::HeaderValue::from_static("Accept-Encoding"));
        if bytes.len() < LEAST_COMPRESSED_BYTES || !takes_gzip(asked) {
            return bytes;
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        // Writing to memory does not fail; if it did, the plain body is as good.
        match encoder.write_all(&bytes).and_then(|()| encoder.finish()) {
            Ok(packed) => {
                headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
                Bytes::from(packed)
            }
            Err(_) => bytes,
        }
    }
}

impl Dialect for JellyfinDialect {
    fn class(&self, asked: &SimulatedRequest) -> RequestClass {
        if socket::is_upgrade(asked) {
            return RequestClass::Socket;
        }
        let Some(way) = self.parse_path(&asked.path) else { return RequestClass::Other };
        let raw = routes::without_user(&way.raw, &way.path).map_or(way.raw, |(_, raw)| raw);
        let path: Vec<String> = raw.iter().map(|part| part.to_lowercase()).collect();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        class(&asked.method, &parts, &JellyfinParams::parse(&asked.query))
    }

    fn secret(&self, asked: &SimulatedRequest) -> Option<String> {
        self.credential(asked).token
    }

    fn label(&self, secret: &str) -> Option<String> {
        self.server.tokens.find(secret).map(|grant| grant.label)
    }

    fn answer(&self, mut asked: SimulatedRequest, ground: &Arc<SimulatorContext>) -> SimulatedResponse {
        self.enter(&mut asked, ground)
    }

    /// `POST /__simulator/link?code=CODE&token=LABEL` authorizes a code, as the owner if no token is named.
    fn own_page(&self, asked: &SimulatedRequest, page: &str, ground: &SimulatorContext) -> Option<SimulatedResponse> {
        if asked.method != Method::POST || page != "link" {
            return None;
        }
        let label = asked.param("token").unwrap_or_else(|| "owner-a".into());
        let token = ground.state.users().tokens.iter().find(|token| token.label == label);
        let user = token.and_then(|token| token.user);
        let code = asked.param("code").unwrap_or_default();
        let now_ms = ground.state.clock().now_ms();
        let agreed = user.is_some_and(|user| self.server.quick_connect.authorize(&code, user, now_ms));
        Some(if agreed {
            SimulatedResponse::empty(204)
        } else {
            SimulatedResponse::text(404, "text/plain", "no such code waits, or no such user")
        })
    }

    fn start_page(&self) -> SimulatedResponse {
        SimulatedResponse::text(503, "text/html; charset=utf-8", START_PAGE)
    }

    fn answers_while_starting(&self, asked: &SimulatedRequest) -> bool {
        self.parse_path(&asked.path).is_some_and(|way| way.path == ["system", "ping"])
    }
}

/// Marks of a response that reads no state.
fn first_marks(caller: Option<&Caller>, ground: &SimulatorContext) -> ResponseMarkers {
    let user = caller.and_then(|caller| caller.grant.user);
    let name = match (caller, user) {
        (None, _) => "nobody".to_owned(),
        (Some(_), None) => "key".to_owned(),
        (Some(_), Some(user)) => ground.state.user(user).map(|user| user.name.clone()).unwrap_or_default(),
    };
    ResponseMarkers {
        user: name,
        state_user: None,
        seq: ground.state.seq(),
        user_seq: ground.state.user_seq(user.unwrap_or(UserId(0))),
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let coding: String = coding.chars().filter(|letter| !letter.is_whitespace()).collect();
        coding.starts_with("gzip") && !coding.ends_with(";q=0")
    })
}

fn class(method: &Method, parts: &[&str], params: &JellyfinParams) -> RequestClass {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match parts {
        ["system", "info", "public"] | ["system", "ping"] => RequestClass::Identity,
        ["items", _, "playbackinfo"] => RequestClass::Metadata,
        _ if !reads => RequestClass::Write,
        ["items", _, "images", _, ..] | ["userimage"] => RequestClass::Image,
        ["videos" | "audio", ..] | ["items", _, "download" | "file"] => RequestClass::Media,
        ["system", "activitylog", ..] => RequestClass::History,
        ["userviews" | "library", ..] => RequestClass::Sections,
        ["items", "latest" | "suggestions"] | ["useritems", "resume"] | ["shows", "nextup"] => RequestClass::Hubs,
        ["items", "counts"] => RequestClass::Statistics,
        ["search", ..] => RequestClass::Search,
        _ if params.text("searchterm").is_some() => RequestClass::Search,
        ["items"]
        | ["items", "filters" | "filters2"]
        | ["artists" | "genres" | "studios" | "persons" | "years" | "shows", ..] => RequestClass::List,
        ["items" | "useritems", ..] => RequestClass::Metadata,
        ["playlists", ..] => RequestClass::Playlists,
        ["sessions"] => RequestClass::Sessions,
        ["scheduledtasks", ..] => RequestClass::Activities,
        [
            "system" | "users" | "devices" | "displaypreferences" | "branding" | "localization" | "quickconnect"
            | "web",
            ..,
        ] => RequestClass::Server,
        _ => RequestClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_taken_unless_it_is_refused() {
        let takes = |accepted: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        assert!(takes("gzip, deflate") && takes("br, gzip;q=0.5"));
        assert!(!takes("br") && !takes("gzip; q=0") && !takes(""));
    }

    #[test]
    fn every_request_is_counted_in_a_class() {
        let of = |method: Method, path: &str, query: &str| {
            class(&method, &path.split('/').collect::<Vec<_>>(), &JellyfinParams::parse(query))
        };
        assert_eq!(of(Method::GET, "items", ""), RequestClass::List);
        assert_eq!(of(Method::GET, "items", "searchTerm=x"), RequestClass::Search);
        assert_eq!(of(Method::GET, "items/x", ""), RequestClass::Metadata);
        assert_eq!(of(Method::GET, "items/x/images/primary", "tag=1"), RequestClass::Image);
        assert_eq!(of(Method::POST, "userplayeditems/x", ""), RequestClass::Write);
        assert_eq!(of(Method::GET, "useritems/resume", ""), RequestClass::Hubs);
        assert_eq!(of(Method::GET, "nowhere", ""), RequestClass::Other);
    }
}
