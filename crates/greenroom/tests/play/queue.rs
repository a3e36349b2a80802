//! One request queue per server: limited concurrency, urgent requests first, and no hanging request stops the rest.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use greenroom_cache::Clock;
use greenroom_origin::scheduler::priority::Priority;
use greenroom_origin::scheduler::slots::PriorityCounters;
use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::latency::LatencyProfile;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{until, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};

/// Permits of the server; the default.
const PLACES: u64 = 8;
/// Query of a film's auto-reload.
const EVERYTHING: &str = "includeChapters=1&includeExtras=1&includeMarkers=1&includeReviews=1&includeStreams=1";

async fn plex(options: SimulatorOptions<greenroom_simulator::plex::PlexSwitches>) -> (SimulatedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    (server, stage)
}

/// Read that is answered at once: it proves the token of the tests.
const PROOF: &str = "/library/sections";

/// A server that answers each read only on command, one at a time, and every write at once.
struct BlockingServer {
    server: ScriptedServer,
    stage: GatewayFixture,
    go: Arc<Notify>,
    tasks: TaskTracker,
}

impl BlockingServer {
    async fn play(more: &str) -> Self {
        let (tasks, go) = (TaskTracker::new(), Arc::new(Notify::new()));
        let held = Arc::clone(&go);
        let server = ScriptedServer::start(&tasks, move |request| match request.method.as_str() {
            "GET" if request.target != PROOF => ScriptedReply::Held(Arc::clone(&held), container(request.before)),
            "GET" => ScriptedReply::Bytes(container(0)),
            _ => ScriptedReply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        })
        .await;
        let url = format!("http://{}", server.address);
        let stage = GatewayConfigBuilder::new().server("home", "plex", &url, more).start().await;
        assert_eq!(app_called(&stage, "Remote").get(PROOF).await.status, 200);
        Self { server, stage, go, tasks }
    }

    fn ask(&self, app: &str, target: String) -> JoinHandle<TestResponse> {
        let client = app_called(&self.stage, app);
        self.tasks.spawn(async move { client.get(&target).await })
    }

    fn crowd(&self, app: &str, prefix: &str, count: usize) -> Vec<JoinHandle<TestResponse>> {
        (0..count).map(|number| self.ask(app, format!("{prefix}{number}"))).collect()
    }

    /// The same with tokens that are made up.
    fn strangers(&self, prefix: &str, count: usize) -> Vec<JoinHandle<TestResponse>> {
        let ask = |number: usize| {
            let client = app_called(&self.stage, "Kodi").with("x-plex-token", &format!("made-up-{number}"));
            let target = format!("{prefix}{number}");
            self.tasks.spawn(async move { client.get(&target).await })
        };
        (0..count).map(ask).collect()
    }

    fn tallies(&self) -> [PriorityCounters; Priority::EVERY.len()] {
        self.stage.process.servers[0].0.origin.queue.snapshot().priorities
    }

    fn waiting(&self) -> usize {
        self.tallies().iter().map(|tally| tally.waiting).sum()
    }

    /// Waits until this many requests are queued.
    async fn until_waiting(&self, count: usize) {
        until(|| self.waiting() == count).await;
    }

    /// Lets the server answer one read, and waits for the one that gets its permit.
    async fn turn(&self) {
        let before = self.server.received().len();
        self.go.notify_one();
        self.server.until(|server| server.received().len() > before).await;
    }

    /// Lets the server answer everything, and returns the responses.
    async fn end(self, asked: Vec<JoinHandle<TestResponse>>) -> Vec<TestResponse> {
        let answers = async {
            let mut answers = Vec::new();
            for asked in asked {
                while !asked.is_finished() {
                    self.go.notify_waiters();
                    tokio::task::yield_now().await;
                }
                answers.push(asked.await.expect("it did not panic"));
            }
            answers
        };
        let answers = with_deadline("nobody is forgotten", answers).await;
        assert!(self.tallies().iter().all(|tally| tally.waiting + tally.in_flight == 0));
        self.server.stop();
        self.stage.stop().await;
        answers
    }
}

