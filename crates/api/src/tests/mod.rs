//! The control plane as a whole, with requests of a browser, a program or an attacker.

mod admission;
mod described;
mod fixture;
mod guarded;
mod labels;
mod measured;
mod policies;
mod stored;
mod walks;
mod watching;

use std::sync::Arc;

use fixture::{BEARER, ControlFixture, HOOK_SECRET, JSON, LOCAL, SERVER_TOKEN, TOKEN, TOKEN_HEADERS};

use greenroom_jobs::JobDefinition;
use greenroom_state::warnings::{Warning, WarningAction};

#[tokio::test]
async fn no_response_holds_a_token() {
    let fixture = ControlFixture::new();
    let cookie = fixture.log_in().await;
    for path in ["/", "/page.js", "/healthz", "/readyz", "/metrics", "/api/v1/cache/stats", "/api/v1/servers"] {
        let response = fixture.request("GET", path, &[LOCAL, BEARER, ("cookie", &cookie)], "").await;
        assert_eq!(response.status, 200, "{path}");
        let full_response = format!("{}{:?}", response.text, response.headers);
        for secret in [TOKEN, SERVER_TOKEN, HOOK_SECRET, cookie.split('=').next_back().expect("a value")] {
            assert!(!full_response.contains(secret), "{path}");
        }
    }
}

