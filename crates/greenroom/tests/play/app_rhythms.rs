//! Apps that read the same again and again: what their second time costs a server where nothing changed meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_simulator::catalogue::{ItemId, MediaKind, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, item_id, user_id};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::UserId;
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{pass, until};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::gateway;

/// Longer than what is loaded once more after a fingerprint of the account takes.
const SETTLED: Duration = Duration::from_secs(600);
/// Most rows that Kodi's add-on reads at once.
const KODI_PAGE: usize = 200;

/// A server and a gateway that hears it.
struct House {
    server: SimulatedServer,
    stage: GatewayFixture,
}

impl House {
    async fn open() -> Self {
        let options = SimulatorOptions { now: None, ..SimulatorOptions::quick() };
        let (tasks, anywhere) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
        let server = Jellyfin::new(options).start(anywhere, &tasks).await.expect("it starts");
        let more = format!("token = \"{}\"\nload_timeout_s = 600\n", server.tokens().owner_a());
        let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), &more);
        let house = Self { server, stage: stage.start_at(Clock::system()).await };
        let heard = gateway(&house.stage, 0);
        until(|| heard.feed.is_whole()).await;
        house
    }

    fn ids(&self, kind: MediaKind, count: usize) -> Vec<ItemId> {
        self.server.state().view().list(kind, SortKey::Title).iter().take(count).copied().collect()
    }

    /// Reads each of them in turn. Returns the number of requests for them, or in place of them, that the server got:
    /// all but Greenroom's own.
    async fn cost(&self, client: &TestClient, targets: &[String]) -> u64 {
        let before = self.asked();
        for target in targets {
            let answer = client.get(target).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        }
        // Refreshes behind the answers count too.
        pass(Duration::from_secs(10)).await;
        self.asked() - before
    }

    fn asked(&self) -> u64 {
        let own = gateway(&self.stage, 0).origin.counters.own.load(Ordering::Relaxed);
        self.server.request_log().total() - own
    }

    /// A log-in of the owner by a device of its own.
    async fn log_in(&self, app: &str, device: &str) -> TestClient {
        let line = format!("MediaBrowser Client=\"{app}\", Device=\"{device}\", DeviceId=\"{device}\", Version=\"1\"");
        let client = self.stage.client().with("authorization", &line).with("content-type", "application/json");
        let body = json!({"Username": "olga", "Pw": ""}).to_string();
        let entered: Value = client.send(Method::POST, "/Users/AuthenticateByName", &body).await.json();
        let token = entered["AccessToken"].as_str().unwrap_or_else(|| panic!("no token: {entered}"));
        self.stage.client().with("authorization", &format!("{line}, Token=\"{token}\""))
    }

    fn of_owner(&self) -> TestClient {
        self.stage.client().with("x-emby-token", self.server.tokens().owner_a())
    }

    async fn close(self) {
        self.stage.stop().await;
        self.server.stop().await;
    }
}

/// The nine reads of a statistics tool's hourly synchronisation, with an API key: the libraries, and what is in them.
fn hourly_sync() -> Vec<String> {
    let user = user_id(UserId::OWNER);
    let fields = "fields=MediaSources,DateCreated,Genres,ProviderIds,Path";
    let kinds = ["Movie", "Series", "Season", "Episode", "MusicAlbum", "Audio", "MusicArtist", "MusicVideo"];
    let list = |kind| format!("/Users/{user}/Items?recursive=true&includeItemTypes={kind}&{fields}&limit=500");
    std::iter::once("/Library/MediaFolders".to_owned()).chain(kinds.map(list)).collect()
}

/// The 24 reads of a request tool's scan of what was added lately.
fn scan_of_new(house: &House) -> Vec<String> {
    let user = user_id(UserId::OWNER);
    let fields = "fields=ProviderIds,MediaSources,Width,Height,DateCreated";
    let latest = |kind: &str| format!("/Items/Latest?limit=12&userId={user}&includeItemTypes={kind}");
    let item = |id: &ItemId| format!("/Items?ids={}&userId={user}&{fields}", item_id(*id));
    let mut targets = vec![latest("Movie"), latest("Episode")];
    targets.extend(house.ids(MediaKind::Film, 14).iter().map(item));
    for show in house.ids(MediaKind::Show, 4) {
        targets.push(item(&show));
        targets.push(format!("/Shows/{}/Seasons?userId={user}", item_id(show)));
    }
    targets
}

/// The 41 reads of a media centre's synchronisation.
fn full_sync() -> Vec<String> {
    let user = user_id(UserId::OWNER);
    let fields =
        "fields=Path,Genres,SortName,Studios,Overview,ProviderIds,MediaStreams,People,DateCreated,MediaSources";
    let count = |kind: &str| format!("/Users/{user}/Items?includeItemTypes={kind}&recursive=true&limit=1");
    let page = |kind: &str, page: usize| {
        let start = page * KODI_PAGE;
        let paging = format!("startIndex={start}&limit={KODI_PAGE}");
        format!("/Users/{user}/Items?includeItemTypes={kind}&recursive=true&sortBy=SortName&{paging}&{fields}")
    };
    let kinds = ["Movie", "Series", "Season", "Episode", "BoxSet", "MusicArtist", "MusicAlbum", "Audio"];
    let mut targets = vec!["/Library/MediaFolders".to_owned()];
    targets.extend(kinds.map(count));
    targets.extend(kinds.iter().flat_map(|kind| (0..4).map(|number| page(kind, number))));
    targets
}

