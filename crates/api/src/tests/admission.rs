//! Authentication and access: tokens, sessions, hosts, and open reads.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::fixture::{BEARER, ControlFixture, JSON, LOCAL, TOKEN};
use crate::router::router;
use greenroom_control::auth::caller::ConnectionInfo;
use greenroom_state::file_watch::EVERY;

#[tokio::test]
async fn a_session_reads_and_changes_until_it_is_closed() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    assert_eq!(fixture.get("/api/v1/cache/stats").await.code(), "token-missing");
    let cookie = fixture.log_in().await;
    let with = [LOCAL, JSON, ("cookie", cookie.as_str()), ("origin", "http://127.0.0.1:8710")];
    let whoami = fixture.request("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["logged_in"], &whoami["may_change"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(fixture.request("GET", "/api/v1/cache/stats", &with, "").await.status, 200);
    assert_eq!(fixture.request("POST", "/api/v1/cache/clear", &with, "").await.json()["success"], true);
    assert_eq!(fixture.request("DELETE", "/api/v1/session", &with, "").await.status, 200);
    assert_eq!(fixture.request("POST", "/api/v1/cache/clear", &with, "").await.code(), "token-missing");
    let whoami = fixture.request("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["logged_in"], &whoami["may_read"]), (&Value::Bool(false), &Value::Bool(false)));
}

#[tokio::test]
async fn ten_wrong_tokens_throttle_the_peer_and_are_counted() {
    let fixture = ControlFixture::new();
    let wrong = [LOCAL, ("authorization", "Bearer guess")];
    for guess in 0..5 {
        assert_eq!(fixture.request("GET", "/metrics", &wrong, "").await.code(), "token-wrong", "{guess}");
        let response = fixture.request("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
        assert_eq!(response.code(), "token-wrong", "{guess}");
    }
    let response = fixture.request("POST", "/api/v1/cache/clear", &[LOCAL, BEARER], "").await;
    assert_eq!(
        (response.code().as_str(), &response.headers["retry-after"]),
        ("throttled", &"60".parse().expect("a header value"))
    );
    let metrics = fixture.get("/metrics").await.text;
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"token-wrong\"} 10\n"), "{metrics}");
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"throttled\"} 1\n"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn permission_queries_with_wrong_tokens_are_throttled() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let wrong = [LOCAL, ("authorization", "Bearer guess")];
    for _ in 0..10 {
        assert_eq!(fixture.request("GET", "/api/v1/session", &wrong, "").await.code(), "token-wrong");
    }
    for headers in [wrong, [LOCAL, BEARER]] {
        assert_eq!(fixture.request("GET", "/api/v1/session", &headers, "").await.code(), "throttled");
    }
    let page = fixture.get("/api/v1/session").await;
    assert_eq!(page.json()["may_read"], false, "the page learns that it may not read");
}

#[tokio::test]
async fn an_opened_path_does_not_allow_lookups_with_a_body() {
    let open = "open_reads = [\"/api/v1/match/ids from 192.168.1.0/24\"]\nhosts = [\"nas\"]";
    let mut fixture = ControlFixture::with_config(open);
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    assert_eq!(fixture.request("POST", "/api/v1/match/ids", &[nas, JSON], "{}").await.code(), "token-missing");
}

#[tokio::test]
async fn a_path_opened_to_a_network_is_readable_there_without_a_token() {
    let mut fixture = ControlFixture::with_config("open_reads = [\"/metrics from 192.168.1.0/24\"]\nhosts = [\"nas\"]");
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    assert_eq!(fixture.request("GET", "/metrics", &[nas], "").await.status, 200);
    assert_eq!(fixture.request("GET", "/api/v1/cache/stats", &[nas], "").await.code(), "token-missing");
    assert_eq!(fixture.request("POST", "/metrics", &[nas], "").await.code(), "token-missing");
    let forwarded = [nas, ("x-forwarded-for", "192.168.1.10")];
    assert_eq!(fixture.request("GET", "/metrics", &forwarded, "").await.code(), "token-missing");
    fixture.peer = "192.168.2.9:50000".parse().expect("an address");
    assert_eq!(fixture.request("GET", "/metrics", &[nas], "").await.code(), "token-missing");
}

