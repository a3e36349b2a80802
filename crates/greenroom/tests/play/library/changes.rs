//! Index updates: additions, deletions, retags, new keys; from events, or found by comparison.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greenroom_library::item::{Item, ItemKind};
use greenroom_simulator::catalogue::{ItemId, MediaKind, Section, SortKey};
use greenroom_simulator::state::StateWrite;
use greenroom_sync::index::{Library, LibraryState};
use http::Method;

use super::{LibraryFixture, ReportText, music, report, until};
use crate::fixture::waiting;

const CHANGED: usize = 500;
const REKEYED: usize = 50;

/// Expected content of a library: file and title of each track.
type TrackTitles = BTreeSet<(String, String)>;

/// Deletes 500 tracks, adds 500, renames 500, and gives 50 a new key.
fn change(house: &LibraryFixture, is_told: bool) -> TrackTitles {
    let work = |write: &mut StateWrite<'_>| {
        let tracks: Vec<ItemId> = write.view().catalogue().ids(MediaKind::Track).collect();
        let album = write.view().parent(tracks[tracks.len() - 1]).expect("it lies in an album");
        let (deleted, rest) = tracks.split_at(CHANGED);
        let (retagged, rest) = rest.split_at(CHANGED);
        for track in deleted {
            assert!(write.delete(*track));
        }
        for track in retagged {
            assert!(write.edit(*track, |record| record.title = format!("{} (Another Take)", record.title)));
        }
        for track in &rest[..REKEYED] {
            write.rekey(*track).expect("it has a new key");
        }
        for number in 0..CHANGED {
            write.add_track(album, &format!("Brand New {number}")).expect("it is there");
        }
    };
    if is_told {
        house.server.change(work);
    } else {
        house.server.change_quietly(work);
    }
    let view = house.server.state().view();
    let all = view.list(MediaKind::Track, SortKey::Id);
    let told = all.iter().filter_map(|id| view.record(*id));
    told.map(|record| (record.file.expect("a track has a file").path, record.title)).collect()
}

/// Indexed content of a library.
fn library_tracks(library: &Arc<Library>) -> TrackTitles {
    let generation = library.generation().expect("something is kept");
    let path = |item: &Item| item.files.first().map_or_else(String::new, |file| file.path.to_string());
    generation.snapshot.items().map(|item| (path(&item), item.title.to_string())).collect()
}

fn is_as_expected(library: &Arc<Library>, expected: &TrackTitles) -> bool {
    library_tracks(library) == *expected
}

/// Waits until the event stream is connected.
async fn followed(house: &LibraryFixture) -> Arc<Library> {
    let library = house.current().await;
    waiting::until(|| house.server.request_log().sockets_open() > 0).await;
    library
}

