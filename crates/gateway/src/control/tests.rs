//! The control plane as a whole, asked as a browser, a program or an attacker asks.

mod described;
mod measured;
mod walks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use futures_util::StreamExt;
use greenroom_cache::{Cache, Clock};
use greenroom_upstream::credential::Secret;
use http::{HeaderMap, Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::Peer;
use super::{Control, Parts, Plane, router};
use crate::config::{Settings, Tree};
use crate::server::Server;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SERVER_TOKEN: &str = "the-owners-own-token";
const HOOK_SECRET: &str = "the-secret-of-the-webhook";
pub(super) const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const LOCAL: (&str, &str) = ("host", "127.0.0.1:8710");

/// A control plane over one server that nobody can reach.
pub(super) struct House {
    pub(super) plane: Arc<Plane>,
    peer: SocketAddr,
    is_encrypted: bool,
    pub(super) folder: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("it is JSON")
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().expect("a problem has a code").to_owned()
    }
}

impl House {
    pub(super) fn new() -> Self {
        Self::told("")
    }

    /// One whose `[control]` says this.
    fn told(control: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("control.token"), TOKEN).expect("written");
        let mut tree = Tree::default();
        let file = format!(
            "[control]\n{control}\n[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"{SERVER_TOKEN}\"\n"
        );
        tree.add_toml("g.toml", &file);
        let Settings { control: told, mut servers, .. } = Settings::read(tree).expect("it is valid");
        let settings = servers.remove(0);
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
        let secrets = (crate::identity::HashKey([1; 32]), Secret::new(HOOK_SECRET));
        let server = Server::new(settings, cache.clone(), clock.clone(), tasks, stop.clone(), secrets);
        let server = Arc::new(server.expect("it can be had"));
        let dir = crate::keys::DataDir::open(folder.path()).expect("it is there");
        let token = super::Token::of(dir).expect("it is there");
        let listen: SocketAddr = "0.0.0.0:32500".parse().expect("an address");
        let servers = vec![(server, listen)];
        crate::state::book::Book::open(folder.path()).expect("it can be made");
        let lifetimes = Some(crate::lifetimes::Book::of(folder.path()));
        let control = Control::new(Parts { servers, lifetimes, ..Parts::bare(cache, clock, token) });
        let own: SocketAddr = "127.0.0.1:8710".parse().expect("an address");
        Self {
            plane: Arc::new(Plane { control: Arc::new(control), settings: told, listen: own, stop }),
            peer: "127.0.0.1:50000".parse().expect("an address"),
            is_encrypted: false,
            folder,
        }
    }

    /// The token that only reads.
    fn read_token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("read.token")).expect("it was made at the start")
    }

    pub(super) fn server(&self) -> &Server {
        &self.plane.control.servers[0].server
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> http::Response<Body> {
        let mut request =
            Request::builder().method(method).uri(path).extension(Peer::new(self.peer, self.is_encrypted));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let service = TowerToHyperService::new(router(Arc::clone(&self.plane)));
        service.call(request).await.expect("it never fails")
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (parts, body) = self.send(method, path, headers, body).await.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("it ends");
        let text = String::from_utf8(bytes.to_vec()).expect("it is text");
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[LOCAL], "").await
    }

    /// Logs in; returns the cookie as the browser sends it back.
    async fn log_in(&self) -> String {
        let body = format!("{{\"token\":\"{TOKEN}\"}}");
        let answer = self.ask("POST", "/api/v1/session", &[LOCAL, JSON], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
        cookie.split(';').next().expect("a pair").to_owned()
    }
}

#[tokio::test]
async fn no_answer_holds_a_token() {
    let house = House::new();
    let cookie = house.log_in().await;
    for path in ["/", "/page.js", "/healthz", "/readyz", "/metrics", "/api/v1/cache/stats", "/api/v1/servers"]
    {
        let answer = house.ask("GET", path, &[LOCAL, BEARER, ("cookie", &cookie)], "").await;
        assert_eq!(answer.status, 200, "{path}");
        let whole = format!("{}{:?}", answer.text, answer.headers);
        for secret in [TOKEN, SERVER_TOKEN, HOOK_SECRET, cookie.split('=').next_back().expect("a value")] {
            assert!(!whole.contains(secret), "{path}");
        }
    }
}

