//! Writes of a sync, and writes that it avoids.

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use serde_json::{Value, json};

use super::fixture::{BOTH, PlaylistFixture, indexed, server, tokens, tracks_of};
use crate::fixture::GatewayConfigBuilder;

#[tokio::test]
async fn two_hundred_tracks_are_created_with_few_writes_and_none_the_second_time() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        assert!(house.tracks.len() >= 238, "{}", house.tracks.len());
        let report = house.sync(house.rows(0..238), json!({})).await;
        assert_eq!(report["counts"]["found"], 238);
        assert_eq!(report["accounts"][0]["standing"], "written");
        assert_eq!(report["accounts"][0]["length"], 238);
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..238)), "in order");
        assert_eq!(report["writes"], house.writes());
        assert!(house.writes() <= 23, "{} writes", house.writes());
        assert!(report["reads"].as_u64() < Some(10), "nothing is asked to find tracks: {}", report["reads"]);
        let before = house.writes();
        for mode in ["create", "replace", "append"] {
            let again = house.sync(house.rows(0..238), json!({"mode": mode})).await;
            assert_eq!(again["accounts"][0]["standing"], "unchanged", "{mode}");
            assert_eq!(again["writes"], 0, "{mode}");
        }
        assert_eq!(house.writes(), before);
        house.close().await;
    }
}

#[tokio::test]
async fn a_replaced_playlist_holds_exactly_these_tracks_in_this_order() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows(0..20), json!({})).await;
        let wanted: Vec<usize> = [25].into_iter().chain((0..12).rev()).chain(13..19).collect();
        let report = house.sync(house.rows(wanted.clone()), json!({"mode": "replace"})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(wanted)));
        let account = &report["accounts"][0];
        assert_eq!((account["added"].as_u64(), account["removed"].as_u64()), (Some(1), Some(2)), "{account}");
        assert_eq!(account["already"], 18);
        house.close().await;
    }
}

#[tokio::test]
async fn appending_adds_what_is_missing_and_touches_nothing_else() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows([5, 3, 9]), json!({})).await;
        let before = house.writes();
        house.sync(house.rows([1, 3, 2]), json!({"mode": "append"})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys([5, 3, 9, 1, 2])));
        assert_eq!(house.writes() - before, 1);
        house.close().await;
    }
}

#[tokio::test]
async fn a_playlist_that_is_there_with_other_tracks_is_not_created_over() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows([5, 3, 9]), json!({})).await;
        let before = house.writes();
        let report = house.sync(house.rows([1, 2]), json!({})).await;
        assert_eq!(report["accounts"][0]["standing"], "failed");
        assert_eq!(report["accounts"][0]["error"]["code"], "exists");
        assert_eq!(house.writes(), before);
        house.close().await;
    }
}

#[tokio::test]
async fn a_dry_run_reports_and_writes_nothing() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        let report = house.sync(house.rows(0..5), json!({"dry_run": true})).await;
        assert_eq!(
            (report["accounts"][0]["standing"].as_str(), report["accounts"][0]["is_new"].as_bool()),
            (Some("planned"), Some(true))
        );
        assert_eq!((house.writes(), house.playlist_keys("ann", "Weekly")), (0, None));
        house.sync(house.rows(0..5), json!({})).await;
        let before = house.writes();
        let report =
            house.sync(house.rows([1, 0, 7]), json!({"dry_run": true, "mode": "replace", "shrink": true})).await;
        let diff = &report["accounts"][0]["diff"];
        assert_eq!(diff["add"], json!(house.keys([7])));
        assert_eq!(diff["remove"], json!(house.keys([2, 3, 4])));
        assert_eq!(diff["reorder"], true);
        assert_eq!(house.writes(), before);
        let told = diff["writes"].as_u64();
        let done = house.sync(house.rows([1, 0, 7]), json!({"mode": "replace", "shrink": true})).await;
        assert_eq!(done["writes"].as_u64(), told, "it costs what was told");
        house.close().await;
    }
}

