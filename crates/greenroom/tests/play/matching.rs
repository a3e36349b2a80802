//! Lookups of tracks, paths and names through the whole process; persistent match overrides; the live fallback.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use greenroom_dialect::crawl::LibraryContents;
use greenroom_library::files::{CaseSensitivity, FileIndexBuilder, FileQuery, PathMaps};
use greenroom_library::item::{Item, ItemKind, MediaFile};
use greenroom_library::snapshot::SnapshotBuilder;
use greenroom_simulator::faults::Fault;
use greenroom_sync::index::Library;
use greenroom_sync::matching::Matcher;
use greenroom_sync::matching::path_lookup::PathLookupQuery;
use http::Method;
use serde_json::{Value, json};

use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};
use crate::library::{LibraryFixture, music, until};

const TRACKS: &str = "/api/v1/match/tracks";
const PATHS: &str = "/api/v1/match/paths";
const PINS: &str = "/api/v1/match/pins";
const DISOWN: &str = "/api/v1/match/disown";

/// A process whose server cannot be reached, with libraries of films and music that the test publishes.
struct LookupFixture {
    stage: GatewayFixture,
}

fn film() -> Item {
    let mut film = Item::new(ItemKind::Film, "7", "The Matrix");
    film.guids = vec!["com.plexapp.agents.imdb://tt0133093?lang=en".into()];
    film.files = vec![MediaFile { path: "/media/films/The Matrix (1999)/matrix.mkv".into(), size_bytes: Some(900) }];
    film
}

fn song(key: &str, artist: &str, title: &str) -> Item {
    let mut item = Item::new(ItemKind::Track, key, title);
    item.grandparent_title = Some(artist.into());
    item.parent_title = Some("Album".into());
    item.duration_ms = Some(200_000);
    item.files = vec![MediaFile { path: format!("/media/music/{artist}/{title}.flac").into(), size_bytes: None }];
    item
}

impl LookupFixture {
    async fn start(data_dir: &std::path::Path) -> Self {
        let maps = "[[server.path_map]]\nfrom = '^D:\\\\films\\\\([^\\\\]+)\\\\(.*)$'\nto = '/media/films/$1/$2'\n";
        let script = GatewayConfigBuilder::new().data_dir(data_dir).server("home", "plex", "http://127.0.0.1:9", maps);
        let shelf = Self { stage: script.start().await };
        shelf.publish("1", &[film()]);
        shelf.publish("3", &[song("101", "Radiohead", "Creep"), song("102", "Portishead", "Roads")]);
        shelf
    }

    fn publish(&self, key: &str, items: &[Item]) {
        let server = Arc::clone(&self.stage.process.servers[0].0);
        let id = format!("home:{key}").parse().expect("an id");
        let library = Arc::new(Library::new(id, if key == "3" { "Music" } else { "Films" }, server));
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        library.publish(builder.build(), Timestamp::from_millis(1_000));
        self.stage.process.libraries.add(library);
    }

    async fn ask(&self, path: &str, body: Value) -> TestResponse {
        ask(&self.stage.control(), path, &body).await
    }
}

async fn ask(client: &TestClient, path: &str, body: &Value) -> TestResponse {
    client.send(Method::POST, path, &body.to_string()).await
}

