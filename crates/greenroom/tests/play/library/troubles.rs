//! Failing index builds: the old index stays and reports its state, nothing is ever published in part, and loaded pages
//! are not loaded again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_simulator::catalogue::{ItemId, MediaKind, Section, SortKey};
use greenroom_simulator::faults::{Fault, FaultRule};
use greenroom_simulator::latency::LatencyProfile;
use greenroom_sync::index::{BuildPhase, BuildRequestResult, IndexError, IndexNotReadyError, Library, LibraryState};
use http::Method;
use parking_lot::Mutex;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{LibraryFixture, keys, keys_of, music, report, until};
use crate::fixture::waiting;

const TRACKS: u32 = 3_000;
const PAGES: &str = "/library/sections/";

fn phase(library: &Arc<Library>) -> BuildPhase {
    library.progress().borrow().phase
}

/// Whether this build has loaded pages: before it begins the figures are those of the last one.
fn is_crawling(library: &Arc<Library>) -> bool {
    let progress = library.progress();
    let progress = progress.borrow();
    progress.phase == BuildPhase::Crawling && progress.items > 0
}

const FAULTS: [Fault; 4] = [Fault::StartPage503, Fault::Truncated, Fault::HtmlInsteadOfJson, Fault::EmptyWhileStarting];

/// Deterministic pseudo-random numbers.
struct PseudoRandom(u32);

impl PseudoRandom {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % end
    }
}

/// Keys of every published generation, by number.
type PublishedKeys = Arc<Mutex<BTreeMap<u64, Vec<String>>>>;

/// Records every published generation, until dropped.
fn record_generations(library: &Arc<Library>) -> (PublishedKeys, AbortOnDropHandle<()>) {
    let (seen, library) = (PublishedKeys::default(), Arc::clone(library));
    let book = Arc::clone(&seen);
    let mut progress = library.progress();
    let noting = async move {
        while progress.changed().await.is_ok() {
            let held = library.generation().expect("something is kept");
            book.lock().entry(held.number).or_insert_with(|| keys_of(&held));
        }
    };
    (seen, AbortOnDropHandle::new(TaskTracker::new().spawn(noting)))
}

/// Ended builds, whatever their result.
fn builds(library: &Arc<Library>) -> u64 {
    library.report(false).builds.values().sum()
}

/// Waits until another build than the first `before` has ended, and none is requested.
async fn ended(library: &Arc<Library>, before: u64) {
    waiting::until(|| builds(library) > before && phase(library) == BuildPhase::Idle && !library.is_build_requested())
        .await;
}

