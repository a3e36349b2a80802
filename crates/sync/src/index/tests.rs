//! Libraries of a server that nobody can reach: what is decided without asking it.

use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use greenroom_dialect::crawl::{Contents, Shelf};
use greenroom_dialect::credential::Secret;
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Asked, Failure, Libraries, Library, LibraryId};
use crate::index::client::Source;
use crate::index::scheduler::{Attempt, Keeper};
use greenroom_config::{Settings, Tree};
use greenroom_proxy::server::Server;

pub(super) fn server() -> Arc<Server> {
    let mut tree = Tree::default();
    let file =
        "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n";
    tree.add_toml("g.toml", file);
    let mut settings = Settings::read(tree).expect("it is valid");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
    let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("it can be had"))
}

pub(super) fn shelf(key: &str) -> Shelf {
    Shelf {
        key: key.into(),
        title: format!("Music {key}"),
        contents: Contents::Music,
        stamp: None,
        is_scanning: false,
    }
}

/// A library that is known.
pub(super) fn known(libraries: &Libraries, server: &Arc<Server>, key: &str) -> Arc<Library> {
    let id = LibraryId { server: "home".into(), key: key.into() };
    let library = Arc::new(Library::new(id, &format!("Music {key}"), Arc::clone(server)));
    library.facts.lock().shelf = Some(shelf(key));
    libraries.add(Arc::clone(&library));
    library
}

fn keeper(libraries: &Arc<Libraries>, library: &Arc<Library>) -> Keeper {
    let source = Source::of(&library.server).expect("it has a token");
    Keeper { library: Arc::clone(library), libraries: Arc::clone(libraries), source }
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
    assert_eq!(refused, Err(Failure::TooLarge { needed_mb: 11, limit_mb: 10 }));
    assert_eq!(other.check_room(3_000_000), Ok(()));
    let mut builder = SnapshotBuilder::default();
    builder.push(Item::new(ItemKind::Track, "1", "Ash"));
    one.library.publish(builder.build(), 1);
    assert!(other.check_room(3_000_000).is_err(), "what is kept counts as well");
}

#[test]
fn a_wish_that_is_taken_back_is_told_to_whoever_watches() {
    let library = known(&Libraries::default(), &server(), "1");
    assert_eq!(library.build(false), Asked::Begun);
    let mut progress = library.progress();
    progress.mark_unchanged();
    assert!(library.cancel() && !library.is_asked());
    assert!(progress.has_changed().expect("it lives"), "else he waits for ever");
    assert!(!library.cancel(), "there is nothing any more");
}

#[test]
fn a_person_ends_builds_and_turning_it_off_ends_whatever_is_under_way() {
    let library = known(&Libraries::default(), &server(), "1");
    let round = library.begin(Attempt::Follow).expect("it is on");
    assert!(!library.cancel() && !round.cancel.is_cancelled(), "a round is no build");
    library.choose(false);
    assert!(round.cancel.is_cancelled());
    assert!(library.begin(Attempt::Build).is_none(), "it is off");
    library.choose(true);
    library.build(true);
    let build = library.begin(Attempt::Build).expect("it is on");
    assert!(library.facts.lock().has_force && !library.is_asked());
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
            .holding()
            .into_iter()
            .map(|warning| (warning.code, warning.text.into_owned()))
            .collect::<Vec<_>>()
    };
    for library in [&one, &other] {
        library.choose(false);
        library.look_up();
    }
    let both = said();
    assert_eq!(both.len(), 1);
    assert!(
        both[0].0 == "library-off" && both[0].1.contains("home:1") && both[0].1.contains("home:2"),
        "{both:?}"
    );
    one.choose(true);
    assert!(said()[0].1.contains("home:2") && !said()[0].1.contains("home:1"));
    other.choose(true);
    assert_eq!(said(), []);
    for library in [&one, &other] {
        let mut facts = library.facts.lock();
        facts.failure = Some((Failure::Refused, 1));
        facts.about.whole_at_ms = 1;
    }
    assert!(said()[0].0 == "library-old" && said()[0].1.contains("home:1"));
    assert_eq!(said().len(), 2, "each for itself");
    let builds =
        |at: usize| server.origin.warnings.holding()[at].action.clone().expect("it can be built").path;
    assert_eq!([builds(0), builds(1)], ["libraries/home:1/build", "libraries/home:2/build"]);
    one.facts.lock().failure = None;
    assert_eq!(said().len(), 2, "a server that never answered fails nothing, and confirms nothing");
    one.facts.lock().is_confirmed = true;
    assert_eq!(said().len(), 1, "the other one is still old");
    (other.facts.lock().failure, other.facts.lock().is_confirmed) = (None, true);
    assert_eq!(said(), []);
}

#[test]
fn what_does_not_fit_is_never_shown_as_current() {
    let libraries = Arc::new(Libraries::default());
    let library = known(&libraries, &server(), "1");
    let keeper = keeper(&libraries, &library);
    library.publish(SnapshotBuilder::default().build(), 1);
    keeper.succeed(&mut library.facts.lock(), Attempt::Build);
    assert_eq!(library.state(), super::State::Current);
    keeper.doubt();
    assert_eq!(library.state(), super::State::Stale);
    keeper.succeed(&mut library.facts.lock(), Attempt::Follow);
    assert_eq!(
        library.failure().map(|(failure, _)| failure),
        Some(Failure::Differs),
        "a round does not settle it"
    );
    library.facts.lock().doubted_at_ms = None;
    keeper.succeed(&mut library.facts.lock(), Attempt::Build);
    assert_eq!(library.state(), super::State::Current);
}