fn app_called(stage: &GatewayFixture, app: &str) -> TestClient {
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    client.with("x-plex-product", app)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_115_reloads_never_exceeds_the_places_and_all_are_answered() {
    let size = CatalogueSize { films: 150, ..CatalogueSize::tiny() };
    let latency = LatencyProfile::uniform(Duration::from_millis(5));
    let (server, stage) = plex(SimulatorOptions { size, latency, ..SimulatorOptions::quick() }).await;
    let client = stage.client().with("x-plex-token", server.tokens().owner_a());
    let client = client.with("accept", "application/json").with("x-plex-product", "PlexAPI");
    let list = client.get("/library/sections/1/all").await.json();
    let films = list["MediaContainer"]["Metadata"].as_array().expect("films");
    let films: Vec<&str> = films.iter().take(115).map(|film| film["ratingKey"].as_str().expect("a key")).collect();
    assert_eq!(films.len(), 115);
    server.request_log().reset();
    let reloads = films.iter().map(|film| {
        let client = client.clone();
        async move { client.get(&format!("/library/metadata/{film}?{EVERYTHING}")).await }
    });
    let answers = join_all(reloads).await;
    for (film, answer) in films.iter().zip(&answers) {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["MediaContainer"]["Metadata"][0]["ratingKey"], *film);
    }
    let most = server.request_log().max_in_flight();
    assert!((2..=PLACES).contains(&most), "{most} at once");
    assert_eq!(server.request_log().total(), 115, "each was asked once");
    let tallies = stage.process.servers[0].0.origin.queue.snapshot().priorities;
    let waited: u64 = tallies.iter().map(|tally| tally.waited).sum();
    assert!(waited > 50, "most had to wait: {tallies:?}");
    assert!(tallies.iter().all(|tally| tally.refused + tally.timed_out == 0), "{tallies:?}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interactive_reads_are_served_between_those_of_a_bulk_reader() {
    let held = BlockingServer::play("upstream_concurrency = 4").await;
    let mut asked = held.crowd("Collector", "/library/metadata/1", 100);
    held.until_waiting(98).await;
    let bulk = held.tallies()[Priority::Bulk as usize].waiting;
    assert!(bulk >= 70, "after a few reads it is known as a bulk reader: {bulk}");
    for number in 0..5 {
        asked.push(held.ask("Remote", format!("/library/metadata/9{number}0000")));
    }
    held.until_waiting(103).await;
    for _ in 0..10 {
        held.turn().await;
    }
    assert_eq!(held.server.count("GET", "/library/metadata/9"), 5, "every second turn is the other app's");
    let answers = held.end(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_answered_while_a_bulk_reader_has_hundreds_waiting() {
    let held = BlockingServer::play("upstream_concurrency = 4").await;
    let mut asked = held.crowd("Collector", "/library/metadata/1", 200);
    held.until_waiting(198).await;
    asked.push(held.ask("Widget", "/status/sessions".into()));
    // It gets a permit at once.
    held.server.until(|server| server.count("GET", "/status/sessions") == 1).await;
    assert_eq!(held.waiting(), 198, "none of the others moved");
    held.end(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_passes_a_queue_full_of_reads_that_hang() {
    let held = BlockingServer::play("upstream_concurrency = 4").await;
    let mut asked = held.crowd("Collector", "/library/metadata/1", 40);
    asked.extend(held.crowd("Collector", "/library/sections/", 40));
    held.until_waiting(77).await;
    let rate = "/:/rate?identifier=com.plexapp.plugins.library&key=1&rating=5";
    let client = app_called(&held.stage, "Remote");
    let writes = (0..10).map(|_| client.send(Method::PUT, rate, ""));
    let writes = with_deadline("no write waits for a read", join_all(writes)).await;
    assert!(writes.iter().all(|answer| answer.status == 200));
    assert_eq!(held.waiting(), 77);
    held.end(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_hangs_does_not_stop_another() {
    let (server, stage) = plex(SimulatorOptions::quick()).await;
    let client = app_called(&stage, "Remote").with("x-plex-token", server.tokens().owner_a());
    assert_eq!(client.get(PROOF).await.status, 200);
    server.request_log().reset();
    server.faults().set_for("/library/metadata", Fault::Hang);
    let tasks = TaskTracker::new();
    let hung: Vec<JoinHandle<TestResponse>> = (1..=30)
        .map(|film| {
            let client = client.clone();
            tasks.spawn(async move { client.get(&format!("/library/metadata/{film}")).await })
        })
        .collect();
    with_deadline("half of the places hang", server.request_log().wait_for_total(PLACES / 2)).await;
    for target in ["/library/sections", "/status/sessions", "/library/sections/1/all", "/playlists"] {
        let answer = client.get(target).await;
        assert_eq!(answer.status, 200, "{target}");
    }
    assert_eq!(server.request_log().in_flight(), PLACES / 2);
    server.faults().clear();
    for hung in hung {
        assert!(matches!(hung.await.expect("it did not panic").status.as_u16(), 200 | 404));
    }
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_a_full_queue_are_rejected_at_once_and_counted() {
    let held = BlockingServer::play("upstream_concurrency = 2\nmax_waiting = 5").await;
    let asked = held.crowd("Remote", "/library/metadata/1", 6);
    held.until_waiting(5).await;
    let client = app_called(&held.stage, "Remote");
    let refused = client.get("/library/metadata/99").await;
    assert_eq!(refused.status, 503);
    assert!(!refused.header("retry-after").is_empty());
    refused.json();
    let xml = client.without("accept").get("/library/metadata/98").await;
    assert_eq!((xml.status.as_u16(), xml.header("retry-after").is_empty()), (503, false));
    assert!(xml.header("content-type").starts_with("text/xml"), "{}", xml.header("content-type"));
    let control = TestClient::new(held.stage.process.control);
    let shown = control.get("/api/v1/cache/stats").await.json();
    let queue = &shown["servers"][0]["queue"];
    assert_eq!(
        (queue["places"].as_u64(), queue["busy"].as_u64(), queue["waiting"].as_u64()),
        (Some(2), Some(1), Some(5))
    );
    assert_eq!(queue["ranks"][Priority::Interactive as usize]["refused"], 2, "{queue}");
    assert_eq!(shown["apps"][0]["waiting"], 5, "{}", shown["apps"]);
    let metrics = control.get("/metrics").await.text();
    let line = "greenroom_queue_refused_total{server=\"home\",rank=\"interactive\"} 2";
    assert!(metrics.lines().any(|other| other == line), "{metrics}");
    let answers = held.end(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "who waited was served");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_never_has_more_than_twice_the_places_under_way() {
    let tasks = TaskTracker::new();
    let server = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let more = "upstream_concurrency = 4\nload_timeout_s = 2";
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), more).start_at(Clock::system()).await;
    let client = app_called(&stage, "Remote").with("x-plex-token", server.tokens().owner_a());
    server.faults().set_for("/library/metadata", Fault::Hang);
    let queue = Arc::clone(&stage.process.servers[0].0.origin.queue);
    let asking = async {
        for round in 0.. {
            let sight = queue.snapshot();
            assert!(sight.detached <= sight.limits.slots, "{sight:?}");
            if sight.abandoned >= 6 {
                return;
            }
            let films = (0..6).map(|film| 100 + round * 6 + film);
            let answers = films.map(|film| {
                let client = client.clone();
                async move { client.get(&format!("/library/metadata/{film}")).await }
            });
            assert!(join_all(answers).await.iter().all(|answer| answer.status == 503));
        }
    };
    with_deadline("some are given up", asking).await;
    let most = server.request_log().max_in_flight();
    assert!((5..=8).contains(&most), "{most} at once");
    server.faults().clear();
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_tokens_wait_behind_everybody() {
    let held = BlockingServer::play("upstream_concurrency = 4").await;
    let mut asked = held.strangers("/library/metadata/1", 20);
    held.until_waiting(19).await;
    let strangers = held.tallies()[Priority::Stranger as usize];
    assert_eq!((strangers.in_flight, strangers.waiting), (1, 19), "one read of each type is for others");
    let targets = ["/library/sections/7/all", "/hubs/sections/7", "/playlists/7/items", "/status/sessions"];
    asked.extend(targets.map(|target| held.ask("Remote", target.to_owned())));
    // All reads together may have three of the four places.
    held.until_waiting(21).await;
    let control = TestClient::new(held.stage.process.control);
    let metrics = control.get("/metrics").await.text();
    let line = "greenroom_queue_waiting{server=\"home\",rank=\"stranger\"} 19";
    assert!(metrics.lines().any(|other| other == line), "{metrics}");
    // One grant in eight goes to a stranger.
    let mut turns = 0;
    while targets.iter().any(|target| held.server.count("GET", target) == 0) {
        held.turn().await;
        turns += 1;
        assert!(turns <= 4, "{turns}");
    }
    held.end(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_tokens_never_fill_the_queue_for_others() {
    let held = BlockingServer::play("upstream_concurrency = 2\nmax_waiting = 5").await;
    let mut asked = held.strangers("/library/metadata/1", 6);
    held.until_waiting(5).await;
    asked.push(held.ask("Remote", "/library/sections/7/all".to_owned()));
    until(|| held.tallies()[Priority::Stranger as usize].refused == 1).await;
    let answers = held.end(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 1);
    assert_eq!(answers[6].status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_cached_waits_like_a_read_and_a_range_changes_nothing() {
    let held = BlockingServer::play("upstream_concurrency = 4").await;
    let mut asked = Vec::new();
    for target in ["/nonsense", "/playQueues/1", "/library/sections/1/all?password=abc", "/myplex/account"] {
        asked.push(held.ask("Remote", target.to_owned()));
    }
    held.until_waiting(2).await;
    let ranged = app_called(&held.stage, "Remote").with("range", "bytes=0-99");
    let ranged = ["/nonsense?page=2", "/library/metadata/1", "/library/metadata/2"].map(|target| {
        let client = ranged.clone();
        held.tasks.spawn(async move { client.get(target).await })
    });
    held.until_waiting(4).await;
    // All reads together may have three places.
    held.server.until(|server| server.count("GET", "/library/metadata/") == 1).await;
    asked.extend(ranged);
    let answers = held.end(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

/// A log-in has no type of its own: it shares the places of all requests that are never cached.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_is_answered_while_made_up_tokens_wait() {
    for hung in ["/Items?limit=", "/Nonsense/"] {
        let go = Arc::new(Notify::new());
        let (held, tasks) = (Arc::clone(&go), TaskTracker::new());
        let server = ScriptedServer::start(&tasks, move |request| match request.method.as_str() {
            "GET" if request.target.starts_with(hung) => {
                ScriptedReply::Held(Arc::clone(&held), answer("401 No", "text/plain", ""))
            }
            _ => ScriptedReply::Bytes(answer("200 OK", "application/json", "{}")),
        })
        .await;
        let (url, places) = (format!("http://{}", server.address), "upstream_concurrency = 4");
        let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &url, places).start().await;
        let strangers = (1..=20).map(|number| {
            let client = stage.client().with("x-emby-token", &format!("made-up-{number}"));
            tasks.spawn(async move { client.get(&format!("{hung}{number}")).await })
        });
        let strangers: Vec<_> = strangers.collect();
        let queue = Arc::clone(&stage.process.servers[0].0.origin.queue);
        until(|| queue.snapshot().priorities[Priority::Stranger as usize].waiting == 19).await;
        let log_in = stage.client().with("content-type", "application/json");
        let log_in = log_in.send(Method::POST, "/Users/AuthenticateByName", "{\"Username\":\"a\",\"Pw\":\"b\"}");
        assert_eq!(with_deadline("a log-in waits for no stranger", log_in).await.status, 200, "{hung}");
        for stranger in strangers {
            while !stranger.is_finished() {
                go.notify_waiters();
                tokio::task::yield_now().await;
            }
            assert_eq!(stranger.await.expect("it did not panic").status, 401);
        }
        server.stop();
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_arrives_slowly_holds_no_permit() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(answer("200 OK", "application/json", "{}")));
    let server = server.await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &url, "upstream_concurrency = 2").start().await;
    let mut half_sent = Vec::new();
    for _ in 0..8 {
        let mut raw = stage.raw().await;
        let head = "POST /Users/AuthenticateByName HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        raw.send(&format!("{head}Content-Length: 26\r\n\r\n{{\"Username\"")).await;
        half_sent.push(raw);
    }
    let log_in = stage.client().with("content-type", "application/json");
    let log_in = log_in.send(Method::POST, "/Users/AuthenticateByName", "{\"Username\":\"a\",\"Pw\":\"b\"}");
    assert_eq!(with_deadline("a log-in waits for no body of another", log_in).await.status, 200);
    assert_eq!(server.count("POST", "/Users/AuthenticateByName"), 1, "the others are not sent before they are whole");
    drop(half_sent);
    server.stop();
    stage.stop().await;
}

/// Method, target and headers of a request.
type ScriptedRequest = (Method, String, Vec<(&'static str, String)>);

/// Requests of every kind that was once sent past the queue.
fn past_the_queue(kind: &str, number: usize) -> Vec<ScriptedRequest> {
    let get = |target: String, headers: Vec<(&'static str, String)>| (Method::GET, target, headers);
    let made_up = format!("made-up-token-{number}");
    let range = vec![("range", format!("bytes=0-{number}"))];
    let upgrade = vec![("connection", "Upgrade".to_owned()), ("upgrade", "websocket".to_owned())];
    if kind == "plex" {
        vec![
            get(format!("/nonsense/{number}"), vec![]),
            get(format!("/nonsense/ranged/{number}"), range.clone()),
            get(format!("/library/sections/1/all?type=1&type={number}"), vec![]),
            get(format!("/library/sections/1/all?X-Plex-Container-Size={number}"), range),
            get(format!("/library/metadata/{number}"), vec![("x-plex-token", made_up)]),
            get(format!("/playQueues/{number}"), vec![]),
            get(format!("/myplex/{number}"), vec![]),
            get(format!("/nonsense/socket/{number}"), upgrade),
            get(format!("/activities?x={number}"), vec![("accept", "text/event-stream".to_owned())]),
        ]
    } else {
        vec![
            get(format!("/Nonsense/{number}"), vec![]),
            get(format!("/Nonsense/Ranged/{number}"), range.clone()),
            get(format!("/Items?limit=1&limit={number}"), vec![]),
            get(format!("/Items?limit={number}"), range),
            get(format!("/Items?startIndex={number}"), vec![("x-emby-token", made_up)]),
            (Method::POST, format!("/Items/{number}/PlaybackInfo"), vec![]),
            get(format!("/System/Ping?x={number}"), vec![]),
            get(format!("/Nonsense/Socket/{number}"), upgrade),
        ]
    }
}

/// Sends those requests all at once, and returns the maximum that the server had at a time.
async fn most_at_once(kind: &str, server: &SimulatedServer, stage: &GatewayFixture) -> u64 {
    let token = if kind == "plex" { "x-plex-token" } else { "x-emby-token" };
    let client = stage.client().with(token, server.tokens().owner_a()).with("accept", "application/json");
    let asked = (0..20).flat_map(|number| past_the_queue(kind, number)).map(|(method, target, headers)| {
        let client = headers.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
        async move { client.send(method, &target, "").await }
    });
    server.request_log().reset();
    let answers = with_deadline("all are answered", join_all(asked)).await;
    assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
    assert!(server.request_log().total() >= 120, "nearly all reached the server: {}", server.request_log().total());
    server.request_log().max_in_flight()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_streams_exceeds_the_places() {
    let latency = LatencyProfile::uniform(Duration::from_millis(10));
    let (server, stage) = plex(SimulatorOptions { latency, ..SimulatorOptions::quick() }).await;
    let most = most_at_once("plex", &server, &stage).await;
    assert!((2..=PLACES).contains(&most), "{most} at once");
    stage.stop().await;
    server.stop().await;
    let (address, tasks) = ("127.0.0.1:0".parse().expect("an address"), TaskTracker::new());
    let options = SimulatorOptions { latency, ..SimulatorOptions::quick() };
    let server = Jellyfin::new(options).start(address, &tasks).await.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), "").start().await;
    let most = most_at_once("jellyfin", &server, &stage).await;
    assert!((2..=PLACES).contains(&most), "{most} at once");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_have_a_bound_of_their_own() {
    let (tasks, go) = (TaskTracker::new(), Arc::new(Notify::new()));
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request| {
        if request.target.starts_with("/library/parts") {
            ScriptedReply::Held(Arc::clone(&held), answer("200 OK", "video/mp4", "film"))
        } else {
            ScriptedReply::Bytes(container(1))
        }
    })
    .await;
    let url = format!("http://{}", server.address);
    let bounds = "max_streams = 3\nmax_streams_unproven = 2\nupstream_concurrency = 2";
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, bounds).start().await;
    let limits = &stage.process.servers[0].0.limits;
    let client = app_called(&stage, "Remote");
    assert_eq!(client.get("/library/sections").await.status, 200);
    let play = |client: &TestClient, number: usize| {
        let client = client.clone();
        tasks.spawn(async move { client.get(&format!("/library/parts/{number}/1/film.mp4")).await })
    };
    let stranger = client.with("x-plex-token", "made-up");
    let mut played = vec![play(&stranger, 1), play(&stranger, 2)];
    until(|| limits.unproven_streams.in_use() == 2).await;
    assert_eq!(stranger.get("/library/parts/3/1/film.mp4").await.status, 503);
    played.push(play(&client, 4));
    until(|| limits.streams.in_use() == 3).await;
    let refused = client.get("/library/parts/5/1/film.mp4").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after").is_empty()), (503, false));
    assert_eq!(client.get("/library/metadata/1").await.status, 200, "reads go on");
    let metrics = TestClient::new(stage.process.control).get("/metrics").await.text();
    for limit in ["streams", "streams-unproven"] {
        let line = format!("greenroom_client_limits_reached_total{{server=\"home\",limit=\"{limit}\"}} 1");
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
    }
    for played in played {
        while !played.is_finished() {
            go.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(played.await.expect("it did not panic").status, 200);
    }
    until(|| limits.streams.in_use() + limits.unproven_streams.in_use() == 0).await;
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_no_address_takes_all_places_for_streams() {
    let (tasks, go) = (TaskTracker::new(), Arc::new(Notify::new()));
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request| {
        if request.target.starts_with("/library/parts") {
            ScriptedReply::Held(Arc::clone(&held), answer("200 OK", "video/mp4", "film"))
        } else {
            ScriptedReply::Bytes(container(1))
        }
    })
    .await;
    let url = format!("http://{}", server.address);
    let bounds = "max_streams_per_identity = 2\nmax_streams_unproven_per_peer = 1";
    let stage = GatewayConfigBuilder::new().top("trusted_proxies = [\"127.0.0.1\"]");
    let stage = stage.server("home", "plex", &url, bounds).start().await;
    let limits = &stage.process.servers[0].0.limits;
    let [anna, bert] = ["anna", "bert"].map(|token| app_called(&stage, "Remote").with("x-plex-token", token));
    for known in [&anna, &bert] {
        assert_eq!(known.get("/library/sections").await.status, 200);
    }
    let film = |number: usize| format!("/library/parts/{number}/1/film.mp4");
    let play = |client: &TestClient, number: usize| {
        let client = client.clone();
        tasks.spawn(async move { client.get(&film(number)).await })
    };
    let mut played = vec![play(&anna, 1), play(&anna, 2)];
    until(|| limits.streams.in_use() == 2).await;
    assert_eq!(anna.get(&film(3)).await.status, 503);
    played.push(play(&bert, 4));
    until(|| limits.streams.in_use() == 3).await;
    let stranger = |token: &str, address: &str| anna.with("x-plex-token", token).with("x-forwarded-for", address);
    played.push(play(&stranger("made-up", "192.168.1.7"), 5));
    until(|| limits.unproven_streams.in_use() == 1).await;
    assert_eq!(stranger("another", "192.168.1.7").get(&film(6)).await.status, 503);
    played.push(play(&stranger("another", "192.168.1.8"), 7));
    until(|| limits.unproven_streams.in_use() == 2).await;
    let metrics = TestClient::new(stage.process.control).get("/metrics").await.text();
    for limit in ["streams-per-identity", "streams-unproven"] {
        let line = format!("greenroom_client_limits_reached_total{{server=\"home\",limit=\"{limit}\"}} 1");
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
    }
    for played in played {
        while !played.is_finished() {
            go.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(played.await.expect("it did not panic").status, 200);
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_too_long_to_be_cached_passes_as_a_stream() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| {
        let length = 1_u64 << 30;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        match request.target.as_str() {
            "/library/sections" => ScriptedReply::Bytes(container(1)),
            _ => ScriptedReply::Flood(head.into_bytes(), length),
        }
    })
    .await;
    let url = format!("http://{}", server.address);
    let bounds = "max_streams = 1\nmax_body_bytes = 65536";
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, bounds).start().await;
    let limits = &stage.process.servers[0].0.limits;
    let client = app_called(&stage, "Remote");
    assert_eq!(client.get("/library/sections").await.status, 200);
    let mut raw = stage.raw().await;
    raw.send("GET /library/sections/1/all HTTP/1.1\r\nHost: x\r\nX-Plex-Token: token\r\n\r\n").await;
    assert!(raw.some(1).await > 0, "it begins");
    until(|| limits.streams.in_use() == 1).await;
    let refused = client.get("/library/sections/2/all").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after").is_empty()), (503, false));
    assert!(limits.counters.counts().contains(&("streams", 1)));
    drop(raw);
    until(|| limits.streams.in_use() == 0).await;
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_gives_its_permit_back_though_there_is_no_place_for_a_stream() {
    let (tasks, go) = (TaskTracker::new(), Arc::new(Notify::new()));
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request| match request.target.as_str() {
        "/library/parts/1/1/film.mp4" => ScriptedReply::Held(Arc::clone(&held), answer("200 OK", "video/mp4", "film")),
        "/nonsense/long" => {
            let length = 1_u64 << 30;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
            ScriptedReply::Flood(head.into_bytes(), length)
        }
        _ => ScriptedReply::Bytes(container(1)),
    })
    .await;
    let url = format!("http://{}", server.address);
    let bounds = "max_streams = 1\nload_timeout_s = 1";
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, bounds).start().await;
    let gateway = Arc::clone(&stage.process.servers[0].0);
    let busy = || gateway.origin.queue.snapshot().priorities.iter().map(|tally| tally.in_flight).sum::<usize>();
    let client = app_called(&stage, "Remote");
    assert_eq!(client.get("/library/sections").await.status, 200);
    let film = tasks.spawn(async move { client.get("/library/parts/1/1/film.mp4").await });
    until(|| gateway.limits.streams.in_use() == 1).await;
    let mut raw = stage.raw().await;
    raw.send("GET /nonsense/long HTTP/1.1\r\nHost: x\r\nX-Plex-Token: token\r\n\r\n").await;
    assert!(raw.some(1).await > 0, "it begins");
    until(|| busy() == 0).await;
    let reached = gateway.limits.counters.counts();
    assert!(reached.contains(&("streams", 1)), "it ended because there is no place, not because the client is slow");
    assert_eq!(gateway.limits.streams.in_use(), 1, "the film goes on");
    while !film.is_finished() {
        go.notify_waiters();
        tokio::task::yield_now().await;
    }
    assert_eq!(film.await.expect("it did not panic").status, 200);
    drop(raw);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_of_an_unknown_path_becomes_a_stream_and_a_short_one_holds_its_permit() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        let length = if request.target == "/nonsense/long" { 1_u64 << 30 } else { 50_000 };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
        match request.target.as_str() {
            "/nonsense/short" => ScriptedReply::Bytes(format!("{head}half").into_bytes()),
            "/nonsense/long" => ScriptedReply::Flood(head.into_bytes(), length),
            _ => ScriptedReply::Bytes(container(1)),
        }
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "").start().await;
    let gateway = &stage.process.servers[0].0;
    let busy = || gateway.origin.queue.snapshot().priorities.iter().map(|tally| tally.in_flight).sum::<usize>();
    assert_eq!(app_called(&stage, "Remote").get("/library/sections").await.status, 200);
    for (target, permits, streams) in [("/nonsense/short", 1, 0), ("/nonsense/long", 0, 1)] {
        let mut raw = stage.raw().await;
        raw.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: token\r\n\r\n")).await;
        assert!(raw.some(1).await > 0, "it begins");
        until(|| (busy(), gateway.limits.streams.in_use()) == (permits, streams)).await;
        drop(raw);
        until(|| (busy(), gateway.limits.streams.in_use()) == (0, 0)).await;
    }
    server.stop();
    stage.stop().await;
}

/// The server's bytes of a body in chunks, before the last chunk.
fn in_chunks(length: usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n";
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n", "x".repeat(length)).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncached_read_of_unknown_length_is_a_stream_only_once_it_is_long() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| match request.target.as_str() {
        "/library/sections" => ScriptedReply::Bytes(container(1)),
        "/library/sections/1/all" => ScriptedReply::Bytes(in_chunks(65_537)),
        "/library/sections/3/all" => ScriptedReply::Last(in_chunks(50_000)),
        _ => ScriptedReply::Bytes([in_chunks(65_536), b"0\r\n\r\n".to_vec()].concat()),
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "max_streams = 1").start().await;
    let limits = &stage.process.servers[0].0.limits;
    let client = app_called(&stage, "Remote");
    assert_eq!(client.get("/library/sections").await.status, 200);
    let mut raw = stage.raw().await;
    raw.send("GET /library/sections/1/all HTTP/1.1\r\nHost: x\r\nX-Plex-Token: token\r\n\r\n").await;
    assert!(raw.some(1).await > 0, "it begins");
    until(|| limits.streams.in_use() == 1).await;
    let short = client.get("/library/sections/2/all").await;
    assert_eq!((short.status.as_u16(), short.body.len()), (200, 65_536), "it needs no place, and there is none");
    assert_eq!(client.get("/library/sections/3/all").await.status, 502, "one that is cut off is none");
    assert!(limits.counters.counts().contains(&("streams", 0)));
    drop(raw);
    until(|| limits.streams.in_use() == 0).await;
    server.stop();
    stage.stop().await;
}
