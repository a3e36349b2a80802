//! Index builds: automatic, complete, and cheap.

use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_simulator::catalogue::{MediaKind, SortKey};
use greenroom_simulator::latency::LatencyProfile;
use greenroom_sync::index::{BuildRequestResult, IndexNotReadyError, LibraryState};

use super::{LibraryFixture, music, report, until};
use crate::fixture::waiting;

#[tokio::test(start_paused = true)]
async fn the_music_of_a_plex_is_indexed_by_itself_and_cheaply() {
    let house = LibraryFixture::plex_with(music(3_000), "").await;
    let library = house.current().await;
    let report = report(&library);
    assert_eq!(report.items["tracks"], 3_000, "{report:#?}");
    assert!(report.cost.build_requests <= 3_000 / 1_000 + 10, "{report:#?}");
    println!("{} requests for 3,000 tracks", report.cost.build_requests);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_music_of_a_jellyfin_is_indexed_by_itself_and_cheaply() {
    let house = LibraryFixture::jellyfin(music(3_000)).await;
    let library = house.current().await;
    let report = report(&library);
    assert_eq!(report.items["tracks"], 3_000, "{report:#?}");
    assert!(report.cost.build_requests <= 3_000 / 1_000 + 10, "{report:#?}");
    println!("{} requests for 3,000 tracks", report.cost.build_requests);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn video_is_indexed_at_its_first_lookup() {
    let house = LibraryFixture::plex(music(300)).await;
    house.current().await;
    let shows = house.stage.process.libraries.all();
    let shows = shows.into_iter().find(|library| report(library).contents == "shows").expect("there are shows");
    assert_eq!(shows.state(), LibraryState::Idle);
    shows.record_lookup();
    until(&shows, |shows| shows.state() == LibraryState::Current).await;
    let report = report(&shows);
    assert!(report.items["shows"] > 0 && report.items["episodes"] > report.items["seasons"], "{report:#?}");
    house.end().await;
}

/// An app lists all films with their files, page by page, twice; `target` is the target of the page from a row on.
async fn films_listed_twice_are_indexed(house: LibraryFixture, target: impl Fn(&str, usize) -> String) {
    const PAGE: usize = 5;
    house.current().await;
    let films = house.stage.process.libraries.all();
    let films = films.into_iter().find(|library| report(library).contents == "films").expect("there are films");
    let count = house.server.state().view().list(MediaKind::Film, SortKey::Id).len();
    assert!(count > 2 * PAGE, "{count}");
    let token = house.server.tokens().owner_a().to_owned();
    let app = house.stage.client().with("accept", "application/json").with("x-plex-token", &token);
    let app = app.with("x-emby-token", &token).with("x-plex-container-size", &PAGE.to_string());
    let page = async |start: usize| {
        let page = app.with("x-plex-container-start", &start.to_string());
        let told = page.get(&target(&films.id.key, start)).await;
        assert_eq!(told.status, 200, "{}", told.text());
        assert!(
            ["\"file\"", "\"Path\""].iter().any(|name| told.text().contains(name)),
            "with its files: {}",
            told.text()
        );
    };
    for start in (0..count).step_by(PAGE) {
        page(start).await;
    }
    for _ in 0..3 {
        page(0).await;
    }
    waiting::long_moment().await;
    assert_eq!(films.state(), LibraryState::Idle, "one listing, and the first page again and again");
    for start in (0..count).step_by(PAGE) {
        page(start).await;
    }
    until(&films, |films| films.state() == LibraryState::Current).await;
    assert_eq!(report(&films).items["films"], count as u64);
    let others = house.stage.process.libraries.all();
    let shows = others.iter().find(|library| report(library).contents == "shows").expect("there are shows");
    assert_eq!(shows.state(), LibraryState::Idle, "nobody listed them");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lists_a_section_of_a_plex_twice_gets_its_index() {
    let house = LibraryFixture::plex(music(100)).await;
    films_listed_twice_are_indexed(house, |key, _| format!("/library/sections/{key}/all?includeGuids=1")).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lists_a_library_of_a_jellyfin_twice_gets_its_index() {
    let house = LibraryFixture::jellyfin(music(100)).await;
    let target = |key: &str, start: usize| {
        let scope = format!("parentId={key}&recursive=true&includeItemTypes=Movie");
        format!("/Items?{scope}&fields=Path&sortBy=SortName&startIndex={start}&limit=5")
    };
    films_listed_twice_are_indexed(house, target).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lists_a_section_twice_indexes_nothing_where_the_index_is_off() {
    let house = LibraryFixture::plex_with(music(100), "[server.library]\nenabled = false\n").await;
    let films = || house.stage.process.libraries.all().into_iter().find(|library| report(library).contents == "films");
    waiting::until(|| films().is_some()).await;
    let films = films().expect("there are films");
    let app = house.stage.client().with("x-plex-token", house.server.tokens().owner_a());
    for _ in 0..3 {
        assert_eq!(app.get(&format!("/library/sections/{}/all", films.id.key)).await.status, 200);
    }
    waiting::long_moment().await;
    assert_eq!(films.state(), LibraryState::Off);
    let warnings = house.stage.process.servers[0].0.origin.warnings.active();
    assert!(warnings.iter().all(|warning| warning.code != "library-off"), "a listing is no lookup: {warnings:?}");
    house.end().await;
}

/// `cargo nextest run -p greenroom --run-ignored only a_hundred_thousand` prints the cost.
#[tokio::test(start_paused = true)]
#[ignore = "takes half a minute; prints a figure"]
async fn a_hundred_thousand_tracks_cost_a_hundred_and_ten_requests_at_most() {
    let house = LibraryFixture::plex_with(music(100_000), "").await;
    let library = house.current().await;
    let report = report(&library);
    println!("{:?}, {:?}", report.cost, report.generation);
    assert_eq!(report.items["tracks"], 100_000);
    assert!(report.cost.build_requests <= 110, "{report:#?}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_waits_for_a_library_gets_its_first_complete_snapshot() {
    let house = LibraryFixture::plex(music(600)).await;
    let library = house.music().await;
    let generation = library.ready().await.expect("it is built");
    assert_eq!(generation.snapshot.len(), 600);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_indexed_by_itself_while_the_cache_only_observes() {
    let house = LibraryFixture::plex_with(music(300), "mode = \"observe\"\n").await;
    let library = house.music().await;
    assert_eq!(library.state(), LibraryState::Idle);
    assert_eq!(house.pages(), 0);
    assert_eq!(library.build(false), BuildRequestResult::Started, "but it is when somebody asks");
    house.current().await;
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_library_disabled_by_configuration_is_not_built_and_lookups_report_it() {
    let house = LibraryFixture::plex_with(music(300), "[server.library]\nenabled = false\n").await;
    let library = house.music().await;
    assert_eq!(library.state(), LibraryState::Off);
    assert_eq!(library.ready().await.err(), Some(IndexNotReadyError::Off));
    let warnings = house.stage.process.servers[0].0.origin.warnings.active();
    assert!(warnings.iter().any(|warning| warning.code == "library-off"), "{warnings:?}");
    assert_eq!((house.pages(), library.build(true)), (0, BuildRequestResult::Off));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_watched_from_the_command_line_and_over_the_api_until_it_ends() {
    // The command line is another process, whose time is not paused.
    let house = LibraryFixture::plex_at(Clock::scaled(100.0), music(3_000)).await;
    let library = house.current().await;
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(20)));
    library.build(false);
    let control = house.stage.control().with("accept", "text/event-stream");
    let events = control.get(&format!("/api/v1/libraries/{}/progress", library.id)).await.text();
    assert!(events.starts_with("event: progress\n"), "{events}");
    assert_eq!(events.matches("event: end\n").count(), 1, "{events}");
    assert!(events.contains("\"phase\":\"crawling\"") && events.contains("\"percent\":"), "{events}");
    let build = |more: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_greenroom"));
        command.arg("build").args(more).arg("--control").arg(house.stage.process.control.to_string());
        command.arg("--data-dir").arg(house.data()).env_clear().output()
    };
    let done = build(&["music", "--json"]).await.expect("it runs");
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).expect("it prints JSON");
    assert_eq!((done.status.code(), &said["libraries"][0]["state"]), (Some(0), &"current".into()), "{done:?}");
    assert_eq!(build(&["nowhere"]).await.expect("it runs").status.code(), Some(2));
    let listed = build(&["--list"]).await.expect("it runs");
    let listed = String::from_utf8(listed.stdout).expect("it prints text");
    assert!(listed.contains("current") && listed.contains("3,000"), "{listed}");
    for (word, state) in [("--off", "off"), ("--on", "current")] {
        let done = build(&["music", word, "--json"]).await.expect("it runs");
        let said: serde_json::Value = serde_json::from_slice(&done.stdout).expect("it prints JSON");
        assert_eq!((done.status.code(), &said["libraries"][0]["state"]), (Some(0), &state.into()), "{done:?}");
    }
    assert_eq!(build(&["--off"]).await.expect("it runs").status.code(), Some(2), "one is named");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn covers_are_signed_links_and_a_track_has_its_albums() {
    for house in [LibraryFixture::plex(music(60)).await, LibraryFixture::jellyfin(music(60)).await] {
        let library = house.current().await;
        let (page, path) = (house.stage.control(), format!("/api/v1/libraries/{}/pictures", library.id));
        let samples = page.get(&path).await.json();
        let samples = samples["pictures"].as_array().expect("a list");
        assert!((2..=6).contains(&samples.len()), "{samples:?}");
        let cover = page.get(samples[0]["picture"].as_str().expect("a link")).await;
        assert_eq!(cover.status, 200);
        assert!(cover.headers["content-type"].to_str().expect("text").starts_with("image/"));
        let generation = library.generation().expect("it is indexed");
        let track = generation.snapshot.items().next().expect("it holds tracks");
        let found = page.get(&format!("{path}?keys={},unknown", track.key)).await.json();
        let (album, title) = (track.parent_key.expect("an album"), track.parent_title.expect("its title"));
        assert_eq!(found["pictures"].as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(
            (&found["pictures"][0]["key"], &found["pictures"][0]["title"]),
            (&(*track.key).into(), &(*title).into())
        );
        assert!(found["pictures"][0]["picture"].as_str().is_some_and(|link| link.contains(&*album)), "{found}");
        assert_eq!(page.get(&format!("{path}?keys={}", "1,".repeat(101))).await.status, 400);
        let metrics = page.get("/metrics").await.text();
        assert!(metrics.contains("greenroom_control_refusals_total{reason=\"too-many-pictures\"} 1\n"), "{metrics}");
        assert_eq!(page.get("/api/v1/libraries/home:none/pictures").await.status, 404);
        house.end().await;
    }
}