#[tokio::test]
async fn a_server_that_takes_one_item_a_request_is_noticed() {
    let house = PlaylistFixture::open_with(ServerKind::Plex, true, Clock::system()).await;
    house.sync(house.rows([0]), json!({})).await;
    let report = house.sync(house.rows(0..12), json!({"mode": "append"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..12)));
    assert_eq!(report["writes"], 11, "one each, and none in vain");
    assert_eq!(report["accounts"][0]["not_visible"], json!([]));
    house.close().await;
}

#[tokio::test]
async fn a_playlist_is_resolved_once_and_written_for_every_account() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        let report = house.sync(house.rows(0..30), json!({"accounts": ["ben", "cleo"]})).await;
        assert_eq!(house.playlist_keys("ben", "Weekly"), Some(house.keys(0..30)));
        assert_eq!((house.playlist_keys("ann", "Weekly"), house.playlist_keys("cleo", "Weekly")), (None, None));
        let cleo = &report["accounts"][1];
        assert_eq!(cleo["standing"], "nothing-found", "{cleo}");
        assert_eq!(cleo["not_visible"].as_array().map(Vec::len), Some(30), "cleo sees no music");
        let before = house.writes();
        house.sync(house.rows(0..30), json!({"accounts": ["ben", "cleo"], "mode": "replace"})).await;
        assert_eq!(house.writes(), before, "the second time writes nothing, also for who cannot see it");
        house.close().await;
    }
}

#[tokio::test]
async fn a_key_without_a_user_writes_for_the_named_user() {
    let house = PlaylistFixture::open(ServerKind::Jellyfin).await;
    for (account, wanted) in [("key", 0..4), ("behalf", 0..6)] {
        house.sync(house.rows(wanted.clone()), json!({"accounts": [account], "mode": "append"})).await;
        assert_eq!(house.playlist_keys("ben", "Weekly"), Some(house.keys(wanted.clone())), "{account}");
        let again = house.sync(house.rows(wanted), json!({"accounts": [account], "mode": "replace"})).await;
        assert_eq!(again["writes"], 0, "{account}: it is found again");
    }
    assert_eq!(house.playlist_keys("ann", "Weekly"), None);
    house.close().await;
}

#[tokio::test]
async fn a_playlist_of_another_user_with_that_name_is_left_alone() {
    let house = PlaylistFixture::open(ServerKind::Jellyfin).await;
    house.sync(house.rows(0..3), json!({"accounts": ["ben"]})).await;
    let user = house.running.tokens().tokens[1].user.expect("ben");
    house.running.state().write(user, |write| {
        let mine: Vec<_> = write
            .view()
            .playlists(user)
            .into_iter()
            .filter(|list| list.title == "Weekly")
            .map(|list| list.id)
            .collect();
        for id in mine {
            assert!(write.edit_playlist(id, |list| list.public = true));
        }
    });
    house.sync(house.rows(5..7), json!({"mode": "replace"})).await;
    assert_eq!(house.playlist_keys("ben", "Weekly"), Some(house.keys(0..3)));
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(5..7)));
    house.close().await;
}

#[tokio::test]
async fn reads_through_the_gateway_show_the_new_state_at_once() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let client = house.client("ann");
    let titles = async || {
        let list = client.get("/playlists").await;
        let rows = list.json()["MediaContainer"]["Metadata"].as_array().cloned().unwrap_or_default();
        (list.was_hit(), rows.iter().any(|row| row["title"] == "Weekly"))
    };
    titles().await;
    assert_eq!(titles().await, (true, false), "it is kept");
    house.sync(house.rows(0..3), json!({})).await;
    assert!(titles().await.1, "and not used any more");
    house.close().await;
}

