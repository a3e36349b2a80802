//! Libraries of an unreachable server: decisions made without a request.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use greenroom_dialect::crawl::{LibraryContents, LibraryInfo};
use greenroom_dialect::credential::Secret;
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BuildRequestResult, IndexError, Libraries, Library, LibraryId};
use crate::index::client::LibraryClient;
use crate::index::scheduler::{AttemptKind, LibraryWorker};
use greenroom_config::{ConfigSource, Settings};
use greenroom_proxy::server::Server;

pub(crate) fn server() -> Arc<Server> {
    let mut tree = ConfigSource::default();
    let file = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n";
    tree.add_toml("g.toml", file);
    let mut settings = Settings::read(tree).expect("read the configuration");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
    let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("create the server"))
}

pub(super) fn info(key: &str) -> LibraryInfo {
    LibraryInfo {
        key: key.into(),
        title: format!("Music {key}"),
        contents: LibraryContents::Music,
        stamp: None,
        is_scanning: false,
    }
}

/// A listed library.
pub(crate) fn known(libraries: &Libraries, server: &Arc<Server>, key: &str) -> Arc<Library> {
    let id = LibraryId { server: "home".into(), key: key.into() };
    let library = Arc::new(Library::new(id, &format!("Music {key}"), Arc::clone(server)));
    library.status.lock().info = Some(info(key));
    libraries.add(Arc::clone(&library));
    library
}

fn worker(libraries: &Arc<Libraries>, library: &Arc<Library>) -> LibraryWorker {
    let source = LibraryClient::new(&library.server).expect("the server has a token");
    LibraryWorker { library: Arc::clone(library), libraries: Arc::clone(libraries), source }
}

#[test]
fn running_builds_share_the_memory_limit_with_each_other_and_with_stored_snapshots() {
    let mut libraries = Libraries::default();
    libraries.memory_limit_bytes = 10_000_000;
    let libraries = Arc::new(libraries);
    let server = server();
    let (one, other) = (known(&libraries, &server, "1"), known(&libraries, &server, "2"));
    let (one, other) = (worker(&libraries, &one), worker(&libraries, &other));
    assert_eq!(one.check_room(6_000_000), Ok(()));
    assert_eq!(one.check_room(7_000_000), Ok(()), "its own projection is not added to itself");
    let refused = other.check_room(4_000_000);
    assert_eq!(refused, Err(IndexError::TooLarge { needed_mb: 11, limit_mb: 10 }));
    assert_eq!(other.check_room(3_000_000), Ok(()));
    let mut builder = SnapshotBuilder::default();
    builder.push(Item::new(ItemKind::Track, "1", "Ash"));
    one.library.publish(builder.build(), Timestamp::from_millis(1));
    assert!(other.check_room(3_000_000).is_err(), "stored snapshots count as well");
}

#[test]
fn a_cancelled_build_request_is_reported_to_observers() {
    let library = known(&Libraries::default(), &server(), "1");
    assert_eq!(library.build(false), BuildRequestResult::Started);
    let mut progress = library.progress();
    progress.mark_unchanged();
    assert!(library.cancel() && !library.is_build_requested());
    assert!(progress.has_changed().expect("the channel is open"), "otherwise an observer waits for ever");
    assert!(!library.cancel(), "nothing is left to cancel");
}

#[test]
fn cancelling_ends_builds_only_and_turning_a_library_off_ends_every_attempt() {
    let library = known(&Libraries::default(), &server(), "1");
    let round = library.begin(AttemptKind::Follow).expect("the library is on");
    assert!(!library.cancel() && !round.cancel.is_cancelled(), "a round is no build");
    library.set_enabled(false);
    assert!(round.cancel.is_cancelled());
    assert!(library.begin(AttemptKind::Build).is_none(), "it is off");
    library.set_enabled(true);
    library.build(true);
    let build = library.begin(AttemptKind::Build).expect("the library is on");
    assert!(library.status.lock().has_force && !library.is_build_requested());
    assert!(library.cancel() && build.cancel.is_cancelled());
    assert_ne!(round.turned_off, build.turned_off);
}

