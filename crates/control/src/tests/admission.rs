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
use crate::auth::caller::ConnectionInfo;
use crate::router::router;
use greenroom_state::file_watch::EVERY;

#[tokio::test]
async fn a_session_reads_and_changes_until_it_is_closed() {
    let mut house = ControlFixture::new();
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
    let house = ControlFixture::new();
    let wrong = [LOCAL, ("authorization", "Bearer guess")];
    for guess in 0..5 {
        assert_eq!(house.ask("GET", "/metrics", &wrong, "").await.code(), "token-wrong", "{guess}");
        let answer = house.ask("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
        assert_eq!(answer.code(), "token-wrong", "{guess}");
    }
    let answer = house.ask("POST", "/api/v1/cache/clear", &[LOCAL, BEARER], "").await;
    assert_eq!((answer.code().as_str(), &answer.headers["retry-after"]), ("throttled", &"60".parse().expect("it is")));
    let metrics = house.get("/metrics").await.text;
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"token-wrong\"} 10\n"), "{metrics}");
    assert!(metrics.contains("greenroom_control_refusals_total{reason=\"throttled\"} 1\n"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn asking_what_one_may_tells_right_tokens_from_wrong_ones_ten_times_and_no_more() {
    let mut house = ControlFixture::new();
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
    let mut house = ControlFixture::with_config(open);
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    assert_eq!(house.ask("POST", "/api/v1/match/ids", &[nas, JSON], "{}").await.code(), "token-missing");
}

#[tokio::test]
async fn what_is_opened_to_a_network_is_read_there_without_the_token() {
    let mut house = ControlFixture::with_config("open_reads = [\"/metrics from 192.168.1.0/24\"]\nhosts = [\"nas\"]");
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
    let mut house = ControlFixture::with_config(&format!("open_reads = [{open}]\nhosts = [\"nas\"]"));
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
    let mut house = ControlFixture::with_config("hosts = [\"nas\"]");
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let nas = ("host", "nas:8710");
    for query in
        ["", "?server=home&path=/library/metadata/1/thumb/1", "?server=home&path=/&until=9999999999&signature=00"]
    {
        let answer = house.ask("GET", &format!("/api/plex/image{query}"), &[nas], "").await;
        assert_eq!(answer.code(), "bad-link", "{query}");
    }
    assert_eq!(house.ask("POST", "/api/plex/image", &[nas, JSON], "{}").await.code(), "token-missing");
}

#[tokio::test]
async fn a_name_is_ours_only_if_it_was_configured() {
    let house = ControlFixture::with_config("hosts = [\"greenroom\"]");
    assert_eq!(house.ask("GET", "/", &[("host", "greenroom:8710")], "").await.status, 200);
    assert_eq!(house.ask("GET", "/", &[("host", "evil.example")], "").await.status, 421);
    assert_eq!(ControlFixture::new().ask("GET", "/", &[("host", "greenroom:8710")], "").await.status, 421);
}

#[tokio::test]
async fn a_cookie_goes_only_where_the_page_is_and_encrypted_only_if_it_came_so() {
    let mut house = ControlFixture::with_config("base_path = \"/greenroom\"");
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    for is_encrypted in [false, true] {
        house.is_encrypted = is_encrypted;
        let answer = house.ask("POST", "/api/v1/session", &[LOCAL, JSON], &body).await;
        let cookie = answer.headers["set-cookie"].to_str().expect("text");
        assert!(cookie.contains("; Path=/greenroom/;") && cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), is_encrypted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_counts_within_five_seconds_and_ends_all_sessions() {
    let mut house = ControlFixture::new();
    house.watch_files();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = house.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    assert_eq!(house.ask("GET", "/metrics", &with, "").await.status, 200);
    let renewed = "fedcba9876543210fedcba9876543210";
    let path = house.folder.path().join("control.token");
    std::fs::write(&path, renewed).expect("written");
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
    // Paused time does not advance while the files are read.
    tokio::time::sleep(EVERY + Duration::from_millis(1)).await;
    assert_eq!(house.ask("GET", "/metrics", &with, "").await.code(), "token-missing");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    let bearer = format!("Bearer {renewed}");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, ("authorization", &bearer)], "").await.status, 200);
}

/// Waits until a thread reads the token file, which it does in real time.
#[expect(clippy::disallowed_methods, reason = "the clock room's time is paused here")]
async fn until_read(house: &ControlFixture) {
    let began = std::time::Instant::now();
    while !house.plane.control.token.is_being_read() {
        assert!(began.elapsed() < Duration::from_mins(1), "nobody reads the token file");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_hangs_keeps_no_request_waiting_and_a_renewed_one_counts_when_it_answers() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let tasks = house.watch_files();
    tokio::task::yield_now().await;
    let path = house.folder.path().join("control.token");
    std::fs::remove_file(&path).expect("removed");
    assert!(Command::new("mkfifo").arg(&path).status().expect("it is everywhere").success());
    // Reading a pipe blocks while its other end is open and silent.
    let end = std::fs::File::options().read(true).write(true).open(&path).expect("a pipe opens both ways");
    tokio::time::advance(EVERY).await;
    until_read(&house).await;
    for _ in 0..20 {
        assert_eq!(house.get("/healthz").await.status, 200);
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 200, "it counts as before");
        tokio::time::advance(EVERY).await;
        tokio::task::yield_now().await;
        assert_eq!(tasks.len(), 2, "the watcher and one thread that reads");
    }
    let renewed = house.folder.path().join("renewed");
    std::fs::write(&renewed, "fedcba9876543210fedcba9876543210").expect("written");
    std::fs::rename(&renewed, &path).expect("moved there");
    drop(end);
    tokio::time::sleep(2 * EVERY).await;
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    let bearer = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, bearer], "").await.status, 200);
    house.plane.stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Replaces the token in the file.
