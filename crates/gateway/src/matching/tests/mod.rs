//! Decisions, misses and what is left out, over a library that is published by hand.

use std::path::Path;
use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use greenroom_library::files::{Case, Confidence, PathMaps};
use greenroom_library::item::{File, Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;
use greenroom_library::tracks::{Decision, Policy};
use greenroom_upstream::credential::Secret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::places::PathAsked;
use super::ruling::{RulingKind, Written};
use super::store::{Filter, NotKept};
use super::tally::Count;
use super::{Live, Matching, Refused, Source, Wanted};
use crate::config::{self, Settings, Tree};
use crate::library::Library;
use crate::server::Server;
use crate::state::State;
use crate::state::archive;

const TOKEN: &str = "SECRET-token-of-the-owner";

/// A library of a server that nobody can reach, and what was decided about it.
struct House {
    library: Arc<Library>,
    matching: Matching,
    folder: tempfile::TempDir,
}

fn server() -> Arc<Server> {
    server_with(&format!("token = \"{TOKEN}\"\n"))
}

fn server_with(token: &str) -> Arc<Server> {
    let mut tree = Tree::default();
    let file = format!("[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n{token}");
    tree.add_toml("g.toml", &file);
    let mut settings = Settings::read(tree).expect("it is valid");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
    let secrets = (crate::identity::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("it can be had"))
}

fn open(folder: &Path) -> Matching {
    let state = State::open(folder, &Arc::default());
    Matching::open(folder, state.trouble(), config::Matching::default())
}

impl House {
    fn new(items: &[Item]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let library = Library::new("home:3".parse().expect("an id"), "Music", server());
        let house = Self { library: Arc::new(library), matching: open(folder.path()), folder };
        house.publish(items);
        house
    }

    fn publish(&self, items: &[Item]) {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        self.library.publish(builder.build(), 1_000);
    }

    async fn resolve(&self, wanted: &Wanted) -> super::Resolved {
        self.resolve_as(wanted, Policy::Strict).await
    }

    async fn resolve_as(&self, wanted: &Wanted, policy: Policy) -> super::Resolved {
        let mut all = self.matching.resolve(&self.library, std::slice::from_ref(wanted), policy).await;
        all.pop().expect("one for each")
    }

    /// What came of it, in a line.
    async fn told(&self, wanted: &Wanted) -> String {
        let resolved = self.resolve(wanted).await;
        let key = resolved.accepted().map_or("-", |item| &item.key).to_owned();
        format!("{} {key}", resolved.source.word())
    }

    /// What a search of the server that shows one item comes to.
    async fn judge_live(&self, wanted: &Wanted, shown: Item) -> super::Resolved {
        let (wanted, generation) = (wanted.clone(), self.library.generation().expect("published"));
        let work = move |session: &super::Session<'_>| session.judge_live(&wanted, vec![shown]);
        self.matching.in_session(&self.library, &generation, Policy::Strict, work).await
    }

    async fn rule(&self, kind: RulingKind, wanted: &Wanted, key: &str) -> Result<i64, Refused> {
        self.matching.rule(&self.library, kind, wanted.clone(), key).await.map(|ruling| ruling.id)
    }

    fn count(&self, what: Count) -> u64 {
        self.matching.tally().of(what)
    }
}

fn track(key: &str, artist: &str, title: &str) -> Item {
    let mut item = Item::new(ItemKind::Track, key, title);
    item.grandparent_title = Some(artist.into());
    item.parent_title = Some("Album".into());
    item.duration_ms = Some(200_000);
    item.files = vec![File { path: format!("/music/{artist}/{title}.flac").into(), size_bytes: Some(1) }];
    item.guids = vec![format!("plex://track/{}", title.to_lowercase().replace(' ', "")).into()];
    item
}

fn wanted(artist: &str, title: &str) -> Wanted {
    Wanted { title: title.into(), artist: artist.into(), ..Wanted::default() }
}

fn three() -> Vec<Item> {
    vec![
        track("101", "Radiohead", "Creep"),
        track("102", "Radiohead", "Karma Police"),
        track("103", "Portishead", "Glory Box"),
    ]
}

#[tokio::test]
async fn a_pin_wins_over_the_index_and_is_taken_back() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    assert_eq!(house.told(&asked).await, "index 101");
    let pin = house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 103");
    let fuller = Wanted { album: "Pablo Honey".into(), duration_s: Some(238), ..asked.clone() };
    assert_eq!(house.told(&fuller).await, "pin 103", "who says more means the same track");
    assert_eq!(house.matching.take_back(vec![pin]).await, Ok(1));
    assert_eq!(house.told(&asked).await, "index 101");
}

