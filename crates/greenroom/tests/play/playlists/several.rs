//! A file with several playlists.

use greenroom_dialect::request::ServerKind;
use http::Method;
use serde_json::{Value, json};

use super::fixture::PlaylistFixture;
use super::standing;
use crate::fixture::waiting::until;

/// A playlist file of Spotify's account data, with two playlists.
fn account_data(house: &PlaylistFixture) -> Value {
    let item = |at: usize| {
        let track = &house.tracks[at];
        json!({"track": {"trackName": track.title, "artistName": track.artist, "albumName": track.album,
            "trackUri": format!("spotify:track:{at:022}")}, "episode": null, "localTrack": null,
            "addedDate": "2024-01-02"})
    };
    let list = |name: &str, range: std::ops::Range<usize>| json!({"name": name, "lastModifiedDate": "2024-01-02", "items": range.map(item).collect::<Vec<_>>()});
    json!({"playlists": [list("Road", 0..3), list("Home", 5..7)]})
}

#[tokio::test]
async fn each_of_several_playlists_in_one_file_can_be_synced() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let body = account_data(&house).to_string();
    let control = house.stage.control().with("content-type", "text/plain");
    let target = "/api/v1/playlists/sync";
    let refused = control.send(Method::POST, target, &body).await;
    let told = refused.json();
    assert_eq!((refused.status.as_u16(), told["code"].as_str()), (400, Some("which-playlist")), "{told}");
    assert!(told["detail"].as_str().is_some_and(|told| told.contains("Road, Home") && told.contains("1 to 2")));
    for (part, name, range) in [(1, "Road", 0..3), (2, "Home", 5..7)] {
        let done = control.send(Method::POST, &format!("{target}?part={part}"), &body).await;
        assert_eq!(done.json()["report"]["format"], "spotify", "{}", done.text());
        assert_eq!(house.playlist_keys("ann", name), Some(house.keys(range)));
    }
    assert_eq!(control.send(Method::POST, &format!("{target}?part=3"), &body).await.status, 400);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_watched_file_with_several_playlists_is_several() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = format!("[playlist.drop]\nserver = \"home\"\nfolder = \"{}\"", folder.path().display());
    let house = standing::open(&table).await;
    let file = folder.path().join("Playlist1.json");
    std::fs::write(&file, account_data(&house).to_string()).expect("written");
    let report = || standing::report(&folder.path().join("Playlist1.json.report.json"));
    until(|| report().is_some()).await;
    assert_eq!(house.playlist_keys("ann", "Road"), Some(house.keys(0..3)));
    assert_eq!(house.playlist_keys("ann", "Home"), Some(house.keys(5..7)));
    let report = report().expect("a report");
    assert_eq!((&report["state"], &report["playlists"][1]["report"]["name"]), (&json!("done"), &json!("Home")));
    house.close().await;
}
