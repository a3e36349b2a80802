//! Syncs while the server scans its files: tracks stand there with file names for titles.

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use greenroom_simulator::catalogue::{ItemId, MediaKind, Section};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_sync::index::LibraryState;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::fixture::{BOTH, PlaylistFixture, server, tracks_of};
use super::standing;
use crate::fixture::waiting::until;

/// Tracks whose tags are read when the scan begins.
const READ: usize = 6;
/// Tracks of the playlist.
const ALL: usize = 20;

/// A gateway before a server that scans its music and has read the tags of some tracks.
async fn scanning(kind: ServerKind) -> PlaylistFixture {
    let tasks = TaskTracker::new();
    let running = server(kind, false, &tasks).await;
    let tracks = tracks_of(&running, kind);
    let read: Vec<String> = tracks[..READ].iter().map(|track| track.key.clone()).collect();
    begin(&running, kind, &read);
    let url = running.url();
    let house = PlaylistFixture::before(kind, running, &url, tasks, Clock::system()).await;
    PlaylistFixture { tracks, ..house }
}

/// Begins a scan that has read the tags of these tracks only.
fn begin(running: &SimulatedServer, kind: ServerKind, read: &[String]) {
    running.scan(Section::Music, true);
    running.change(|write| {
        let key = |id: &ItemId| match kind {
            ServerKind::Plex => id.to_string(),
            ServerKind::Jellyfin => greenroom_simulator::jellyfin::item_id(*id),
        };
        let ids: Vec<ItemId> = write.view().catalogue().ids(MediaKind::Track).collect();
        let unread: Vec<ItemId> = ids.into_iter().filter(|id| !read.contains(&key(id))).collect();
        write.forget_tags(&unread);
    });
}

fn state(house: &PlaylistFixture) -> LibraryState {
    house.stage.process.libraries.music_library("home").expect("it is listed").state()
}

#[tokio::test]
async fn what_is_not_found_while_the_server_scans_comes_by_itself_once_it_has_ended() {
    for kind in BOTH {
        let house = scanning(kind).await;
        let report = house.sync(house.rows(0..ALL), json!({})).await;
        assert_eq!((state(&house), &report["is_changing"]), (LibraryState::Changing, &json!(true)), "{kind:?}");
        let counts = &report["counts"];
        assert_eq!((counts["found"].as_u64(), counts["not_yet"].as_u64()), (Some(6), Some(14)), "{kind:?} {counts}");
        assert_eq!((counts["missing"].as_u64(), &report["rows"][ALL - 1]["outcome"]), (Some(0), &json!("not-yet")));
        assert!(report["warnings"][0].as_str().is_some_and(|told| told.contains("14 rows are not there yet")));
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..READ)));
        let listed = house.stage.control().get("/api/v1/libraries").await.text();
        assert!(listed.contains("\"changing\""), "{listed}");
        house.running.scan(Section::Music, false);
        until(|| house.playlist_keys("ann", "Weekly") == Some(house.keys(0..ALL))).await;
        assert_eq!(state(&house), LibraryState::Current, "{kind:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn nothing_is_removed_nor_confirmed_while_the_server_scans() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..10), json!({})).await;
    begin(&house.running, ServerKind::Plex, &house.keys(0..10));
    until(|| state(&house) == LibraryState::Changing).await;
    let wish = json!({"mode": "replace", "shrink": true});
    let report = house.sync(house.rows(0..9), wish.clone()).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..10)), "{report}");
    assert_eq!(report["accounts"][0]["held_back_reason"], "changing");
    house.running.scan(Section::Music, false);
    until(|| house.playlist_keys("ann", "Weekly") == Some(house.keys(0..9))).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_watched_file_is_synced_again_once_the_scan_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = format!("[playlist.drop]\nserver = \"home\"\nfolder = \"{}\"", folder.path().display());
    let house = standing::open(&table).await;
    begin(&house.running, ServerKind::Plex, &house.keys(0..READ));
    until(|| state(&house) == LibraryState::Changing).await;
    let unread = house.tracks[READ].key.clone();
    let library = house.stage.process.libraries.music_library("home").expect("it is listed");
    let title = || {
        let held = library.generation().expect("it is indexed");
        held.snapshot.row_of(&unread).and_then(|row| held.snapshot.item(row)).map(|item| item.title.to_string())
    };
    until(|| title().as_deref() != Some(house.tracks[READ].title.as_str())).await;
    standing::write(&folder.path().join("Road.csv"), &house, 0..ALL, "");
    let report = || standing::report(&folder.path().join("Road.csv.report.json"));
    until(|| report().is_some()).await;
    assert_eq!(report().expect("a report")["report"]["counts"]["not_yet"], 14);
    assert_eq!(house.playlist_keys("ann", "Road"), Some(house.keys(0..READ)));
    house.running.scan(Section::Music, false);
    until(|| house.playlist_keys("ann", "Road") == Some(house.keys(0..ALL))).await;
    until(|| report().is_some_and(|report| report["report"]["counts"]["found"] == ALL)).await;
    house.close().await;
}