async fn all_is_seen_by_events(house: LibraryFixture) {
    let library = followed(&house).await;
    let before = library.generation().expect("something is kept").number;
    let builds = report(&library).builds["done"];
    house.server.request_log().reset();
    let expected = change(&house, true);
    until(&library, |library| is_as_expected(library, &expected)).await;
    until(&library, |library| library.state() == LibraryState::Current && report(library).cost.following_requests > 0)
        .await;
    let (shown, asked) = (report(&library), house.server.request_log().total());
    println!("events: {} rounds, {asked} requests", shown.cost.following_rounds);
    assert_eq!(shown.builds["done"], builds, "no crawl: {shown:#?}");
    assert!(asked <= 30, "{asked} requests: {shown:#?}");
    let changed = library.changed_since(before).expect("it is known");
    assert_eq!(changed.len(), 2 * CHANGED + REKEYED, "what came or is called otherwise");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_event_round_sees_all_that_changed_in_a_plex() {
    all_is_seen_by_events(LibraryFixture::plex_with(music(4_000), "").await).await;
}

#[tokio::test(start_paused = true)]
async fn one_event_round_sees_all_that_changed_in_a_jellyfin() {
    all_is_seen_by_events(LibraryFixture::jellyfin(music(4_000)).await).await;
}

#[tokio::test(start_paused = true)]
async fn one_comparison_finds_every_unreported_change() {
    let house = LibraryFixture::plex(music(4_000)).await;
    let library = followed(&house).await;
    let before = library.generation().expect("something is kept").number;
    let expected = change(&house, false);
    let path = format!("/api/v1/libraries/{}/build", library.id);
    assert_eq!(house.stage.control().send(Method::POST, &path, "").await.status, 202);
    until(&library, |library| is_as_expected(library, &expected)).await;
    until(&library, |library| !library.progress().borrow().is_building()).await;
    let shown = report(&library);
    let counts = &shown.last_diff.as_ref().expect("it is told")["counts"];
    println!("comparison: {} requests, {counts}", shown.cost.build_requests);
    assert_eq!(counts["added"], CHANGED);
    assert_eq!(counts["removed"], CHANGED);
    assert_eq!(counts["retagged"], CHANGED);
    assert_eq!(counts["rekeyed"], REKEYED);
    assert!(library.changed_since(before).is_some() && library.changed_since(before - 1).is_none());
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn unreported_changes_are_found_by_the_counts_at_the_next_request() {
    let house = LibraryFixture::plex(music(4_000)).await;
    let library = followed(&house).await;
    let expected = change(&house, false);
    let client = house.stage.client().with("x-plex-token", house.server.tokens().owner_a());
    let asked = async {
        while !is_as_expected(&library, &expected) {
            client.get("/library/sections").await;
            house.stage.process.clock.sleep(Duration::from_secs(5)).await;
        }
    };
    waiting::with_deadline(ReportText(&library), asked).await;
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_names_another_thing_is_seen() {
    let house = LibraryFixture::plex(music(600)).await;
    let library = followed(&house).await;
    let track = house.server.state().view().catalogue().ids(MediaKind::Track).next().expect("a track");
    house.server.change(|write| assert!(write.replace(track, "Quite Another Song")));
    until(&library, |library| {
        let generation = library.generation().expect("something is kept");
        let item = generation.snapshot.row_of(&track.to_string()).and_then(|row| generation.snapshot.item(row));
        item.is_some_and(|item| &*item.title == "Quite Another Song")
    })
    .await;
    house.end().await;
}

/// Whether it is stale because of a shrink. A count that changed meanwhile is another, momentary reason.
fn is_doubted(library: &Arc<Library>) -> bool {
    library.state() == LibraryState::Stale && report(library).failure.is_some_and(|failure| failure.reason == "shrunk")
}

#[tokio::test(start_paused = true)]
async fn a_library_that_loses_most_while_the_server_scans_is_not_believed_at_once() {
    let house = LibraryFixture::plex(music(1_000)).await;
    let library = followed(&house).await;
    house.server.scan(Section::Music, true);
    house.server.change(|write| {
        let tracks: Vec<ItemId> = write.view().catalogue().ids(MediaKind::Track).collect();
        for track in &tracks[100..] {
            assert!(write.delete(*track));
        }
    });
    until(&library, is_doubted).await;
    let kept = library.generation().expect("the old one stays").snapshot.len();
    assert!(kept >= 500, "{kept} are left: small losses add up to a large one");
    house.server.scan(Section::Music, false);
    until(&library, |library| library.generation().is_some_and(|held| held.snapshot.len() == 100)).await;
    until(&library, |library| library.state() == LibraryState::Current).await;
    // It recovers, and a second loss is held back like the first: the earlier confirmation no longer counts.
    house.server.change(|write| {
        let track = write.view().catalogue().ids(MediaKind::Track).next().expect("a track");
        let album = write.view().parent(track).expect("it lies in an album");
        for number in 0..900 {
            write.add_track(album, &format!("Back Again {number}")).expect("it is there");
        }
    });
    until(&library, |library| library.generation().is_some_and(|held| held.snapshot.len() == 1_000)).await;
    until(&library, |library| library.state() == LibraryState::Current).await;
    house.server.scan(Section::Music, true);
    house.server.change(|write| {
        let tracks: Vec<ItemId> = write.view().list(MediaKind::Track, SortKey::Id).iter().copied().skip(100).collect();
        for track in tracks {
            assert!(write.delete(track));
        }
    });
    until(&library, is_doubted).await;
    assert!(library.generation().expect("the old one stays").snapshot.len() >= 500);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn episodes_bear_the_new_name_of_their_show() {
    for house in [LibraryFixture::plex(music(100)).await, LibraryFixture::jellyfin(music(100)).await] {
        followed(&house).await;
        let all = house.stage.process.libraries.all();
        let shows = all.into_iter().find(|library| report(library).contents == "shows").expect("there are shows");
        shows.record_lookup();
        until(&shows, |shows| shows.state() == LibraryState::Current).await;
        let show = house.server.state().view().catalogue().ids(MediaKind::Show).next().expect("a show");
        house.server.change(|write| assert!(write.edit(show, |record| record.title = "Quite Another Show".into())));
        let named = |shows: &Arc<Library>| {
            let generation = shows.generation().expect("something is kept");
            let is_of = |item: &Item| {
                item.kind == ItemKind::Episode && item.grandparent_title.as_deref() == Some("Quite Another Show")
            };
            generation.snapshot.items().filter(is_of).count()
        };
        let view = house.server.state().view();
        let episodes: usize = view.children(show).iter().map(|season| view.children(*season).len()).sum();
        drop(view);
        assert!(episodes > 0);
        until(&shows, |shows| named(shows) == episodes).await;
        assert_eq!(report(&shows).builds["done"], 1, "no crawl");
        house.end().await;
    }
}
