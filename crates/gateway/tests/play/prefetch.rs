//! What an app is likely to ask next is there when it asks: learnt from itself, loaded when its answer has left, and never
//! at anybody's cost.

use std::sync::Arc;
use std::time::Duration;

use crate::stage::scripted::{Arrived, Reply, Scripted, answer};
use crate::stage::{Client, Script, Stage};
use greenroom::server::Server;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

const ON: &str = "[server.prefetch]\nenabled = true\n";

/// A Plex with shows 1 to 9, whose seasons are 10 times that and the next two, of which each has two episodes.
fn plex(request: &Arrived) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let rows = match parts[..] {
        ["library", "metadata", id, "children"] => {
            let id: u32 = id.parse().unwrap_or_default();
            let (kind, first, count) = if id < 10 { ("season", id * 10, 3) } else { ("episode", id * 10, 2) };
            (first..first + count).map(|child| row(kind, child)).collect()
        }
        ["library", "metadata", id] => vec![row("show", id.parse().unwrap_or_default())],
        _ => (1..9).map(|id| row("show", id)).collect::<Vec<_>>(),
    };
    if parts.contains(&"thumb") {
        let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,scan\x00;";
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: {}\r\n\r\n", gif.len());
        return [head.as_bytes(), gif].concat();
    }
    answer(
        "200 OK",
        "application/json",
        &format!(r#"{{"MediaContainer":{{"Metadata":[{}]}}}}"#, rows.join(",")),
    )
}

fn row(kind: &str, id: u32) -> String {
    format!(r#"{{"ratingKey":"{id}","type":"{kind}","thumb":"/library/metadata/{id}/thumb/9"}}"#)
}

fn children(id: u32) -> String {
    format!("/library/metadata/{id}/children?excludeAllLeaves=1")
}

async fn stage(server: &Scripted, more: &str) -> Stage {
    Script::new().server("home", "plex", &format!("http://{}", server.address), more).start().await
}

fn app(stage: &Stage, token: &str) -> Client {
    let client = stage.client().with("x-plex-token", token).with("accept", "application/json");
    client.with("x-plex-product", "Kodi")
}

/// Opens a show and the first of its seasons, so that it is known how the app does that.
async fn teach(client: &Client) {
    assert_eq!(client.get(&children(1)).await.status, 200);
    assert_eq!(client.get(&children(10)).await.status, 200);
}

fn server(stage: &Stage) -> Arc<Server> {
    Arc::clone(&stage.process.servers[0].0)
}

/// Waits until what is counted of the prefetch is as wanted.
async fn until(stage: &Stage, holds: impl Fn(&Server) -> bool) {
    let server = server(stage);
    let waiting = async {
        while !holds(&server) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| {
        panic!("it never came to that: {:?}", server.prefetch.tally.counted());
    });
}

fn skipped(server: &Server, why: &str) -> u64 {
    let counted = server.prefetch.tally.counted();
    counted.skipped.iter().find(|(reason, _)| *reason == why).map_or(0, |(_, count)| *count)
}

fn loaded(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.ahead_loads).sum()
}