/// Fifty builds, each with a fault at a random page, some with a change in the middle. Time is paused, because a late
/// page is followed by smaller ones, so that a busy machine would send more requests.
async fn never_a_part(house: LibraryFixture) {
    let library = house.current().await;
    let mut truths = vec![house.tracks()];
    assert_eq!((keys(&library), truths[0].len()), (truths[0].clone(), TRACKS as usize));
    let usual = report(&library).cost.build_requests;
    house.server.request_log().reset();
    let before = builds(&library);
    library.build(false);
    ended(&library, before).await;
    let pages = u32::try_from(house.pages()).expect("they are few");
    let (seen, _noting) = record_generations(&library);
    let mut draw = PseudoRandom(0x9e37_79b9);
    for round in 0..50_usize {
        let (spare, times) = (draw.below(pages), 1 + draw.below(3));
        let fault = FAULTS[round % FAULTS.len()];
        let rule = FaultRule { fault, path_prefix: Some(house.lists().into()), spare, times: Some(times) };
        house.server.faults().set_rule(rule.clone());
        let before = builds(&library);
        library.build(false);
        let changes = round % 5 == 4;
        if changes {
            until(&library, is_crawling).await;
            house.server.change(|write| {
                let all = write.view().list(MediaKind::Track, SortKey::Id);
                let track = all[draw.below(2_000) as usize];
                let album = write.view().parent(track).expect("it lies in an album");
                if round % 2 == 0 {
                    assert!(write.delete(track));
                } else {
                    write.add_track(album, "Come Meanwhile").expect("it is there");
                }
            });
            truths.push(house.tracks());
        }
        ended(&library, before).await;
        assert_ne!(house.server.faults().rule(), rule, "round {round}: it did not strike");
        house.server.faults().clear();
        let shown = report(&library);
        assert_eq!(Some(&keys(&library)), truths.last(), "round {round}: {shown:#?}");
        assert_eq!(shown.state, "current", "round {round}: {shown:#?}");
        let most = usual + 2 * u64::from(times) + 12 + if changes { 12 } else { 0 };
        assert!(shown.cost.build_requests <= most, "round {round}: more than {most}: {shown:#?}");
    }
    let seen = seen.lock().clone();
    assert!(seen.len() >= truths.len() - 1, "{} generations of {} truths", seen.len(), truths.len());
    for (number, held) in &seen {
        assert!(truths.contains(held), "generation {number} with {} items was never true", held.len());
    }
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_plex_that_fails_at_any_page_costs_no_more_than_that_page_and_never_a_part() {
    never_a_part(LibraryFixture::plex_with(music(TRACKS), "").await).await;
}

#[tokio::test(start_paused = true)]
async fn a_jellyfin_that_fails_at_any_page_costs_no_more_than_that_page_and_never_a_part() {
    never_a_part(LibraryFixture::jellyfin(music(TRACKS)).await).await;
}

#[tokio::test(start_paused = true)]
async fn repeated_failures_leave_the_stored_index_in_use_and_are_reported() {
    for house in [LibraryFixture::plex(music(TRACKS)).await, LibraryFixture::jellyfin(music(TRACKS)).await] {
        let library = house.current().await;
        let (whole, number) = (keys(&library), library.generation().expect("something is kept").number);
        for (fault, spare) in [(Fault::Truncated, 3), (Fault::HtmlInsteadOfJson, 2)] {
            let rule = FaultRule { fault, path_prefix: Some(house.lists().into()), spare, times: None };
            house.server.faults().set_rule(rule);
            library.build(false);
            until(&library, |library| phase(library) == BuildPhase::Idle && library.failure().is_some()).await;
            let shown = report(&library);
            let reason = shown.failure.as_ref().expect("it says why").reason;
            assert!(["unreachable", "unfit"].contains(&reason), "{fault:?}: {shown:#?}");
            assert_eq!(shown.state, "stale", "{fault:?}: {shown:#?}");
            assert_eq!(library.generation().expect("the old one stays").number, number, "{fault:?}");
            assert_eq!(keys(&library), whole, "{fault:?}");
            house.server.faults().clear();
            library.build(false);
            until(&library, |library| phase(library) == BuildPhase::Idle && library.state() == LibraryState::Current)
                .await;
        }
        house.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn turning_a_library_off_ends_its_build_and_turning_it_on_begins_a_new_one() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(50)));
    library.build(false);
    until(&library, is_crawling).await;
    let libraries = &house.stage.process.libraries;
    libraries.set_enabled(&library, false).await.expect("it is written down");
    // The next build must not wait for the schedule: this one was not cancelled.
    libraries.set_enabled(&library, true).await.expect("it is written down");
    house.server.set_latency(LatencyProfile::none());
    until(&library, |library| phase(library) == BuildPhase::Idle && library.state() == LibraryState::Current).await;
    let shown = report(&library);
    assert_eq!((shown.builds["done"], shown.builds["cancelled"]), (2, 1), "{shown:#?}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_of_a_library_that_was_turned_off_meanwhile() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(20)));
    for wanted in [BuildPhase::Crawling, BuildPhase::CatchingUp, BuildPhase::Indexing, BuildPhase::Saving] {
        library.build(false);
        let mut progress = library.progress();
        let at = progress.wait_for(|progress| progress.phase == wanted || progress.phase == BuildPhase::Idle);
        drop(at.await.expect("it lives"));
        house.stage.process.libraries.set_enabled(&library, false).await.expect("it is written down");
        until(&library, |library| phase(library) == BuildPhase::Idle).await;
        assert!(library.generation().is_none(), "{wanted:?}");
        assert_eq!(library.state(), LibraryState::Off, "{wanted:?}");
        house.stage.process.libraries.set_enabled(&library, true).await.expect("it is written down");
        until(&library, |library| phase(library) == BuildPhase::Idle && library.state() == LibraryState::Current).await;
    }
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_forced_request_that_joins_a_build_accepts_its_shrunk_result() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    house.server.scan(Section::Music, true);
    house.server.change_quietly(|write| {
        let tracks: Vec<ItemId> = write.view().catalogue().ids(MediaKind::Track).collect();
        for track in &tracks[600..] {
            assert!(write.delete(*track));
        }
    });
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(20)));
    library.build(false);
    until(&library, |library| phase(library) != BuildPhase::Idle).await;
    assert_eq!(library.build(true), BuildRequestResult::Joined);
    until(&library, |library| phase(library) == BuildPhase::Idle && !library.is_build_requested()).await;
    let shown = report(&library);
    assert_eq!((keys(&library).len(), shown.builds.get("shrunk")), (600, None), "{shown:#?}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_goes_on_where_it_was_when_the_server_comes_back() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    let first = library.generation().expect("something is kept").number;
    house.server.request_log().reset();
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(20)));
    library.build(false);
    until(&library, |library| is_crawling(library) && library.progress().borrow().items > 1_000).await;
    house.server.faults().set(Fault::Gone);
    until(&library, |library| phase(library) == BuildPhase::Waiting || library.failure().is_some()).await;
    assert_eq!(library.generation().expect("the old one stays").number, first);
    house.server.faults().clear();
    until(&library, |library| phase(library) == BuildPhase::Idle && library.state() == LibraryState::Current).await;
    let pages = house.pages();
    assert!(pages <= TRACKS as usize / 250 + 8, "{pages} pages: it began anew");
    assert_eq!(keys(&library).len(), TRACKS as usize);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_build_waits_for_a_server_that_is_not_there_yet() {
    let house = LibraryFixture::plex(music(300)).await;
    house.current().await;
    house.server.faults().set(Fault::Gone);
    let house = house.restart_without_data().await;
    assert!(house.stage.process.libraries.music_library("home").is_none());
    house.server.faults().clear();
    house.current().await;
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn two_builds_requested_at_once_are_one_crawl() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    let usual = house.pages();
    house.server.request_log().reset();
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(10)));
    let control = house.stage.control();
    let path = format!("/api/v1/libraries/{}/build", library.id);
    let first = control.send(Method::POST, &path, "").await;
    let second = control.send(Method::POST, &path, r#"{"force":true}"#).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!((first.json()["joined"].as_bool(), second.json()["joined"].as_bool()), (Some(false), Some(true)));
    // An event, the first lookup and a waiting caller arrive while it is running.
    let track = house.server.state().view().catalogue().ids(MediaKind::Track).next().expect("a track");
    house.server.edit_item(track, |record| record.title = "Renamed Meanwhile".into());
    library.record_lookup();
    library.ready().await.expect("something is kept");
    until(&library, |library| phase(library) == BuildPhase::Idle && !library.is_build_requested()).await;
    let pages = house.pages();
    assert!(pages <= usual + 6, "{pages} pages where one crawl takes {usual}");
    assert_eq!(report(&library).builds["done"], 2, "the one at the start, and this one");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_cancelled_leaves_what_was_kept() {
    let house = LibraryFixture::plex(music(TRACKS)).await;
    let library = house.current().await;
    let before = library.generation().expect("something is kept").number;
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(50)));
    let control = house.stage.control();
    let path = format!("/api/v1/libraries/{}", library.id);
    control.send(Method::POST, &format!("{path}/build"), "").await;
    until(&library, is_crawling).await;
    let cancelled = control.send(Method::POST, &format!("{path}/cancel"), "").await;
    assert!(cancelled.text().contains("cancelled"), "{}", cancelled.text());
    until(&library, |library| phase(library) == BuildPhase::Idle).await;
    let shown = report(&library);
    assert_eq!((shown.state, shown.builds["cancelled"]), ("stale", 1), "{shown:#?}");
    assert_eq!(library.generation().expect("the old one stays").number, before);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_ends_when_its_time_is_over() {
    let house = LibraryFixture::plex_with(music(600), "[server.library]\ntimeout_minutes = 1\n").await;
    let library = house.current().await;
    house.server.faults().set_for(PAGES, Fault::Hang);
    library.build(false);
    until(&library, |library| library.failure().is_some()).await;
    house.server.faults().clear();
    assert_eq!(report(&library).failure.expect("it says why").reason, "timed-out");
    assert_eq!(keys(&library).len(), 600, "the old one stays");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_library_that_does_not_fit_is_refused_with_numbers() {
    let house = LibraryFixture::with_table(music(60_000), "[library]\nmemory_limit_mb = 16\n").await;
    let library = house.music().await;
    until(&library, |library| library.state() == LibraryState::Failed).await;
    let shown = report(&library);
    let failure = shown.failure.expect("it says why");
    assert_eq!(failure.reason, "too-large");
    assert!(failure.text.contains("16 MB are allowed"), "{}", failure.text);
    assert!(shown.cost.build_requests < 20, "it was refused early: {:?}", shown.cost);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_persons_read_does_not_wait_behind_pages() {
    let more = "upstream_concurrency = 2\n";
    let house = LibraryFixture::plex_with(music(TRACKS), more).await;
    let library = house.current().await;
    house.server.set_latency(LatencyProfile::uniform(Duration::from_millis(20)));
    library.build(true);
    until(&library, is_crawling).await;
    let client = house.stage.client().with("x-plex-token", house.server.tokens().owner_a());
    for number in 0..10 {
        assert_eq!(client.get(&format!("/library/metadata/{}", 1 + number)).await.status.as_u16() / 100, 2);
    }
    let server = &house.stage.process.servers[0].0;
    let own = greenroom_origin::scheduler::priority::Priority::Own;
    let at = greenroom_origin::scheduler::priority::Priority::EVERY
        .iter()
        .position(|rank| *rank == own)
        .expect("there is one");
    let tally = server.origin.queue.snapshot().priorities[at];
    assert!(tally.in_flight <= 1, "one page at a time: {tally:?}");
    assert!(server.origin.counters.own.load(Ordering::Relaxed) > 0);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn waiters_for_a_failed_build_get_the_reason_after_one_retry() {
    let house = LibraryFixture::with_table(music(60_000), "[library]\nmemory_limit_mb = 16\n").await;
    let library = house.music().await;
    until(&library, |library| library.state() == LibraryState::Failed).await;
    let builds = report(&library).builds["too-large"];
    let told = library.ready().await.expect_err("it does not fit");
    assert!(matches!(told, IndexNotReadyError::Failed(IndexError::TooLarge { limit_mb: 16, .. })), "{told:?}");
    assert_eq!(report(&library).builds["too-large"], builds + 1);
    house.end().await;
}

/// The index of shows that are listed without seasons and episodes.
async fn shows_without_episodes_are_noticed(house: LibraryFixture) {
    house.current().await;
    let shows = house.stage.process.libraries.all();
    let shows = shows.into_iter().find(|library| report(library).contents == "shows").expect("there are shows");
    shows.record_lookup();
    until(&shows, |shows| shows.state() == LibraryState::Stale).await;
    until(&shows, |shows| !shows.progress().borrow().is_building()).await;
    let listed = house.stage.control().get(&format!("/api/v1/libraries/{}", shows.id)).await.json();
    assert_eq!((&listed["state"], &listed["failure"]["reason"]), (&"stale".into(), &"without-episodes".into()));
    assert!(listed["failure"]["remedy"].as_str().is_some_and(|remedy| remedy.contains("agent")), "{listed}");
    let warnings = || house.stage.process.servers[0].0.origin.warnings.active();
    waiting::until(|| warnings().iter().any(|warning| warning.code == "library-without-episodes")).await;
    let told = house.stage.control().get("/api/v1/warnings").await.text();
    assert!(told.contains("library-without-episodes") && told.contains(&shows.id.to_string()), "{told}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn shows_of_a_plex_without_episodes_are_not_current() {
    shows_without_episodes_are_noticed(LibraryFixture::without_episodes("plex").await).await;
}

#[tokio::test(start_paused = true)]
async fn shows_of_a_jellyfin_without_episodes_are_not_current() {
    shows_without_episodes_are_noticed(LibraryFixture::without_episodes("jellyfin").await).await;
}
