//! Requests every path without a credential: the access policy guards all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::Method;
use serde_json::Value;

use super::fixture::{BEARER, ControlFixture, JSON, LOCAL, TOKEN, files_under};
use super::walks::{documented_operations, fill_path};
use crate::live_api;
use greenroom_control::auth::policy::RouteAccess;
use greenroom_control::stats::CacheEngineStats;
use greenroom_control::web;
use greenroom_state::file_watch::EVERY;

/// Possible statuses of a read without libraries, without a store of overrides, and with too few or too many
/// parameters.
const READ_STATUSES: [u16; 6] = [200, 400, 403, 404, 503, 507];

/// All operations that change something, with the content type of their body.
fn changes() -> Vec<(Method, String)> {
    let changes = |method: &Method, path: &str| {
        matches!(RouteAccess::classify(method, path), RouteAccess::Change | RouteAccess::Login)
    };
    documented_operations().into_iter().filter(|(method, path)| changes(method, path)).collect()
}

/// All state of the control plane that a request could have changed.
fn state(fixture: &ControlFixture) -> String {
    let control = &fixture.state.control;
    let mut files: Vec<_> = files_under(fixture.dir.path());
    files.sort();
    let server = fixture.server();
    let sessions = control.sessions.count(control.clock.now());
    let runs: Vec<String> = control.playlists.runs().iter().map(|run| run.id.clone()).collect();
    let invalidations = CacheEngineStats::from_cache(&control.cache).invalidations;
    format!("{files:?} {:?} {:?} {sessions} {runs:?} {invalidations}", control.bypasses(), server.mode())
}

/// A new address each time, so that an earlier attempt throttles none.
fn new_peer(number: usize) -> SocketAddr {
    SocketAddr::from((
        [
            203,
            0,
            u8::try_from(number / 250).expect("a small number"),
            u8::try_from(number % 250).expect("a small number"),
        ],
        50_000,
    ))
}

/// Name, headers, and the status and code of the rejection.
type AttackCase<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn changes_need_the_control_token_or_a_session_of_the_own_page() {
    let mut fixture = ControlFixture::new();
    let cookie = fixture.log_in().await;
    let read_bearer = format!("Bearer {}", fixture.read_token());
    let changes = changes();
    assert!(changes.len() > 15, "{changes:?}");
    let before = state(&fixture);
    let session = ("cookie", cookie.as_str());
    let attacks: [AttackCase<'_>; 13] = [
        ("no credential", &[LOCAL], 401, "token-missing"),
        ("a wrong token", &[LOCAL, ("authorization", "Bearer 00000000000000000000000000000000")], 401, "token-wrong"),
        ("half a token", &[LOCAL, ("authorization", "Bearer 0123456789abcdef")], 401, "token-wrong"),
        (
            "the token in another scheme",
            &[LOCAL, ("authorization", "Basic 0123456789abcdef0123456789abcdef")],
            401,
            "token-missing",
        ),
        (
            "another session",
            &[LOCAL, ("cookie", "greenroom_session=0123456789abcdef0123456789abcdef")],
            401,
            "token-missing",
        ),
        ("the read-only token", &[LOCAL, ("authorization", &read_bearer)], 403, "token-only-reads"),
        ("another page, by origin", &[LOCAL, session, ("origin", "http://evil.example")], 403, "foreign-page"),
        ("an opaque origin", &[LOCAL, session, ("origin", "null")], 403, "foreign-page"),
        ("another port of this host", &[LOCAL, session, ("origin", "http://127.0.0.1:32500")], 403, "foreign-page"),
        ("another page, by site", &[LOCAL, session, ("sec-fetch-site", "cross-site")], 403, "foreign-page"),
        ("a neighbouring site", &[LOCAL, session, ("sec-fetch-site", "same-site")], 403, "foreign-page"),
        ("another page that knows the token", &[LOCAL, BEARER, ("origin", "http://evil.example")], 403, "foreign-page"),
        ("another name", &[("host", "evil.example"), session], 421, "misdirected"),
    ];
    let mut number = 0;
    for (method, path) in &changes {
        for (case, headers, status, code) in attacks {
            if *path == "/api/v1/session"
                && *method == Method::POST
                && [401, 403].contains(&status)
                && code != "foreign-page"
            {
                continue; // A login sends the token in the body.
            }
            number += 1;
            fixture.peer = new_peer(number);
            let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
            let response = fixture.request(method.as_str(), &fill_path(path), &headers, "{}").await;
            let rejection = (response.status.as_u16(), response.code());
            assert_eq!(rejection, (status, code.to_owned()), "{case}: {method} {path}");
        }
    }
    assert_eq!(state(&fixture), before);
}

#[tokio::test]
async fn no_read_changes_the_state() {
    let fixture = ControlFixture::new();
    let cookie = fixture.log_in().await;
    let before = state(&fixture);
    let mut requests = 0;
    for (_, path) in documented_operations().into_iter().filter(|(method, _)| *method == Method::GET) {
        for (method, query) in [("GET", ""), ("HEAD", ""), ("GET", "?force=true&enabled=false&mode=bypass")] {
            let target = fill_path(&path) + query;
            let response = fixture.send(method, &target, &[LOCAL, ("cookie", &cookie)], "").await;
            assert!(READ_STATUSES.contains(&response.status().as_u16()), "{method} {target}: {}", response.status());
            assert!(!response.headers().contains_key("set-cookie"), "{method} {target}");
            requests += 1;
        }
        // A form of another page can send nothing but these.
        for headers in [[LOCAL, ("x-http-method-override", "DELETE")], [LOCAL, ("x-method-override", "POST")]] {
            let _ = fixture.send("GET", &fill_path(&path), &headers, "{}").await; // the state is compared below
        }
    }
    assert!(requests > 45, "{requests}");
    assert_eq!(state(&fixture), before);
}

