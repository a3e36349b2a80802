//! Requests every path without a credential: the access policy guards all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::Method;
use serde_json::Value;

use super::fixture::{BEARER, ControlFixture, JSON, LOCAL, TOKEN, files_below};
use super::walks::{described, filled};
use crate::auth::policy::RouteAccess;
use crate::stats::CacheEngineStats;
use crate::{live_api, web};
use greenroom_state::file_watch::EVERY;

/// Possible statuses of a read without libraries, without a store of overrides, and with too few or too many
/// parameters.
const READ: [u16; 6] = [200, 400, 403, 404, 503, 507];

/// All operations that change something, with the content type of their body.
fn changes() -> Vec<(Method, String)> {
    let changes = |method: &Method, path: &str| {
        matches!(RouteAccess::classify(method, path), RouteAccess::Change | RouteAccess::Login)
    };
    described().into_iter().filter(|(method, path)| changes(method, path)).collect()
}

/// All state of the control plane that a request could have changed.
fn state(house: &ControlFixture) -> String {
    let control = &house.plane.control;
    let mut files: Vec<_> = files_below(house.folder.path());
    files.sort();
    let server = house.server();
    let sessions = control.sessions.count(control.clock.now_ms());
    let runs: Vec<String> = control.playlists.runs().iter().map(|run| run.id.clone()).collect();
    let invalidations = CacheEngineStats::from_cache(&control.cache).invalidations;
    format!("{files:?} {:?} {:?} {sessions} {runs:?} {invalidations}", control.bypasses(), server.mode())
}

/// A new address each time, so that an earlier attempt throttles none.
fn stranger(number: usize) -> SocketAddr {
    SocketAddr::from((
        [203, 0, u8::try_from(number / 250).expect("few"), u8::try_from(number % 250).expect("few")],
        50_000,
    ))
}

/// Name, headers, and the status and code of the rejection.
type AttackCase<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn no_mutation_is_done_for_anybody_but_the_owner_of_the_token_on_our_own_page() {
    let mut house = ControlFixture::new();
    let cookie = house.log_in().await;
    let reads = format!("Bearer {}", house.read_token());
    let changes = changes();
    assert!(changes.len() > 15, "{changes:?}");
    let before = state(&house);
    let shown = ("cookie", cookie.as_str());
    let attacks: [AttackCase<'_>; 13] = [
        ("nothing shown", &[LOCAL], 401, "token-missing"),
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
        ("the token that reads", &[LOCAL, ("authorization", &reads)], 403, "token-only-reads"),
        ("another page, by origin", &[LOCAL, shown, ("origin", "http://evil.example")], 403, "foreign-page"),
        ("a page that hides", &[LOCAL, shown, ("origin", "null")], 403, "foreign-page"),
        ("another port of ours", &[LOCAL, shown, ("origin", "http://127.0.0.1:32500")], 403, "foreign-page"),
        ("another page, by site", &[LOCAL, shown, ("sec-fetch-site", "cross-site")], 403, "foreign-page"),
        ("a neighbouring site", &[LOCAL, shown, ("sec-fetch-site", "same-site")], 403, "foreign-page"),
        ("another page that knows the token", &[LOCAL, BEARER, ("origin", "http://evil.example")], 403, "foreign-page"),
        ("another name", &[("host", "evil.example"), shown], 421, "misdirected"),
    ];
    let mut number = 0;
    for (method, path) in &changes {
        for (what, headers, status, code) in attacks {
            if *path == "/api/v1/session"
                && *method == Method::POST
                && [401, 403].contains(&status)
                && code != "foreign-page"
            {
                continue; // A login sends the token in the body.
            }
            number += 1;
            house.peer = stranger(number);
            let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
            let answer = house.ask(method.as_str(), &filled(path), &headers, "{}").await;
            let told = (answer.status.as_u16(), answer.code());
            assert_eq!(told, (status, code.to_owned()), "{what}: {method} {path}");
        }
    }
    assert_eq!(state(&house), before);
}

#[tokio::test]
async fn nothing_that_is_read_changes_anything() {
    let house = ControlFixture::new();
    let cookie = house.log_in().await;
    let before = state(&house);
    let mut walked = 0;
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        for (method, query) in [("GET", ""), ("HEAD", ""), ("GET", "?force=true&enabled=false&mode=bypass")] {
            let target = filled(&path) + query;
            let answer = house.send(method, &target, &[LOCAL, ("cookie", &cookie)], "").await;
            assert!(READ.contains(&answer.status().as_u16()), "{method} {target}: {}", answer.status());
            assert!(!answer.headers().contains_key("set-cookie"), "{method} {target}");
            walked += 1;
        }
        // A form of another page can send nothing but these.
        for headers in [[LOCAL, ("x-http-method-override", "DELETE")], [LOCAL, ("x-method-override", "POST")]] {
            drop(house.send("GET", &filled(&path), &headers, "{}").await);
        }
    }
    assert!(walked > 45, "{walked}");
    assert_eq!(state(&house), before);
}

