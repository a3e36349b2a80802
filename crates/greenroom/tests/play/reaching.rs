//! A write through Greenroom is seen by all clients at once where it shows, and costs nothing where it does not.

use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use tokio_util::task::TaskTracker;

use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

async fn jellyfin() -> (SimulatedServer, GatewayFixture) {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Jellyfin::new(SimulatorOptions::quick()).start(listen, &TaskTracker::new()).await.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), "").start().await;
    (server, stage)
}

fn jellyfin_client(stage: &GatewayFixture, token: &str) -> TestClient {
    let said = format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
    stage.client().with("authorization", &said)
}

async fn end(server: SimulatedServer, stage: GatewayFixture) {
    stage.stop().await;
    server.stop().await;
}

async fn sent(client: &TestClient, method: Method, target: &str, body: &str) -> serde_json::Value {
    let answer = client.with("content-type", "application/json").send(method, target, body).await;
    assert!(answer.status.is_success(), "{target}: {}", answer.status);
    serde_json::from_str(&answer.text()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_playlist_is_found_by_its_new_name_at_once() {
    let (server, stage) = jellyfin().await;
    let owner = jellyfin_client(&stage, server.tokens().owner_a());
    let sam = jellyfin_client(&stage, server.tokens().sam());
    // A playlist is found for whatever type of media is asked.
    let of_audio = async |term: &str| {
        let answer = sam.get(&format!("/Search/Hints?searchTerm={term}&mediaTypes=Audio")).await;
        answer.json()["SearchHints"].as_array().expect("hints").len()
    };
    let hints = async |term: &str| {
        let answer = sam.get(&format!("/Search/Hints?searchTerm={term}")).await;
        let found = answer.json()["SearchHints"].as_array().expect("hints").len();
        assert_eq!(of_audio(term).await, found, "{term} among audio");
        (found, answer.was_hit())
    };
    let count = async || sam.get("/Items/Counts").await.json()["ItemCount"].as_u64().expect("a number");
    for term in ["Zyxwv", "Qponm"] {
        assert_eq!(hints(term).await, (0, false));
        assert_eq!(hints(term).await, (0, true));
    }
    let before = count().await;
    let made = sent(&owner, Method::POST, "/Playlists", r#"{"Name":"Zyxwv","Ids":[],"IsPublic":true}"#).await;
    let list = made["Id"].as_str().expect("an id").to_owned();
    assert_eq!((hints("Zyxwv").await.0, count().await), (1, before + 1), "a new one");
    sent(&owner, Method::POST, &format!("/Playlists/{list}"), r#"{"Name":"Qponm"}"#).await;
    assert_eq!((hints("Zyxwv").await.0, hints("Qponm").await.0), (0, 1), "another name");
    sent(&owner, Method::DELETE, &format!("/Items/{list}"), "").await;
    assert_eq!((hints("Qponm").await.0, count().await), (0, before), "removed");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_removed_library_no_item_and_no_playlist_entry_is_left() {
    let (server, stage) = jellyfin().await;
    let owner = jellyfin_client(&stage, server.tokens().owner_a());
    let sam = jellyfin_client(&stage, server.tokens().sam());
    let films = sam.get("/Items?recursive=true&includeItemTypes=Movie&limit=2").await.json();
    let film = films["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let body = format!(r#"{{"Name":"Evening","Ids":["{film}"],"IsPublic":true}}"#);
    let made = sent(&sam, Method::POST, "/Playlists", &body).await;
    let entries = format!("/Playlists/{}/Items", made["Id"].as_str().expect("an id"));
    for target in [&entries, &format!("/Items/{film}")] {
        assert!(!sam.get(target).await.was_hit());
        assert!(sam.get(target).await.was_hit(), "{target}");
    }
    sent(&owner, Method::DELETE, "/Library/VirtualFolders?name=Films&refreshLibrary=true", "").await;
    assert_eq!(sam.get(&entries).await.json()["Items"].as_array().map(Vec::len), Some(0));
    assert_eq!(sam.get(&format!("/Items/{film}")).await.status, 404);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_stays_through_an_edit_of_text_and_goes_with_an_upload() {
    let (server, stage) = jellyfin().await;
    let owner = jellyfin_client(&stage, server.tokens().owner_a());
    let films = owner.get("/Items?recursive=true&includeItemTypes=Movie&limit=1").await.json();
    let film = films["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let genre = owner.get("/Genres?limit=1").await.json()["Items"][0].clone();
    let name = genre["Name"].as_str().expect("a name").replace(' ', "%20");
    let pictures = [format!("/Items/{film}/Images/Primary"), format!("/Genres/{name}/Images/Primary")];
    for picture in &pictures {
        assert_eq!(owner.get(picture).await.status, 200, "{picture}");
        assert!(owner.get(picture).await.was_hit(), "{picture}");
    }
    sent(&owner, Method::POST, &format!("/Items/{film}"), r#"{"Overview":"Words."}"#).await;
    for picture in &pictures {
        assert!(owner.get(picture).await.was_hit(), "{picture}");
    }
    for (id, picture) in [film.as_str(), genre["Id"].as_str().expect("an id")].into_iter().zip(&pictures) {
        let before = owner.get(picture).await;
        // The bytes of a complete GIF, in base64.
        let upload = owner.with("content-type", "image/gif");
        let target = format!("/Items/{id}/Images/Primary");
        assert_eq!(upload.send(Method::POST, &target, "R0lGODlhAQABAAAAACwAAAAAAQABAAACADs=").await.status, 204);
        let after = owner.get(picture).await;
        assert_eq!(after.status, 200, "{picture}");
        assert_ne!(before.body, after.body, "{picture}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_player_is_among_the_devices_at_once() {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Plex::new(SimulatorOptions::quick()).start(listen, &TaskTracker::new()).await.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let owner = stage.client().with("x-plex-token", server.tokens().owner_a()).with("accept", "application/json");
    let sam = stage.client().with("x-plex-token", server.tokens().sam()).with("accept", "application/json");
    let knows = async |target: &str| owner.get(target).await.text().contains("brand-new-player");
    for target in ["/devices", "/statistics/bandwidth?timespan=4"] {
        assert!(!knows(target).await);
        assert!(owner.get(target).await.was_hit(), "{target}");
    }
    let player = sam.with("x-plex-client-identifier", "brand-new-player").with("x-plex-device-name", "Den");
    let rows = sam.get("/library/sections/1/all").await.json();
    let key = rows["MediaContainer"]["Metadata"][0]["ratingKey"].as_str().expect("a key").to_owned();
    let report = format!("/:/timeline?ratingKey={key}&key=%2Flibrary%2Fmetadata%2F{key}&state=playing&time=1000");
    assert_eq!(player.get(&report).await.status, 200);
    assert!(knows("/devices").await && knows("/statistics/bandwidth?timespan=4").await);
    end(server, stage).await;
}