#[tokio::test]
async fn every_row_is_reported_and_missing_rows_are_exported_as_tables_and_playlists() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let mut rows = house.rows([0, 1, 0]);
    let list = rows.as_array_mut().expect("a list");
    list.push(json!({"title": "Nobody, ever", "artist": "=No One"}));
    list.push(json!(7));
    let answer = house.ask(rows, json!({})).await.json();
    let counts = &answer["report"]["counts"];
    assert_eq!(
        *counts,
        json!({"rows": 4, "found": 2, "version": 0, "ambiguous": 0, "missing": 1, "duplicate": 1, "bad": 1})
    );
    let outcomes: Vec<&str> =
        answer["report"]["rows"].as_array().expect("rows").iter().filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["found", "found", "duplicate", "missing"]);
    assert_eq!(answer["report"]["bad"][0]["line"], 5);
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys([0, 1])));
    let run = answer["run"].as_str().expect("an id");
    let control = house.stage.control();
    let table = control.get(&format!("/api/v1/playlists/runs/{run}/missing?format=csv")).await;
    assert!(table.header("content-type").starts_with("text/csv"));
    assert!(table.text().contains("\"Nobody, ever\",\" =No One\""), "{}", table.text());
    let list = control.get(&format!("/api/v1/playlists/runs/{run}/missing")).await.json();
    assert_eq!(list["playlist"]["track"][0]["title"], "Nobody, ever");
    let part = control.get(&format!("/api/v1/playlists/runs/{run}/rows?offset=2&limit=1")).await.json();
    assert_eq!((part["total"].as_u64(), part["offset"].as_u64()), (Some(4), Some(2)));
    assert_eq!(part["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(part["items"][0]["outcome"], "duplicate");
    let runs = control.get("/api/v1/playlists/runs?limit=1").await.json();
    assert_eq!((runs["runs"][0]["run"].as_str(), runs["runs"][0]["state"].as_str()), (Some(run), Some("done")));
    house.close().await;
}

#[tokio::test]
async fn few_matches_are_reported_and_a_playlist_is_never_emptied_for_lack_of_them() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows(0..4), json!({})).await;
        let nothing = json!([{"title": "Nobody", "artist": "No One"}]);
        let report = house.sync(nothing, json!({"mode": "replace"})).await;
        assert_eq!(report["accounts"][0]["standing"], "nothing-found");
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..4)));
        assert!(report["warnings"][0].as_str().expect("a warning").contains("Only 0 %"), "{report}");
        house.close().await;
    }
}

#[tokio::test]
async fn a_playlist_of_another_server_is_taken_over() {
    let tasks = tokio_util::task::TaskTracker::new();
    let (attic, home) =
        (server(ServerKind::Jellyfin, false, &tasks).await, server(ServerKind::Plex, false, &tasks).await);
    let script = GatewayConfigBuilder::new()
        .server("attic", "jellyfin", &attic.url(), &tokens(&attic, ServerKind::Jellyfin))
        .server("home", "plex", &home.url(), &tokens(&home, ServerKind::Plex));
    let stage = script.start().await;
    let from = tracks_of(&attic, ServerKind::Jellyfin);
    indexed(&stage, "attic").await;
    indexed(&stage, "home").await;
    let control = stage.control();
    let rows: Vec<Value> =
        from.iter().take(8).map(|track| json!({"title": track.title, "artist": track.artist})).collect();
    let ask = |wish: Value| {
        let control = control.clone();
        async move { control.send(http::Method::POST, "/api/v1/playlists/sync", &wish.to_string()).await }
    };
    let made = ask(json!({"source": rows, "server": "attic", "name": "Road"})).await;
    assert_eq!(made.json()["report"]["accounts"][0]["length"], 8, "{}", made.text());
    let taken = ask(json!({"source": {"server": "attic", "playlist": "road"}, "server": "home"})).await.json();
    assert_eq!(
        (taken["report"]["name"].as_str(), taken["report"]["counts"]["found"].as_u64()),
        (Some("Road"), Some(8)),
        "{taken}"
    );
    let none = ask(json!({"source": {"server": "attic", "playlist": "rail"}, "server": "home"})).await;
    assert_eq!((none.status.as_u16(), none.json()["code"].as_str()), (404, Some("no-playlist")));
    stage.stop().await;
    attic.stop().await;
    home.stop().await;
}