#[tokio::test]
async fn a_pin_by_a_sources_id_holds_whatever_the_track_is_called() {
    let house = House::new(&three());
    let by_id = Wanted { ids: vec![Wanted::source_name("row 17")], ..Wanted::default() };
    house.rule(RulingKind::Pin, &by_id, "102").await.expect("kept");
    let renamed = Wanted { ids: by_id.ids.clone(), ..wanted("Anybody", "Anything") };
    assert_eq!(house.told(&renamed).await, "pin 102");
    assert_eq!(house.told(&wanted("Anybody", "Anything")).await, "index -");
}

#[tokio::test]
async fn what_is_rejected_is_never_offered_and_the_next_best_is_judged_anew() {
    let mut items = three();
    let mut second = track("104", "Radiohead", "Creep");
    second.files[0].path = "/music/other/Creep.flac".into();
    second.guids.clear();
    items.push(second);
    let house = House::new(&items);
    let asked = wanted("Radiohead", "Creep");
    let first = house.resolve(&asked).await.accepted().expect("one of them").key.clone();
    house.rule(RulingKind::Rejection, &asked, &first).await.expect("kept");
    let other = house.resolve(&asked).await;
    assert_eq!(other.decision, Decision::Accept);
    let second = other.accepted().expect("the other").key.clone();
    assert_ne!(second, first);
    house.rule(RulingKind::Rejection, &asked, &second).await.expect("kept");
    for _ in 0..2 {
        let none = house.resolve(&asked).await;
        assert_eq!(none.decision, Decision::Reject);
        assert_eq!(none.found, [], "not even as a candidate");
    }
}

#[tokio::test]
async fn a_rejection_follows_its_item_to_another_key() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Rejection, &asked, "101").await.expect("kept");
    let mut rekeyed = three();
    rekeyed[0].key = "901".into();
    house.publish(&rekeyed);
    assert_eq!(house.told(&asked).await, "index -");
}

#[tokio::test]
async fn a_pin_takes_a_rejection_of_the_same_item_away_and_the_other_way_round() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Rejection, &asked, "103").await.expect("kept");
    house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 103");
    house.rule(RulingKind::Rejection, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.matching.count().await, Ok(vec![("rejection".to_owned(), 1)]));
}

#[tokio::test]
async fn what_was_confirmed_follows_the_item_when_keys_change_and_is_never_the_keys_new_owner() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    assert_eq!(house.told(&asked).await, "confirmed 101");
    // The database was made anew: the old key belongs to another track now.
    let mut rebuilt = three();
    rebuilt[0].key = "555".into();
    rebuilt[2].key = "101".into();
    house.publish(&rebuilt);
    assert_eq!(house.told(&asked).await, "confirmed 555");
    assert_eq!(house.count(Count::Rekeyed), 1);
    assert_eq!(house.told(&asked).await, "confirmed 555");
    assert_eq!(house.count(Count::Rekeyed), 1, "the new key is remembered");
    // And then the track is gone, its key again somebody else's.
    let mut without = vec![track("555", "Portishead", "Roads")];
    without.extend(rebuilt.into_iter().skip(1));
    house.publish(&without);
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.count(Count::Dropped), 1);
    assert_eq!(house.matching.list(Filter::default(), 0, 10).await.expect("read"), []);
}