#[test]
fn a_warning_stays_while_it_applies_to_any_library() {
    let (libraries, server) = (Arc::new(Libraries::default()), server());
    let (one, other) = (known(&libraries, &server, "1"), known(&libraries, &server, "2"));
    let response = || {
        libraries.warn(&server);
        server
            .origin
            .warnings
            .active()
            .into_iter()
            .map(|warning| (warning.code, warning.text.into_owned()))
            .collect::<Vec<_>>()
    };
    for library in [&one, &other] {
        library.set_enabled(false);
        library.record_lookup();
    }
    let both = response();
    assert_eq!(both.len(), 1);
    assert!(both[0].0 == "library-off" && both[0].1.contains("home:1") && both[0].1.contains("home:2"), "{both:?}");
    one.set_enabled(true);
    assert!(response()[0].1.contains("home:2") && !response()[0].1.contains("home:1"));
    other.set_enabled(true);
    assert_eq!(response(), []);
    for library in [&one, &other] {
        let mut status = library.status.lock();
        status.failure = Some((IndexError::Refused, 1));
        status.metadata.whole_at_ms = 1;
    }
    assert!(response()[0].0 == "library-old" && response()[0].1.contains("home:1"));
    assert_eq!(response().len(), 2, "each for itself");
    let builds =
        |at: usize| server.origin.warnings.active()[at].action.clone().expect("the warning has an action").path;
    assert_eq!([builds(0), builds(1)], ["libraries/home:1/build", "libraries/home:2/build"]);
    one.status.lock().failure = None;
    assert_eq!(response().len(), 2, "a server that never answered fails nothing, and confirms nothing");
    one.status.lock().is_confirmed = true;
    assert_eq!(response().len(), 1, "the other one is still old");
    (other.status.lock().failure, other.status.lock().is_confirmed) = (None, true);
    assert_eq!(response(), []);
}

#[test]
fn an_index_that_differs_is_never_shown_as_current() {
    let libraries = Arc::new(Libraries::default());
    let library = known(&libraries, &server(), "1");
    let worker = worker(&libraries, &library);
    library.publish(SnapshotBuilder::default().build(), Timestamp::from_millis(1));
    worker.succeed(&mut library.status.lock(), AttemptKind::Build);
    assert_eq!(library.state(), super::LibraryState::Current);
    worker.schedule_compare();
    assert_eq!(library.state(), super::LibraryState::Stale);
    worker.succeed(&mut library.status.lock(), AttemptKind::Follow);
    assert_eq!(library.failure().map(|(failure, _)| failure), Some(IndexError::Differs), "a round does not settle it");
    library.status.lock().compare_at_ms = None;
    worker.succeed(&mut library.status.lock(), AttemptKind::Build);
    assert_eq!(library.state(), super::LibraryState::Current);
}

#[test]
fn an_index_is_not_current_while_announced_changes_wait() {
    let library = known(&Libraries::default(), &server(), "1");
    library.publish(SnapshotBuilder::default().build(), Timestamp::from_millis(1));
    library.status.lock().is_confirmed = true;
    let state = || library.state().name();
    assert_eq!(state(), "current");
    library.record_change(Some("7"), None, Timestamp::from_millis(1));
    assert_eq!(state(), "changing", "nothing has read it yet");
    let changes = library.pending.lock().take_changes();
    assert_eq!((changes.changed.len(), state()), (1, "changing"), "a round reads it");
    library.pending.lock().has_taken_changes = false;
    assert_eq!(state(), "current");
    assert!(library.pending.lock().take_changes().is_empty());
    assert_eq!(state(), "current", "a round that had nothing announced changes nothing");
    assert!(!library.is_changing(), "the server scans nothing, so no sync waits for it");
}