#[tokio::test]
async fn remote_callers_without_a_token_reach_only_health_and_the_bare_page() {
    let mut fixture = ControlFixture::with_config("hosts = [\"nas\"]");
    let mut denied = 0;
    for (number, (method, path)) in documented_operations().into_iter().enumerate() {
        fixture.peer = new_peer(number);
        for host in ["127.0.0.1:8710", "nas"] {
            let response = fixture.send(method.as_str(), &fill_path(&path), &[("host", host), JSON], "{}").await;
            let status = response.status().as_u16();
            match path.as_str() {
                // A signed link is its own permission, and this link is invalid.
                "/api/plex/image" | "/api/plex/proxy/image" | "/api/folder/content" => {
                    assert!([400, 403, 404].contains(&status), "{status}");
                }
                "/healthz" | "/readyz" => assert_eq!(status, 200, "{method} {path}"),
                "/api/v1/session" if method == Method::GET => assert_eq!(status, 200),
                "/api/v1/session" if method == Method::POST => assert_eq!(status, 400, "the body holds no token"),
                _ => {
                    assert_eq!(status, 401, "{method} {path}");
                    denied += 1;
                }
            }
        }
    }
    assert!(denied > 60, "{denied}");
    for path in ["/nowhere", "/api/v1", "/api/v1/", "/metrics/", "//metrics", "/API/V1/SERVERS", "/healthz/../metrics"]
    {
        assert_eq!(fixture.get(path).await.status, 401, "{path}");
    }
    for path in web::paths() {
        let response = fixture.get(path).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(!response.text.contains("\"home\""), "{path} names a server");
    }
}

#[tokio::test]
async fn the_read_only_token_reads_everything() {
    let mut fixture = ControlFixture::new();
    fixture.peer = new_peer(0);
    let bearer = format!("Bearer {}", fixture.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    for (_, path) in documented_operations().into_iter().filter(|(method, _)| *method == Method::GET) {
        let response = fixture.send("GET", &fill_path(&path), &with, "").await;
        assert!(READ_STATUSES.contains(&response.status().as_u16()), "{path}: {}", response.status());
    }
    let whoami = fixture.request("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["may_read"], &whoami["may_change"]), (&Value::Bool(true), &Value::Bool(false)));
    let body = format!("{{\"token\":\"{}\"}}", fixture.read_token());
    assert_eq!(fixture.request("POST", "/api/v1/session", &[LOCAL, JSON], &body).await.code(), "token-wrong");
}

#[tokio::test(start_paused = true)]
async fn renewing_the_read_only_token_ends_the_streams_of_the_old_one() {
    let mut fixture = ControlFixture::new();
    fixture.peer = new_peer(0);
    let bearer = format!("Bearer {}", fixture.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    let cookie = fixture.log_in().await;
    fixture.watch_files();
    let broadcast = live_api::broadcast_stats(Arc::clone(&fixture.state));
    let reader = async {
        let mut frames = fixture.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first frame").expect("bytes");
        let path = fixture.dir.path().join("read.token");
        std::fs::write(&path, "fedcba9876543210fedcba9876543210").expect("written");
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
        std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("modification time set");
        tokio::time::sleep(EVERY + Duration::from_millis(1)).await;
        while frames.next().await.is_some() {}
        assert_eq!(fixture.request("GET", "/metrics", &with, "").await.code(), "token-wrong");
        let renewed = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
        assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, renewed], "").await.status, 200);
        assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
        fixture.state.stop.cancel();
    };
    tokio::join!(broadcast, reader);
}

#[tokio::test]
async fn wrong_tokens_behind_a_trusted_proxy_throttle_only_their_client() {
    let mut fixture = ControlFixture::new();
    let state = Arc::get_mut(&mut fixture.state).expect("the only reference");
    state.settings.trusted_proxies = "172.16.0.0/12".parse().expect("networks");
    fixture.peer = "172.17.0.2:50000".parse().expect("an address");
    let request_as = async |client: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [LOCAL, ("x-forwarded-for", client), ("authorization", bearer.as_str())];
        fixture.request("GET", "/metrics", &headers, "").await
    };
    for _ in 0..10 {
        assert_eq!(request_as("203.0.113.9", "guess").await.status, 401);
    }
    let denial = request_as("203.0.113.9", TOKEN).await;
    assert_eq!(denial.status, 429);
    let retry_after_s: u64 = denial.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&retry_after_s), "{retry_after_s}");
    assert_eq!(request_as("203.0.113.10", TOKEN).await.status, 200);
    // Forwarding headers of a direct client are not trusted.
    let mut direct = ControlFixture::new();
    direct.peer = new_peer(7);
    for number in 0..11 {
        let client = format!("198.51.100.{number}");
        let headers = [LOCAL, ("x-forwarded-for", client.as_str()), ("authorization", "Bearer guess")];
        let status = direct.request("GET", "/metrics", &headers, "").await.status.as_u16();
        assert_eq!(status, if number < 10 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn wrong_tokens_of_a_peer_do_not_lock_out_its_session() {
    let fixture = ControlFixture::new();
    let cookie = fixture.log_in().await;
    for _ in 0..12 {
        fixture.request("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
    }
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 429);
    assert_eq!(fixture.request("POST", "/api/v1/cache/clear", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
    assert_eq!(fixture.get("/metrics").await.status, 200, "local reads need no token");
}