fn code(answer: &TestResponse) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_found_through_path_maps_and_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let paths = json!([
        r"D:\films\The Matrix (1999)\matrix.mkv",
        {"path": "/mnt/The Matrix (1999)/matrix.mkv", "size_bytes": 900},
        "/media/films/Other (2000)/matrix.mkv",
        "/nowhere/at/all.mkv",
    ]);
    let told = shelf.ask(PATHS, json!({"server": "home", "paths": paths})).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let told = told.json();
    let found: Vec<(&str, &Value)> = told["paths"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["confidence"].as_str().unwrap_or_default(), &one["key"]))
        .collect();
    let (seven, none) = (json!("7"), Value::Null);
    assert_eq!(found, [("HIGH", &seven), ("HIGH", &seven), ("LOW", &none), ("NONE", &none)]);
    assert_eq!(told["paths"][0]["reasons"], json!(["mapped_path"]));
    assert_eq!(told["paths"][0]["items"][0]["mapped_files"], json!([r"D:\films\The Matrix (1999)\matrix.mkv"]));
    assert_eq!(told["paths"][2]["candidates"][0]["key"], "7");
    assert_eq!((&told["high"], &told["low"], &told["none"]), (&json!(2), &json!(1), &json!(1)));
    // Rules of one call replace the configured ones.
    let maps = json!([{"from": "^/app/(.*)$", "to": "/media/films/$1"}]);
    let mapped = json!({"maps": maps, "paths": ["/app/The Matrix (1999)/matrix.mkv"], "library": "home:1"});
    assert_eq!(shelf.ask(PATHS, mapped).await.json()["paths"][0]["reasons"], json!(["mapped_path"]));
    let bad = shelf.ask(PATHS, json!({"maps": [{"from": "(", "to": ""}], "paths": []})).await;
    assert_eq!(code(&bad), (400, "rule-no-expression".to_owned()));
    assert!(bad.json()["detail"].as_str().is_some_and(|detail| detail.starts_with("rule 1: ")), "{}", bad.text());
    let ids = json!({"ids": ["imdb://tt0133093", "tt0000001"]});
    let told = shelf.ask("/api/v1/match/ids", ids).await.json();
    assert_eq!((&told["ids"][0]["items"][0]["key"], &told["found"]), (&json!("7"), &json!(1)));
    shelf.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_a_read_and_whatever_acts_needs_the_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let anybody = shelf.stage.control().without("authorization");
    let wanted = json!({"title": "Creep", "artist": "Radiohead"});
    let told = ask(&anybody, TRACKS, &json!({"library": "home:3", "tracks": [wanted]})).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let told = told.json();
    assert_eq!((&told["tracks"][0]["decision"], &told["tracks"][0]["item"]["key"]), (&json!("accept"), &json!("101")));
    assert_eq!((&told["accepted"], &told["library"]), (&json!(1), &json!("home:3")));
    let live = ask(&anybody, TRACKS, &json!({"library": "home:3", "live": true, "tracks": [wanted]})).await;
    assert_eq!(code(&live), (401, "token-missing".to_owned()));
    let pin = json!({"library": "home:3", "track": wanted, "key": "102"});
    assert_eq!(anybody.send(Method::PUT, PINS, &pin.to_string()).await.status, 401);
    assert_eq!(anybody.get("/api/v1/match/decisions").await.status, 200);
    let stranger = anybody.with("origin", "http://evil.example");
    assert_eq!(ask(&stranger, TRACKS, &json!({"tracks": []})).await.status, 401, "another page asks");
    shelf.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswerable_lookup_states_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let server = Arc::clone(&shelf.stage.process.servers[0].0);
    let empty = Library::new("home:9".parse().expect("an id"), "New", server);
    shelf.stage.process.libraries.add(Arc::new(empty));
    let many = vec![json!({"title": "x"}); 10_001];
    for (path, body, expected) in [
        (TRACKS, json!({"library": "home:9", "tracks": [{"title": "x"}]}), (503, "no-snapshot")),
        (PATHS, json!({"library": "home:9", "paths": ["/x"]}), (503, "no-snapshot")),
        (TRACKS, json!({"library": "home:77", "tracks": []}), (404, "unknown-library")),
        (TRACKS, json!({"library": "nonsense", "tracks": []}), (404, "unknown-library")),
        (TRACKS, json!({"server": "away", "tracks": []}), (404, "unknown-server")),
        (TRACKS, json!({"library": "home:3", "tracks": many}), (413, "too-many")),
        (TRACKS, json!({"library": "home:3", "policy": "loose", "tracks": []}), (400, "bad-body")),
        (PATHS, json!({"paths": ["/x"], "case": "upper"}), (400, "bad-body")),
        (PATHS, json!({"tracks": []}), (400, "bad-body")),
    ] {
        let answer = shelf.ask(path, body).await;
        let (status, code) = code(&answer);
        assert_eq!((status, code.as_str()), expected);
    }
    let pin = |track: Value, key: &str| json!({"library": "home:3", "track": track, "key": key}).to_string();
    let control = shelf.stage.control();
    let unknown = control.send(Method::PUT, PINS, &pin(json!({"title": "x"}), "999")).await;
    assert_eq!(code(&unknown), (404, "unknown-item".to_owned()));
    let nothing = control.send(Method::PUT, PINS, &pin(json!({"artist": "x"}), "101")).await;
    assert_eq!(code(&nothing), (400, "nothing-asked".to_owned()));
    let lines = control.with("content-type", "application/x-ndjson");
    let odd = lines.send(Method::POST, "/api/v1/match/decisions", "\n{\"library\":\"home:3\"}\n").await;
    assert_eq!(code(&odd), (400, "bad-body".to_owned()));
    assert!(odd.text().contains("Line 2"), "{}", odd.text());
    shelf.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_outlives_the_process_and_is_written_out_and_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let wanted = json!({"title": "Creep", "artist": "Radiohead", "source_id": "row 17"});
    let pin = json!({"library": "home:3", "track": wanted, "key": "102"}).to_string();
    let pinned = shelf.stage.control().send(Method::PUT, PINS, &pin).await;
    assert_eq!(pinned.status, 200, "{}", pinned.text());
    shelf.stage.stop().await;
    let shelf = LookupFixture::start(folder.path()).await;
    let asked = json!({"library": "home:3", "tracks": [wanted, {"title": "Anything", "source_id": "row 17"}]});
    let told = shelf.ask(TRACKS, asked.clone()).await.json();
    for one in told["tracks"].as_array().expect("a list") {
        assert_eq!((&one["source"], &one["item"]["key"]), (&json!("pin"), &json!("102")));
        assert_eq!(one["reasons"], json!(["pinned"]));
        assert_eq!(one["why"], "pinned by a person");
    }
    let control = shelf.stage.control();
    let lines = control.get("/api/v1/match/decisions?kind=pin").await.text();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    let listed = control.get(PINS).await.json();
    assert_eq!((&listed["counts"], &listed["decisions"][0]["key"]), (&json!({"pin": 1}), &json!("102")));
    let gone = json!({"ids": [listed["decisions"][0]["id"]]}).to_string();
    assert_eq!(control.send(Method::DELETE, PINS, &gone).await.json()["gone"], 1);
    assert_eq!(shelf.ask(TRACKS, asked.clone()).await.json()["tracks"][0]["source"], "index");
    let plain = control.with("content-type", "application/x-ndjson");
    let back = plain.send(Method::POST, "/api/v1/match/decisions", &lines).await;
    assert_eq!(back.json()["kept"], 1, "{}", back.text());
    assert_eq!(shelf.ask(TRACKS, asked).await.json()["tracks"][0]["source"], "pin");
    shelf.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn match_says_that_there_is_no_music_library() {
    // The token's user sees films only.
    let house = LibraryFixture::with_films_only_user(music(10)).await;
    let kim = house.server.tokens().kim().to_owned();
    let house = house.restart_without_data_as(&kim).await;
    let libraries = &house.stage.process.libraries;
    crate::fixture::waiting::until(|| libraries.is_listed("home")).await;
    assert!(libraries.all().iter().all(|library| library.contents() == LibraryContents::Films));
    let wanted = json!({"server": "home", "tracks": [{"title": "Creep", "artist": "Radiohead"}]});
    let told = ask(&house.stage.control(), TRACKS, &wanted).await;
    assert_eq!(code(&told), (404, "no-music-library".to_owned()), "{}", told.text());
    let pin = json!({"track": {"title": "Creep", "artist": "Radiohead"}, "key": "1"}).to_string();
    let pinned = house.stage.control().send(Method::PUT, PINS, &pin).await;
    assert_eq!(code(&pinned), (404, "no-music-library".to_owned()), "{}", pinned.text());
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.args(["match", "Radiohead - Creep", "--control"]).arg(house.stage.process.control.to_string());
    let said = command.arg("--data-dir").arg(house.data()).env_clear().output().await.expect("it runs");
    let text = String::from_utf8(said.stderr).expect("it prints text");
    assert!(!said.status.success() && text.contains("No music library"), "{text}");
    house.end().await;
}

