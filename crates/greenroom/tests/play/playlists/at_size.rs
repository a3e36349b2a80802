//! A playlist sync into a library of a hundred thousand tracks, counted at the server.

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::fixture::{PlaylistFixture, server_with};

const LIBRARY: u32 = 100_000;
const PLAYLIST: usize = 238;

#[tokio::test(start_paused = true)]
async fn no_request_is_made_to_find_tracks_and_few_to_know_a_library_of_plex() {
    few_requests(ServerKind::Plex).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_is_made_to_find_tracks_and_few_to_know_a_library_of_jellyfin() {
    few_requests(ServerKind::Jellyfin).await;
}

async fn few_requests(kind: ServerKind) {
    let tasks = TaskTracker::new();
    let running = server_with(kind, LIBRARY, false, &tasks).await;
    let url = running.url();
    let fixture = PlaylistFixture::before(kind, running, &url, tasks, Clock::system()).await;
    let built = fixture.stage.process.libraries.music_library("home").expect("it is there").report(false);
    assert_eq!(built.items["tracks"], u64::from(LIBRARY));
    assert!(built.cost.build_requests <= u64::from(LIBRARY) / 1_000 + 10, "{built:#?}");
    println!("{}: {} requests to know the library", kind.name(), built.cost.build_requests);
    let spread = fixture.tracks.len() / PLAYLIST;
    let wanted: Vec<usize> = (0..PLAYLIST).map(|at| at * spread).collect();
    let searches_before = searches(&fixture);
    let report = fixture.sync(fixture.rows(wanted.clone()), json!({})).await;
    assert_eq!(report["counts"]["found"], PLAYLIST, "{}", report["counts"]);
    assert_eq!(searches(&fixture), searches_before, "no request is made to find tracks");
    assert_eq!(fixture.playlist_keys("ann", "Weekly"), Some(fixture.keys(wanted)), "in order");
    assert!(fixture.writes() <= 23, "{} writes for {PLAYLIST} tracks", fixture.writes());
    fixture.close().await;
}

/// Lists of tracks and searches requested from the server.
fn searches(fixture: &PlaylistFixture) -> usize {
    let is_list = |target: String| match fixture.kind {
        ServerKind::Plex => target.contains("/all?") || target.contains("/search"),
        ServerKind::Jellyfin => target.contains("includeitemtypes=audio") || target.contains("searchterm"),
    };
    fixture.running.request_log().count(|seen| is_list(seen.target.to_ascii_lowercase()))
}
