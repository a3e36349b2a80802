//! Faults, each seen by a client.

use greenroom_simulator::faults::{Fault, FaultRule};
use greenroom_simulator::latency::LatencyProfile;
use std::time::Duration;

use crate::harness::{PlexFixture, patiently, rows};

#[tokio::test]
async fn a_server_that_is_down_answers_nothing_until_it_is_up() {
    let server = PlexFixture::quick().await;
    assert_eq!(server.get("/identity").status().await, 200);
    let before = server.running.request_log().total();
    server.running.faults().set(Fault::Down);
    assert!(server.get("/identity").try_send().await.is_err());
    assert_eq!(server.running.request_log().total(), before, "it never arrived");
    server.running.faults().clear();
    assert_eq!(server.get("/identity").status().await, 200);
    server.done().await;
}

#[tokio::test]
async fn a_server_that_is_gone_refuses_connections_and_comes_back_at_the_same_address() {
    let server = PlexFixture::quick().await;
    assert_eq!(server.get("/identity").status().await, 200);
    let address = server.running.address();
    server.running.faults().set(Fault::Gone);
    let connects = async || tokio::net::TcpStream::connect(address).await.is_ok();
    let gone = async {
        while connects().await {
            tokio::task::yield_now().await;
        }
    };
    patiently("the end of its listener", gone).await;
    assert!(server.get("/identity").try_send().await.is_err());
    server.running.faults().clear();
    let back = async {
        while !connects().await {
            tokio::task::yield_now().await;
        }
    };
    patiently("its listener", back).await;
    assert_eq!(server.get("/identity").status().await, 200);
    server.done().await;
}

#[tokio::test]
async fn a_fault_strikes_only_below_its_prefix() {
    let server = PlexFixture::quick().await;
    server.running.faults().set_for("/library/sections", Fault::Down);
    assert!(server.get("/library/sections").try_send().await.is_err());
    assert_eq!(server.get("/library/metadata/1").status().await, 200);
    server.running.faults().set_for("/library/sections", Fault::StartPage503);
    assert_eq!(server.get("/library/sections/1/all").status().await, 503);
    assert_eq!(server.get("/playlists").status().await, 200);
    server.done().await;
}

#[tokio::test]
async fn what_hangs_is_answered_when_the_fault_is_lifted() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::Hang);
    let hanging = server.get("/identity").send();
    let lifted = async {
        server.running.request_log().wait_for_total(1).await;
        assert_eq!(server.running.request_log().in_flight(), 1);
        server.running.faults().clear();
    };
    let (told, ()) = tokio::join!(hanging, lifted);
    assert_eq!(told.status, 200);
    server.done().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_takes_its_time() {
    let server = PlexFixture::quick().await;
    let now = || server.running.state().clock().now_ms();
    server.running.faults().set(Fault::slow(Duration::from_secs(20)));
    let before = now();
    assert_eq!(server.get("/identity").status().await, 200);
    assert!(now() - before >= 20_000, "{}", now() - before);
    server.done().await;
}

#[tokio::test]
async fn a_starting_server_shows_its_start_page() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::StartPage503);
    let told = server.get("/library/sections").header("accept", "application/json").send().await;
    assert_eq!((told.status, told.header("content-type")), (503, "text/html"));
    assert!(told.text().contains("503 Service Unavailable"));
    server.done().await;
}

#[tokio::test]
async fn a_truncated_answer_ends_before_its_length() {
    let server = PlexFixture::quick().await;
    server.running.faults().set_rule(FaultRule { fault: Fault::Truncated, times: Some(1), ..FaultRule::default() });
    assert!(server.get("/library/sections/1/all").try_send().await.is_err());
    assert_eq!(server.get("/library/sections/1/all").status().await, 200);
    server.done().await;
}

