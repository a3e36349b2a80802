//! The program, killed while writing a playlist; the next process completes it.

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::faults::{Fault, FaultRule};
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::fixture::{PlaylistFixture, server, tokens};
use crate::binary::configured;
use crate::fixture::waiting::until;
use greenroom_cache::Clock;

const SYNC: &str = "/api/v1/playlists/sync";

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_was_killed_halfway_is_finished_by_the_next_one_without_duplicates() {
    let tasks = TaskTracker::new();
    let running = server(ServerKind::Plex, true, &tasks).await;
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!(
        "data_dir = \"{}\"\n[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\nname = \"home\"\nkind = \"plex\"\n\
         url = \"{}\"\nlisten = \"127.0.0.1:0\"\n{}",
        folder.path().join("data").display(),
        running.url(),
        tokens(&running, ServerKind::Plex)
    );
    std::fs::write(folder.path().join("greenroom.toml"), toml).expect("written");
    let url = running.url();
    // Only to know its tracks and playlists.
    let house = PlaylistFixture::before(ServerKind::Plex, running, &url, tasks, Clock::system()).await;
    let wish = |rows: std::ops::Range<usize>, detach: bool| {
        let source = house.rows(rows);
        json!({"source": source, "server": "home", "name": "Weekly", "mode": "append", "wait": true, "detach": detach})
            .to_string()
    };
    let (mut first, control, _printed) = configured(folder.path()).await;
    let begun = control.send(Method::POST, SYNC, &wish(0..1, false)).await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    // One track per request: the eleventh request hangs.
    let path_prefix = Some("/playlists/".to_owned());
    house.running.faults().set_rule(FaultRule { fault: Fault::Hang, path_prefix, spare: 10, times: None });
    assert_eq!(control.send(Method::POST, SYNC, &wish(0..30, true)).await.status, 202);
    until(|| house.playlist_keys("ann", "Weekly").is_some_and(|held| held.len() >= 4)).await;
    first.kill().await.expect("it dies");
    house.running.faults().clear();
    let held = house.playlist_keys("ann", "Weekly").expect("it is there").len();
    assert!((4..30).contains(&held), "it was in the middle: {held}");
    let (mut second, control, _printed_again) = configured(folder.path()).await;
    let told: Value = control.send(Method::POST, SYNC, &wish(0..30, false)).await.json();
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..30)), "{told}");
    second.kill().await.expect("it dies");
    house.close().await;
}
