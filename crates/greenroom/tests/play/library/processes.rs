//! Library indexes over restarts: a stored index is used at once and confirmed cheaply, a disabled one stays so, and no
//! index is used for a token that did not build it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use greenroom_cache::Clock;
use greenroom_simulator::faults::Fault;
use greenroom_sync::index::{BuildRequestResult, LibraryState};
use http::Method;

use super::{LibraryFixture, keys, music, report, until};
use crate::fixture::waiting;

/// Files of snapshots.
fn files(house: &LibraryFixture) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(house.data().join("libraries")).expect("there are some").flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("a folder").flatten());
    files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|ending| ending == "library")).collect()
}

/// Waits until the index is on disk too.
async fn saved(house: &LibraryFixture) {
    let library = house.current().await;
    until(&library, |library| !library.progress().borrow().is_building()).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_uses_what_was_kept_and_confirms_it_without_a_crawl() {
    let house = LibraryFixture::plex(music(3_000)).await;
    saved(&house).await;
    let before = house.music().await.generation().expect("something is kept").number;
    house.server.request_log().reset();
    let house = house.restart("").await;
    let library = house.current().await;
    assert_eq!(library.generation().expect("something is kept").number, before, "it is the same");
    let pages = house.pages();
    println!("confirmed with {pages} requests for lists");
    assert!(pages <= 3, "{pages} pages");
    assert_eq!(report(&library).items["tracks"], 3_000);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_stored_index_is_used_during_an_outage_and_marked_so() {
    let house = LibraryFixture::plex(music(600)).await;
    saved(&house).await;
    house.server.faults().set(Fault::Gone);
    let house = house.restart("").await;
    let library = house.music().await;
    until(&library, |library| library.generation().is_some()).await;
    assert_eq!(library.state(), LibraryState::Unconfirmed);
    assert_eq!(keys(&library).len(), 600);
    house.server.faults().clear();
    house.current().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_set_aside_and_the_library_is_rebuilt() {
    // Generation numbers come from the clock: it has to advance between two processes.
    let house = LibraryFixture::plex_at(Clock::scaled(100.0), music(600)).await;
    saved(&house).await;
    let before = house.music().await.generation().expect("something is kept").number;
    let file = files(&house).pop().expect("a file");
    let mut bytes = std::fs::read(&file).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let house = house.restart("").await;
    let library = house.current().await;
    let after = library.generation().expect("something is kept");
    assert!(after.number > before, "numbers do not repeat");
    assert_eq!(after.snapshot.len(), 600);
    assert!(file.with_extension("damaged").exists());
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_disabled_library_stays_disabled_over_a_restart() {
    let house = LibraryFixture::plex(music(600)).await;
    saved(&house).await;
    let library = house.current().await;
    let path = format!("/api/v1/libraries/{}", library.id);
    let control = house.stage.control();
    let off = control.send(Method::PUT, &path, r#"{"enabled":false}"#).await;
    assert_eq!((off.status.as_u16(), off.json()["state"].as_str().map(str::to_owned)), (200, Some("off".into())));
    assert!(library.generation().is_none());
    assert_eq!(control.send(Method::POST, &format!("{path}/build"), "").await.status, 409);
    house.server.request_log().reset();
    let house = house.restart("").await;
    let library = house.music().await;
    assert_eq!(library.state(), LibraryState::Off);
    assert_eq!(house.pages(), 0, "nothing is asked of it");
    let on = house.stage.control().send(Method::PUT, &path, r#"{"enabled":true}"#).await;
    assert_eq!(on.status, 200);
    house.current().await;
    house.end().await;
}

/// Nothing is indexed automatically: any index existed before.
const OBSERVE: &str = "mode = \"observe\"\n";

/// Content of the snapshot files.
fn stored_files(house: &LibraryFixture) -> BTreeMap<PathBuf, Vec<u8>> {
    files(house).into_iter().map(|path| (path.clone(), std::fs::read(path).expect("it can be read"))).collect()
}

/// Waits until the server was asked for its libraries, after those on disk were loaded.
async fn looked(house: &LibraryFixture) {
    waiting::until(|| !house.stage.process.libraries.all().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn another_token_is_not_shown_what_this_one_was() {
    let house = LibraryFixture::plex(music(600)).await;
    saved(&house).await;
    let before = stored_files(&house);
    let (owner, sam) = (house.server.tokens().owner_a().to_owned(), house.server.tokens().sam().to_owned());
    let house = house.reopen(&sam, OBSERVE).await;
    looked(&house).await;
    let library = house.music().await;
    assert_eq!(library.state(), LibraryState::Idle, "it is another's");
    assert!(library.generation().is_none());
    assert_eq!(library.build(false), BuildRequestResult::Started);
    house.current().await;
    assert_eq!(files(&house).len(), 2, "each has one of his own");
    assert!(before.iter().all(|(path, bytes)| std::fs::read(path).as_ref().is_ok_and(|now| now == bytes)));
    let house = house.reopen(&owner, OBSERVE).await;
    looked(&house).await;
    assert_eq!(keys(&house.music().await).len(), 600, "the owner's is still there");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_token_names_the_remedy() {
    let house = LibraryFixture::plex(music(300)).await;
    saved(&house).await;
    let house = house.restart_as("").await;
    let shown = house.stage.control().get("/api/v1/libraries").await.json();
    assert_eq!(shown["libraries"].as_array().map(Vec::len), Some(0));
    assert_eq!(shown["servers"][0]["state"], "no-token");
    let remedy = shown["servers"][0]["remedy"].as_str().expect("a remedy");
    for part in ["greenroom login plex --server-url http://", "--output ", "token_file = \""] {
        assert!(remedy.contains(part), "{part} is missing in {remedy}");
    }
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restricted_users_token_neither_sees_nor_replaces_the_owners_snapshot() {
    let house = LibraryFixture::with_films_only_user(music(600)).await;
    saved(&house).await;
    let before = stored_files(&house);
    let (owner, kim) = (house.server.tokens().owner_a().to_owned(), house.server.tokens().kim().to_owned());
    let house = house.reopen(&kim, "[server.library]\nindex_at_start = true\n").await;
    looked(&house).await;
    let all = house.stage.process.libraries.all();
    assert!(all.iter().all(|library| report(library).contents == "films"), "{all:?}");
    for library in &all {
        until(library, |library| library.state() == LibraryState::Current).await;
        until(library, |library| !library.progress().borrow().is_building()).await;
    }
    assert!(before.iter().all(|(path, bytes)| std::fs::read(path).as_ref().is_ok_and(|now| now == bytes)));
    let house = house.reopen(&owner, OBSERVE).await;
    looked(&house).await;
    assert_eq!(keys(&house.music().await).len(), 600, "the owner's is still there");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_api_shows_a_library_and_its_progress() {
    let house = LibraryFixture::plex(music(600)).await;
    saved(&house).await;
    let control = house.stage.control();
    let all = control.get("/api/v1/libraries").await.json();
    let music = all["libraries"].as_array().expect("a list").iter().find(|one| one["contents"] == "music");
    let id = music.expect("it is there")["id"].as_str().expect("an id").to_owned();
    let one = control.get(&format!("/api/v1/libraries/{id}")).await.json();
    assert_eq!((one["state"].as_str(), one["items"]["tracks"].as_u64()), (Some("current"), Some(600)));
    let progress = control.get(&format!("/api/v1/libraries/{id}/progress")).await.json();
    assert_eq!((progress["phase"].as_str(), progress["asked"].as_bool()), (Some("idle"), Some(false)));
    let watched = control.with("accept", "text/event-stream");
    let events = watched.get(&format!("/api/v1/libraries/{id}/progress")).await.text();
    assert!(events.starts_with("event: end\ndata: {"), "{events}");
    for path in ["home:999", "home", "%20"] {
        assert_eq!(control.get(&format!("/api/v1/libraries/{path}")).await.status, 404, "{path}");
    }
    let metrics = control.get("/metrics").await.text();
    assert!(metrics.contains(&format!("greenroom_library_items{{library=\"{id}\",kind=\"tracks\"}} 600")));
    assert!(
        metrics.contains("greenroom_library_builds_total{")
            && metrics.contains("greenroom_library_generation_age_seconds{")
    );
    house.end().await;
}