#[tokio::test]
async fn somebody_elses_page_comes_with_200() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::HtmlInsteadOfJson);
    let told = server.get("/library/sections").header("accept", "application/json").send().await;
    assert_eq!((told.status, told.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(serde_json::from_slice::<serde_json::Value>(&told.body).is_err());
    server.done().await;
}

#[tokio::test]
async fn a_login_redirect_and_other_bare_statuses_have_no_body() {
    let server = PlexFixture::quick().await;
    for (status, location) in [(302, "/login"), (307, "/login"), (204, ""), (205, ""), (206, ""), (304, "")] {
        server.running.faults().set(Fault::Status(status));
        let told = server.get("/library/sections").send().await;
        assert_eq!((told.status, told.header("location"), told.body.len()), (status, location, 0));
    }
    server.done().await;
}

#[tokio::test]
async fn a_response_may_be_compressed_unasked() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::Gzip);
    let told = server.get("/library/sections").header("accept-encoding", "identity").send().await;
    assert_eq!((told.status, told.header("content-encoding"), &told.body[..2]), (200, "gzip", &b"\x1f\x8b"[..]));
    server.done().await;
}

#[tokio::test]
async fn an_empty_library_while_starting_looks_like_an_answer() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::EmptyWhileStarting);
    assert_eq!(server.json("/").await["startState"], "startingPlugins");
    for path in ["/library/sections", "/library/sections/1/all", "/playlists", "/library/metadata/1", "/hubs"] {
        let told = server.json(path).await;
        assert_eq!((told["size"].as_u64(), rows(&told).len()), (Some(0), 0), "{path}");
    }
    server.running.faults().clear();
    assert!(server.json("/").await.get("startState").is_none());
    assert_eq!(server.json("/library/sections").await["size"], 3);
    server.done().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_was_carried_out() {
    let server = PlexFixture::quick().await;
    server.running.faults().set_times(Fault::AnswerLost, 1);
    assert!(server.put("/:/rate?key=1&rating=6").try_send().await.is_err());
    assert_eq!(rows(&server.json("/library/metadata/1").await)[0]["userRating"], 6.0);
    server.done().await;
}

#[tokio::test]
async fn faults_are_set_over_http_and_the_switchboard_never_fails() {
    let server = PlexFixture::quick().await;
    let told = server.put("/__simulator/faults").token(None).body(r#"{"fault":"start_page503"}"#).send().await;
    assert_eq!(told.status, 204);
    assert_eq!(server.get("/identity").status().await, 503);
    let shown: serde_json::Value = server.get("/__simulator/faults").token(None).json().await;
    assert_eq!(shown["fault"], "start_page503");
    assert_eq!(server.put("/__simulator/faults").body("nonsense").status().await, 400);
    assert_eq!(server.delete("/__simulator/faults").status().await, 204);
    assert_eq!(server.get("/identity").status().await, 200);
    server.done().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_does_not_know_what_was_written_in_its_second_half() {
    let server = PlexFixture::with(|options| {
        options.latency = LatencyProfile { write: Duration::ZERO, ..LatencyProfile::uniform(Duration::from_secs(10)) }
    })
    .await;
    let read = server.json("/library/metadata/1");
    let write = async {
        server.running.request_log().wait_for_total(1).await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        server.put("/:/rate?key=1&rating=9").send().await;
    };
    let (read, ()) = tokio::join!(read, write);
    assert_eq!(read["greenroomSeq"], 0);
    assert!(rows(&read)[0].get("userRating").is_none());
    assert_eq!(server.json("/library/metadata/1").await["greenroomSeq"], 1);
    server.done().await;
}

#[tokio::test]
async fn a_server_that_speaks_only_tls_says_so_to_a_plain_request() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::EncryptedOnly);
    let told = server.get("/identity").send().await;
    assert_eq!(told.status, 400);
    assert!(told.text().contains("HTTP request to an HTTPS server"));
    server.done().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_shows_in_the_date() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(Fault::WrongClock(-7_200));
    let told = server.get("/identity").send().await;
    assert_eq!(told.status, 200);
    let date = httpdate::parse_http_date(told.header("date")).unwrap();
    let now_s = greenroom_simulator::clock::SimulatedClock::system(1.0).now_s();
    let behind_s = now_s - date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((7_199..7_230).contains(&behind_s), "{behind_s}");
    server.done().await;
}
