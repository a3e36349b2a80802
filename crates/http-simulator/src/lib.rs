//! Simulated HTTP APIs of metadata services, in one server: films and seasons as TMDB answers them (`/3`), artists as
//! MusicBrainz does (`/ws/2`), series and films as Sonarr and Radarr do (`/api/v3`). Clients of each work unmodified.
//!
//! What their headers say of caching differs between real ones, so each is a switch: see [`HttpApiSwitches`].
//! `PUT` under `/api/v3` changes what a later `GET` of that path says. `/__simulator/` is as in every simulator.

mod arr;
mod musicbrainz;
mod ranges;
mod switches;
mod tmdb;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH, RETRY_AFTER, SET_COOKIE, VARY};
use http::{HeaderName, Method, StatusCode};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use greenroom_simulator_backend::class::RequestClass;
use greenroom_simulator_backend::serve::{Dialect, SimulatedRequest, SimulatedResponse, SimulatorContext};
use greenroom_simulator_backend::simulated_server::SimulatedServer;
use greenroom_simulator_backend::users::UserRegistry;

pub use switches::{HTTP_API_SWITCHES, HttpApiSwitches};

/// Options of simulated HTTP APIs.
pub type HttpApiOptions = greenroom_simulator_backend::options::SimulatorOptions<HttpApiSwitches>;

/// Requests of `/ws/2` that are answered in a second, with the switch `rate-limit`.
const MAX_PER_SECOND: usize = 1;
/// Changed resources that are remembered.
const MAX_CHANGES: usize = 1000;
const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");
/// The digest that is sent after a body.
const X_DIGEST: HeaderName = HeaderName::from_static("x-digest");
const JSON: &str = "application/json;charset=utf-8";

/// Simulated HTTP APIs that have not been started.
#[derive(Debug, Clone)]
pub struct HttpApi {
    options: HttpApiOptions,
}

impl HttpApi {
    /// HTTP APIs with these options.
    pub fn new(options: HttpApiOptions) -> Self {
        Self { options }
    }

    /// Starts them. Their tasks run on `tracker`.
    ///
    /// # Errors
    /// The address is not free.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<SimulatedServer> {
        let users = self.options.users.clone().unwrap_or_else(|| UserRegistry::standard("api"));
        let switches = self.options.switches.clone();
        SimulatedServer::start(&self.options, users, address, tracker, |_| HttpApiDialect {
            switches,
            changes: Mutex::default(),
            lately_ms: Mutex::default(),
        })
        .await
    }
}

#[derive(Debug)]
struct HttpApiDialect {
    switches: HttpApiSwitches,
    /// Bodies that were put, by path.
    changes: Mutex<BTreeMap<String, String>>,
    /// Times of the last requests of `/ws/2`.
    lately_ms: Mutex<VecDeque<u64>>,
}