#[tokio::test]
async fn compatibility_paths_can_be_opened_for_reads_only() {
    let paths = ["/api/plex/activities", "/api/plex/cache/stats", "/api/cache/stats", "/api/v1/summary"];
    let open = paths.map(|path| format!("\"{path} from 192.168.1.0/24\"")).join(", ");
    let open = format!("{open}, \"/api/plex/cache/clear from 192.168.1.0/24\"");
    let mut fixture = ControlFixture::with_config(&format!("open_reads = [{open}]\nhosts = [\"nas\"]"));
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    for path in paths {
        assert_eq!(fixture.request("GET", path, &[nas], "").await.status, 200, "{path}");
    }
    assert_eq!(fixture.request("GET", "/api/plex/sessions", &[nas], "").await.code(), "token-missing");
    for path in [
        "/api/plex/cache/clear",
        "/api/plex/cache/warm",
        "/api/plex/watch-history/sync",
        "/api/status/cache/reset",
        "/api/commands/library_cache_builder/refresh",
        "/api/v1/history/sync",
    ] {
        assert_eq!(fixture.request("POST", path, &[nas, JSON], "{}").await.code(), "token-missing", "{path}");
        assert_eq!(fixture.request("GET", path, &[LOCAL, BEARER], "").await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn only_a_signed_image_link_needs_no_token() {
    let mut fixture = ControlFixture::with_config("hosts = [\"nas\"]");
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    for query in
        ["", "?server=home&path=/library/metadata/1/thumb/1", "?server=home&path=/&until=9999999999&signature=00"]
    {
        let response = fixture.request("GET", &format!("/api/plex/image{query}"), &[nas], "").await;
        assert_eq!(response.code(), "bad-link", "{query}");
    }
    for url in ["", "?url=", "?url=http://127.0.0.1:8710/", "?url=/api/plex/image", "?url=/api/plex/sessions"] {
        let response = fixture.request("GET", &format!("/api/plex/proxy/image{url}"), &[nas], "").await;
        assert_eq!(response.code(), "bad-link", "{url}");
    }
    for path in ["/api/plex/image", "/api/plex/proxy/image"] {
        assert_eq!(fixture.request("POST", path, &[nas, JSON], "{}").await.code(), "token-missing");
    }
}

#[tokio::test]
async fn only_configured_and_local_host_names_are_accepted() {
    let fixture = ControlFixture::with_config("hosts = [\"media.example\"]");
    assert_eq!(fixture.request("GET", "/", &[("host", "media.example:8710")], "").await.status, 200);
    assert_eq!(fixture.request("GET", "/", &[("host", "evil.example")], "").await.status, 421);
    let mut fixture = ControlFixture::new();
    assert_eq!(fixture.request("GET", "/", &[("host", "media.example:8710")], "").await.status, 421);
    for (peer, status) in [("192.168.1.9:5000", 200), ("127.0.0.1:5000", 200), ("8.8.8.8:5000", 421)] {
        fixture.peer = peer.parse().expect("an address");
        assert_eq!(fixture.request("GET", "/", &[("host", "nas:8710")], "").await.status, status, "{peer}");
    }
}

#[tokio::test]
async fn a_browser_under_an_unknown_name_gets_a_page_with_the_line_to_add() {
    let fixture = ControlFixture::new();
    let page = [("host", "media.example:8710"), ("accept", "text/html,application/xhtml+xml")];
    let response = fixture.request("GET", "/", &page, "").await;
    assert_eq!(response.status, 421);
    assert_eq!(response.headers["content-type"], "text/html; charset=utf-8");
    assert!(response.text.contains("hosts = [\"media.example\"]"), "{}", response.text);
    assert!(response.headers["content-security-policy"].to_str().expect("text").contains("default-src 'none'"));
    let program = fixture.request("GET", "/api/v1/servers", &[("host", "media.example:8710")], "").await;
    assert_eq!(program.code(), "misdirected", "a program gets a problem");
    let change = fixture.request("POST", "/api/v1/cache/clear", &page, "").await;
    assert_eq!(change.code(), "misdirected", "only a page is opened");
}

#[tokio::test]
async fn a_session_cookie_is_limited_to_the_base_path_and_secure_over_tls() {
    let mut fixture = ControlFixture::with_config("base_path = \"/greenroom\"");
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    for is_encrypted in [false, true] {
        fixture.is_encrypted = is_encrypted;
        let response = fixture.request("POST", "/api/v1/session", &[LOCAL, JSON], &body).await;
        let cookie = response.headers["set-cookie"].to_str().expect("text");
        assert!(cookie.contains("; Path=/greenroom/;") && cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), is_encrypted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_is_valid_within_five_seconds_and_ends_all_sessions() {
    let mut fixture = ControlFixture::new();
    fixture.watch_files();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = fixture.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    assert_eq!(fixture.request("GET", "/metrics", &with, "").await.status, 200);
    let renewed = "fedcba9876543210fedcba9876543210";
    let path = fixture.dir.path().join("control.token");
    std::fs::write(&path, renewed).expect("written");
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("modification time set");
    // Paused time does not advance while the files are read.
    tokio::time::sleep(EVERY + Duration::from_millis(1)).await;
    assert_eq!(fixture.request("GET", "/metrics", &with, "").await.code(), "token-missing");
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    let bearer = format!("Bearer {renewed}");
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, ("authorization", &bearer)], "").await.status, 200);
}

/// Waits until a thread reads the token file, which it does in real time.
#[expect(clippy::disallowed_methods, reason = "the clock is paused here")]
async fn wait_until_read(fixture: &ControlFixture) {
    let started = std::time::Instant::now();
    while !fixture.state.control.token.is_being_read() {
        assert!(started.elapsed() < Duration::from_mins(1), "the token file is not read");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_token_file_delays_no_request_and_is_read_when_it_responds() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let tasks = fixture.watch_files();
    tokio::task::yield_now().await;
    let path = fixture.dir.path().join("control.token");
    std::fs::remove_file(&path).expect("removed");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    // Reading a pipe blocks while its other end is open and silent.
    let pipe_end = std::fs::File::options().read(true).write(true).open(&path).expect("a pipe opens both ways");
    tokio::time::advance(EVERY).await;
    wait_until_read(&fixture).await;
    for _ in 0..20 {
        assert_eq!(fixture.get("/healthz").await.status, 200);
        assert_eq!(
            fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.status,
            200,
            "the old token still counts"
        );
        tokio::time::advance(EVERY).await;
        tokio::task::yield_now().await;
        assert_eq!(tasks.len(), 2, "the watcher and one reading thread");
    }
    let renewed = fixture.dir.path().join("renewed");
    std::fs::write(&renewed, "fedcba9876543210fedcba9876543210").expect("written");
    std::fs::rename(&renewed, &path).expect("moved there");
    drop(pipe_end);
    tokio::time::sleep(2 * EVERY).await;
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    let bearer = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, bearer], "").await.status, 200);
    fixture.state.stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Replaces the token in the file.
fn replace_token(fixture: &ControlFixture, renewed: &str) {
    let path = fixture.dir.path().join("control.token");
    std::fs::write(&path, renewed).expect("written");
    let later = std::time::UNIX_EPOCH + Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("modification time set");
}

#[tokio::test]
async fn a_newly_issued_token_is_valid_at_once() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    fixture.follow_tokens();
    tokio::task::yield_now().await;
    let renewed = "fedcba9876543210fedcba9876543210";
    replace_token(&fixture, renewed);
    let bearer = format!("Bearer {renewed}");
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, ("authorization", &bearer)], "").await.status, 200);
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    fixture.state.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn unknown_tokens_wait_briefly_for_a_hanging_disk_and_hold_one_thread() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let tasks = fixture.follow_tokens();
    tokio::task::yield_now().await;
    let path = fixture.dir.path().join("control.token");
    std::fs::remove_file(&path).expect("removed");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let pipe_end = std::fs::File::options().read(true).write(true).open(&path).expect("a pipe opens both ways");
    let wrong = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
    for _ in 0..5 {
        #[expect(clippy::disallowed_methods, reason = "the test bounds real time")]
        let started = tokio::time::Instant::now();
        let headers = [LOCAL, wrong];
        let request = fixture.request("GET", "/metrics", &headers, "");
        let advance = async {
            loop {
                tokio::time::advance(Duration::from_millis(10)).await;
            }
        };
        let response = tokio::select! {
            response = request => response,
            () = advance => unreachable!("the clock advances forever"),
        };
        assert_eq!(response.code(), "token-wrong");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(
            fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.status,
            200,
            "the old token still counts"
        );
        assert_eq!(tasks.len(), 2, "the task and one reading thread");
    }
    fixture.state.stop.cancel();
    drop(pipe_end);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_token_file_is_left_alone_and_the_old_token_stays_valid() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    fixture.watch_files();
    let path = fixture.dir.path().join("control.token");
    std::fs::write(&path, "half").expect("written");
    let later = std::time::UNIX_EPOCH + Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("modification time set");
    tokio::time::sleep(2 * EVERY).await;
    assert_eq!(fixture.request("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 200);
    assert_eq!(std::fs::read_to_string(&path).expect("a token file"), "half", "the file is not replaced");
}

#[tokio::test]
async fn a_token_in_the_url_is_ignored() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    for path in [format!("/metrics?token={TOKEN}"), format!("/api/v1/cache/stats?access_token={TOKEN}")] {
        assert_eq!(fixture.get(&path).await.code(), "token-missing", "{path}");
    }
}

#[tokio::test]
async fn a_proxy_without_headers_is_detected_by_http_1_0() {
    let fixture = ControlFixture::new();
    let request = Request::builder().version(http::Version::HTTP_10).uri("/metrics").header(LOCAL.0, LOCAL.1);
    let request = request.extension(ConnectionInfo::new(fixture.peer, false)).body(Body::empty()).expect("a request");
    let service = TowerToHyperService::new(router(Arc::clone(&fixture.state)));
    assert_eq!(service.call(request).await.expect("an infallible service").status(), 401);
}