async fn only_music_is_indexed(house: LibraryFixture) {
    house.current().await;
    let control = house.stage.control();
    let libraries = house.stage.process.libraries.all();
    let films = libraries.iter().find(|library| library.contents() == LibraryContents::Films).expect("there are films");
    assert!(films.generation().is_none(), "nobody looked for a film yet");
    let path = json!({"server": "home", "paths": ["/no/film/anywhere.mkv"]});
    let told = ask(&control, PATHS, &path).await;
    assert_eq!(code(&told), (503, "no-snapshot".to_owned()), "films are not indexed: {}", told.text());
    assert!(told.text().contains(&films.id.to_string()), "which one, and how far: {}", told.text());
    let id = json!({"server": "home", "ids": ["tt9999999"]});
    // That was the first lookup: from then on films and shows are indexed.
    for library in libraries.iter().filter(|library| library.contents() != LibraryContents::Music) {
        until(library, |library| library.generation().is_some()).await;
    }
    let told = ask(&control, PATHS, &path).await.json();
    assert_eq!((&told["paths"][0]["confidence"], &told["unindexed"]), (&json!("NONE"), &json!([])));
    assert_eq!(ask(&control, "/api/v1/match/ids", &id).await.json()["ids"][0]["confidence"], "NONE");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_film_is_not_reported_missing_while_a_plex_has_only_its_music_indexed() {
    only_music_is_indexed(LibraryFixture::plex(music(100)).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_film_is_not_reported_missing_while_a_jellyfin_has_only_its_music_indexed() {
    only_music_is_indexed(LibraryFixture::jellyfin(music(100)).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_film_is_not_reported_missing_before_the_libraries_of_the_server_are_known() {
    let house = LibraryFixture::plex(music(100)).await;
    let library = house.current().await;
    // It is on disk by then.
    until(&library, |library| !library.progress().borrow().is_building()).await;
    house.server.faults().set(Fault::Gone);
    let house = house.restart("").await;
    let library = house.music().await;
    until(&library, |library| library.generation().is_some()).await;
    let path = json!({"server": "home", "paths": ["/no/film/anywhere.mkv"]});
    let told = ask(&house.stage.control(), PATHS, &path).await;
    assert_eq!(code(&told), (503, "no-snapshot".to_owned()), "{}", told.text());
    let named = json!({"library": library.id.to_string(), "paths": ["/no/film/anywhere.mkv"]});
    let told = ask(&house.stage.control(), PATHS, &named).await.json();
    assert_eq!(told["paths"][0]["confidence"], "NONE", "the library that is named can be asked: {told}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_item_is_unknown_while_another_library_is_not_indexed() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let server = Arc::clone(&shelf.stage.process.servers[0].0);
    let empty = Library::new("home:9".parse().expect("an id"), "New", server);
    shelf.stage.process.libraries.add(Arc::new(empty));
    let paths = json!(["/media/films/The Matrix (1999)/matrix.mkv", "/nowhere/at/all.mkv"]);
    let told = shelf.ask(PATHS, json!({"paths": paths})).await.json();
    let said = |told: &Value, at: usize| told["paths"][at]["confidence"].as_str().map(str::to_owned);
    assert_eq!((said(&told, 0).as_deref(), said(&told, 1).as_deref()), (Some("HIGH"), Some("UNKNOWN")));
    assert_eq!((&told["unindexed"][0]["library"], &told["unknown"]), (&json!("home:9"), &json!(1)));
    let ids = json!({"ids": ["imdb://tt0133093", "tt0000001"]});
    let told = shelf.ask("/api/v1/match/ids", ids).await.json();
    assert_eq!((&told["ids"][0]["confidence"], &told["ids"][1]["confidence"]), (&json!("HIGH"), &json!("UNKNOWN")));
    let named = shelf.ask(PATHS, json!({"library": "home:1", "paths": paths})).await.json();
    assert_eq!(said(&named, 1).as_deref(), Some("NONE"), "the one that is named is indexed");
    shelf.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_and_an_id_are_pinned_and_what_is_not_there_is_disowned() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let control = shelf.stage.control();
    let other = r"D:\films\Other (2000)\matrix.mkv";
    let asked = json!({"server": "home", "paths": [other]});
    let first = async |body: &Value| ask(&control, PATHS, body).await.json()["paths"][0].clone();
    assert_eq!(first(&asked).await["confidence"], "LOW");
    let pin = json!({"server": "home", "path": other, "key": "7"});
    let anybody = control.without("authorization");
    assert_eq!(anybody.send(Method::PUT, PINS, &pin.to_string()).await.status, 401);
    let pinned = control.send(Method::PUT, PINS, &pin.to_string()).await;
    assert_eq!(pinned.status, 200, "{}", pinned.text());
    assert_eq!(pinned.json()["track"]["path"], "/media/films/Other (2000)/matrix.mkv", "as the rules make it");
    let told = first(&asked).await;
    assert_eq!(
        (&told["confidence"], &told["key"], &told["reasons"]),
        (&json!("HIGH"), &json!("7"), &json!(["pinned"]))
    );
    let id = json!({"id": "tt0000042", "key": "7"}).to_string();
    assert_eq!(control.send(Method::PUT, PINS, &id).await.status, 200);
    let told = shelf.ask("/api/v1/match/ids", json!({"ids": ["imdb://tt0000042"]})).await.json();
    assert_eq!((&told["ids"][0]["items"][0]["key"], &told["ids"][0]["reasons"]), (&json!("7"), &json!(["pinned"])));
    for (odd, expected) in [
        (json!({"path": "/x", "key": "999"}), (404, "unknown-item")),
        (json!({"path": "/x", "id": "tt1", "key": "7"}), (400, "nothing-asked")),
        (json!({"key": "7"}), (400, "nothing-asked")),
        (json!({"path": "", "key": "7"}), (400, "nothing-asked")),
        (json!({"id": "USUM71703861", "key": "7"}), (400, "nothing-asked")),
    ] {
        let (status, code) = code(&control.send(Method::PUT, PINS, &odd.to_string()).await);
        assert_eq!((status, code.as_str()), expected, "{odd}");
    }
    let absent = json!({"library": "home:1", "key": "7"});
    assert_eq!(ask(&anybody, DISOWN, &absent).await.status, 401);
    let unlisted = ask(&control, DISOWN, &json!({"library": "home:1", "key": "8"})).await;
    assert_eq!(code(&unlisted), (404, "unknown-item".to_owned()));
    assert_eq!(ask(&control, DISOWN, &absent).await.status, 200);
    let whole = json!({"library": "home:1", "paths": ["/media/films/The Matrix (1999)/matrix.mkv"]});
    let told = first(&whole).await;
    assert_eq!((&told["confidence"], &told["key"]), (&json!("NONE"), &Value::Null));
    assert_eq!(told["reasons"], json!(["full_path", "disowned"]));
    let films = shelf.stage.process.libraries.find(&"home:1".parse().expect("an id")).expect("it is there");
    let mut builder = SnapshotBuilder::default();
    builder.push(film());
    films.publish(builder.build(), Timestamp::from_millis(2_000));
    assert_eq!(first(&whole).await["confidence"], "HIGH", "the next snapshot is believed again");
    shelf.stage.stop().await;
}

/// `cargo nextest run -p greenroom --run-ignored only --no-capture twenty_thousand_paths` prints the cost.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints a figure"]
#[expect(clippy::disallowed_methods, reason = "what it costs is measured in real time")]
async fn twenty_thousand_paths_in_one_call() {
    const PATHS_ASKED: u32 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = LookupFixture::start(folder.path()).await;
    let mut builder = SnapshotBuilder::default();
    let path = |number: u32| {
        let (show, season, episode) = (number / 120, number / 12 % 10, number % 12);
        format!("/media/series/A Show Called {show}/Season {season:02}/A.Show.S{season:02}E{episode:02}.{show}.mkv")
    };
    for number in 0..PATHS_ASKED {
        let mut item = Item::new(ItemKind::Episode, &(1_000 + number).to_string(), &format!("Episode {number}"));
        item.grandparent_title = Some(format!("A Show Called {}", number / 120).into());
        item.parent_title = Some(format!("Season {}", number / 12 % 10).into());
        item.guids = vec![format!("plex://episode/{number:024x}").into(), format!("tvdb://{number}").into()];
        item.files = vec![MediaFile { path: path(number).into(), size_bytes: Some(u64::from(number)) }];
        builder.push(item);
    }
    let films = shelf.stage.process.libraries.find(&"home:1".parse().expect("an id")).expect("it is there");
    films.publish(builder.build(), Timestamp::from_millis(2_000));
    // In the order of another program's list, not ours.
    let paths: Vec<String> = (0..PATHS_ASKED).map(|at| path(at.wrapping_mul(7_919) % PATHS_ASKED)).collect();
    let asked = json!({"library": "home:1", "paths": paths});
    for what in ["cold", "warm", "warm"] {
        let begun = Instant::now();
        let told = shelf.ask(PATHS, asked.clone()).await;
        let whole = begun.elapsed();
        println!("{what}: {whole:?} for {} bytes of answer", told.text().len());
        assert_eq!(told.json()["high"], PATHS_ASKED);
    }
    let matching = Matcher::default();
    let listed: Vec<PathLookupQuery> =
        paths.iter().map(|path| PathLookupQuery { path: path.clone(), ..PathLookupQuery::default() }).collect();
    for what in ["cold", "warm"] {
        let (asked, begun) = (listed.clone(), Instant::now());
        let found = matching
            .find_paths(&[Arc::clone(&films)], asked, Arc::new(PathMaps::default()), CaseSensitivity::Exact)
            .await;
        println!("looked up and items read, {what}: {:?}", begun.elapsed());
        assert_eq!(found.len(), paths.len());
    }
    let snapshot = &films.generation().expect("published").snapshot;
    let begun = Instant::now();
    let mut index = FileIndexBuilder::default();
    for (row, item) in (0..).zip(snapshot.items()) {
        index.push(row, &item);
    }
    let index = index.build();
    println!("making the index: {:?}", begun.elapsed());
    let begun = Instant::now();
    let one = |path: &String| {
        index.find(&FileQuery { path, ..FileQuery::default() }, &PathMaps::default(), CaseSensitivity::Exact)
    };
    let rows: Vec<u32> = paths.iter().flat_map(|path| one(path).rows).collect();
    println!("the index alone: {:?}", begun.elapsed());
    let begun = Instant::now();
    let items: Vec<Item> = rows.iter().filter_map(|row| snapshot.item(*row)).collect();
    println!("reading {} items one by one: {:?}", items.len(), begun.elapsed());
    shelf.stage.stop().await;
}

/// Searches that reached the server.
fn searches(house: &LibraryFixture) -> usize {
    house.server.request_log().count(|seen| seen.target.contains("title=") || seen.target.contains("searchTerm="))
}

async fn live_fallback(house: LibraryFixture) {
    let library = house.current().await;
    let generation = library.generation().expect("it is built");
    let is_alone = |item: &Item, all: &[Item]| all.iter().filter(|other| other.title == item.title).count() == 1;
    let all: Vec<Item> = generation.snapshot.items().collect();
    let missing = all.iter().find(|item| is_alone(item, &all)).expect("a title of its own").clone();
    let mut builder = SnapshotBuilder::default();
    for item in all.iter().filter(|item| item.key != missing.key) {
        builder.push(item.clone());
    }
    library.publish(builder.build(), generation.taken_at_ms + Duration::from_millis(1));
    let control = house.stage.control();
    let artist = missing.artists.first().or(missing.grandparent_title.as_ref()).expect("somebody");
    let wanted = json!({"title": missing.title, "artist": artist, "album": missing.parent_title});
    let nothing = json!({"title": "Qwertyuiop Zxcvbnm", "artist": "Nobody Whatsoever"});
    let asked = json!({"library": library.id.to_string(), "tracks": [wanted, nothing]});
    let told = ask(&control, TRACKS, &asked).await.json();
    assert_eq!(told["accepted"], 0, "{told}");
    assert_eq!(searches(&house), 0, "the server is searched only if that is wanted");
    let mut live = asked.clone();
    live["live"] = json!(10);
    let told = ask(&control, TRACKS, &live).await.json();
    assert_eq!(
        (&told["tracks"][0]["source"], &told["tracks"][0]["item"]["key"]),
        (&json!("live"), &json!(missing.key))
    );
    assert_eq!(told["tracks"][1]["decision"], "reject");
    assert_eq!(searches(&house), 2);
    let again = ask(&control, TRACKS, &live).await.json();
    assert_eq!(again["tracks"][0]["item"]["key"], json!(missing.key));
    assert_eq!(again["tracks"][1]["source"], "miss");
    assert_eq!(searches(&house), 2, "what was found and what was not are remembered");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unindexed_item_of_a_plex_is_found_within_the_budget_and_remembered() {
    live_fallback(LibraryFixture::plex(music(300)).await).await;
}

#[tokio::test(start_paused = true)]
async fn an_unindexed_item_of_a_jellyfin_is_found_within_the_budget_and_remembered() {
    live_fallback(LibraryFixture::jellyfin(music(300)).await).await;
}