/// Content type and body of an answer.
type Content = (&'static str, String);

impl Dialect for HttpApiDialect {
    fn class(&self, asked: &SimulatedRequest) -> RequestClass {
        match asked.path.as_str() {
            _ if asked.method != Method::GET && asked.method != Method::HEAD => RequestClass::Write,
            "/status" => RequestClass::Identity,
            path if path.contains("search") => RequestClass::Search,
            path if path.starts_with("/3/") || path.starts_with("/ws/2/") => RequestClass::Metadata,
            path if path.starts_with("/api/v3/") => RequestClass::List,
            _ => RequestClass::Other,
        }
    }

    fn secret(&self, asked: &SimulatedRequest) -> Option<String> {
        let bearer = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        asked.header("x-api-key").or(bearer).map(str::to_owned).or_else(|| asked.param("api_key"))
    }

    fn answer(&self, asked: SimulatedRequest, context: &Arc<SimulatorContext>) -> SimulatedResponse {
        if self.needs_key(&asked.path) && self.secret(&asked).is_none_or(|secret| context.token(&secret).is_none()) {
            return SimulatedResponse::text(401, JSON, "{\"status_code\":7,\"status_message\":\"Invalid API key\"}");
        }
        if asked.path.starts_with("/ws/2/") && self.is_too_fast(context.state.clock().now_ms()) {
            let refusal = SimulatedResponse::text(
                503,
                JSON,
                "{\"error\":\"Your requests are exceeding the allowable rate limit.\"}",
            );
            return refusal.with_header(RETRY_AFTER, "1");
        }
        match asked.method {
            Method::GET | Method::HEAD => match self.content(&asked) {
                Some(content) => self.read(&asked, content),
                None => SimulatedResponse::text(404, JSON, "{\"status_code\":34,\"status_message\":\"Not found\"}"),
            },
            Method::PUT if asked.path.starts_with("/api/v3/") => self.write(&asked),
            _ => SimulatedResponse::empty(405),
        }
    }

    fn start_page(&self) -> SimulatedResponse {
        SimulatedResponse::text(503, "text/html; charset=utf-8", "<html><body>Service Unavailable</body></html>")
    }
}

impl HttpApiDialect {
    fn needs_key(&self, path: &str) -> bool {
        self.switches.api_key && (path.starts_with("/3/") || path.starts_with("/api/v3/"))
    }

    /// Whether more requests come in a second than are answered; if not, counts this one.
    fn is_too_fast(&self, now_ms: u64) -> bool {
        if !self.switches.rate_limit {
            return false;
        }
        let mut lately_ms = self.lately_ms.lock();
        while lately_ms.front().is_some_and(|at_ms| at_ms + 1000 <= now_ms) {
            lately_ms.pop_front();
        }
        let is_too_fast = lately_ms.len() >= MAX_PER_SECOND;
        if !is_too_fast {
            lately_ms.push_back(now_ms);
        }
        is_too_fast
    }

    fn content(&self, asked: &SimulatedRequest) -> Option<Content> {
        if let Some(body) = self.changes.lock().get(&asked.path) {
            return Some((JSON, body.clone()));
        }
        let segments: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        let json = |value: serde_json::Value| (JSON, value.to_string());
        match segments[..] {
            ["status"] => Some((JSON, "{\"status\":\"ok\"}".to_owned())),
            ["3", ref path @ ..] => tmdb::answer(path, asked).map(json),
            ["ws", "2", ref path @ ..] => {
                musicbrainz::answer(path, asked).map(|body| ("application/xml; charset=UTF-8", body))
            }
            ["api", "v3", ref path @ ..] => arr::answer(path).map(json),
            _ => None,
        }
    }

    fn read(&self, asked: &SimulatedRequest, (content_type, body): Content) -> SimulatedResponse {
        let etag = format!("\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(body.as_bytes()));
        let is_same = self.switches.etag && asked.header(IF_NONE_MATCH.as_str()) == Some(&etag);
        let mut response =
            if is_same { SimulatedResponse::empty(304) } else { SimulatedResponse::new(200, content_type, body) };
        if self.switches.etag {
            response = response.with_header(ETAG, &etag);
        }
        if self.switches.no_store {
            response = response.with_header(CACHE_CONTROL, "no-store");
        } else if self.switches.max_age {
            response = response.with_header(CACHE_CONTROL, "public, max-age=3600").with_header(AGE, "0");
        }
        if self.switches.set_cookie {
            response = response.with_header(SET_COOKIE, "session=1; Path=/");
        }
        if self.switches.vary {
            response = response.with_header(VARY, "Accept-Encoding, Accept-Language");
        }
        if self.switches.no_vary_search {
            response = response.with_header(NO_VARY_SEARCH, "key-order, params=(\"session\")");
        }
        if self.switches.ranges && !is_same {
            response = ranges::answer(asked, response, self.switches.etag.then_some(&etag));
        }
        if self.switches.trailers && response.status() == StatusCode::OK {
            return response.with_trailer(X_DIGEST, &etag);
        }
        response
    }

    fn write(&self, asked: &SimulatedRequest) -> SimulatedResponse {
        let Ok(body) = std::str::from_utf8(&asked.body) else { return SimulatedResponse::empty(400) };
        let Ok(changed) = serde_json::from_str::<serde_json::Value>(body) else { return SimulatedResponse::empty(400) };
        // Clients put an item to the path of its list.
        let path = match changed["id"].as_u64() {
            Some(id) if !asked.path.ends_with(&format!("/{id}")) => format!("{}/{id}", asked.path),
            _ => asked.path.clone(),
        };
        let mut changes = self.changes.lock();
        if changes.len() >= MAX_CHANGES && !changes.contains_key(&path) {
            return SimulatedResponse::empty(507);
        }
        changes.insert(path, body.to_owned());
        SimulatedResponse::new(202, JSON, body.to_owned())
    }
}