#[tokio::test]
async fn a_much_patched_index_is_built_whole_under_the_same_number() {
    let libraries = Arc::new(Libraries::default());
    let library = known(&libraries, &server(), "1");
    let item = |key: u32, title: &str| Item::new(ItemKind::Track, &key.to_string(), title);
    let mut builder = SnapshotBuilder::default();
    (0..200).for_each(|key| assert!(builder.push(item(key, &format!("Harbour {}", key % 20)))));
    let whole = builder.build();
    let mut builder = SnapshotBuilder::from(&whole);
    for key in 0..50 {
        assert!(builder.remove(&key.to_string()) && builder.push(item(key, "Harbour 3")));
    }
    let patched = builder.build();
    assert_eq!((patched.patched_tracks(), patched.is_merge_due()), (100, true));
    library.publish(patched, Timestamp::from_millis(1));
    let before = library.generation().expect("it was published");
    worker(&libraries, &library).merge_index().await;
    let after = library.generation().expect("it was published");
    assert_eq!((after.number, after.taken_at_ms), (before.number, before.taken_at_ms));
    assert_eq!((after.snapshot.patched_tracks(), after.snapshot.is_merge_due()), (0, false));
    assert!(after.snapshot.items().eq(before.snapshot.items()));
}

#[test]
fn a_show_library_without_episodes_is_not_current_and_says_what_to_do() {
    let (libraries, server) = (Arc::new(Libraries::default()), server());
    let library = known(&libraries, &server, "2");
    library.status.lock().info = Some(LibraryInfo { contents: LibraryContents::Shows, ..info("2") });
    let worker = worker(&libraries, &library);
    let publish = |kinds: &[ItemKind]| {
        let mut builder = SnapshotBuilder::default();
        for (key, kind) in (1..).zip(kinds) {
            builder.push(Item::new(*kind, &key.to_string(), "Harbour"));
        }
        library.publish(builder.build(), Timestamp::from_millis(1));
    };
    let scan = |is_scanning| library.status.lock().info.as_mut().expect("it is listed").is_scanning = is_scanning;
    let shown = |attempt| {
        worker.succeed(&mut library.status.lock(), attempt);
        libraries.warn(&server);
        let warnings = server.origin.warnings.active();
        (library.state().name(), warnings.iter().map(|warning| warning.code).collect::<Vec<_>>())
    };
    publish(&[ItemKind::Show, ItemKind::Show]);
    scan(true);
    assert_eq!(shown(AttemptKind::Build), ("current", vec![]), "episodes may still be coming");
    scan(false);
    assert_eq!(shown(AttemptKind::Follow), ("stale", vec!["library-without-episodes"]));
    let (failure, since_ms) = library.failure().expect("it says why");
    assert_eq!(failure, IndexError::WithoutEpisodes { shows: 2 });
    let warning = server.origin.warnings.active().remove(0);
    assert!(warning.text.contains("home:2") && warning.text.contains("2 shows without any season"), "{warning:?}");
    assert!(warning.remedy.contains("agent"), "{warning:?}");
    assert_eq!(warning.action.map(|action| action.path).as_deref(), Some("libraries/home:2/build"));
    assert_eq!(library.report(false).failure.map(|failure| failure.reason), Some("without-episodes"));
    scan(true);
    assert_eq!(shown(AttemptKind::Follow).0, "stale", "a scan that has brought nothing yet changes nothing");
    scan(false);
    assert_eq!(shown(AttemptKind::Build).0, "stale");
    assert_eq!(library.failure().map(|(_, since_ms)| since_ms), Some(since_ms));
    publish(&[ItemKind::Show, ItemKind::Season, ItemKind::Episode]);
    assert_eq!(shown(AttemptKind::Follow), ("current", vec![]));
    publish(&[]);
    assert_eq!(shown(AttemptKind::Build), ("current", vec![]), "an empty library lacks nothing");
    publish(&[ItemKind::Show]);
    assert_eq!(shown(AttemptKind::Build).0, "stale");
    library.set_enabled(false);
    library.set_enabled(true);
    libraries.warn(&server);
    assert_eq!((library.state().name(), server.origin.warnings.active().len()), ("idle", 0));
}