#[tokio::test]
async fn a_retagged_track_is_still_the_one_that_was_confirmed() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    let mut retagged = three();
    retagged[0].title = "Something else entirely".into();
    house.publish(&retagged);
    assert_eq!(house.told(&asked).await, "confirmed 101");
    let longer = Wanted { album: "Live".into(), ..asked };
    assert_eq!(house.told(&longer).await, "index -", "another question was never confirmed");
}

#[tokio::test]
async fn what_was_confirmed_by_a_looser_policy_is_not_taken_for_the_recording_itself() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep (Live)");
    let other = three().remove(2);
    house.matching.confirm(&house.library, &asked, &other).await;
    assert_eq!(house.told(&asked).await, "index -");
    let loose = house.resolve_as(&asked, Policy::PreferVersionElseAny).await;
    assert_eq!(
        (loose.source, &*loose.accepted().expect("a version").key),
        (Source::Index, "101"),
        "looked for anew"
    );
    let ids_only = house.resolve_as(&asked, Policy::IdsOnly).await;
    assert_eq!(ids_only.accepted(), None);
}

#[tokio::test]
async fn a_pin_whose_item_is_away_waits_for_it() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    house.publish(&three()[..2]);
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.count(Count::PinLost), 1);
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "pin 103");
}

#[tokio::test]
async fn what_the_server_does_not_have_is_not_offered_before_the_next_snapshot() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    house.rule(RulingKind::Pin, &wanted("A", "B"), "101").await.expect("kept");
    house.matching.disown(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&wanted("A", "B")).await, "index -");
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index 101", "what was confirmed is forgotten");
    assert_eq!(house.told(&wanted("A", "B")).await, "pin 101", "a pin is not");
}

#[tokio::test]
async fn what_was_missed_only_because_it_was_disowned_is_found_again_with_the_next_snapshot() {
    let house = House::new(&three());
    let publish = |changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in three() {
            builder.push(item);
        }
        house.library.publish_changed(builder.build(), 2_000, changed);
    };
    publish(&[]);
    let asked = wanted("Radiohead", "Creep");
    house.matching.disown(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "index -", "it is no miss that is remembered");
    // The next snapshot has it as before: nothing came, and nothing changed.
    publish(&[]);
    assert_eq!(house.told(&asked).await, "index 101");
}

#[tokio::test]
async fn what_the_server_showed_for_review_is_remembered_as_that() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    let version = track("201", "Massive Attack", "Teardrop (Live)");
    let judged = house.judge_live(&asked, version).await;
    assert_eq!((judged.decision, judged.source), (Decision::Review, Source::Live));
    let again = house.resolve(&asked).await;
    assert_eq!((again.decision, again.source), (Decision::Review, Source::Live));
    assert_eq!(again.found, judged.found);
}

#[tokio::test]
async fn a_search_that_shows_only_what_is_disowned_is_not_in_vain_for_ever() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    house.matching.disown(&house.library, "201").await;
    let gone = track("201", "Massive Attack", "Teardrop");
    assert_eq!(house.judge_live(&asked, gone).await.decision, Decision::Reject);
    let asked = std::slice::from_ref(&asked);
    let (_, resolved) =
        house.matching.resolve_with(&house.library, asked, Policy::Strict, Live::UpTo(5)).await;
    assert!(resolved[0].is_searched, "it is asked for again");
}

#[tokio::test]
async fn a_miss_is_answered_from_memory_until_something_came() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "miss -");
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::KnownMiss)), (1, 1));
    assert_eq!(house.resolve_as(&asked, Policy::IdsOnly).await.source, Source::Index, "of another policy");
    let mut more = three();
    more.push(track("104", "Massive Attack", "Teardrop"));
    house.publish(&more);
    assert_eq!(house.told(&asked).await, "index 104");
    // What was found and went is asked anew as well.
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index -");
}