#[tokio::test(start_paused = true)]
async fn an_hourly_sync_costs_at_most_two_of_its_nine_reads() {
    let house = House::open().await;
    let client = house.stage.client().with("x-emby-token", house.server.tokens().secret("key"));
    let targets = hourly_sync();
    assert_eq!((targets.len(), house.cost(&client, &targets).await), (9, 9));
    pass(SETTLED).await;
    for round in 1..=3 {
        pass(Duration::from_mins(18)).await;
        let cost = house.cost(&client, &targets).await;
        println!("hourly sync, round {round}: {cost} of {} reads reached the server", targets.len());
        assert!(cost <= 2, "{cost} of 9");
    }
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_scans_of_what_is_new_costs_at_most_three_of_24_reads_each() {
    let house = House::open().await;
    let (client, targets) = (house.of_owner(), scan_of_new(&house));
    assert_eq!((targets.len(), house.cost(&client, &targets).await), (24, 24));
    pass(SETTLED).await;
    let mut costs = Vec::new();
    for _ in 0..12 {
        pass(Duration::from_mins(5)).await;
        costs.push(house.cost(&client, &targets).await);
    }
    println!("scans of what is new, of {} reads reached the server: {costs:?}", targets.len());
    assert!(costs.iter().sum::<u64>() <= 3 * 12, "{costs:?} of 24");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_full_sync_of_a_second_and_a_third_media_centre_costs_at_most_three_of_its_41_reads() {
    let house = House::open().await;
    let targets = full_sync();
    let first = house.log_in("Kodi", "living-room").await;
    assert_eq!((targets.len(), house.cost(&first, &targets).await), (41, 41));
    for device in ["bedroom", "kitchen"] {
        let another = house.log_in("Kodi", device).await;
        let cost = house.cost(&another, &targets).await;
        println!("full sync of the one in the {device}: {cost} of {} reads reached the server", targets.len());
        assert!(cost <= 3, "{cost} of 41");
    }
    house.close().await;
}

/// The reads by which a metadata manager without caches of its own matches files of a Plex: two searches by title for
/// each, the whole list for every fifth, and the item that was found.
fn matching_pass(films: &[(String, String)]) -> Vec<String> {
    let mut targets = Vec::new();
    for (number, (key, title)) in films.iter().enumerate() {
        let title = title.replace(' ', "%20");
        let search = |title: &str| format!("/library/sections/1/all?includeGuids=1&type=1&title={title}");
        targets.extend([search(&format!("{title}%201080p")), search(&title)]);
        targets.push(if number % 5 == 4 {
            "/library/sections/1/all?includeGuids=1&type=1".to_owned()
        } else {
            format!("/library/metadata/{key}")
        });
    }
    targets
}

/// Requests for these reads that the server got, all but Greenroom's own.
async fn cost_of(server: &SimulatedServer, stage: &GatewayFixture, client: &TestClient, targets: &[String]) -> u64 {
    let reached = || server.request_log().total() - gateway(stage, 0).origin.counters.own.load(Ordering::Relaxed);
    let before = reached();
    for target in targets {
        assert_eq!(client.get(target).await.status, 200, "{target}");
    }
    reached() - before
}

#[tokio::test(start_paused = true)]
async fn a_second_pass_of_matching_after_edits_asks_again_for_what_an_edit_may_have_changed() {
    let options = SimulatorOptions { now: None, ..SimulatorOptions::quick() };
    let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let server = server.expect("it starts");
    let owner = server.tokens().owner_a().to_owned();
    let more = format!("token = \"{owner}\"\nload_timeout_s = 600\n");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), &more);
    let stage = stage.start_at(Clock::system()).await;
    let heard = gateway(&stage, 0);
    until(|| heard.feed.is_whole()).await;
    let client = stage.client().with("x-plex-token", &owner).with("accept", "application/json");
    let listed = client.get("/library/sections/1/all?type=1").await.json();
    let rows = listed["MediaContainer"]["Metadata"].as_array().expect("films").clone();
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    let films: Vec<_> = rows.iter().take(25).map(|row| (text(row, "ratingKey"), text(row, "title"))).collect();
    let targets = matching_pass(&films);
    pass(SETTLED).await;
    let first = cost_of(&server, &stage, &client, &targets).await;
    let undisturbed = cost_of(&server, &stage, &client, &targets).await;
    assert_eq!(undisturbed, 0, "nothing changed");
    for (key, _) in films.iter().take(5) {
        let edit = format!("/library/metadata/{key}?summary.value=Told%20anew&summary.locked=1");
        assert!(client.send(Method::PUT, &edit, "").await.status.is_success());
    }
    pass(Duration::from_secs(60)).await;
    let second = cost_of(&server, &stage, &client, &targets).await;
    println!("matching: {} reads; first pass {first}, second after five edits {second}", targets.len());
    let shown = client.get(&format!("/library/metadata/{}", films[0].0)).await.json();
    assert_eq!(shown["MediaContainer"]["Metadata"][0]["summary"], "Told anew");
    assert!(second <= first, "{second} of {first}");
    stage.stop().await;
    server.stop().await;
}
