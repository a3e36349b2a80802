//! A playlist sync into a library of a hundred thousand tracks, counted at the server.

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::fixture::{BOTH, PlaylistFixture, server_with};

const LIBRARY: u32 = 100_000;
const PLAYLIST: usize = 238;

#[tokio::test(start_paused = true)]
async fn no_request_is_made_to_find_tracks_and_few_to_know_the_library() {
    for kind in BOTH {
        let tasks = TaskTracker::new();
        let running = server_with(kind, LIBRARY, false, &tasks).await;
        let url = running.url();
        let house = PlaylistFixture::before(kind, running, &url, tasks, Clock::system()).await;
        let built = house.stage.process.libraries.music_library("home").expect("it is there").report(false);
        assert_eq!(built.items["tracks"], u64::from(LIBRARY));
        assert!(built.cost.build_requests <= u64::from(LIBRARY) / 1_000 + 10, "{built:#?}");
        println!("{}: {} requests to know the library", kind.name(), built.cost.build_requests);
        let spread = house.tracks.len() / PLAYLIST;
        let wanted: Vec<usize> = (0..PLAYLIST).map(|at| at * spread).collect();
        let asked_before = searches(&house);
        let report = house.sync(house.rows(wanted.clone()), json!({})).await;
        assert_eq!(report["counts"]["found"], PLAYLIST, "{}", report["counts"]);
        assert_eq!(searches(&house), asked_before, "nothing is asked to find tracks");
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(wanted)), "in order");
        assert!(house.writes() <= 23, "{} writes for {PLAYLIST} tracks", house.writes());
        house.close().await;
    }
}

/// Lists of tracks and searches requested from the server.
fn searches(house: &PlaylistFixture) -> usize {
    let is_list = |target: String| match house.kind {
        ServerKind::Plex => target.contains("/all?") || target.contains("/search"),
        ServerKind::Jellyfin => target.contains("includeitemtypes=audio") || target.contains("searchterm"),
    };
    house.running.request_log().count(|seen| is_list(seen.target.to_ascii_lowercase()))
}