#[tokio::test]
async fn a_miss_is_held_against_what_came_and_nothing_else() {
    let house = House::new(&three());
    let missing = [wanted("Massive Attack", "Teardrop"), wanted("Burial", "Archangel")];
    for asked in &missing {
        assert_eq!(house.told(asked).await, "index -");
    }
    let whole = house.count(Count::WholeIndex);
    let publish = |items: &[Item], changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        house.library.publish_changed(builder.build(), 2_000, changed);
    };
    let mut more = three();
    more.push(track("104", "Autechre", "Gantz Graf"));
    publish(&more, &["104"]);
    for asked in &missing {
        assert_eq!(house.told(asked).await, "miss -");
    }
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::NewsOnly)), (whole, 2));
    for asked in &missing {
        assert_eq!(house.told(asked).await, "miss -");
    }
    assert_eq!(house.count(Count::NewsOnly), 2, "once for each generation");
    more.push(track("105", "Massive Attack", "Teardrop"));
    publish(&more, &["105"]);
    assert_eq!(house.told(&missing[0]).await, "index 105");
    assert_eq!(house.told(&missing[1]).await, "miss -");
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::NewsOnly)), (whole + 1, 4));
}

#[tokio::test]
async fn a_decision_ends_what_was_known_not_to_be_there() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    house.told(&asked).await;
    let pin = house.rule(RulingKind::Pin, &asked, "101").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 101");
    house.matching.take_back(vec![pin]).await.expect("taken back");
    assert_eq!(house.told(&asked).await, "index -", "not from memory");
}

#[tokio::test]
async fn decisions_outlive_the_process_and_hold_no_token() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    let again = open(house.folder.path());
    let resolved = again.resolve(&house.library, std::slice::from_ref(&asked), Policy::Strict).await;
    assert_eq!(resolved[0].source, Source::Pin);
    for entry in std::fs::read_dir(house.folder.path()).expect("it is there").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let has_token = bytes.windows(6).any(|window| window == b"SECRET");
        assert!(!has_token, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn decisions_come_back_with_a_backup() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    let saved = house.folder.path().join("saved.backup");
    archive::save(house.folder.path(), &saved, 1).expect("saved");
    let other = tempfile::tempdir().expect("a folder");
    archive::restore(other.path(), &saved, 2).expect("restored");
    let there = open(other.path());
    let resolved = there.resolve(&house.library, std::slice::from_ref(&asked), Policy::Strict).await;
    assert_eq!(resolved[0].source, Source::Pin);
}

