//! Queries that a Jellyfin binds in its own way mean the same through Greenroom: lists, dates, and the notation that a
//! client names.

use greenroom_simulator::catalogue::{MediaKind, SortKey};
use greenroom_simulator::jellyfin::{self, Jellyfin, item_id};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

/// A Jellyfin behind Greenroom, and its administrator as a client of both.
pub(crate) struct BoundFixture {
    pub(crate) server: SimulatedServer,
    pub(crate) stage: GatewayFixture,
    pub(crate) direct: TestClient,
    pub(crate) client: TestClient,
}

impl BoundFixture {
    pub(crate) async fn new(set: impl FnOnce(&mut jellyfin::JellyfinSwitches)) -> Self {
        let mut options: jellyfin::JellyfinOptions = SimulatorOptions::quick();
        set(&mut options.switches);
        let listen = "127.0.0.1:0".parse().expect("an address");
        let server = Jellyfin::new(options).start(listen, &TaskTracker::new()).await.expect("it starts");
        let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), "").start().await;
        let line = format!("MediaBrowser Token=\"{}\"", server.tokens().secret("owner-a"));
        let direct = TestClient::new(server.address()).with("authorization", &line);
        let client = stage.client().with("authorization", &line);
        // The token is proven to be valid.
        assert_eq!(client.get("/Users/Me").await.status, 200);
        Self { server, stage, direct, client }
    }

    pub(crate) fn first(&self, kind: MediaKind) -> String {
        item_id(self.server.state().view().list(kind, SortKey::Title)[0])
    }

    pub(crate) async fn down(self) {
        self.stage.stop().await;
        self.server.stop().await;
    }
}