fn useful(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.ahead_useful).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_season_of_the_next_show_is_there_when_it_is_opened() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    assert_eq!(upstream.count("GET", "/library/metadata/20/children"), 1);
    let arrived = upstream.take();
    let ahead = arrived.last().expect("something arrived");
    assert_eq!(ahead.target, children(20), "in the words of the app");
    assert_eq!(ahead.header("x-plex-token"), ["token-of-anna"]);
    let opened = client.get(&children(20)).await;
    assert!(opened.was_hit(), "{}", opened.header("cache-status"));
    assert!(upstream.take().is_empty(), "nothing else was loaded: the app opens only the first season");
    assert_eq!(useful(&server(&stage)), 1);
    let figures = stage.control().get("/api/v1/cache/stats").await.json();
    let counted = &figures["servers"][0];
    assert_eq!((&counted["prefetch"]["started"], &counted["own"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(counted["saved"], 1, "a prefetch is no request of an app's");
    let classes = figures["classes"].as_array().expect("a list");
    let item = classes.iter().find(|class| class["class"] == "item").expect("it is there");
    assert_eq!((&item["hits"], &item["misses"], &item["ahead_useful"]), (&1.into(), &3.into(), &1.into()));
    let metrics = stage.control().get("/metrics").await.text();
    assert!(metrics.contains("greenroom_prefetch_started_total{server=\"home\"} 1"), "{metrics}");
    assert!(
        metrics.contains("greenroom_prefetch_skipped_total{server=\"home\",reason=\"busy\"} 0"),
        "{metrics}"
    );
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_off() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, "[server.prefetch]\nenabled = false\n").await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    for show in 2..9 {
        client.get(&children(show)).await;
    }
    assert_eq!(upstream.arrived().len(), 9);
    assert_eq!(server(&stage).counters.own.load(std::sync::atomic::Ordering::Relaxed), 0);
    // All that was started has to have ended; then nothing can come any more.
    stage.down().await;
    assert_eq!(upstream.arrived().len(), 9, "as many as the app made");
    upstream.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_is_left_out_is_not_loaded() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, "[server.prefetch]\nenabled = true\nclasses = [\"images\"]\n").await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get("/library/metadata/10/thumb/9").await;
    client.get("/library/metadata/11/thumb/9").await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    assert_eq!(upstream.count("GET", "/library/metadata/20/children"), 0);
    for season in [20, 21] {
        let picture = client.get(&format!("/library/metadata/{season}/thumb/9")).await;
        assert!(picture.was_hit(), "{}", picture.header("cache-status"));
    }
    assert_eq!(useful(&server(&stage)), 2);
    upstream.stop();
    stage.down().await;
}

/// What another token would be shown is nobody's guess, and what one app does is not what another does.
#[tokio::test(flavor = "multi_thread")]
async fn another_identity_or_app_gets_nothing_from_it() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let (anna, bert) = (app(&stage, "token-of-anna"), app(&stage, "token-of-bert"));
    let other = anna.with("x-plex-product", "Dashboard");
    teach(&anna).await;
    anna.get("/library/metadata/10/thumb/9").await;
    other.get(&children(3)).await;
    bert.get(&children(4)).await;
    anna.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    for season in [30, 40] {
        assert_eq!(upstream.count("GET", &children(season)), 0, "nothing is known of these");
    }
    let (page, picture) = (children(20), "/library/metadata/20/thumb/9");
    for target in [page.as_str(), picture] {
        let arrived = upstream.arrived();
        let ahead = arrived.iter().find(|one| one.target == target).expect("it was loaded ahead");
        assert_eq!(ahead.header("x-plex-token"), ["token-of-anna"]);
        let asked = bert.get(target).await;
        assert!(!asked.was_hit(), "{target}: {}", asked.header("cache-status"));
        let arrived = upstream.arrived();
        let own = arrived.iter().rfind(|one| one.target == target).expect("it arrived");
        assert_eq!(own.header("x-plex-token"), ["token-of-bert"], "the server was asked on his own behalf");
        assert!(anna.get(target).await.was_hit());
    }
    upstream.stop();
    stage.down().await;
}