#[tokio::test]
async fn decisions_are_written_out_and_read_in_elsewhere() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(RulingKind::Pin, &asked, "103").await.expect("kept");
    house.rule(RulingKind::Rejection, &asked, "102").await.expect("kept");
    let listed = house.matching.list(Filter::default(), 0, 10).await.expect("read");
    let lines: Vec<String> =
        listed.iter().map(|ruling| serde_json::to_string(&Written::from(ruling)).expect("JSON")).collect();
    let other = House::new(&three());
    let read: Vec<Written> =
        lines.iter().map(|line| serde_json::from_str(line).expect("it is one")).collect();
    for _ in 0..2 {
        assert_eq!(other.matching.read_in(read.clone()).await, Ok(2), "twice is as once");
    }
    assert_eq!(other.told(&asked).await, "pin 103");
    assert_eq!(other.matching.list(Filter::default(), 0, 10).await.expect("read").len(), 2);
    let pins = Filter { kind: Some(RulingKind::Pin), ..Filter::default() };
    assert_eq!(other.matching.list(pins, 0, 10).await.expect("read").len(), 1);
    let elsewhere = Filter { library: "home:9".parse().ok(), ..Filter::default() };
    assert_eq!(other.matching.list(elsewhere, 0, 10).await.expect("read"), []);
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_confirmed_goes_and_a_pin_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = Arc::new(Library::new("home:3".parse().expect("an id"), "Music", server()));
    let state = State::open(folder.path(), &Arc::default());
    let settings = config::Matching { max_decisions: 2, ..config::Matching::default() };
    let house = House { library, matching: Matching::open(folder.path(), state.trouble(), settings), folder };
    house.publish(&three());
    for item in three() {
        house.matching.confirm(&house.library, &wanted("x", &item.title), &item).await;
    }
    let left = house.matching.list(Filter::default(), 0, 10).await.expect("read");
    let keys: Vec<&str> = left.iter().map(|ruling| ruling.item_key.as_str()).collect();
    assert_eq!(keys, ["102", "103"]);
    for title in ["a", "b"] {
        house.rule(RulingKind::Pin, &wanted("x", title), "101").await.expect("a pin takes its place");
    }
    let full = house.rule(RulingKind::Pin, &wanted("x", "c"), "101").await;
    assert_eq!(full, Err(Refused::NotKept(NotKept::Full)));
    let left = house.matching.list(Filter::default(), 0, 10).await.expect("read");
    assert!(left.iter().all(|ruling| ruling.kind == RulingKind::Pin) && left.len() == 2, "{left:?}");
}

#[tokio::test]
async fn a_decision_needs_a_track_and_an_item() {
    let house = House::new(&three());
    assert_eq!(house.rule(RulingKind::Pin, &Wanted::default(), "101").await, Err(Refused::Nothing));
    assert_eq!(house.rule(RulingKind::Pin, &wanted("a", "b"), "999").await, Err(Refused::UnknownItem));
    let long = wanted("a", &"b".repeat(100_000));
    assert_eq!(house.rule(RulingKind::Pin, &long, "101").await, Err(Refused::NotKept(NotKept::TooLong)));
}

#[tokio::test]
async fn without_a_state_everything_works_but_decisions() {
    let house = House { matching: Matching::default(), ..House::new(&three()) };
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.rule(RulingKind::Pin, &asked, "101").await, Err(Refused::NoStore));
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_not_searched() {
    let house = House::new(&three());
    let library = Arc::new(Library::new("home:3".parse().expect("an id"), "Music", server_with("")));
    let house = House { library, ..house };
    house.publish(&three());
    let many: Vec<Wanted> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (generation, resolved) =
        house.matching.resolve_with(&house.library, &many, Policy::Strict, Live::UpTo(2)).await;
    assert!(generation.is_some() && resolved.iter().all(|one| one.decision == Decision::Reject));
    assert_eq!((house.count(Count::LiveAsked), house.count(Count::LiveRefused)), (0, 0), "it was not asked");
    assert!(resolved.iter().all(|one| !one.is_searched), "and so it costs nothing");
    assert_eq!(house.count(Count::LiveFailed), 5);
}

#[tokio::test]
async fn only_what_the_server_was_asked_counts_against_the_budget() {
    let house = House::new(&three());
    let many: Vec<Wanted> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (_, resolved) =
        house.matching.resolve_with(&house.library, &many, Policy::Strict, Live::UpTo(2)).await;
    assert_eq!(resolved.iter().filter(|one| one.is_searched).count(), 2);
    assert_eq!((house.count(Count::LiveAsked), house.count(Count::LiveFailed)), (2, 2), "nobody answers");
    assert_eq!(house.count(Count::LiveRefused), 3);
}

/// Two films whose files end alike.
fn scenes() -> Vec<Item> {
    let scene = |key: &str, folder: &str| {
        let mut film = Item::new(ItemKind::Film, key, folder);
        film.files = vec![File { path: format!("/mnt/{folder}/scene.mp4").into(), size_bytes: None }];
        film.guids = vec![format!("plex://movie/{}", folder.to_lowercase()).into()];
        film
    };
    vec![scene("1", "A"), scene("2", "B")]
}