fn renew(house: &ControlFixture, renewed: &str) {
    let path = house.folder.path().join("control.token");
    std::fs::write(&path, renewed).expect("written");
    let later = std::time::UNIX_EPOCH + Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
}

#[tokio::test]
async fn a_token_that_was_made_a_moment_ago_counts_at_once() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    house.follow_tokens();
    tokio::task::yield_now().await;
    let renewed = "fedcba9876543210fedcba9876543210";
    renew(&house, renewed);
    let bearer = format!("Bearer {renewed}");
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, ("authorization", &bearer)], "").await.status, 200);
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.code(), "token-wrong");
    house.plane.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn unknown_tokens_wait_for_a_hung_disk_for_a_moment_only_and_hold_one_thread() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let tasks = house.follow_tokens();
    tokio::task::yield_now().await;
    let path = house.folder.path().join("control.token");
    std::fs::remove_file(&path).expect("removed");
    assert!(Command::new("mkfifo").arg(&path).status().expect("it is everywhere").success());
    let end = std::fs::File::options().read(true).write(true).open(&path).expect("a pipe opens both ways");
    let wrong = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
    for _ in 0..5 {
        #[expect(clippy::disallowed_methods, reason = "real time is what is bounded")]
        let began = tokio::time::Instant::now();
        let shown = [LOCAL, wrong];
        let asked = house.ask("GET", "/metrics", &shown, "");
        let pass = async {
            loop {
                tokio::time::advance(Duration::from_millis(10)).await;
            }
        };
        let answer = tokio::select! {
            answer = asked => answer,
            () = pass => unreachable!("time passes without end"),
        };
        assert_eq!(answer.code(), "token-wrong");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 200, "it counts as before");
        assert_eq!(tasks.len(), 2, "the task and one thread that reads");
    }
    house.plane.stop.cancel();
    drop(end);
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_holds_no_token_is_left_alone_and_the_token_of_before_counts() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    house.watch_files();
    let path = house.folder.path().join("control.token");
    std::fs::write(&path, "half").expect("written");
    let later = std::time::UNIX_EPOCH + Duration::from_secs(60);
    std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
    tokio::time::sleep(2 * EVERY).await;
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 200);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "half", "somebody is writing it");
}

#[tokio::test]
async fn a_token_in_the_address_is_no_token() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    for path in [format!("/metrics?token={TOKEN}"), format!("/api/v1/cache/stats?access_token={TOKEN}")] {
        assert_eq!(house.get(&path).await.code(), "token-missing", "{path}");
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_of_itself_is_known_by_its_old_version() {
    let house = ControlFixture::new();
    let request = Request::builder().version(http::Version::HTTP_10).uri("/metrics").header(LOCAL.0, LOCAL.1);
    let request = request.extension(ConnectionInfo::new(house.peer, false)).body(Body::empty()).expect("a request");
    let service = TowerToHyperService::new(router(Arc::clone(&house.plane)));
    assert_eq!(service.call(request).await.expect("it never fails").status(), 401);
}
