//! Libraries of an unreachable server: decisions made without a request.

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

pub(super) fn server() -> Arc<Server> {
    let mut tree = ConfigSource::default();
    let file = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n";
    tree.add_toml("g.toml", file);
    let mut settings = Settings::read(tree).expect("it is valid");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
    let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("it can be had"))
}

pub(super) fn shelf(key: &str) -> LibraryInfo {
    LibraryInfo {
        key: key.into(),
        title: format!("Music {key}"),
        contents: LibraryContents::Music,
        stamp: None,
        is_scanning: false,
    }
}

/// A listed library.
pub(super) fn known(libraries: &Libraries, server: &Arc<Server>, key: &str) -> Arc<Library> {
    let id = LibraryId { server: "home".into(), key: key.into() };
    let library = Arc::new(Library::new(id, &format!("Music {key}"), Arc::clone(server)));
    library.status.lock().info = Some(shelf(key));
    libraries.add(Arc::clone(&library));
    library
}

fn keeper(libraries: &Arc<Libraries>, library: &Arc<Library>) -> LibraryWorker {
    let source = LibraryClient::new(&library.server).expect("it has a token");
    LibraryWorker { library: Arc::clone(library), libraries: Arc::clone(libraries), source }
}

#[test]
fn builds_under_way_share_the_room_with_each_other_and_with_what_is_kept() {
    let mut libraries = Libraries::default();
    libraries.memory_limit_bytes = 10_000_000;
    let libraries = Arc::new(libraries);
    let server = server();
    let (one, other) = (known(&libraries, &server, "1"), known(&libraries, &server, "2"));
    let (one, other) = (keeper(&libraries, &one), keeper(&libraries, &other));
    assert_eq!(one.check_room(6_000_000), Ok(()));
    assert_eq!(one.check_room(7_000_000), Ok(()), "its own projection is not added to itself");
    let refused = other.check_room(4_000_000);
    assert_eq!(refused, Err(IndexError::TooLarge { needed_mb: 11, limit_mb: 10 }));
    assert_eq!(other.check_room(3_000_000), Ok(()));
    let mut builder = SnapshotBuilder::default();
    builder.push(Item::new(ItemKind::Track, "1", "Ash"));
    one.library.publish(builder.build(), 1);
    assert!(other.check_room(3_000_000).is_err(), "what is kept counts as well");
}

#[test]
fn a_wish_that_is_taken_back_is_told_to_whoever_watches() {
    let library = known(&Libraries::default(), &server(), "1");
    assert_eq!(library.build(false), BuildRequestResult::Started);
    let mut progress = library.progress();
    progress.mark_unchanged();
    assert!(library.cancel() && !library.is_build_requested());
    assert!(progress.has_changed().expect("it lives"), "else he waits for ever");
    assert!(!library.cancel(), "there is nothing any more");
}

#[test]
fn a_person_ends_builds_and_turning_it_off_ends_whatever_is_under_way() {
    let library = known(&Libraries::default(), &server(), "1");
    let round = library.begin(AttemptKind::Follow).expect("it is on");
    assert!(!library.cancel() && !round.cancel.is_cancelled(), "a round is no build");
    library.set_enabled(false);
    assert!(round.cancel.is_cancelled());
    assert!(library.begin(AttemptKind::Build).is_none(), "it is off");
    library.set_enabled(true);
    library.build(true);
    let build = library.begin(AttemptKind::Build).expect("it is on");
    assert!(library.status.lock().has_force && !library.is_build_requested());
    assert!(library.cancel() && build.cancel.is_cancelled());
    assert_ne!(round.turned_off, build.turned_off);
}

#[test]
fn a_warning_holds_as_long_as_it_is_so_of_any_library() {
    let (libraries, server) = (Arc::new(Libraries::default()), server());
    let (one, other) = (known(&libraries, &server, "1"), known(&libraries, &server, "2"));
    let said = || {
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
    let both = said();
    assert_eq!(both.len(), 1);
    assert!(both[0].0 == "library-off" && both[0].1.contains("home:1") && both[0].1.contains("home:2"), "{both:?}");
    one.set_enabled(true);
    assert!(said()[0].1.contains("home:2") && !said()[0].1.contains("home:1"));
    other.set_enabled(true);
    assert_eq!(said(), []);
    for library in [&one, &other] {
        let mut facts = library.status.lock();
        facts.failure = Some((IndexError::Refused, 1));
        facts.metadata.whole_at_ms = 1;
    }
    assert!(said()[0].0 == "library-old" && said()[0].1.contains("home:1"));
    assert_eq!(said().len(), 2, "each for itself");
    let builds = |at: usize| server.origin.warnings.active()[at].action.clone().expect("it can be built").path;
    assert_eq!([builds(0), builds(1)], ["libraries/home:1/build", "libraries/home:2/build"]);
    one.status.lock().failure = None;
    assert_eq!(said().len(), 2, "a server that never answered fails nothing, and confirms nothing");
    one.status.lock().is_confirmed = true;
    assert_eq!(said().len(), 1, "the other one is still old");
    (other.status.lock().failure, other.status.lock().is_confirmed) = (None, true);
    assert_eq!(said(), []);
}

#[test]
fn what_does_not_fit_is_never_shown_as_current() {
    let libraries = Arc::new(Libraries::default());
    let library = known(&libraries, &server(), "1");
    let keeper = keeper(&libraries, &library);
    library.publish(SnapshotBuilder::default().build(), 1);
    keeper.succeed(&mut library.status.lock(), AttemptKind::Build);
    assert_eq!(library.state(), super::LibraryState::Current);
    keeper.schedule_compare();
    assert_eq!(library.state(), super::LibraryState::Stale);
    keeper.succeed(&mut library.status.lock(), AttemptKind::Follow);
    assert_eq!(library.failure().map(|(failure, _)| failure), Some(IndexError::Differs), "a round does not settle it");
    library.status.lock().compare_at_ms = None;
    keeper.succeed(&mut library.status.lock(), AttemptKind::Build);
    assert_eq!(library.state(), super::LibraryState::Current);
}