#[tokio::test]
async fn metrics_are_open_metrics_with_the_servers_figures() {
    let house = House::new();
    house.server().note_success();
    let writer = Arc::new(crate::apps::App::default());
    let _place = house.server().queue.place(crate::queue::Errand::write(&writer)).await.expect("it is free");
    let answer = house.get("/metrics").await;
    assert!(
        answer.headers["content-type"].to_str().expect("text").starts_with("application/openmetrics-text")
    );
    for line in [
        "greenroom_client_requests_total{server=\"home\"} 0",
        "greenroom_server_well{server=\"home\"} 1",
        "greenroom_control_refusals_total{reason=\"token-wrong\"} 0",
        "greenroom_cache_invalidations_total 0",
        "greenroom_queue_places{server=\"home\"} 8",
        "greenroom_queue_in_flight{server=\"home\",rank=\"write\"} 1",
        "greenroom_queue_waiting{server=\"home\",rank=\"bulk\"} 0",
        "greenroom_queue_refused_total{server=\"home\",rank=\"own\"} 0",
        "greenroom_queue_waited_seconds_total{server=\"home\",rank=\"widget\"} 0.0",
    ] {
        assert!(answer.text.lines().any(|other| other == line), "{line} is missing in:\n{}", answer.text);
    }
    assert!(answer.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn health_says_how_servers_do_but_not_where_they_are() {
    let house = House::new();
    assert_eq!(house.get("/healthz").await.text, "ok\n");
    assert_eq!(house.get("/readyz").await.status, 200);
    house.server().note_failure();
    let answer = house.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["servers"][0]["state"], "unwell");
    assert!(!answer.text.contains("127.0.0.1"));
}

#[tokio::test]
async fn every_answer_protects_the_browser() {
    let house = House::new();
    for path in ["/", "/api/v1/cache/stats", "/nowhere"] {
        let headers = house.get(path).await.headers;
        assert!(headers["content-security-policy"].to_str().expect("text").contains("default-src 'none'"));
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let refused = house.ask("GET", "/", &[("host", "evil.example")], "").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (421, "misdirected"));
    assert!(refused.headers.contains_key("content-security-policy"));
}

#[tokio::test]
async fn a_session_reads_and_changes_until_it_is_closed() {
    let mut house = House::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    assert_eq!(house.get("/api/v1/cache/stats").await.code(), "token-missing");
    let cookie = house.log_in().await;
    let with = [LOCAL, JSON, ("cookie", cookie.as_str()), ("origin", "http://127.0.0.1:8710")];
    let whoami = house.ask("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["logged_in"], &whoami["may_change"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(house.ask("GET", "/api/v1/cache/stats", &with, "").await.status, 200);
    assert_eq!(house.ask("POST", "/api/v1/cache/clear", &with, "").await.json()["success"], true);
    assert_eq!(house.ask("DELETE", "/api/v1/session", &with, "").await.status, 200);
    assert_eq!(house.ask("POST", "/api/v1/cache/clear", &with, "").await.code(), "token-missing");
    let whoami = house.ask("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["logged_in"], &whoami["may_read"]), (&Value::Bool(false), &Value::Bool(false)));
}

#[tokio::test]
async fn guessing_ends_after_ten_wrong_tokens_and_is_counted() {
    let house = House::new();
    let wrong = [LOCAL, ("authorization", "Bearer guess")];
    for guess in 0..5 {
        assert_eq!(house.ask("GET", "/metrics", &wrong, "").await.code(), "token-wrong", "{guess}");
        let answer = house.ask("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
        assert_eq!(answer.code(), "token-wrong", "{guess}");
    }
    let answer = house.ask("POST", "/api/v1/cache/clear", &[LOCAL, BEARER], "").await;
    assert_eq!(
        (answer.code().as_str(), &answer.headers["retry-after"]),
        ("throttled", &"60".parse().expect("it is"))
    );
    let metrics = house.get("/metrics").await.text;
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"token-wrong\"} 10\n"), "{metrics}");
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"throttled\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn clear_and_warm_answer_what_they_did() {
    let house = House::new();
    let with = [LOCAL, BEARER, JSON];
    house.server().counters.asked.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(house.get("/api/v1/cache/stats").await.json()["totals"]["asked"], 7);
    let cleared = house.ask("POST", "/api/v1/cache/clear", &with, r#"{"server":"home"}"#).await;
    assert_eq!(cleared.json()["success"], true);
    assert_eq!(house.get("/api/v1/cache/stats").await.json()["totals"]["asked"], 0);
    assert!(house.get("/metrics").await.text.contains("client_requests_total{server=\"home\"} 7\n"));
    assert_eq!(house.ask("POST", "/api/v1/cache/warm", &with, "").await.json()["warmed"], 0);
    let unknown = house.ask("POST", "/api/v1/cache/clear", &with, r#"{"server":"attic"}"#).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "unknown-server"));
}

#[tokio::test]
async fn what_a_client_sends_is_not_repeated() {
    let house = House::new();
    for (method, path) in [("GET", "/%3Cscript%3E"), ("POST", "/api/v1/cache/clear"), ("PUT", "/healthz")] {
        let answer = house.ask(method, path, &[LOCAL, BEARER, JSON], "\"<script>\"").await;
        assert!(
            answer.status.is_client_error() && !answer.text.contains("script"),
            "{method} {path}: {}",
            answer.text
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn nothing_changes_by_get() {
    let house = House::new();
    for path in ["/api/v1/cache/clear", "/api/v1/cache/warm"] {
        assert_eq!(house.ask("GET", path, &[LOCAL, BEARER], "").await.status, 405);
    }
}

#[tokio::test(start_paused = true)]
async fn the_live_page_is_told_every_two_seconds_until_the_process_stops() {
    let house = House::new();
    house.plane.stop.cancel();
    let mut ended = house.send("GET", "/api/v1/events", &[LOCAL], "").await.into_body().into_data_stream();
    assert!(
        ended
            .next()
            .await
            .expect("the first figures")
            .expect("bytes")
            .starts_with(b"event: figures\ndata: {")
    );
    assert!(ended.next().await.is_none());

    let house = House::new();
    let teller = super::live::tell(Arc::clone(&house.plane));
    let reader = async {
        let response = house.send("GET", "/api/v1/events", &[LOCAL], "").await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut frames = response.into_body().into_data_stream();
        for _ in 0..3 {
            let frame = frames.next().await.expect("it goes on").expect("bytes");
            let json = frame.strip_prefix(b"event: figures\ndata: ").expect("it is an event");
            let figures: Value = serde_json::from_slice(json).expect("it is JSON");
            assert_eq!(figures["servers"][0]["name"], "home");
        }
        house.plane.stop.cancel();
        assert!(frames.next().await.is_none());
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn viewers_are_bounded_and_leave_their_place() {
    let house = House::new();
    let mut viewers = Vec::new();
    for _ in 0..64 {
        viewers.push(house.send("GET", "/api/v1/events", &[LOCAL], "").await);
    }
    assert_eq!(house.get("/api/v1/events").await.code(), "too-many-viewers");
    viewers.pop();
    assert_eq!(house.send("GET", "/api/v1/events", &[LOCAL], "").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_let_go_when_the_session_ends() {
    let mut house = House::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = house.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    let teller = super::live::tell(Arc::clone(&house.plane));
    let reader = async {
        let mut frames = house.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first figures").expect("bytes");
        house.ask("DELETE", "/api/v1/session", &with, "").await;
        assert!(frames.next().await.is_none());
        house.plane.stop.cancel();
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn the_door_closes_when_the_process_stops_though_a_page_watches() {
    let house = House::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = super::serve(
        Arc::clone(&house.plane.control),
        listener,
        house.plane.settings.clone(),
        None,
        house.plane.stop.clone(),
    );
    let watching = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("it is open");
        let head = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        let mut seen = Vec::new();
        while !seen.windows(5).any(|bytes| bytes == b"data:") {
            assert_ne!(stream.read_buf(&mut seen).await.expect("it answers"), 0, "it ended early");
        }
        assert!(seen.starts_with(b"HTTP/1.1 200"));
        house.plane.stop.cancel();
        stream.read_to_end(&mut seen).await.expect("it ends");
    };
    tokio::join!(serving, watching);
}

#[tokio::test(start_paused = true)]
async fn asking_what_one_may_tells_right_tokens_from_wrong_ones_ten_times_and_no_more() {
    let mut house = House::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let wrong = [LOCAL, ("authorization", "Bearer guess")];
    for _ in 0..10 {
        assert_eq!(house.ask("GET", "/api/v1/session", &wrong, "").await.code(), "token-wrong");
    }
    for shown in [wrong, [LOCAL, BEARER]] {
        assert_eq!(house.ask("GET", "/api/v1/session", &shown, "").await.code(), "throttled");
    }
    let page = house.get("/api/v1/session").await;
    assert_eq!(page.json()["may_read"], false, "the page is told that it may not");
}

#[tokio::test]
async fn what_is_opened_is_opened_for_looking_and_not_for_questions_with_a_body() {
    let open = "open_reads = [\"/api/v1/match/ids from 192.168.1.0/24\"]\nhosts = [\"nas\"]";
    let mut house = House::told(open);
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    assert_eq!(house.ask("POST", "/api/v1/match/ids", &[nas, JSON], "{}").await.code(), "token-missing");
}

#[tokio::test]
async fn what_is_opened_to_a_network_is_read_there_without_the_token() {
    let mut house = House::told("open_reads = [\"/metrics from 192.168.1.0/24\"]\nhosts = [\"nas\"]");
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    assert_eq!(house.ask("GET", "/metrics", &[nas], "").await.status, 200);
    assert_eq!(house.ask("GET", "/api/v1/cache/stats", &[nas], "").await.code(), "token-missing");
    assert_eq!(house.ask("POST", "/metrics", &[nas], "").await.code(), "token-missing");
    let forwarded = [nas, ("x-forwarded-for", "192.168.1.10")];
    assert_eq!(house.ask("GET", "/metrics", &forwarded, "").await.code(), "token-missing");
    house.peer = "192.168.2.9:50000".parse().expect("an address");
    assert_eq!(house.ask("GET", "/metrics", &[nas], "").await.code(), "token-missing");
}

#[tokio::test]
async fn the_shapes_of_other_dashboards_are_opened_for_reading_only() {
    let paths = ["/api/plex/activities", "/api/plex/cache/stats", "/api/cache/stats", "/api/v1/summary"];
    let open = paths.map(|path| format!("\"{path} from 192.168.1.0/24\"")).join(", ");
    let open = format!("{open}, \"/api/plex/cache/clear from 192.168.1.0/24\"");
    let mut house = House::told(&format!("open_reads = [{open}]\nhosts = [\"nas\"]"));
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    for path in paths {
        assert_eq!(house.ask("GET", path, &[nas], "").await.status, 200, "{path}");
    }
    assert_eq!(house.ask("GET", "/api/plex/sessions", &[nas], "").await.code(), "token-missing");
    for path in [
        "/api/plex/cache/clear",
        "/api/plex/cache/warm",
        "/api/plex/watch-history/sync",
        "/api/status/cache/reset",
        "/api/commands/library_cache_builder/refresh",
        "/api/v1/history/sync",
    ] {
        assert_eq!(house.ask("POST", path, &[nas, JSON], "{}").await.code(), "token-missing", "{path}");
        assert_eq!(house.ask("GET", path, &[LOCAL, BEARER], "").await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn a_link_to_a_picture_is_its_own_permission_and_nothing_else_is_one() {
    let mut house = House::told("hosts = [\"nas\"]");
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    for query in [
        "",
        "?server=home&path=/library/metadata/1/thumb/1",
        "?server=home&path=/&until=9999999999&signature=00",
    ] {
        let answer = house.ask("GET", &format!("/api/plex/image{query}"), &[nas], "").await;
        assert_eq!(answer.code(), "bad-link", "{query}");
    }
    assert_eq!(house.ask("POST", "/api/plex/image", &[nas, JSON], "{}").await.code(), "token-missing");
}

#[tokio::test]
async fn a_name_is_ours_only_if_it_was_configured() {
    let house = House::told("hosts = [\"greenroom\"]");
    assert_eq!(house.ask("GET", "/", &[("host", "greenroom:8710")], "").await.status, 200);
    assert_eq!(house.ask("GET", "/", &[("host", "evil.example")], "").await.status, 421);
    assert_eq!(House::new().ask("GET", "/", &[("host", "greenroom:8710")], "").await.status, 421);
}

#[tokio::test]
async fn a_cookie_goes_only_where_the_page_is_and_encrypted_only_if_it_came_so() {
    let mut house = House::told("base_path = \"/greenroom\"");
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    for is_encrypted in [false, true] {
        house.is_encrypted = is_encrypted;
        let answer = house.ask("POST", "/api/v1/session", &[LOCAL, JSON], &body).await;
        let cookie = answer.headers["set-cookie"].to_str().expect("text");
        assert!(
            cookie.contains("; Path=/greenroom/;") && cookie.contains("HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        assert_eq!(cookie.contains("; Secure"), is_encrypted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_counts_at_once_and_ends_all_sessions() {
    let mut house = House::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = house.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    assert_eq!(house.ask("GET", "/metrics", &with, "").await.status, 200);
    let renewed = "fedcba9876543210fedcba9876543210";
    let path = house.folder.path().join("control.token");
    std::fs::write(&path, renewed).expect("written");
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    assert_eq!(house.ask("GET", "/metrics", &with, "").await.code(), "token-missing");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    let bearer = format!("Bearer {renewed}");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, ("authorization", &bearer)], "").await.status, 200);
}

#[tokio::test]
async fn a_token_in_the_address_is_no_token() {
    let mut house = House::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    for path in [format!("/metrics?token={TOKEN}"), format!("/api/v1/cache/stats?access_token={TOKEN}")] {
        assert_eq!(house.get(&path).await.code(), "token-missing", "{path}");
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_of_itself_is_known_by_its_old_version() {
    let house = House::new();
    let request = Request::builder().version(http::Version::HTTP_10).uri("/metrics").header(LOCAL.0, LOCAL.1);
    let request = request.extension(Peer::new(house.peer, false)).body(Body::empty()).expect("a request");
    let service = TowerToHyperService::new(router(Arc::clone(&house.plane)));
    assert_eq!(service.call(request).await.expect("it never fails").status(), 401);
}

#[tokio::test]
async fn spot_checks_that_the_configuration_turns_off_are_not_said_to_be_made() {
    let house = House::new();
    let said =
        house.ask("PUT", "/api/v1/statistics/spot-checks", &[LOCAL, BEARER, JSON], r#"{"enabled":true}"#);
    let answer = said.await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "no-spot-checks"), "{}", answer.text);
}