#[tokio::test]
async fn from_another_address_nothing_but_health_and_the_bare_page_answers() {
    let mut house = ControlFixture::with_config("hosts = [\"nas\"]");
    let mut closed = 0;
    for (number, (method, path)) in described().into_iter().enumerate() {
        house.peer = stranger(number);
        for host in ["127.0.0.1:8710", "nas"] {
            let answer = house.send(method.as_str(), &filled(&path), &[("host", host), JSON], "{}").await;
            let status = answer.status().as_u16();
            match path.as_str() {
                // An image link is its own permission, and this link is invalid.
                "/api/plex/image" => assert!([400, 403, 404].contains(&status), "{status}"),
                "/healthz" | "/readyz" => assert_eq!(status, 200, "{method} {path}"),
                "/api/v1/session" if method == Method::GET => assert_eq!(status, 200),
                "/api/v1/session" if method == Method::POST => assert_eq!(status, 400, "no token in it"),
                _ => {
                    assert_eq!(status, 401, "{method} {path}");
                    closed += 1;
                }
            }
        }
    }
    assert!(closed > 60, "{closed}");
    for path in ["/nowhere", "/api/v1", "/api/v1/", "/metrics/", "//metrics", "/API/V1/SERVERS", "/healthz/../metrics"]
    {
        assert_eq!(house.get(path).await.status, 401, "{path}");
    }
    for path in web::paths() {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains("\"home\""), "{path} knows a server");
    }
}

#[tokio::test]
async fn the_token_that_only_reads_reads_all_there_is_to_read() {
    let mut house = ControlFixture::new();
    house.peer = stranger(0);
    let bearer = format!("Bearer {}", house.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        let answer = house.send("GET", &filled(&path), &with, "").await;
        assert!(READ.contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    let whoami = house.ask("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["may_read"], &whoami["may_change"]), (&Value::Bool(true), &Value::Bool(false)));
    let body = format!("{{\"token\":\"{}\"}}", house.read_token());
    assert_eq!(house.ask("POST", "/api/v1/session", &[LOCAL, JSON], &body).await.code(), "token-wrong");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_that_only_reads_ends_what_the_old_one_let_in() {
    let mut house = ControlFixture::new();
    house.peer = stranger(0);
    let bearer = format!("Bearer {}", house.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    let cookie = house.log_in().await;
    house.watch_files();
    let teller = live_api::broadcast_stats(Arc::clone(&house.plane));
    let reader = async {
        let mut frames = house.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first figures").expect("bytes");
        let path = house.folder.path().join("read.token");
        std::fs::write(&path, "fedcba9876543210fedcba9876543210").expect("written");
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
        std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
        tokio::time::sleep(EVERY + Duration::from_millis(1)).await;
        while frames.next().await.is_some() {}
        assert_eq!(house.ask("GET", "/metrics", &with, "").await.code(), "token-wrong");
        let renewed = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, renewed], "").await.status, 200);
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
        house.plane.stop.cancel();
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn who_guesses_behind_a_trusted_proxy_does_not_lock_out_who_else_is_there() {
    let mut house = ControlFixture::new();
    let plane = Arc::get_mut(&mut house.plane).expect("nobody else has it");
    plane.settings.trusted_proxies = "172.16.0.0/12".parse().expect("networks");
    house.peer = "172.17.0.2:50000".parse().expect("an address");
    let ask = async |client: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [LOCAL, ("x-forwarded-for", client), ("authorization", bearer.as_str())];
        house.ask("GET", "/metrics", &headers, "").await
    };
    for _ in 0..10 {
        assert_eq!(ask("203.0.113.9", "guess").await.status, 401);
    }
    let refused = ask("203.0.113.9", TOKEN).await;
    assert_eq!(refused.status, 429);
    let left_s: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&left_s), "{left_s}");
    assert_eq!(ask("203.0.113.10", TOKEN).await.status, 200);
    // Forwarding headers of a direct client are not trusted.
    let mut direct = ControlFixture::new();
    direct.peer = stranger(7);
    for number in 0..11 {
        let client = format!("198.51.100.{number}");
        let headers = [LOCAL, ("x-forwarded-for", client.as_str()), ("authorization", "Bearer guess")];
        let status = direct.ask("GET", "/metrics", &headers, "").await.status.as_u16();
        assert_eq!(status, if number < 10 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn a_session_is_not_locked_out_by_whoever_guesses_beside_it() {
    let house = ControlFixture::new();
    let cookie = house.log_in().await;
    for _ in 0..12 {
        house.ask("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
    }
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 429);
    assert_eq!(house.ask("POST", "/api/v1/cache/clear", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
    assert_eq!(house.get("/metrics").await.status, 200, "reading on this machine needs no token");
}
