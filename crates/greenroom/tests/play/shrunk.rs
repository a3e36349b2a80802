//! Shrink guard: an empty or halved library is not accepted at once; one that really shrank is accepted in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::waiting::with_deadline;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};
use crate::outages::{gateway, json};

const ALL: &str = "/library/sections/1/all";
const AT_ONCE: &str =
    "[server.lifetimes.lists]\nfresh_s = 0\nstale_s = 0\n[server.lifetimes.sections]\nfresh_s = 0\nstale_s = 0\n";

/// A library of this many films; `usize::MAX` is a server that starts.
struct FilmLibrary {
    films: Arc<AtomicUsize>,
    scanning: Arc<AtomicUsize>,
    server: ScriptedServer,
}

impl FilmLibrary {
    async fn start(films: usize) -> (Self, GatewayFixture, TestClient) {
        let (films, scanning) = (Arc::new(AtomicUsize::new(films)), Arc::new(AtomicUsize::new(0)));
        let (now, scans) = (Arc::clone(&films), Arc::clone(&scanning));
        let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
            let body = match (request.target.starts_with(ALL), now.load(Ordering::SeqCst)) {
                (_, usize::MAX) => return ScriptedReply::Bytes(answer("503 Service Unavailable", "text/html", "")),
                (true, films) => format!(r#"{{"MediaContainer":{{"size":0,"totalSize":{films}}}}}"#),
                (false, _) => {
                    let scans = scans.load(Ordering::SeqCst) > 0;
                    format!(r#"{{"MediaContainer":{{"size":1,"Directory":[{{"key":"1","refreshing":{scans}}}]}}}}"#)
                }
            };
            ScriptedReply::Bytes(answer("200 OK", "application/json", &body))
        })
        .await;
        let stage = GatewayConfigBuilder::new()
            .server("home", "plex", &format!("http://{}", server.address), AT_ONCE)
            .start_at(Clock::system())
            .await;
        let client = json(&stage, "anna");
        (Self { films, scanning, server }, stage, client)
    }

    fn has(&self, films: usize) {
        self.films.store(films, Ordering::SeqCst);
    }

    async fn end(self, stage: GatewayFixture) {
        self.server.stop();
        stage.stop().await;
    }
}

/// Polls the list until the response fits; time passes between two requests.
async fn asked_until(
    stage: &GatewayFixture,
    client: &TestClient,
    what: &str,
    is_so: impl Fn(&TestResponse) -> bool,
) -> TestResponse {
    let asking = async {
        loop {
            let said = client.get(ALL).await;
            if is_so(&said) {
                return said;
            }
            stage.process.clock.sleep(Duration::from_millis(200)).await;
        }
    };
    with_deadline(what, asking).await
}

fn films(said: &TestResponse) -> u64 {
    said.json()["MediaContainer"]["totalSize"].as_u64().expect("a number")
}

#[tokio::test(start_paused = true)]
async fn a_library_that_comes_back_empty_or_half_is_not_believed_until_it_is_whole() {
    let (library, stage, client) = FilmLibrary::start(1000).await;
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.has(usize::MAX);
    assert_eq!(films(&client.get(ALL).await), 1000);
    for loaded in [0, 0, 480] {
        library.has(loaded);
        let before = library.server.count("GET", ALL);
        // A failure is remembered for a second.
        let is_asked = |_: &TestResponse| library.server.count("GET", ALL) > before;
        let said = asked_until(&stage, &client, "a question to the server", is_asked).await;
        assert_eq!(films(&said), 1000, "{loaded}");
        assert!(said.header("cache-status").contains("stale-on-error-doubted"), "{}", said.header("cache-status"));
    }
    assert!(gateway(&stage, 0).shrink_guard.rejected() >= 3);
    library.has(990);
    let is_believed = |said: &TestResponse| !said.header("cache-status").contains("doubted");
    let whole = asked_until(&stage, &client, "the whole library, believed", is_believed).await;
    assert_eq!(films(&whole), 990);
    library.end(stage).await;
}

