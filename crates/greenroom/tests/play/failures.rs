//! A failed load never empties the cache: broken, foreign or premature responses never replace a good one.

use greenroom_cache::Clock;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const SECTIONS: &str = "/library/sections";

/// A server that answers well once and then with `worse`, and a gateway where nothing stays fresh.
async fn play(
    worse: impl Fn() -> ScriptedReply + Send + Sync + 'static,
) -> (ScriptedServer, GatewayFixture, TestClient) {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, move |request| match request.before {
        0 => ScriptedReply::Bytes(container(1)),
        _ => worse(),
    })
    .await;
    let at_once = "[server.lifetimes.sections]\nfresh_s = 0\nstale_s = 0\n";
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &format!("http://{}", server.address), at_once)
        .start_at(Clock::system())
        .await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    (server, stage, client)
}

async fn stays(worse: fn() -> ScriptedReply) {
    let (server, stage, client) = play(worse).await;
    assert_eq!(client.get(SECTIONS).await.status, 200);
    let again = client.get(SECTIONS).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(again.json()["MediaContainer"]["number"], 1);
    assert!(again.header("cache-status").contains("stale-on-error"), "{}", again.header("cache-status"));
    assert!(server.count("GET", SECTIONS) >= 2, "the server was asked");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_does_not_replace_a_good_answer() {
    stays(|| {
        ScriptedReply::Last(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"MediaContainer\":{"
                .to_vec(),
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_that_claims_to_be_whole_does_not_replace_a_good_answer() {
    stays(|| ScriptedReply::Bytes(answer("200 OK", "application/json", r#"{"MediaContainer":{"size":5,"Dir"#))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_does_not_replace_a_good_response() {
    stays(|| ScriptedReply::Bytes(answer("200 OK", "text/html", "<html><body>Please log in</body></html>"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_starting_server_does_not_replace_a_good_answer() {
    stays(|| ScriptedReply::Bytes(answer("503 Service Unavailable", "text/html", "<html>Starting</html>"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_does_not_replace_a_good_answer() {
    stays(|| ScriptedReply::Close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_startup_response_does_not_replace_a_good_one() {
    stays(|| {
        let body = r#"{"MediaContainer":{"size":0,"startState":"startingPlugins"}}"#;
        ScriptedReply::Bytes(answer("200 OK", "application/json", body))
    })
    .await;
}

/// Whole responses that are no answer to a read, and the reason why they do not count.
const NO_ANSWERS: [(&str, &str); 9] = [
    ("302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "redirected"),
    ("307 Temporary Redirect\r\nLocation: https://login.example/\r\nContent-Length: 4\r\n\r\n<br>", "redirected"),
    ("303 See Other\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "redirected"),
    ("204 No Content\r\n\r\n", "unrequested"),
    ("205 Reset Content\r\nContent-Length: 0\r\n\r\n", "unrequested"),
    (
        "206 Partial Content\r\nContent-Type: application/json\r\nContent-Range: bytes 0-1/90\r\n\
         Content-Length: 2\r\n\r\n{}",
        "unrequested",
    ),
    ("304 Not Modified\r\nETag: \"x\"\r\n\r\n", "unrequested"),
    (
        "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1fxyz",
        "unrequested",
    ),
    ("202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "unrequested"),
];

fn no_answer(head: &str) -> ScriptedReply {
    ScriptedReply::Bytes(format!("HTTP/1.1 {head}").into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_redirect_never_replaces_a_good_answer() {
    for (head, reason) in NO_ANSWERS {
        let (server, stage, client) = play(move || no_answer(head)).await;
        let good = client.get(SECTIONS).await;
        for _ in 0..3 {
            let again = client.get(SECTIONS).await;
            assert_eq!((again.status.as_u16(), &again.body), (200, &good.body), "{head}");
            let said = again.header("cache-status");
            assert!(said.contains("; hit; "), "{head}: {said}");
            assert!(said.contains(&format!("detail=stale-on-error-{reason}")), "{head}: {said}");
            assert_eq!((again.header("location"), again.header("content-encoding")), ("", ""), "{head}");
        }
        assert_eq!(server.count("GET", SECTIONS), 4, "{head}: the server was asked each time");
        server.stop();
        stage.stop().await;
    }
}

const PICTURE: &str = "/library/metadata/1/thumb/2";

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_answers_a_read_leads_to_greenroom_and_not_past_it() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| {
        if request.target == PICTURE && request.before == 0 {
            return ScriptedReply::Bytes(answer("200 OK", "image/gif", "GIF89a;"));
        }
        let location = format!("http://{}/login", request.header("host").concat());
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        ScriptedReply::Bytes(head.into_bytes())
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "listen_base_path = \"/plex\"\n");
    let stage = stage.start().await;
    let [owner, guest] = ["token", "another"].map(|token| stage.client().with("x-plex-token", token));
    let picture = format!("/plex{PICTURE}");
    assert_eq!(owner.get(&picture).await.status, 200);
    // One of nothing that is cached, and one in place of a picture that the guest was not shown.
    for (client, target) in [(&owner, "/plex/library/sections"), (&guest, picture.as_str())] {
        let redirected = client.get(target).await;
        assert_eq!((redirected.status.as_u16(), redirected.header("location")), (302, "/plex/login"), "{target}");
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_redirect_never_replaces_a_good_picture() {
    for (head, reason) in NO_ANSWERS {
        let server = ScriptedServer::start(&TaskTracker::new(), move |request| match request.before {
            0 => ScriptedReply::Bytes(answer("200 OK", "image/gif", "GIF89a;")),
            _ => no_answer(head),
        })
        .await;
        let at_once = "[server.lifetimes.images]\nfresh_s = 0\nstale_s = 0\n";
        let url = format!("http://{}", server.address);
        let stage = GatewayConfigBuilder::new().server("home", "plex", &url, at_once).start().await;
        let client = stage.client().with("x-plex-token", "token");
        let good = client.get(PICTURE).await;
        assert_eq!(good.status, 200);
        let again = client.get(PICTURE).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &good.body), "{head}");
        let said = again.header("cache-status");
        assert!(said.contains(&format!("stale-on-error-{reason}")), "{head}: {said}");
        let status: u16 = head[..3].parse().expect("a status");
        let stranger = stage.client().with("x-plex-token", "another").get(PICTURE).await;
        assert_eq!(stranger.status, status, "{head}: a token without a grant gets what the server says");
        server.stop();
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_without_an_entry_is_reported_in_the_clients_format() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Close).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("x-plex-token", "token");
    let xml = client.get(SECTIONS).await;
    assert_eq!(xml.status, 503);
    assert!(xml.header("content-type").starts_with("text/xml"), "{}", xml.header("content-type"));
    assert!(!xml.header("retry-after").is_empty());
    let json = client.with("accept", "application/json").get(SECTIONS).await;
    assert_eq!(json.status, 503);
    json.json();
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_what_was_kept_for_it() {
    let (server, stage, client) =
        play(|| ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "<h1>401 Unauthorized</h1>"))).await;
    assert_eq!(client.get(SECTIONS).await.status, 200);
    assert_eq!(client.get(SECTIONS).await.status, 401);
    server.stop();
    let after = client.get(SECTIONS).await;
    assert!(after.status == 401 || after.status == 503, "never again the old answer: {}", after.status);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_gets_nothing_while_the_server_is_down() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(container(1))).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("accept", "application/json");
    assert_eq!(client.with("x-plex-token", "known").get(SECTIONS).await.status, 200);
    server.stop();
    let stranger = stage.client().with("accept", "application/json").with("x-plex-token", "stranger");
    assert_eq!(stranger.get(SECTIONS).await.status, 503);
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_waited_for_behind_the_older_answer() {
    let tasks = TaskTracker::new();
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = std::sync::Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request| match request.before {
        0 => ScriptedReply::Bytes(container(1)),
        _ => ScriptedReply::Held(std::sync::Arc::clone(&held), container(2)),
    })
    .await;
    let at_once = "[server.lifetimes.sections]\nfresh_s = 0\nstale_s = 0\n";
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &format!("http://{}", server.address), at_once)
        .start_at(Clock::system())
        .await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    assert_eq!(client.get(SECTIONS).await.json()["MediaContainer"]["number"], 1);
    let older = client.get(SECTIONS).await;
    assert_eq!(older.json()["MediaContainer"]["number"], 1);
    assert!(older.header("cache-status").contains("stale-on-error"), "{}", older.header("cache-status"));
    go.notify_one();
    server.stop();
    stage.stop().await;
}