#[tokio::test]
async fn metrics_are_in_open_metrics_format_with_server_values() {
    let fixture = ControlFixture::new();
    fixture.server().origin.record_success();
    let writer = Arc::new(greenroom_origin::client_apps::ClientApp::default());
    let _permit = fixture
        .server()
        .origin
        .queue
        .acquire(greenroom_origin::scheduler::QueueRequest::write(&writer))
        .await
        .expect("a permit");
    let response = fixture.get("/metrics").await;
    assert!(response.headers["content-type"].to_str().expect("text").starts_with("application/openmetrics-text"));
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
        assert!(response.text.lines().any(|other| other == line), "{line} is missing in:\n{}", response.text);
    }
    assert!(response.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn health_checks_show_server_states_but_no_addresses() {
    let fixture = ControlFixture::new();
    assert_eq!(fixture.get("/healthz").await.text, "ok\n");
    assert_eq!(fixture.get("/readyz").await.status, 200);
    fixture.server().origin.record_failure();
    let response = fixture.get("/readyz").await;
    assert_eq!(response.status, 503);
    assert_eq!(response.json()["servers"][0]["state"], "unwell");
    assert!(!response.text.contains("127.0.0.1"));
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let fixture = ControlFixture::new();
    for path in ["/", "/api/v1/cache/stats", "/nowhere"] {
        let headers = fixture.get(path).await.headers;
        assert!(headers["content-security-policy"].to_str().expect("text").contains("default-src 'none'"));
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let denial = fixture.request("GET", "/", &[("host", "evil.example")], "").await;
    assert_eq!((denial.status.as_u16(), denial.code().as_str()), (421, "misdirected"));
    assert!(denial.headers.contains_key("content-security-policy"));
}

#[tokio::test]
async fn clear_and_warm_report_their_results_and_the_counters_go_on() {
    let fixture = ControlFixture::new();
    let headers = [LOCAL, BEARER, JSON];
    fixture.server().counters.requests.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(fixture.get("/api/v1/cache/stats").await.json()["totals"]["asked"], 7);
    let cleared = fixture.request("POST", "/api/v1/cache/clear", &headers, r#"{"server":"home"}"#).await;
    assert_eq!(cleared.json()["success"], true);
    assert_eq!(fixture.get("/api/v1/cache/stats").await.json()["totals"]["asked"], 7, "a purge is no reset");
    assert!(fixture.get("/metrics").await.text.contains("client_requests_total{server=\"home\"} 7\n"));
    assert_eq!(fixture.request("POST", "/api/v1/cache/warm", &headers, "").await.json()["warmed"], 0);
    let unknown = fixture.request("POST", "/api/v1/cache/clear", &headers, r#"{"server":"attic"}"#).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "unknown-server"));
}

#[tokio::test]
async fn errors_do_not_echo_client_input() {
    let fixture = ControlFixture::new();
    for (method, path) in [("GET", "/%3Cscript%3E"), ("POST", "/api/v1/cache/clear"), ("PUT", "/healthz")] {
        let response = fixture.request(method, path, &[LOCAL, BEARER, JSON], "\"<script>\"").await;
        assert!(
            response.status.is_client_error() && !response.text.contains("script"),
            "{method} {path}: {}",
            response.text
        );
        assert_eq!(response.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn get_requests_to_actions_are_rejected() {
    let fixture = ControlFixture::new();
    for path in ["/api/v1/cache/clear", "/api/v1/cache/warm"] {
        assert_eq!(fixture.request("GET", path, &[LOCAL, BEARER], "").await.status, 405);
    }
}

#[tokio::test]
async fn spot_checks_disabled_by_the_configuration_cannot_be_enabled() {
    let fixture = ControlFixture::new();
    let request =
        fixture.request("PUT", "/api/v1/statistics/spot-checks", &[LOCAL, BEARER, JSON], r#"{"enabled":true}"#);
    let response = request.await;
    assert_eq!((response.status.as_u16(), response.code().as_str()), (409, "no-spot-checks"), "{}", response.text);
}

#[tokio::test]
async fn jobs_are_listed_started_and_cancelled() {
    let fixture = ControlFixture::new();
    let definition = JobDefinition {
        id: "history",
        title: "Watch history",
        description: "Syncs it.",
        every: None,
        catches_up: false,
    };
    fixture.state.control.jobs.add(definition, |_| std::future::ready(Ok("12 new playbacks".to_owned())));
    let list = fixture.get("/api/v1/jobs").await.json();
    assert_eq!((list["at_once"].as_u64(), list["running"].as_u64()), (Some(3), Some(0)));
    let job = &list["jobs"][0];
    assert_eq!((job["id"].as_str(), job["state"].as_str()), (Some("history"), Some("idle")));
    assert!(job["last"].is_null() && job["every_s"].is_null() && job["progress"].is_null());
    let run = || fixture.request("POST", "/api/v1/jobs/history/run", &TOKEN_HEADERS, "");
    assert_eq!(run().await.status, 202);
    let again = run().await;
    assert_eq!((again.status.as_u16(), again.json()["success"].as_bool()), (202, Some(true)));
    assert_eq!(
        fixture.get("/api/v1/jobs").await.json()["jobs"][0]["state"],
        "waiting",
        "no scheduler runs in this test"
    );
    assert_eq!(fixture.request("POST", "/api/v1/jobs/history/cancel", &TOKEN_HEADERS, "").await.status, 200);
    for action in ["run", "cancel"] {
        for id in ["odd", "library:home:3", "library:odd"] {
            let response = fixture.request("POST", &format!("/api/v1/jobs/{id}/{action}"), &TOKEN_HEADERS, "").await;
            assert_eq!(response.code(), "unknown-job", "{id}");
        }
    }
}

#[tokio::test]
async fn warnings_are_sorted_by_severity_and_name_a_remedy() {
    let fixture = ControlFixture::new();
    let action = WarningAction::new("Build now", "POST", "libraries/home:3/build");
    fixture
        .server()
        .origin
        .warnings
        .raise(Warning::notice("library-old", "The index is old.", "Rebuild it.").with(Some(action)));
    fixture.server().origin.warnings.raise(Warning::notice("token-rejected", "Rejected.", "Log in.").urgent());
    fixture.state.control.warnings.raise(Warning::notice("odd", "Something is wrong.", "Fix it.").about("one"));
    let list = fixture.get("/api/v1/warnings").await.json();
    let ids: Vec<&str> =
        list["items"].as_array().expect("a list").iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, ["home/token-rejected", "odd/one", "home/library-old"]);
    let old = &list["items"][2];
    assert_eq!((old["server"].as_str(), old["severity"].as_str()), (Some("home"), Some("notice")));
    assert_eq!(old["action"]["path"], "libraries/home:3/build");
    assert!(list["items"][1]["action"].is_null() && list["items"][1]["server"].is_null());
    let snapshot = fixture.get("/api/v1/cache/stats").await.json();
    assert_eq!(snapshot["warnings"], list["items"], "the snapshot has the same warnings");
}