/// The server sends the seasons only when told; until then, and until the client has read them to the last byte,
/// nothing may be asked ahead.
#[tokio::test(flavor = "multi_thread")]
async fn it_begins_only_when_the_answer_has_left() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let upstream = Scripted::start(&tasks, move |request| {
        if request.target == children(2) {
            // Longer than what the machine buffers between the two ends of a connection.
            let padding = " ".repeat(400 * 1024);
            let rows = [20, 21].map(|id| row("season", id)).join(",");
            let body = format!(r#"{{"MediaContainer":{{"Metadata":[{rows}]}}{padding}}}"#);
            return Reply::Held(Arc::clone(&held), answer("200 OK", "application/json", &body));
        }
        Reply::Bytes(plex(request))
    })
    .await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let asking = {
        let (client, order) = (client.clone(), Arc::clone(&order));
        async move {
            assert_eq!(client.get(&children(2)).await.status, 200);
            order.lock().push("answered");
        }
    };
    let ahead = {
        let (upstream, order) = (&upstream, Arc::clone(&order));
        async move {
            upstream.until(|upstream| upstream.count("GET", &children(2)) == 1).await;
            assert_eq!(upstream.count("GET", &children(20)), 0);
            go.notify_one();
            upstream.until(|upstream| upstream.count("GET", &children(20)) == 1).await;
            order.lock().push("ahead");
        }
    };
    tokio::join!(asking, ahead);
    assert_eq!(upstream.arrived().last().expect("it arrived").target, children(20));
    assert_eq!(order.lock().len(), 2);
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_somebody_waits_for_is_left_alone() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let upstream = Scripted::start(&tasks, move |request| {
        if request.target.starts_with("/hubs") {
            return Reply::Held(Arc::clone(&held), plex(request));
        }
        Reply::Bytes(plex(request))
    })
    .await;
    let stage = stage(&upstream, &format!("upstream_concurrency = 8\n{ON}")).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    // Hubs may hold four places; the fifth waits.
    let waiting: Vec<_> = (1..6)
        .map(|section| {
            let client = client.clone();
            tasks.spawn(async move { client.get(&format!("/hubs/sections/{section}")).await.status })
        })
        .collect();
    until(&stage, |server| server.queue.sight().tallies.iter().any(|tally| tally.waiting == 1)).await;
    client.get(&children(3)).await;
    until(&stage, |server| skipped(server, "busy") == 1).await;
    assert_eq!(upstream.count("GET", &children(30)), 0);
    let release = async {
        loop {
            go.notify_one();
            tokio::task::yield_now().await;
        }
    };
    let ended = async {
        for waiting in waiting {
            assert_eq!(waiting.await.expect("it ends"), 200);
        }
    };
    tokio::select! {
        () = ended => {}
        () = release => {}
    }
    client.get(&children(4)).await;
    until(&stage, |server| loaded(server) == 2).await;
    assert_eq!(upstream.count("GET", &children(40)), 1, "and afterwards it goes on");
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_error_stops_the_round_and_makes_a_pause() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let upstream = Scripted::start(&tasks, move |request| {
        if request.target == children(20) {
            Reply::Bytes(answer("500 Internal Server Error", "text/plain", "no"))
        } else if request.target == children(21) {
            Reply::Held(Arc::clone(&held), plex(request))
        } else {
            Reply::Bytes(plex(request))
        }
    })
    .await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    client.get(&children(1)).await;
    for season in 10..13 {
        client.get(&children(season)).await;
    }
    client.get(&children(2)).await;
    until(&stage, |server| server.prefetch.tally.counted().failed == 1).await;
    upstream.until(|upstream| upstream.count("GET", &children(21)) == 1).await;
    go.notify_one();
    until(&stage, |server| skipped(server, "stopped") == 1).await;
    assert_eq!(upstream.count("GET", &children(22)), 0, "the last of three was never asked");
    client.get(&children(3)).await;
    until(&stage, |server| skipped(server, "paused") == 3).await;
    assert_eq!(upstream.count("GET", &children(30)), 0);
    let opened = client.get(&children(30)).await;
    assert_eq!((opened.status.as_u16(), opened.was_hit()), (200, false), "clients are not paused");
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_and_a_count_bound_it() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let more = "[server.prefetch]\nenabled = true\nmax_per_answer = 2\nbudget_per_minute = 3\n";
    let stage = stage(&upstream, more).await;
    let client = app(&stage, "token-of-anna");
    client.get(&children(1)).await;
    for season in 10..13 {
        client.get(&children(season)).await;
    }
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    client.get(&children(3)).await;
    until(&stage, |server| loaded(server) == 3 && skipped(server, "budget") == 1).await;
    assert_eq!(server(&stage).prefetch.tally.counted().started, 3);
    assert_eq!(upstream.arrived().len(), 1 + 3 + 2 + 3);
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_counted_as_useless() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    // Somebody marks the season as seen, so the answer is not true any more, and is loaded anew.
    let (server, season) = (server(&stage), children(20));
    client.get("/:/scrobble?key=20&identifier=com.plexapp.plugins.library").await;
    assert!(!client.get(&season).await.was_hit());
    let useless: u64 = server.cache.stats().classes.iter().map(|class| class.ahead_useless).sum();
    assert_eq!((loaded(&server), useful(&server), useless), (1, 0, 1));
    upstream.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_loaded_ahead_while_reads_go_past_the_cache() {
    let tasks = TaskTracker::new();
    let upstream = Scripted::start(&tasks, |request| Reply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    for mode in [greenroom::mode::Mode::Observe, greenroom::mode::Mode::Bypass] {
        server(&stage).turn_to(mode);
        client.get(&children(2)).await;
    }
    server(&stage).turn_to(greenroom::mode::Mode::Cache);
    client.get(&children(3)).await;
    until(&stage, |server| loaded(server) == 1).await;
    assert_eq!(upstream.count("GET", &children(20)), 0);
    assert_eq!(upstream.count("GET", &children(30)), 1);
    upstream.stop();
    stage.down().await;
}

/// The simulated Plex in XML: seasons, episodes and scaled pictures, as an add-on for a television asks for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_plex_evening_costs_no_request_more_and_the_second_show_is_there() {
    let tasks = TaskTracker::new();
    let upstream =
        Plex::new(plex::Options::quick()).start("127.0.0.1:0".parse().expect("it is"), &tasks).await;
    let upstream = upstream.expect("it starts");
    let stage = Script::new().server("home", "plex", &upstream.url(), ON).start().await;
    let client =
        stage.client().with("x-plex-token", upstream.tokens().owner_a()).with("x-plex-product", "Kodi");
    let ids = |body: &str| -> Vec<String> {
        let rows = body.split("ratingKey=\"").skip(1);
        let mut ids: Vec<String> = rows.filter_map(|row| row.split('"').next().map(str::to_owned)).collect();
        ids.dedup();
        ids
    };
    let shows = ids(&client.get("/library/sections/2/all?type=2").await.text());
    let mut hits = Vec::new();
    for show in &shows[..2] {
        let seasons = client.get(&format!("/library/metadata/{show}/children")).await.text();
        if !hits.is_empty() {
            until(&stage, |server| loaded(server) == 1).await;
        }
        let first = &ids(&seasons)[0];
        let episodes = client.get(&format!("/library/metadata/{first}/children?includeGuids=1")).await;
        assert_eq!(episodes.status, 200);
        hits.push(episodes.was_hit());
    }
    assert_eq!(hits, [false, true]);
    stage.down().await;
    let asked = upstream.ledger().total();
    assert_eq!(asked, 5, "{asked}: a list, two times seasons, two times episodes");
    upstream.stop().await;
}

/// The simulated Jellyfin: seasons, episodes and their pictures.
#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_evening_finds_episodes_and_pictures_of_the_second_show() {
    let tasks = TaskTracker::new();
    let options = jellyfin::Options::quick();
    let upstream = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("it is"), &tasks).await;
    let upstream = upstream.expect("it starts");
    let stage = Script::new().server("den", "jellyfin", &upstream.url(), ON).start().await;
    let token = upstream.tokens().owner_a();
    let authorization = format!(
        "MediaBrowser Client=\"Kodi\", Device=\"tv\", DeviceId=\"1\", Version=\"1\", Token=\"{token}\""
    );
    let client = stage.client().with("authorization", &authorization);
    let me = client.get("/Users/Me").await.json()["Id"].as_str().expect("an id").to_owned();
    let shows = format!("/Items?userId={me}&includeItemTypes=Series&recursive=true&sortBy=SortName&limit=50");
    let shows = client.get(&shows).await.json();
    let mut hits = Vec::new();
    for show in shows["Items"].as_array().expect("a list").iter().take(2) {
        let show = show["Id"].as_str().expect("an id");
        let seasons = client.get(&format!("/Shows/{show}/Seasons?userId={me}&fields=Overview")).await.json();
        if !hits.is_empty() {
            until(&stage, |server| loaded(server) == 2).await;
        }
        let season = &seasons["Items"][0];
        let (id, tag) = (season["Id"].as_str().expect("an id"), season["ImageTags"]["Primary"].as_str());
        let picture =
            format!("/Items/{id}/Images/Primary?maxWidth=400&quality=90&tag={}", tag.expect("a tag"));
        hits.push(client.get(&picture).await.was_hit());
        let episodes = format!("/Shows/{show}/Episodes?userId={me}&seasonId={id}&fields=Overview");
        hits.push(client.get(&episodes).await.was_hit());
    }
    assert_eq!(hits, [false, false, true, true]);
    assert_eq!(useful(&server(&stage)), 2);
    stage.down().await;
    upstream.stop().await;
}