fn types(segments: &Value) -> Vec<&str> {
    segments["Items"].as_array().expect("a list").iter().filter_map(|row| row["Type"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outro_is_in_the_segments_of_every_spelling() {
    for joined_lose in [false, true] {
        let house = BoundFixture::new(|switches| switches.joined_enums_lose = joined_lose).await;
        let path = format!("/MediaSegments/{}", house.first(MediaKind::Episode));
        for (number, query) in [
            "includeSegmentTypes=Intro&includeSegmentTypes=Outro",
            "includeSegmentTypes=Outro&includeSegmentTypes=Intro",
            "IncludeSegmentTypes=Outro&includesegmenttypes=Intro&includeSegmentTypes=Outro",
        ]
        .into_iter()
        .enumerate()
        {
            let got = house.client.get(&format!("{path}?{query}")).await;
            assert_eq!(got.status, 200, "{query}: {}", got.text());
            assert_eq!(types(&got.json()), ["Intro", "Outro"], "{query}");
            assert_eq!(got.was_hit(), number > 0, "{query}");
        }
        assert_eq!(types(&house.client.get(&path).await.json()), ["Recap", "Intro", "Outro"]);
        // A joined list is the server's to refuse or to misread.
        let joined = format!("{path}?includeSegmentTypes=Intro,Outro");
        let (direct, got) = (house.direct.get(&joined).await, house.client.get(&joined).await);
        assert_eq!((got.status, got.body.clone()), (direct.status, direct.body), "{}", got.text());
        house.down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_sorted_by_all_keys_that_are_repeated() {
    let house = BoundFixture::new(|_| ()).await;
    let path = "/System/ActivityLog/Entries?limit=50&sortBy=Type&sortBy=Name&sortOrder=Descending&sortOrder=Ascending";
    let (direct, got) = (house.direct.get(path).await, house.client.get(path).await);
    assert_eq!((got.status, &got.json()["Items"]), (direct.status, &direct.json()["Items"]));
    assert!(direct.status == 200 && direct.json()["Items"].as_array().expect("a list").len() > 1);
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn next_up_of_now_is_a_hit_a_minute_later() {
    let house = BoundFixture::new(|_| ()).await;
    let next_up = |cutoff: &str| format!("/Shows/NextUp?limit=20&nextUpDateCutoff={cutoff}");
    for (cutoff, later) in [
        ("2001-02-03T10:00:00.000Z", "2001-02-03T10:01:00.000Z"),
        ("2101-02-03T10:00:00.000Z", "2101-02-03T10:01:00.000Z"),
    ] {
        let direct = house.direct.get(&next_up(later)).await.json();
        let first = house.client.get(&next_up(cutoff)).await;
        assert!(!first.was_hit(), "{}", first.header("cache-status"));
        let second = house.client.get(&next_up(later)).await;
        assert!(second.was_hit(), "{}", second.header("cache-status"));
        assert_eq!(second.json()["Items"], direct["Items"]);
        assert_eq!(second.body, first.body);
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_of_the_cutoffs_own_day_is_not_left_out() {
    for is_moment in [true, false] {
        let house = BoundFixture::new(|switches| switches.cutoff_is_moment = is_moment).await;
        let episode = house.first(MediaKind::Episode);
        let series = house.direct.get(&format!("/Items/{episode}")).await.json()["SeriesId"].clone();
        let unplayed = format!("/UserPlayedItems/{}", series.as_str().expect("an id"));
        assert_eq!(house.direct.send(Method::DELETE, &unplayed, "").await.status, 200);
        let played = format!("/UserPlayedItems/{episode}?datePlayed=2099-01-10T12:00:00Z");
        assert_eq!(house.client.send(Method::POST, &played, "").await.status, 200);
        let next_up = |cutoff: &str| format!("/Shows/NextUp?limit=20&nextUpDateCutoff={cutoff}");
        let morning = next_up("2099-01-10T08:00:00.000Z");
        let (direct, got) = (house.direct.get(&morning).await.json(), house.client.get(&morning).await);
        assert!(!got.was_hit());
        assert_eq!(got.json()["Items"], direct["Items"]);
        assert_eq!(got.json()["Items"].as_array().expect("a list").len(), usize::from(is_moment));
        // Another moment of the day shares the answer.
        let later = house.client.get(&next_up("2099-01-10T08:01:00.000Z")).await;
        assert!(later.was_hit() && later.body == got.body, "{}", later.header("cache-status"));
        house.down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_asked_for_again_when_their_task_was_started() {
    let house = BoundFixture::new(|_| ()).await;
    let path = format!("/MediaSegments/{}", house.first(MediaKind::Film));
    house.client.get(&path).await;
    assert!(house.client.get(&path).await.was_hit());
    let tasks = house.client.get("/ScheduledTasks").await.json();
    let task = tasks.as_array().expect("a list").iter().find(|task| task["Key"] == "TaskExtractMediaSegments");
    let id = task.expect("it has such a task")["Id"].as_str().expect("an id").to_owned();
    let started = house.client.send(Method::POST, &format!("/ScheduledTasks/Running/{id}"), "").await;
    assert_eq!(started.status, 204);
    assert!(!house.client.get(&path).await.was_hit());
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_named_is_named_in_the_answer() {
    let house = BoundFixture::new(|_| ()).await;
    for (accept, named) in [
        ("application/json", ""),
        ("application/json; profile=\"PascalCase\"", "PascalCase"),
        ("application/json; profile=\"CamelCase\"", "CamelCase"),
        ("application/json,application/json; profile=\"CamelCase\",application/json; profile=\"PascalCase\"", ""),
        ("application/json;profile=PascalCase;q=0.9, */*;q=0.1", "PascalCase"),
        ("application/json; profile=\"Snake\", application/json; profile=\"CamelCase\"", "CamelCase"),
        ("application/json; profile=\"Snake\"", ""),
        ("application/json; charset=utf-8, application/json; profile=\"CamelCase\"", "CamelCase"),
    ] {
        let direct = house.direct.with("accept", accept).get("/UserViews").await;
        for _ in 0..2 {
            let got = house.client.with("accept", accept).get("/UserViews").await;
            assert_eq!(got.header("content-type"), direct.header("content-type"), "{accept}");
            assert!(got.header("content-type").contains(named), "{accept}");
            assert_eq!(got.json().get("Items").is_some(), named != "CamelCase", "{accept}");
        }
        assert!(house.client.with("accept", accept).get("/UserViews").await.was_hit());
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kodi_and_a_web_client_with_one_token_get_their_own_counts() {
    for client_fields in [true, false] {
        let house = BoundFixture::new(|switches| switches.client_fields = client_fields).await;
        let token = house.server.tokens().secret("owner-a").to_owned();
        let named = |client: &TestClient, name: &str| {
            client.with("authorization", &format!("MediaBrowser Client=\"{name}\", Token=\"{token}\""))
        };
        let path = "/Items?recursive=true&includeItemTypes=Series&limit=3";
        for name in ["Kodi", "Jellyfin Web", "Jellyfin Roku", "Kodi", "Jellyfin Web"] {
            let direct = named(&house.direct, name).get(path).await.json();
            let got = named(&house.client, name).get(path).await.json();
            assert_eq!(got["Items"], direct["Items"], "{name}");
            let row = &got["Items"][0];
            let counted = (row.get("ChildCount").is_some(), row.get("RecursiveItemCount").is_some());
            assert_eq!(counted, (client_fields && name != "Jellyfin Web", client_fields && name == "Kodi"), "{name}");
        }
        house.down().await;
    }
}
