//! Syncs that are held back, playlists that are left alone, and preconditions that are checked.

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::catalogue::MediaKind as What;
use greenroom_simulator::faults::Fault;
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::fixture::{BOTH, PlaylistFixture, server};
use greenroom_cache::Clock;

const SYNC: &str = "/api/v1/playlists/sync";

#[tokio::test]
async fn a_dry_run_in_the_query_writes_nothing() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let control = house.stage.control();
    let wish = json!({"source": house.rows(0..3), "server": "home", "name": "Weekly"}).to_string();
    let planned = control.send(Method::POST, &format!("{SYNC}?dry_run=true"), &wish).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    assert_eq!(planned.json()["report"]["dry_run"], true);
    for query in ["dryrun=true", "dry_run=true&colour=red", "dry_run=maybe"] {
        let refused = control.send(Method::POST, &format!("{SYNC}?{query}"), &wish).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.text());
        assert_eq!(refused.header("content-type"), "application/problem+json", "{query}");
    }
    let doubled = json!({"source": house.rows(0..3), "server": "home", "policy": "strict"}).to_string();
    let refused = control.send(Method::POST, &format!("{SYNC}?policy=ids-only"), &doubled).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!((house.writes(), house.playlist_keys("ann", "Weekly")), (0, None));
    house.close().await;
}

#[tokio::test]
async fn a_server_that_refuses_to_make_a_playlist_is_not_asked_once_for_every_track() {
    let house = PlaylistFixture::open(ServerKind::Jellyfin).await;
    house.running.faults().set_for("/Playlists", Fault::EncryptedOnly);
    let report = house.sync(house.rows(0..200), json!({})).await;
    let account = &report["accounts"][0];
    assert_eq!((&account["standing"], &account["error"]["code"]), (&json!("failed"), &json!("refused")));
    assert!(account["error"]["message"].as_str().is_some_and(|told| told.contains("400")), "{account}");
    assert!(report["writes"].as_u64() < Some(12), "{}", report["writes"]);
    house.close().await;
}

#[tokio::test]
async fn another_version_is_reported_each_time_and_never_confirmed_by_itself() {
    let tasks = TaskTracker::new();
    let running = server(ServerKind::Plex, false, &tasks).await;
    let (id, artist) = {
        let view = running.state().view();
        let id = view.catalogue().ids(What::Track).next().expect("a track");
        (id, view.record(id).and_then(|record| record.grandparent).expect("an artist").title)
    };
    assert!(running.edit_item(id, |record| record.title = "Quiet Harbour Lights (Live)".into()));
    let url = running.url();
    let house = PlaylistFixture::before(ServerKind::Plex, running, &url, tasks, Clock::system()).await;
    for time in ["first", "second"] {
        let rows = json!([{"title": "Quiet Harbour Lights", "artist": artist}]);
        let report = house.sync(rows, json!({"policy": "prefer-version-else-any", "mode": "replace"})).await;
        let row = &report["rows"][0];
        assert_eq!((&row["outcome"], &row["source"]), (&json!("version"), &json!("index")), "{time}: {row}");
    }
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(vec![id.to_string()]));
    house.close().await;
}

#[tokio::test]
async fn earlier_decisions_are_reported_with_their_reason() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..2), json!({})).await;
    let again = house.sync(house.rows(0..2), json!({"mode": "replace"})).await;
    let row = &again["rows"][0];
    assert_eq!((&row["outcome"], &row["source"]), (&json!("found"), &json!("confirmed")), "{row}");
    assert_eq!(row["item"]["reasons"], json!(["written and confirmed before"]));
    house.close().await;
}

#[tokio::test]
async fn a_playlist_keeps_what_it_has_where_most_of_it_would_leave() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows(0..10), json!({})).await;
        let planned = house.sync(house.rows(8..14), json!({"mode": "replace", "dry_run": true})).await;
        assert_eq!(planned["accounts"][0]["diff"]["remove"], json!([]), "{planned}");
        let report = house.sync(house.rows(8..14), json!({"mode": "replace"})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..14)), "what is new is added");
        assert_eq!(report["accounts"][0]["held_back"], 8);
        assert!(report["warnings"][0].as_str().is_some_and(|told| told.contains("8 entries")), "{report}");
        house.sync(house.rows(8..14), json!({"mode": "replace", "shrink": true})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(8..14)));
        house.close().await;
    }
}

#[tokio::test]
async fn where_few_rows_are_found_nothing_leaves() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    house.sync(house.rows(0..5), json!({})).await;
    let mut rows = house.rows(0..4);
    let list = rows.as_array_mut().expect("a list");
    list.extend((0..6).map(|number| json!({"title": format!("Nobody {number}"), "artist": "No One"})));
    let report = house.sync(rows, json!({"mode": "replace"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..5)), "{}", report["counts"]);
    assert_eq!(report["accounts"][0]["held_back"], 1);
    house.close().await;
}

/// Makes all of ben's playlists of this name public.
fn publish(house: &PlaylistFixture, name: &str) {
    let ben = house.running.tokens().tokens[1].user.expect("ben");
    house.running.state().write(ben, |write| {
        let lists: Vec<_> = write.view().playlists(ben).into_iter().cloned().collect();
        for list in lists.into_iter().filter(|list| list.owner == ben && list.title == name) {
            assert!(write.edit_playlist(list.id, |list| list.public = true));
        }
    });
}

#[tokio::test]
async fn an_administrators_key_never_writes_over_a_strangers_playlist() {
    let house = PlaylistFixture::open(ServerKind::Jellyfin).await;
    let boss = json!({"accounts": ["boss"], "mode": "replace", "shrink": true});
    let named = |name: &str| {
        let mut wish = boss.clone();
        wish["name"] = json!(name);
        wish
    };
    house.sync(house.rows(0..3), json!({"accounts": ["ben"]})).await;
    publish(&house, "Weekly");
    let report = house.sync(house.rows(5..7), named("Weekly")).await;
    let account: &Value = &report["accounts"][0];
    assert_eq!((&account["standing"], &account["error"]["code"]), (&json!("failed"), &json!("not-ours")));
    assert_eq!(house.playlist_keys("ben", "Weekly"), Some(house.keys(0..3)));
    // A playlist created here is recognised, also beside a foreign one of the same name.
    house.sync(house.rows(0..3), named("Mine")).await;
    assert_eq!(house.playlist_keys("ann", "Mine"), Some(house.keys(0..3)));
    house.sync(house.rows(8..9), json!({"accounts": ["ben"], "name": "Mine"})).await;
    publish(&house, "Mine");
    house.sync(house.rows(4..6), named("Mine")).await;
    assert_eq!(house.playlist_keys("ann", "Mine"), Some(house.keys(4..6)));
    assert_eq!(house.playlist_keys("ben", "Mine"), Some(house.keys(8..9)));
    house.close().await;
}

#[tokio::test]
async fn of_two_tracks_the_second_is_sent_alone_where_only_the_first_was_taken() {
    let house = PlaylistFixture::open_with(ServerKind::Plex, true, Clock::system()).await;
    house.sync(house.rows([0]), json!({})).await;
    let report = house.sync(house.rows(0..3), json!({"mode": "append"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..3)), "{report}");
    assert_eq!(report["accounts"][0]["not_visible"], json!([]));
    house.close().await;
}
