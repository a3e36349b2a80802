//! Upheavals of a library while tools look away, and what they can find out about it.

use greenroom_simulator::catalogue::{CatalogueSize, ItemId, MediaKind, Section, SortKey};
use greenroom_simulator::faults::{Fault, FaultRule};
use serde_json::Value;

use crate::harness::{PlexFixture, rows};
use crate::notifications::{follow, next};

const TRACKS: &str = "/library/sections/3/all?type=10&sort=id&includeGuids=1";

async fn stamp(server: &PlexFixture) -> u64 {
    let sections = server.json("/library/sections").await;
    sections["Directory"][2]["contentChangedAt"].as_u64().unwrap()
}

fn tracks(server: &PlexFixture, count: usize) -> Vec<ItemId> {
    server.running.state().view().list(MediaKind::Track, SortKey::Id).iter().copied().take(count).collect()
}

async fn total(server: &PlexFixture) -> u64 {
    let none = format!("{TRACKS}&X-Plex-Container-Start=0&X-Plex-Container-Size=0");
    server.json(&none).await["totalSize"].as_u64().unwrap()
}

async fn one(server: &PlexFixture, id: ItemId) -> Value {
    rows(&server.json(&format!("/library/metadata/{id}")).await)[0].clone()
}

#[tokio::test]
async fn a_new_key_keeps_file_and_names() {
    let server = PlexFixture::quick().await;
    let (id, before) = (tracks(&server, 1)[0], stamp(&server).await);
    let old = one(&server, id).await;
    let mut socket = follow(&server, "owner-a").await;
    let new = server.running.change(|write| write.rekey(id)).unwrap();
    let now = one(&server, new).await;
    for same in ["guid", "Guid", "title", "parentRatingKey", "grandparentTitle"] {
        assert_eq!(now[same], old[same], "{same}");
    }
    assert_eq!(now["Media"][0]["Part"][0]["file"], old["Media"][0]["Part"][0]["file"]);
    assert_eq!(server.get(&format!("/library/metadata/{id}")).status().await, 404);
    assert!(stamp(&server).await > before);
    let gone = &next(&mut socket).await["TimelineEntry"][0];
    assert_eq!((&gone["itemID"], &gone["state"]), (&id.0.into(), &9.into()));
    let came = &next(&mut socket).await["TimelineEntry"][0];
    assert_eq!((&came["itemID"], &came["state"]), (&new.0.into(), &0.into()));
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn a_key_can_be_given_to_another_thing() {
    let server = PlexFixture::quick().await;
    let id = tracks(&server, 1)[0];
    let old = one(&server, id).await;
    assert!(server.running.change(|write| write.replace(id, "Quite Another")));
    let now = one(&server, id).await;
    assert_eq!(now["title"], "Quite Another");
    assert_ne!(now["guid"], old["guid"]);
    assert_ne!(now["Media"][0]["Part"][0]["file"], old["Media"][0]["Part"][0]["file"]);
    assert!(!server.running.change(|write| write.replace(ItemId(9_999_999), "x")), "there is none");
    server.done().await;
}

#[tokio::test]
async fn a_film_moves_with_all_it_is_called() {
    let server = PlexFixture::quick().await;
    assert!(server.running.change(|write| write.move_file(ItemId(1), "/elsewhere/a.mkv")));
    let now = one(&server, ItemId(1)).await;
    assert_eq!(now["Media"][0]["Part"][0]["file"], "/elsewhere/a.mkv");
    let show = server.running.state().view().list(MediaKind::Show, SortKey::Id)[0];
    assert!(!server.running.change(|write| write.move_file(show, "/x")), "a show is no file");
    server.done().await;
}

#[tokio::test]
async fn edits_move_the_counter_only_where_they_do_and_deletions_always() {
    for by_edits in [false, true] {
        let server = PlexFixture::with(|options| options.switches.content_changed_by_edits = by_edits).await;
        let ids = tracks(&server, 20);
        let first = stamp(&server).await;
        server.running.change(|write| {
            for id in &ids[..10] {
                write.edit(*id, |record| record.title += " (Remastered)");
            }
        });
        assert_eq!(stamp(&server).await > first, by_edits);
        let second = stamp(&server).await;
        server.running.change(|write| ids[10..].iter().for_each(|id| assert!(write.delete(*id))));
        assert!(stamp(&server).await > second);
        assert_eq!(total(&server).await, 50);
        server.done().await;
    }
}

#[tokio::test]
async fn a_change_that_nobody_is_told_of_is_a_change() {
    let server = PlexFixture::quick().await;
    let (ids, before) = (tracks(&server, 2), stamp(&server).await);
    let mut socket = follow(&server, "owner-a").await;
    server.running.change_quietly(|write| write.delete(ids[0]));
    server.running.change(|write| write.delete(ids[1]));
    assert_eq!(next(&mut socket).await["TimelineEntry"][0]["itemID"], ids[1].0, "the first is not told");
    assert!(stamp(&server).await > before);
    assert_eq!(total(&server).await, 58);
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn a_scan_is_told_when_it_begins_and_when_it_ends() {
    let server = PlexFixture::quick().await;
    let mut socket = follow(&server, "owner-a").await;
    server.running.scan(Section::Music, true);
    let begun = next(&mut socket).await;
    assert_eq!(begun["ActivityNotification"][0]["event"], "started");
    assert_eq!(server.json("/library/sections").await["Directory"][2]["refreshing"], true);
    server.running.scan(Section::Music, false);
    assert_eq!(next(&mut socket).await["StatusNotification"][0]["notificationName"], "LIBRARY_UPDATE");
    let ended = next(&mut socket).await;
    let activity = &ended["ActivityNotification"][0];
    assert_eq!(
        (&activity["event"], &activity["Activity"]["Context"]["librarySectionID"]),
        (&"ended".into(), &"3".into())
    );
    assert_eq!(server.json("/library/sections").await["Directory"][2]["refreshing"], false);
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn what_changed_since_a_moment_can_be_asked_for() {
    let server = PlexFixture::quick().await;
    let ids = tracks(&server, 3);
    let newest = server.running.state().catalogue().newest_at();
    let changed = format!("{TRACKS}&push=1&addedAt>>={newest}&or=1&updatedAt>>={newest}&pop=1");
    assert_eq!(server.json(&changed).await["size"], 0);
    let album = server.running.state().view().parent(ids[0]).unwrap();
    let new = server.running.change(|write| {
        write.edit(ids[1], |record| record.title = "Edited".into());
        write.delete(ids[2]);
        write.add_track(album, "Added").unwrap()
    });
    let told = server.json(&changed).await;
    let keys: Vec<&str> = rows(&told).iter().map(|row| row["ratingKey"].as_str().unwrap()).collect();
    assert_eq!(keys, [ids[1].to_string(), new.to_string()]);
    // What is asked for is older than the newest of the catalogue: then that is looked at as well.
    let older = format!("{TRACKS}&updatedAt>>={}", newest - 1);
    let by_hand = {
        let view = server.running.state().view();
        let all = view.list(MediaKind::Track, SortKey::Id);
        all.iter().filter(|id| view.record(**id).unwrap().updated_at > newest - 1).count()
    };
    assert_eq!(server.json(&older).await["size"], by_hand);
    server.done().await;
}

#[tokio::test]
async fn the_nth_page_of_a_crawl_can_fail_in_each_way() {
    let server = PlexFixture::quick().await;
    let page = |start: u32| format!("{TRACKS}&X-Plex-Container-Start={start}&X-Plex-Container-Size=10");
    for fault in [Fault::StartPage503, Fault::Truncated, Fault::HtmlInsteadOfJson, Fault::AnswerLost] {
        let path_prefix = Some("/library/sections/3/all".to_owned());
        server.running.faults().set_rule(FaultRule { fault, path_prefix, spare: 2, times: Some(1) });
        let mut whole = Vec::new();
        for start in [0, 10, 20, 30] {
            let told = server.get(&page(start)).header("accept", "application/json").try_send().await;
            let is_page = |told: &crate::harness::PlexTestResponse| {
                told.status == 200 && serde_json::from_slice::<Value>(&told.body).is_ok()
            };
            whole.push(told.as_ref().is_ok_and(is_page));
        }
        assert_eq!(whole, [true, true, false, true], "{fault:?}");
    }
    server.done().await;
}

/// Pages of a large library are cut out of an order that is known, whatever changed meanwhile.
#[tokio::test]
async fn pages_of_a_million_tracks_do_not_go_through_all_of_them() {
    let server = PlexFixture::with(|options| options.size = CatalogueSize::with_tracks(1_000_000)).await;
    let page = |start: u32| format!("{TRACKS}&X-Plex-Container-Start={start}&X-Plex-Container-Size=2");
    let first = server.json(&page(0)).await;
    let second = server.json(&page(1)).await;
    assert_eq!(rows(&first)[1], rows(&second)[0]);
    // A walk over all tracks takes more than a second in this build: so many would take minutes.
    for start in (0..1_000_000).step_by(2_000) {
        assert_eq!(rows(&server.json(&page(start)).await).len(), 2);
    }
    let newest = server.running.state().catalogue().newest_at();
    server.running.change(|write| write.delete(ItemId(500_000)));
    let since = format!("{TRACKS}&updatedAt>>={newest}&X-Plex-Container-Start=0&X-Plex-Container-Size=2");
    assert_eq!(server.json(&since).await["totalSize"], 0);
    server.done().await;
}

/// A figure: `cargo nextest run --release -p greenroom-simulator --run-ignored only -E 'test(a_whole_crawl)'`.
#[tokio::test]
#[ignore = "a figure, and long in a debug build"]
async fn a_whole_crawl_of_a_million_tracks() {
    let server = PlexFixture::with(|options| options.size = CatalogueSize::with_tracks(1_000_000)).await;
    for start in (0..1_000_000).step_by(1_000) {
        let page = format!("{TRACKS}&X-Plex-Container-Start={start}&X-Plex-Container-Size=1000");
        let told = server.get(&page).header("accept", "application/json").send().await;
        assert!(told.status == 200 && told.body.len() > 100_000);
    }
    server.done().await;
}
