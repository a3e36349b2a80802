//! Edits, additions and deletions, and the counter that tells of them.

use greenroom_simulator::catalogue::MediaKind;
use serde_json::Value;

use crate::harness::{PlexFixture, keys, rows};

async fn film(server: &PlexFixture, id: u32) -> Value {
    server.json(&format!("/library/metadata/{id}")).await["Metadata"][0].clone()
}

async fn counters(server: &PlexFixture) -> Vec<u64> {
    let sections = server.json("/library/sections").await;
    let list = sections["Directory"].as_array().unwrap().clone();
    list.iter().map(|row| row["contentChangedAt"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_edit_shows_everywhere_and_locks_its_field() {
    let server = PlexFixture::quick().await;
    let before = film(&server, 1).await;
    let target = "/library/metadata/1?title.value=Zzyzx&title.locked=1&genre%5B0%5D.tag.tag=Kites&type=1&id=1";
    assert_eq!(server.put(target).status().await, 200);
    let after = film(&server, 1).await;
    assert_eq!(after["title"], "Zzyzx");
    assert_eq!(after["Field"][0]["name"], "title");
    assert!(after["Genre"].as_array().unwrap().iter().any(|genre| genre["tag"] == "Kites"));
    assert!(after["updatedAt"].as_u64() > before["updatedAt"].as_u64());
    assert_ne!(after["thumb"], before["thumb"], "the picture has a new version");
    assert_eq!(keys(&server.json("/library/sections/1/all").await).last().unwrap(), "1", "it is ordered anew");
    assert_eq!(keys(&server.json("/library/sections/1/all?genre=Kites").await), ["1"]);
    assert_eq!(rows(&server.get("/library/metadata/1").by("sam").json().await)[0]["title"], "Zzyzx");
    server.put("/library/metadata/1?genre%5B%5D.tag.tag-=Kites").send().await;
    assert!(keys(&server.json("/library/sections/1/all?genre=Kites").await).is_empty());
    server.done().await;
}

#[tokio::test]
async fn several_items_are_edited_at_once() {
    let server = PlexFixture::quick().await;
    server.put("/library/sections/1/all?type=1&id=1,2,3&label%5B0%5D.tag.tag=Night&studio.value=Ours").send().await;
    assert_eq!(keys(&server.json("/library/sections/1/all?label=Night&sort=id").await), ["1", "2", "3"]);
    assert_eq!(film(&server, 2).await["studio"], "Ours");
    assert_eq!(server.put("/library/sections/1/all?type=1&id=999999&studio.value=x").status().await, 404);
    server.done().await;
}

#[tokio::test]
async fn an_edited_show_is_named_anew_by_its_episodes() {
    let server = PlexFixture::quick().await;
    server.put("/library/metadata/31?title.value=Renamed").send().await;
    let episodes = server.json("/library/metadata/31/allLeaves").await;
    assert!(rows(&episodes).iter().all(|row| row["grandparentTitle"] == "Renamed"));
    server.done().await;
}

#[tokio::test]
async fn additions_and_deletions_move_the_counter_of_their_section_only() {
    let server = PlexFixture::quick().await;
    let before = counters(&server).await;
    let id = server.running.add_film("Brand New", 2_024);
    let added = counters(&server).await;
    assert!(added[0] > before[0] && added[0] > before[1] && added[0] > before[2], "one counter for the server");
    assert_eq!(added[1..], before[1..]);
    assert_eq!(keys(&server.json("/library/sections/1/recentlyAdded").await)[0], id.to_string());
    assert_eq!(server.json("/library/sections/1/all?X-Plex-Container-Size=0").await["totalSize"], 31);
    assert!(server.running.delete_item(id));
    assert!(counters(&server).await[0] > added[0]);
    assert_eq!(server.get(&format!("/library/metadata/{id}")).status().await, 404);
    assert!(!server.running.delete_item(id), "it is gone already");
    server.done().await;
}

#[tokio::test]
async fn deleting_a_show_deletes_all_of_it() {
    let server = PlexFixture::quick().await;
    let episode = keys(&server.json("/library/metadata/31/allLeaves").await)[0].clone();
    server.delete("/library/metadata/31").send().await;
    assert_eq!(server.get(&format!("/library/metadata/{episode}")).status().await, 404);
    assert_eq!(server.json("/library/sections/2/all?type=4&X-Plex-Container-Size=0").await["totalSize"], 18);
    server.done().await;
}

#[tokio::test]
async fn additions_below_others_are_counted_above() {
    let server = PlexFixture::quick().await;
    let catalogue = server.running.state().catalogue().clone();
    let (season, album) = (catalogue.id(MediaKind::Season, 0), catalogue.id(MediaKind::Album, 0));
    let episode = server.running.add_episode(season, "One More").unwrap();
    let track = server.running.add_track(album, "Bonus").unwrap();
    assert!(server.running.add_track(season, "Misplaced").is_none());
    let show = film(&server, 31).await;
    assert_eq!(show["leafCount"], 7);
    let children = server.json(&format!("/library/metadata/{season}/children")).await;
    assert_eq!(keys(&children).last().unwrap(), &episode.to_string());
    assert_eq!(rows(&children).last().unwrap()["index"], 4);
    let row = film(&server, track.0).await;
    assert_eq!((row["title"].as_str(), row["parentRatingKey"].as_str()), (Some("Bonus"), Some(&*album.to_string())));
    server.done().await;
}

#[tokio::test]
async fn an_edit_from_code_is_an_edit() {
    let server = PlexFixture::quick().await;
    let id = server.running.state().catalogue().id(MediaKind::Film, 4);
    assert!(server.running.edit_item(id, |record| record.title = "From Code".into()));
    assert_eq!(film(&server, id.0).await["title"], "From Code");
    assert_eq!(server.running.state().seq(), 1);
    server.done().await;
}

#[tokio::test]
async fn settings_are_kept() {
    let server = PlexFixture::quick().await;
    server.put("/:/prefs?FriendlyName=Attic&OnDeckWindow=4").send().await;
    assert_eq!(server.json("/").await["friendlyName"], "Attic");
    let prefs = server.json("/:/prefs").await;
    let window = prefs["Setting"].as_array().unwrap().iter().find(|row| row["id"] == "OnDeckWindow").unwrap();
    assert_eq!((window["value"].as_i64(), window["default"].as_i64()), (Some(4), Some(16)));
    server.done().await;
}

#[tokio::test]
async fn a_scan_shows_while_it_lasts() {
    let server = PlexFixture::with(|options| options.switches.scan_takes = std::time::Duration::from_hours(1)).await;
    server.get("/library/sections/2/refresh").send().await;
    let running = server.json("/activities").await;
    assert_eq!(running["Activity"][0]["type"], "library.update.section");
    let refreshing = |body: &Value| -> Vec<bool> {
        body["Directory"].as_array().unwrap().iter().map(|row| row["refreshing"].as_bool().unwrap()).collect()
    };
    assert_eq!(refreshing(&server.json("/library/sections").await), [false, true, false]);
    server.delete("/library/sections/2/refresh").send().await;
    assert_eq!(server.json("/activities").await["size"], 0);
    assert_eq!(refreshing(&server.json("/library/sections").await), [false, false, false]);
    server.done().await;
}
