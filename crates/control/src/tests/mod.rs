//! The control plane as a whole, with requests of a browser, a program or an attacker.

mod admission;
mod described;
mod fixture;
mod guarded;
mod measured;
mod policies;
mod stored;
mod walks;
mod watching;

use std::sync::Arc;

use fixture::{BEARER, ControlFixture, HOOK_SECRET, JSON, LOCAL, SERVER_TOKEN, TOKEN, WITH};

use crate::jobs::JobDefinition;
use greenroom_state::warnings::{Warning, WarningAction};

#[tokio::test]
async fn no_answer_holds_a_token() {
    let house = ControlFixture::new();
    let cookie = house.log_in().await;
    for path in ["/", "/page.js", "/healthz", "/readyz", "/metrics", "/api/v1/cache/stats", "/api/v1/servers"] {
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
    let house = ControlFixture::new();
    house.server().origin.record_success();
    let writer = Arc::new(greenroom_origin::client_apps::ClientApp::default());
    let _place = house
        .server()
        .origin
        .queue
        .acquire(greenroom_origin::scheduler::QueueRequest::write(&writer))
        .await
        .expect("it is free");
    let answer = house.get("/metrics").await;
    assert!(answer.headers["content-type"].to_str().expect("text").starts_with("application/openmetrics-text"));
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
    let house = ControlFixture::new();
    assert_eq!(house.get("/healthz").await.text, "ok\n");
    assert_eq!(house.get("/readyz").await.status, 200);
    house.server().origin.record_failure();
    let answer = house.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["servers"][0]["state"], "unwell");
    assert!(!answer.text.contains("127.0.0.1"));
}

#[tokio::test]
async fn every_answer_protects_the_browser() {
    let house = ControlFixture::new();
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
async fn clear_and_warm_answer_what_they_did() {
    let house = ControlFixture::new();
    let with = [LOCAL, BEARER, JSON];
    house.server().counters.requests.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
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
    let house = ControlFixture::new();
    for (method, path) in [("GET", "/%3Cscript%3E"), ("POST", "/api/v1/cache/clear"), ("PUT", "/healthz")] {
        let answer = house.ask(method, path, &[LOCAL, BEARER, JSON], "\"<script>\"").await;
        assert!(answer.status.is_client_error() && !answer.text.contains("script"), "{method} {path}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn nothing_changes_by_get() {
    let house = ControlFixture::new();
    for path in ["/api/v1/cache/clear", "/api/v1/cache/warm"] {
        assert_eq!(house.ask("GET", path, &[LOCAL, BEARER], "").await.status, 405);
    }
}

#[tokio::test]
async fn spot_checks_that_the_configuration_turns_off_are_not_said_to_be_made() {
    let house = ControlFixture::new();
    let said = house.ask("PUT", "/api/v1/statistics/spot-checks", &[LOCAL, BEARER, JSON], r#"{"enabled":true}"#);
    let answer = said.await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "no-spot-checks"), "{}", answer.text);
}

#[tokio::test]
async fn jobs_are_listed_run_and_ended() {
    let house = ControlFixture::new();
    let plan = JobDefinition {
        id: "history",
        title: "Watch history",
        description: "Copies it.",
        every: None,
        catches_up: false,
    };
    house.plane.control.jobs.add(plan, |_| std::future::ready(Ok("12 new views".to_owned())));
    let listed = house.get("/api/v1/jobs").await.json();
    assert_eq!((listed["at_once"].as_u64(), listed["running"].as_u64()), (Some(3), Some(0)));
    let job = &listed["jobs"][0];
    assert_eq!((job["id"].as_str(), job["state"].as_str()), (Some("history"), Some("idle")));
    assert!(job["last"].is_null() && job["every_s"].is_null() && job["progress"].is_null());
    let run = || house.ask("POST", "/api/v1/jobs/history/run", &WITH, "");
    assert_eq!(run().await.status, 202);
    let again = run().await;
    assert_eq!((again.status.as_u16(), again.json()["success"].as_bool()), (202, Some(true)));
    assert_eq!(house.get("/api/v1/jobs").await.json()["jobs"][0]["state"], "waiting", "nobody keeps them here");
    assert_eq!(house.ask("POST", "/api/v1/jobs/history/cancel", &WITH, "").await.status, 200);
    for what in ["run", "cancel"] {
        for id in ["odd", "library:home:3", "library:odd"] {
            let answer = house.ask("POST", &format!("/api/v1/jobs/{id}/{what}"), &WITH, "").await;
            assert_eq!(answer.code(), "unknown-job", "{id}");
        }
    }
}

#[tokio::test]
async fn warnings_come_with_what_to_do_the_most_urgent_first() {
    let house = ControlFixture::new();
    let action = WarningAction::new("Build now", "POST", "libraries/home:3/build");
    house.server().origin.warnings.raise(Warning::notice("library-old", "It is old.", "Build it.").with(Some(action)));
    house.server().origin.warnings.raise(Warning::notice("token-rejected", "No.", "Log in.").urgent());
    house.plane.control.warnings.raise(Warning::notice("odd", "It is odd.", "Mend it.").about("one"));
    let listed = house.get("/api/v1/warnings").await.json();
    let ids: Vec<&str> =
        listed["items"].as_array().expect("a list").iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, ["home/token-rejected", "odd/one", "home/library-old"]);
    let old = &listed["items"][2];
    assert_eq!((old["server"].as_str(), old["severity"].as_str()), (Some("home"), Some("notice")));
    assert_eq!(old["action"]["path"], "libraries/home:3/build");
    assert!(listed["items"][1]["action"].is_null() && listed["items"][1]["server"].is_null());
    let snapshot = house.get("/api/v1/cache/stats").await.json();
    assert_eq!(snapshot["warnings"], listed["items"], "the same everywhere");
}
