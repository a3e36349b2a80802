//! A new list in the place of an old one, where that needs fewer requests; and what a dry run tells of the requests.

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::faults::{Fault, FaultRule};
use http::Method;
use serde_json::{Value, json};

use super::fixture::{BOTH, PlaylistFixture};

/// The plan of a dry run, and the requests of the run.
async fn planned_and_done(house: &PlaylistFixture, wanted: Vec<usize>, mode: &str) -> (Value, u64) {
    let wish = |dry: bool| json!({"mode": mode, "shrink": true, "dry_run": dry});
    let planned = house.sync(house.rows(wanted.clone()), wish(true)).await;
    let before = house.writes();
    house.sync(house.rows(wanted), wish(false)).await;
    (planned["accounts"][0]["diff"].clone(), house.writes() - before)
}

#[tokio::test]
async fn a_plex_playlist_in_another_order_is_a_new_list_and_a_swap() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..40), json!({})).await;
    let id = |report: &Value| report["accounts"][0]["playlist"].as_str().expect("an id").to_owned();
    let old = id(&house.sync(house.rows(0..40), json!({"mode": "replace"})).await);
    house.client("ann").send(Method::PUT, &format!("/playlists/{old}?summary=Mine"), "").await;
    let reversed: Vec<usize> = (0..40).rev().collect();
    let (diff, writes) = planned_and_done(&house, reversed.clone(), "replace").await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(reversed)));
    let actions: Vec<&str> =
        diff["requests"].as_array().expect("a list").iter().filter_map(|one| one["action"].as_str()).collect();
    // The first renaming gives the new list the summary.
    let wanted = vec!["create", "rename", "delete", "rename"];
    assert_eq!((actions, diff["reorder"].as_bool()), (wanted, Some(true)), "{diff}");
    assert_eq!((diff["writes"].as_u64(), writes), (Some(4), 4), "{diff}");
    let listed = house.client("ann").get("/playlists?playlistType=audio").await.json();
    let lists = listed["MediaContainer"]["Metadata"].as_array().expect("a list");
    let named = lists.iter().find(|list| list["title"] == "Weekly").expect("it is listed");
    assert_eq!(named["summary"], "Mine");
    assert_ne!(named["ratingKey"].as_str(), Some(old.as_str()));
    assert!(lists.iter().all(|list| !list["title"].as_str().unwrap_or_default().contains("Greenroom")), "{lists:?}");
    house.close().await;
}

#[tokio::test]
async fn one_track_in_another_place_is_moved() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..40), json!({})).await;
    let wanted: Vec<usize> = [39].into_iter().chain(0..39).collect();
    let (diff, writes) = planned_and_done(&house, wanted.clone(), "replace").await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(wanted)));
    assert_eq!((&diff["requests"], writes), (&json!([{"action": "move", "requests": 1, "tracks": 1}]), 1));
    house.close().await;
}

#[tokio::test]
async fn a_dry_run_tells_the_requests_that_the_write_makes() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        for (wanted, mode) in [
            ((0..238).collect::<Vec<_>>(), "create"),
            ((0..238).chain(300..310).collect(), "append"),
            ((2..200).chain([1]).collect(), "replace"),
            ((0..50).rev().chain(240..300).collect(), "replace"),
            ((100..103).collect(), "replace"),
        ] {
            let (diff, writes) = planned_and_done(&house, wanted, mode).await;
            let sum: u64 =
                diff["requests"].as_array().expect("a list").iter().filter_map(|one| one["requests"].as_u64()).sum();
            assert_eq!((diff["writes"].as_u64(), sum), (Some(writes), writes), "{kind:?} {mode} {diff}");
        }
        house.close().await;
    }
}

#[tokio::test]
async fn a_swap_that_was_interrupted_is_finished_by_the_next_run() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..20), json!({})).await;
    let reversed: Vec<usize> = (0..20).rev().collect();
    let id = house.sync(house.rows(0..20), json!({"mode": "replace"})).await["accounts"][0]["playlist"].clone();
    let id = id.as_str().expect("an id");
    // As a run leaves it that ended before it gave the new list its name.
    let title = "Weekly (new order, by Greenroom)".replace(' ', "%20");
    house.client("ann").send(Method::PUT, &format!("/playlists/{id}?title={title}"), "").await;
    house.sync(house.rows(reversed.clone()), json!({"mode": "replace"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(reversed)));
    assert_eq!(house.playlist_keys("ann", "Weekly (new order, by Greenroom)"), None);
    house.close().await;
}

#[tokio::test]
async fn where_the_old_list_cannot_be_deleted_both_stay_whole() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..20), json!({})).await;
    let reversed: Vec<usize> = (0..20).rev().collect();
    let id = house.sync(house.rows(0..20), json!({"mode": "replace"})).await["accounts"][0]["playlist"].clone();
    let path = format!("/playlists/{}", id.as_str().expect("an id"));
    // It is read once; the next request about it deletes it.
    let rule = FaultRule { fault: Fault::EncryptedOnly, path_prefix: Some(path), spare: 1, times: None };
    house.running.faults().set_rule(rule);
    let report = house.sync(house.rows(reversed.clone()), json!({"mode": "replace"})).await;
    assert_eq!(report["accounts"][0]["standing"], "failed", "{report}");
    assert_eq!(house.playlist_keys("ann", "Weekly (new order, by Greenroom)"), Some(house.keys(reversed.clone())));
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..20)));
    house.running.faults().clear();
    house.sync(house.rows(reversed.clone()), json!({"mode": "replace"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(reversed)));
    assert_eq!(house.playlist_keys("ann", "Weekly (new order, by Greenroom)"), None);
    house.close().await;
}

/// A list of twenty tracks, and a fault of the requests about any list after this many.
async fn twenty_and_fault(fault: Fault, spare: u32, times: u32) -> PlaylistFixture {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..20), json!({})).await;
    let rule = FaultRule { fault, path_prefix: Some("/playlists/".to_owned()), spare, times: Some(times) };
    house.running.faults().set_rule(rule);
    house
}

#[tokio::test]
async fn a_server_that_does_not_delete_the_old_list_has_it_edited() {
    // The old list and the new one are read, then the old one is deleted.
    let house = twenty_and_fault(Fault::Status(403), 2, 1).await;
    let reversed: Vec<usize> = (0..20).rev().collect();
    let report = house.sync(house.rows(reversed.clone()), json!({"mode": "replace"})).await;
    assert_eq!(report["accounts"][0]["standing"], "written", "{report}");
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(reversed)));
    assert_eq!(house.playlist_keys("ann", "Weekly (new order, by Greenroom)"), None);
    house.close().await;
}

#[tokio::test]
async fn the_new_list_gets_its_name_though_the_server_fails_more_often_than_a_run_allows() {
    // The new list is renamed after the old one is deleted.
    let house = twenty_and_fault(Fault::Status(503), 3, 4).await;
    let reversed: Vec<usize> = (0..20).rev().collect();
    let report = house.sync(house.rows(reversed.clone()), json!({"mode": "replace"})).await;
    assert_eq!(report["accounts"][0]["standing"], "written", "{report}");
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(reversed)));
    house.close().await;
}