/// The same, as two editions of one film.
fn editions() -> Vec<Item> {
    let mut editions = scenes();
    for film in &mut editions {
        film.guids.push("imdb://tt0000007".into());
    }
    editions
}

impl House {
    /// What came of a path, in a line.
    async fn path(&self, path: &str, maps: &PathMaps) -> String {
        let (libraries, maps) = (std::slice::from_ref(&self.library), Arc::new(maps.clone()));
        let asked = vec![PathAsked { path: path.to_owned(), ..PathAsked::default() }];
        let found = self.matching.find_paths(libraries, asked, maps, Case::Exact).await.remove(0);
        let keys = |placed: &[super::places::Placed]| -> Vec<String> {
            placed.iter().map(|placed| placed.item.key.to_string()).collect()
        };
        let ruled: Vec<&str> = found.ruled.iter().map(|ruled| ruled.word()).collect();
        let (items, candidates) = (keys(&found.items), keys(&found.candidates));
        format!("{:?} {items:?} {candidates:?} {ruled:?}", found.confidence).replace('"', "")
    }

    /// What came of a name: keys, and what counted beside the index.
    async fn named(&self, id: &str) -> String {
        let libraries = std::slice::from_ref(&self.library);
        let found = self.matching.find_ids(libraries, vec![id.to_owned()]).await.remove(0);
        let mut keys: Vec<String> = found.items.iter().map(|placed| placed.item.key.to_string()).collect();
        keys.sort();
        let ruled: Vec<&str> = found.ruled.iter().map(|ruled| ruled.word()).collect();
        format!("{keys:?} {ruled:?}").replace('"', "")
    }
}

#[tokio::test]
async fn a_path_that_is_not_sure_is_settled_once_and_for_ever() {
    let house = House::new(&scenes());
    let none = PathMaps::default();
    let asked = "/data/C/scene.mp4";
    assert_eq!(house.path(asked, &none).await, "Low [] [1, 2] []");
    house.rule(RulingKind::Pin, &Wanted::file(asked), "2").await.expect("kept");
    assert_eq!(house.path(asked, &none).await, "High [2] [] [pinned]");
    assert_eq!(house.path("/data/D/scene.mp4", &none).await, "Low [] [1, 2] []", "that is another file");
    assert_eq!(house.path("/data/c/scene.mp4", &none).await, "Low [] [1, 2] []", "and so is this");
    let rule = greenroom_library::files::Rule { from: "^X:/(.*)$", to: "/data/$1" };
    let maps = PathMaps::new([rule]).expect("it is right");
    assert_eq!(
        house.path("X:/C/scene.mp4", &maps).await,
        "High [2] [] [pinned]",
        "by what the rules make of it"
    );
    // A process later, under another key, and with the old key given to something else.
    let house = House { matching: open(house.folder.path()), ..house };
    let mut rekeyed = scenes();
    rekeyed[1].key = "9".into();
    rekeyed[0].key = "2".into();
    house.publish(&rekeyed);
    assert_eq!(house.path(asked, &none).await, "High [9] [] [pinned]");
    assert_eq!(house.count(Count::Rekeyed), 1);
    house.publish(&rekeyed[..1]);
    assert_eq!(house.path(asked, &none).await, "Low [] [2] []", "it waits for its item");
    house.publish(&rekeyed);
    assert_eq!(house.path(asked, &none).await, "High [9] [] [pinned]");
    let listed = house.matching.list(Filter::default(), 0, 10).await.expect("read");
    let neighbour = open(house.folder.path());
    assert_eq!(neighbour.take_back(vec![listed[0].id]).await, Ok(1));
    assert_eq!(house.path(asked, &none).await, "Low [] [2, 9] []", "also if another gateway took it back");
}