/// The list as the server is asked for it once more.
async fn asked_again(library: &FilmLibrary, stage: &GatewayFixture, client: &TestClient) -> TestResponse {
    let before = library.server.count("GET", ALL);
    asked_until(stage, client, "a question to the server", |_| library.server.count("GET", ALL) > before).await
}

#[tokio::test(start_paused = true)]
async fn a_library_that_shrinks_in_steps_is_doubted_as_one_that_falls_at_once() {
    for falling in [&[150, 80, 40, 1][..], &[199, 160, 101, 100, 99], &[1, 0]] {
        let (library, stage, client) = FilmLibrary::start(200).await;
        assert_eq!(films(&client.get(ALL).await), 200);
        library.has(usize::MAX);
        assert_eq!(films(&client.get(ALL).await), 200);
        let mut shown = 200;
        for step in falling {
            library.has(*step);
            let said = asked_again(&library, &stage, &client).await;
            let is_doubted = said.header("cache-status").contains("stale-on-error-doubted");
            assert_eq!(is_doubted, *step <= 100, "{step} of {falling:?}: {}", said.header("cache-status"));
            if !is_doubted {
                shown = *step as u64;
            }
            assert_eq!(films(&said), shown, "{step} of {falling:?}");
        }
        library.has(140);
        assert_eq!(films(&asked_again(&library, &stage, &client).await), 140, "more than half of 200");
        library.end(stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn half_is_doubted() {
    let (library, stage, client) = FilmLibrary::start(1000).await;
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.has(usize::MAX);
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.has(500);
    let half = asked_again(&library, &stage, &client).await;
    assert_eq!(films(&half), 1000);
    assert!(half.header("cache-status").contains("stale-on-error-doubted"), "{}", half.header("cache-status"));
    library.has(501);
    assert_eq!(films(&asked_again(&library, &stage, &client).await), 501);
    library.end(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_without_an_entry_gets_the_server_response() {
    let (library, stage, client) = FilmLibrary::start(usize::MAX).await;
    assert_eq!(client.get(ALL).await.status, 503);
    library.has(0);
    let said = asked_until(&stage, &client, "the library", |said| said.status == 200).await;
    assert_eq!(films(&said), 0);
    library.end(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_library_that_really_shrank_is_believed_in_the_end() {
    let (library, stage, client) = FilmLibrary::start(1000).await;
    let clock = stage.process.clock.clone();
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.has(usize::MAX);
    client.get(ALL).await;
    library.has(100);
    let began_ms = clock.now_ms();
    loop {
        let said = films(&client.get(ALL).await);
        if said == 100 {
            break;
        }
        assert_eq!(said, 1000);
        assert!(clock.now_ms() < began_ms + 150_000, "it is believed after two minutes");
        clock.sleep(Duration::from_secs(1)).await;
    }
    assert!(clock.now_ms() >= began_ms + 110_000, "but not before");
    library.end(stage).await;
}

#[tokio::test(start_paused = true)]
async fn deletions_on_a_settled_server_are_accepted_at_once() {
    let (library, stage, client) = FilmLibrary::start(1000).await;
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.has(3);
    assert_eq!(films(&client.get(ALL).await), 3);
    library.end(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_library_that_halves_while_it_is_scanned_is_believed_when_the_scan_is_over() {
    let (library, stage, client) = FilmLibrary::start(1000).await;
    let clock = stage.process.clock.clone();
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.scanning.store(1, Ordering::SeqCst);
    client.get("/library/sections").await;
    library.has(200);
    assert_eq!(films(&client.get(ALL).await), 1000);
    library.scanning.store(0, Ordering::SeqCst);
    client.get("/library/sections").await;
    let ended_ms = clock.now_ms();
    while films(&client.get(ALL).await) != 200 {
        assert!(clock.now_ms() < ended_ms + 30_000, "twice the same is enough");
        clock.sleep(Duration::from_millis(200)).await;
    }
    library.end(stage).await;
}
