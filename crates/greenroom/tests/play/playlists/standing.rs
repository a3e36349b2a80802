//! Scheduled syncs: files, folders, and their results.

use std::path::Path;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::fixture::{PlaylistFixture, indexed, server, tokens, tracks_of};
use crate::fixture::GatewayConfigBuilder;
use crate::fixture::waiting::{until, until_async};

/// A process with this scheduled sync.
pub(super) async fn open(table: &str) -> PlaylistFixture {
    let tasks = TaskTracker::new();
    let running = server(ServerKind::Plex, false, &tasks).await;
    let script = GatewayConfigBuilder::new()
        .server("home", "plex", &running.url(), &tokens(&running, ServerKind::Plex))
        .table(table);
    let stage = script.start().await;
    let tracks = tracks_of(&running, ServerKind::Plex);
    indexed(&stage, "home").await;
    PlaylistFixture { kind: ServerKind::Plex, running, stage, tracks, tasks }
}

pub(super) fn write(path: &Path, house: &PlaylistFixture, wanted: impl IntoIterator<Item = usize>, more: &str) {
    let row = |at: usize| {
        let track = &house.tracks[at];
        format!("\"{}\",\"{}\",\"{}\"\n", track.title, track.artist, track.album)
    };
    let table = "title,artist,album\n".to_owned() + &wanted.into_iter().map(row).collect::<String>();
    std::fs::write(path, table + more).expect("written");
}

pub(super) fn report(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[tokio::test(start_paused = true)]
async fn a_watched_folder_is_kept_in_step_and_its_reports_lie_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = format!(
        "[playlist.drop]\nserver = \"home\"\nfolder = \"{}\"\naccounts = [\"ben\"]\nshrink = true",
        folder.path().display()
    );
    let house = open(&table).await;
    write(&folder.path().join("Road.csv"), &house, 0..5, "Nobody,No One,\n");
    std::fs::write(folder.path().join("broken.csv"), "colour,taste\nred,sweet\n").expect("written");
    let reports = [folder.path().join("Road.csv.report.json"), folder.path().join("broken.csv.report.json")];
    until(|| reports.iter().all(|path| report(path).is_some())).await;
    assert_eq!(house.playlist_keys("ben", "Road"), Some(house.keys(0..5)));
    let road = report(&reports[0]).expect("a report");
    assert_eq!((road["state"].as_str(), road["report"]["counts"]["missing"].as_u64()), (Some("done"), Some(1)));
    let missing = folder.path().join("Road.csv.missing.csv");
    assert!(std::fs::read_to_string(&missing).expect("a table").contains("Nobody,No One"));
    let broken = report(&reports[1]).expect("a report");
    assert!(broken["error"]["message"].as_str().expect("a sentence").contains("colour, taste"), "{broken}");
    let writes = house.writes();
    // It has changed: read again, and replaced.
    write(&folder.path().join("Road.csv"), &house, [4, 3, 7], "");
    until(|| house.playlist_keys("ben", "Road") == Some(house.keys([4, 3, 7]))).await;
    until(|| !missing.exists()).await;
    assert!(house.writes() > writes);
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 4, "only what was put there and its reports: {names:?}");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_change_is_not_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, results) = (folder.path().join("weekly.csv"), folder.path().join("results"));
    let table = format!(
        "[playlist.weekly]\nserver = \"home\"\nfile = \"{}\"\nname = \"Weekly\"\nresults = \"{}\"",
        file.display(),
        results.display()
    );
    let house = open(&table).await;
    write(&file, &house, 0..3, "");
    let path = results.join("weekly.csv.report.json");
    until(|| report(&path).is_some()).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..3)));
    let writes = house.writes();
    std::fs::remove_file(&path).expect("it can be removed");
    // Many checks later nothing has happened again.
    house.stage.process.clock.sleep(Duration::from_secs(300)).await;
    assert!(!path.exists());
    assert_eq!(house.writes(), writes);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn synchronised_playlists_are_listed_and_run_at_once_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weekly.csv");
    let table = format!(
        "[playlist.weekly]\nserver = \"home\"\nfile = \"{}\"\nname = \"Weekly\"\n[playlist.gone]\nserver = \"home\"\n\
         folder = \"{}/gone\"",
        file.display(),
        folder.path().display()
    );
    let house = open(&table).await;
    write(&file, &house, 0..3, "");
    until(|| house.playlist_keys("ann", "Weekly").is_some_and(|held| held.len() == 3)).await;
    let control = house.stage.control();
    let entry = async |name: &str| {
        let told = control.get("/api/v1/playlists/standing").await.json();
        let all = told["standing"].as_array().expect("a list").clone();
        all.into_iter().find(|entry| entry["name"] == name).expect("it is listed")
    };
    until_async(async || entry("weekly").await["playlists"][0]["last"]["state"] == "done").await;
    let weekly = entry("weekly").await;
    let playlist = &weekly["playlists"][0];
    let first_ms = playlist["last"]["at_ms"].as_u64().expect("a time");
    assert_eq!(playlist["next_ms"].as_u64(), Some(first_ms + 24 * 3_600_000), "{weekly}");
    assert_eq!(entry("gone").await["problems"].as_array().map(Vec::len), Some(1), "it is missing");
    let stats = control.get("/api/v1/cache/stats").await.text();
    assert!(stats.contains("playlist-unreadable") && stats.contains("/gone"), "{stats}");
    let run = async |name: &str| {
        control.send(http::Method::POST, &format!("/api/v1/playlists/standing/{name}/run"), "").await.status
    };
    assert_eq!(run("none").await, 404);
    // Paused time may stand still from one run to the next, and then both end in the same millisecond.
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(run("weekly").await, 202);
    until_async(async || entry("weekly").await["playlists"][0]["last"]["at_ms"].as_u64() != Some(first_ms)).await;
    house.close().await;
}
