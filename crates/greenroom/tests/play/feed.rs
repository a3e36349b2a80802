//! Changes made on the server itself: told by its events, or noticed by the pulse where these are late or missing.

use greenroom_cache::Timestamp;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_proxy::feed::EventStreamState;
use greenroom_simulator::catalogue::ItemId;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinSwitches, item_id, user_id};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::UserId;
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{held, pass, until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::gateway;

const SAM: UserId = UserId(2);
const FILM: ItemId = ItemId(1);

/// A server whose clock shows the time, and that announces changes of the library after `announced_after`.
async fn jellyfin(announced_after: Duration) -> SimulatedServer {
    let mut options = SimulatorOptions::<JellyfinSwitches>::quick();
    options.now = None;
    options.switches.library_changed_delay = announced_after;
    let tasks = TaskTracker::new();
    let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    server.expect("it starts")
}

async fn in_front_of(server: &SimulatedServer, kind: &str, more: &str) -> GatewayFixture {
    let more = format!("pulse_interval_s = 5\n{more}");
    GatewayConfigBuilder::new().server("home", kind, &server.url(), &more).start_at(Clock::system()).await
}

fn of_owner(server: &SimulatedServer) -> String {
    format!("token = \"{}\"\n", server.tokens().owner_a())
}

async fn until_whole(stage: &GatewayFixture) {
    let server = gateway(stage, 0);
    until(|| server.feed.is_whole()).await;
}

fn as_user(stage: &GatewayFixture, token: &str) -> TestClient {
    stage.client().with("x-emby-token", token)
}

/// Reads four times a second until `is_seen`; returns how long that took.
async fn seen_after(clock: &Clock, mut is_seen: impl AsyncFnMut() -> bool) -> Duration {
    let began_us = clock.now_us();
    while !is_seen().await {
        assert!(clock.since(began_us) < Duration::from_secs(120), "it is never seen");
        pass(Duration::from_millis(250)).await;
    }
    clock.since(began_us)
}

#[tokio::test(start_paused = true)]
async fn an_edit_made_elsewhere_is_seen_within_six_seconds_although_no_event_tells_it() {
    let server = jellyfin(Duration::from_secs(3600)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let client = as_user(&stage, server.tokens().sam());
    let path = format!("/Items/{}", item_id(FILM));
    let name = async || client.get(&path).await.json()["Name"].clone();
    name().await;
    seen_after(&stage.process.clock, async || client.get(&path).await.was_hit()).await;
    pass(Duration::from_secs(20)).await;
    for title in ["Edited", "Edited Again"] {
        assert!(server.edit_item(FILM, |record| title.clone_into(&mut record.title)));
        let took = seen_after(&stage.process.clock, async || name().await == title).await;
        assert!(took <= Duration::from_secs(6), "{took:?}");
    }
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_nobody_reading_the_server_is_not_asked_what_changed() {
    let server = jellyfin(Duration::from_secs(3600)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    // The library index asks for changes of one library.
    let is_pulse =
        |target: &str| (target.contains("minDateLastSaved") && !target.contains("parentId")) || target == "/Users";
    // At the start it is asked once, for what later answers are compared with.
    pass(Duration::from_secs(5)).await;
    let at_start = server.request_log().count(|request| is_pulse(&request.target));
    assert!(at_start <= 1, "{at_start}");
    let asked = || server.request_log().count(|request| is_pulse(&request.target)) - at_start;
    let client = as_user(&stage, server.tokens().sam());
    pass(Duration::from_secs(60)).await;
    assert_eq!(asked(), 0, "no read was answered from the cache yet");
    let path = format!("/Items/{}", item_id(FILM));
    seen_after(&stage.process.clock, async || client.get(&path).await.was_hit()).await;
    until(|| asked() > 0).await;
    pass(Duration::from_secs(12)).await;
    let before = asked();
    pass(Duration::from_secs(300)).await;
    assert_eq!(asked(), before);
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_disabled_on_the_server_is_refused_within_eleven_seconds() {
    let server = jellyfin(Duration::from_secs(3600)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let client = as_user(&stage, server.tokens().sam());
    let path = format!("/Items/{}", item_id(FILM));
    seen_after(&stage.process.clock, async || client.get(&path).await.was_hit()).await;
    for _ in 0..60 {
        client.get(&path).await;
        pass(Duration::from_millis(250)).await;
    }
    assert!(server.change(|write| write.set_disabled(SAM, true)));
    let took = seen_after(&stage.process.clock, async || client.get(&path).await.status == 401).await;
    assert!(took <= Duration::from_secs(11), "{took:?}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_token_a_plex_server_is_asked_what_changed_with_that_of_the_client_that_reads() {
    let mut options = SimulatorOptions::quick();
    options.now = None;
    let tasks = TaskTracker::new();
    let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = in_front_of(&server, "plex", "").await;
    let client = stage.client().with("x-plex-token", server.tokens().owner_a()).with("accept", "application/json");
    let path = format!("/library/metadata/{}", FILM.0);
    let title = async || client.get(&path).await.json()["MediaContainer"]["Metadata"][0]["title"].clone();
    title().await;
    seen_after(&stage.process.clock, async || client.get(&path).await.was_hit()).await;
    for _ in 0..40 {
        client.get(&path).await;
        pass(Duration::from_millis(250)).await;
    }
    assert!(server.edit_item(FILM, |record| "Edited".clone_into(&mut record.title)));
    let took = seen_after(&stage.process.clock, async || title().await == "Edited").await;
    assert!(took <= Duration::from_secs(6), "{took:?}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_broke_is_tried_again_at_most_five_seconds_apart() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let fed = gateway(&stage, 0);
    for cut_s in [1, 30, 47] {
        server.faults().set(Fault::Down);
        until(|| !fed.feed.is_whole()).await;
        assert_eq!(fed.events_state(), EventStreamState::Lost);
        pass(Duration::from_secs(cut_s)).await;
        server.faults().clear();
        let took = seen_after(&stage.process.clock, async || fed.feed.is_whole()).await;
        assert!(took <= Duration::from_secs(6), "after {cut_s} s: {took:?}");
    }
    stage.stop().await;
    server.stop().await;
}

fn report(position_s: u64, is_paused: bool) -> String {
    json!({"ItemId": item_id(FILM), "PositionTicks": position_s * 10_000_000, "IsPaused": is_paused}).to_string()
}

/// The plays in a list of sessions: whether each is paused.
fn plays(sessions: &Value) -> Vec<bool> {
    let rows = sessions.as_array().expect("a list");
    let playing = rows.iter().filter(|row| row["NowPlayingItem"].is_object());
    playing.map(|row| row["PlayState"]["IsPaused"] == true).collect()
}

#[tokio::test(start_paused = true)]
async fn sessions_polled_each_second_show_every_change_at_the_next_poll_and_cost_the_server_nothing() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let (fed, poller) = (gateway(&stage, 0), as_user(&stage, server.tokens().owner_b()));
    let player = TestClient::new(server.address()).with("x-emby-token", server.tokens().sam());
    let player = player.with("content-type", "application/json");
    until(|| fed.feed.sessions.since_ms().is_some()).await;
    // Ten minutes of plays: their length in seconds, and the second of a pause and of its end.
    for (number, (length_s, pause_s)) in
        [(8, None), (6, Some((2, 4))), (9, None), (300, Some((10, 200))), (120, Some((60, 61))), (150, None)]
            .into_iter()
            .enumerate()
    {
        let mut shown_s = 0;
        for second in 0..length_s + 4 {
            let is_paused = pause_s.is_some_and(|(from, to)| (from..to).contains(&second));
            let change = match second {
                0 => Some("/Sessions/Playing"),
                _ if second == length_s => Some("/Sessions/Playing/Stopped"),
                _ if pause_s.is_some_and(|(from, to)| second == from || second == to) => {
                    Some("/Sessions/Playing/Progress")
                }
                _ => None,
            };
            if let Some(path) = change {
                let answer = player.send(Method::POST, path, &report(second, is_paused)).await;
                assert_eq!(answer.status, 204);
            }
            pass(Duration::from_secs(1)).await;
            let shown = plays(&poller.get("/Sessions").await.json());
            let expected = if second < length_s { vec![is_paused] } else { Vec::new() };
            assert_eq!(shown, expected, "play {number}, second {second}");
            shown_s += i32::from(!shown.is_empty());
        }
        assert!((shown_s - i32::try_from(length_s).expect("short")).abs() <= 1, "play {number}: {shown_s} s");
    }
    let filtered = poller.get("/Sessions?activeWithinSeconds=960").await;
    assert!(filtered.was_hit() && filtered.status == 200);
    let asked =
        server.request_log().count(|request| request.target.starts_with("/Sessions") && request.method == "GET");
    assert_eq!(asked, 0, "the server was asked for sessions");
    let some = as_user(&stage, server.tokens().sam()).get("/Sessions").await.json();
    let users: Vec<&Value> = some.as_array().expect("a list").iter().map(|row| &row["UserId"]).collect();
    assert!(users.iter().all(|user| **user == user_id(SAM).as_str()), "others see their own: {users:?}");
    stage.stop().await;
    server.stop().await;
}

/// On real time, as an outage is found by connections that are refused.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_told_last_are_answered_in_an_outage() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let (fed, poller) = (gateway(&stage, 0), as_user(&stage, server.tokens().owner_b()));
    let player = TestClient::new(server.address()).with("x-emby-token", server.tokens().sam());
    let player = player.with("content-type", "application/json");
    let started = player.send(Method::POST, "/Sessions/Playing", &report(0, false)).await;
    assert_eq!(started.status, 204);
    until(|| fed.feed.sessions.since_ms().is_some()).await;
    until_async(async || plays(&poller.get("/Sessions").await.json()) == [false]).await;
    let sam = as_user(&stage, server.tokens().sam());
    assert_eq!(sam.get("/UserViews").await.status, 200);
    server.stop().await;
    until(|| fed.feed.sessions.since_ms().is_none()).await;
    // The rights expired between two polls.
    let now_ms = fed.origin.clock.now_ms();
    for identity in fed.identities.all() {
        if let Some(rights) =
            fed.feed.sessions.rights(&identity, Timestamp::from_millis(now_ms), Duration::from_secs(60))
        {
            let checked_ms = now_ms.saturating_sub(301_000);
            fed.feed.sessions.set_rights(&identity, rights, Timestamp::from_millis(checked_ms), identity.generation());
        }
    }
    for target in ["/Sessions", "/Sessions?activeWithinSeconds=960"] {
        let answer = poller.get(target).await;
        assert_eq!((answer.status.as_u16(), plays(&answer.json())), (200, vec![false]), "{target}");
        assert!(!answer.header("age").is_empty() && answer.was_hit(), "{}", answer.header("cache-status"));
        for other in [&as_user(&stage, "made-up"), &sam] {
            assert!(other.get(target).await.status.as_u16() >= 400, "it has no right to all sessions");
        }
    }
    stage.stop().await;
}

/// Makes the film a favourite, or no longer one. Returns what it is now.
async fn toggle(client: &TestClient) -> bool {
    let before = client.get(&format!("/Items/{}", item_id(FILM))).await.json()["UserData"]["IsFavorite"] == true;
    let method = if before { Method::DELETE } else { Method::POST };
    let written = client.send(method, &format!("/UserFavoriteItems/{}", item_id(FILM)), "").await;
    assert_eq!(written.status, 200);
    !before
}

#[tokio::test(start_paused = true)]
async fn two_gateways_of_one_name_on_one_server_both_hear_it() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stages = [
        in_front_of(&server, "jellyfin", &of_owner(&server)).await,
        in_front_of(&server, "jellyfin", &of_owner(&server)).await,
    ];
    let ids: Vec<String> = stages.iter().map(|stage| gateway(stage, 0).origin.device_id().to_owned()).collect();
    assert_ne!(ids[0], ids[1]);
    let path = format!("/Items/{}", item_id(FILM));
    let direct = TestClient::new(server.address()).with("x-emby-token", server.tokens().owner_a());
    for stage in &stages {
        until_whole(stage).await;
        let client = as_user(stage, server.tokens().owner_a());
        until_async(async || client.get(&path).await.was_hit()).await;
    }
    let is_favourite = toggle(&direct).await;
    for stage in &stages {
        let client = as_user(stage, server.tokens().owner_a());
        let is_seen = async || client.get(&path).await.json()["UserData"]["IsFavorite"] == is_favourite;
        let took = seen_after(&stage.process.clock, is_seen).await;
        assert!(took <= Duration::from_secs(2), "{took:?}");
    }
    for stage in stages {
        stage.stop().await;
    }
    server.stop().await;
}

/// On real time: what is waited for here comes half a second after a write, or five seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_not_heard_back_shows_that_the_feed_is_deaf() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let fed = gateway(&stage, 0);
    let client = as_user(&stage, server.tokens().owner_a());
    held(client.get("/Users/Me")).await;
    toggle(&client).await;
    pass(Duration::from_secs(6)).await;
    assert!(fed.feed.is_whole(), "its write was heard");
    // Another connection with the same device id and token: the server tells it alone.
    let target = format!("/socket?deviceId={}&api_key={}", fed.origin.device_id(), server.tokens().owner_a());
    let line = format!(
        "MediaBrowser Client=\"Greenroom\", Device=\"Greenroom\", DeviceId=\"{}\", Version=\"1\", Token=\"{}\"",
        fed.origin.device_id(),
        server.tokens().owner_a()
    );
    let thief = crate::sockets::socket(server.address(), &target, &[("authorization", &line)]).await;
    toggle(&client).await;
    let took = seen_after(&stage.process.clock, async || fed.events_state() == EventStreamState::Deaf).await;
    assert!(took >= Duration::from_secs(4) && took <= Duration::from_secs(6), "{took:?}");
    assert!(!fed.feed.is_whole());
    assert!(fed.origin.warnings.active().iter().any(|warning| warning.code == "events-not-heard"));
    drop(thief);
    pass(Duration::from_secs(2)).await;
    assert!(!fed.feed.is_whole(), "not before something was heard");
    toggle(&client).await;
    until(|| fed.feed.is_whole()).await;
    assert!(fed.origin.warnings.active().iter().all(|warning| warning.code != "events-not-heard"));
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_session_is_gone_must_be_accepted_again_at_once() {
    let server = jellyfin(Duration::from_secs(30)).await;
    let stage = in_front_of(&server, "jellyfin", &of_owner(&server)).await;
    until_whole(&stage).await;
    let fed = gateway(&stage, 0);
    let device = "MediaBrowser Client=\"TV\", Device=\"tv\", DeviceId=\"tv-1\", Version=\"1\"";
    let login =
        TestClient::new(server.address()).with("authorization", device).with("content-type", "application/json");
    let login = login.send(Method::POST, "/Users/AuthenticateByName", r#"{"Username":"sam","Pw":""}"#).await.json();
    let line = format!("{device}, Token=\"{}\"", login["AccessToken"].as_str().expect("a token"));
    let client = stage.client().with("authorization", &line);
    let direct = TestClient::new(server.address()).with("authorization", &line);
    let path = format!("/Items/{}", item_id(FILM));
    until(|| fed.feed.sessions.since_ms().is_some()).await;
    seen_after(&stage.process.clock, async || client.get(&path).await.was_hit()).await;
    pass(Duration::from_secs(3)).await;
    assert_eq!(direct.send(Method::POST, "/Sessions/Logout", "").await.status, 204);
    let took = seen_after(&stage.process.clock, async || client.get(&path).await.status == 401).await;
    assert!(took <= Duration::from_secs(2), "{took:?}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_of_plex_are_never_older_than_the_last_notification() {
    let mut options = SimulatorOptions::quick();
    options.now = None;
    let tasks = TaskTracker::new();
    let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = in_front_of(&server, "plex", &of_owner(&server)).await;
    until_whole(&stage).await;
    let headers = |client: TestClient| {
        let client = client.with("x-plex-token", server.tokens().owner_a()).with("accept", "application/json");
        client.with("x-plex-client-identifier", "tv")
    };
    let (poller, player) = (headers(stage.client()), headers(TestClient::new(server.address())));
    for (state, time_ms) in [("playing", 1_000), ("playing", 61_000), ("paused", 61_000), ("playing", 120_000)] {
        let report = format!("/:/timeline?ratingKey=1&key=%2Flibrary%2Fmetadata%2F1&state={state}&time={time_ms}");
        assert_eq!(player.get(&format!("{report}&duration=5000000")).await.status, 200);
        pass(Duration::from_secs(1)).await;
        let shown = poller.get("/status/sessions").await.json();
        let row = &shown["MediaContainer"]["Metadata"][0];
        assert_eq!((&row["viewOffset"], &row["Player"]["state"]), (&json!(time_ms), &json!(state)), "{shown}");
    }
    stage.stop().await;
    server.stop().await;
}