#[tokio::test]
async fn what_is_rejected_for_a_path_or_a_name_is_left_out() {
    let house = House::new(&editions());
    let none = PathMaps::default();
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
    house.rule(RulingKind::Rejection, &Wanted::file("/mnt/A/scene.mp4"), "1").await.expect("kept");
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "None [] [] [rejected]");
    assert_eq!(house.path("/mnt/B/scene.mp4", &none).await, "High [2] [] []");
    house.rule(RulingKind::Rejection, &Wanted::file("/data/C/scene.mp4"), "1").await.expect("kept");
    assert_eq!(house.path("/data/C/scene.mp4", &none).await, "Low [] [2] [rejected]");
    assert_eq!(house.named("tt0000007").await, "[1, 2] []");
    let id = Wanted::named("com.plexapp.agents.imdb://tt0000007?lang=en");
    house.rule(RulingKind::Rejection, &id, "1").await.expect("kept");
    assert_eq!(house.named("tt0000007").await, "[2] [rejected]");
    house.rule(RulingKind::Pin, &id, "1").await.expect("kept");
    assert_eq!(house.named("tt0000007").await, "[1] [pinned]");
    let isrc = house.rule(RulingKind::Pin, &Wanted::named("USUM71703861"), "1").await;
    assert_eq!(isrc, Err(Refused::Nothing), "nobody would find it again");
}

#[tokio::test]
async fn what_the_server_does_not_have_is_no_files_item_before_the_next_snapshot() {
    let house = House::new(&editions());
    let none = PathMaps::default();
    house.matching.disown(&house.library, "1").await;
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "None [] [] [disowned]");
    assert_eq!(house.named("tt0000007").await, "[2] [disowned]");
    house.publish(&editions());
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
}

#[tokio::test]
async fn paths_and_names_are_looked_up_in_all_libraries_that_are_asked() {
    let house = House::new(&three());
    let films =
        Arc::new(Library::new("home:1".parse().expect("an id"), "Films", Arc::clone(&house.library.server)));
    let mut film = Item::new(ItemKind::Film, "7", "The Matrix");
    film.guids = vec!["com.plexapp.agents.imdb://tt0133093?lang=en".into()];
    film.files = vec![File { path: "/films/The Matrix (1999)/matrix.mkv".into(), size_bytes: Some(9) }];
    let mut builder = SnapshotBuilder::default();
    builder.push(film);
    films.publish(builder.build(), 1);
    let unbuilt =
        Arc::new(Library::new("home:2".parse().expect("an id"), "Shows", Arc::clone(&house.library.server)));
    let libraries = [Arc::clone(&house.library), films, unbuilt];
    let asked =
        ["/mnt/The Matrix (1999)/matrix.mkv", "/music/Radiohead/Creep.flac", "/films/Other/matrix.mkv"];
    let asked = asked.map(|path| PathAsked { path: path.to_owned(), ..PathAsked::default() }).to_vec();
    let found =
        house.matching.find_paths(&libraries, asked, Arc::new(PathMaps::default()), Case::Exact).await;
    let told: Vec<(Confidence, Option<&str>)> = found
        .iter()
        .map(|one| {
            (one.confidence, one.items.first().or(one.candidates.first()).map(|placed| &*placed.item.key))
        })
        .collect();
    let expected =
        [(Confidence::High, Some("7")), (Confidence::High, Some("101")), (Confidence::Low, Some("7"))];
    assert_eq!(told, expected);
    assert_eq!(found[0].items[0].library.to_string(), "home:1");
    let ids = ["tt0133093", "plex://track/creep", "local://101", "tmdb://1"].map(str::to_owned).to_vec();
    let named = house.matching.find_ids(&libraries, ids).await;
    let keys: Vec<Vec<&str>> =
        named.iter().map(|found| found.items.iter().map(|placed| &*placed.item.key).collect()).collect();
    assert_eq!(keys, [vec!["7"], vec!["101"], vec![], vec![]]);
}
