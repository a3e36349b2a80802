//! Paths and ids with their overrides.

use super::*;
use greenroom_cache::Timestamp;

/// Two films whose file names are alike.
fn films() -> Vec<Item> {
    let film_in = |key: &str, folder: &str| {
        let mut film = Item::new(ItemKind::Film, key, folder);
        film.files = vec![MediaFile { path: format!("/mnt/{folder}/scene.mp4").into(), size_bytes: None }];
        film.guids = vec![format!("plex://movie/{}", folder.to_lowercase()).into()];
        film
    };
    vec![film_in("1", "A"), film_in("2", "B")]
}

/// The same files as two editions of one film.
fn editions() -> Vec<Item> {
    let mut editions = films();
    for film in &mut editions {
        film.guids.push("imdb://tt0000007".into());
    }
    editions
}

impl MatchingFixture {
    /// The result of a path in one line.
    async fn path(&self, path: &str, maps: &PathMaps) -> String {
        let (libraries, maps) = (std::slice::from_ref(&self.library), Arc::new(maps.clone()));
        let query = vec![PathLookupQuery { path: path.to_owned(), ..PathLookupQuery::default() }];
        let found = self.matching.find_paths(libraries, query, maps, CaseSensitivity::Exact).await.remove(0);
        let keys = |located: &[crate::matching::path_lookup::LocatedItem]| -> Vec<String> {
            located.iter().map(|located| located.item.key.to_string()).collect()
        };
        let applied: Vec<&str> = found.overrides.iter().map(|applied| applied.name()).collect();
        let (items, candidates) = (keys(&found.items), keys(&found.candidates));
        format!("{:?} {items:?} {candidates:?} {applied:?}", found.confidence).replace('"', "")
    }

    /// The result of an id: keys, and overrides that applied.
    async fn named(&self, id: &str) -> String {
        let libraries = std::slice::from_ref(&self.library);
        let found = self.matching.find_ids(libraries, vec![id.to_owned()]).await.remove(0);
        let mut keys: Vec<String> = found.items.iter().map(|located| located.item.key.to_string()).collect();
        keys.sort();
        let applied: Vec<&str> = found.overrides.iter().map(|applied| applied.name()).collect();
        format!("{keys:?} {applied:?}").replace('"', "")
    }
}

#[tokio::test]
async fn an_ambiguous_path_is_settled_by_a_pin() {
    let fixture = MatchingFixture::new(&films());
    let none = PathMaps::default();
    let query = "/data/C/scene.mp4";
    assert_eq!(fixture.path(query, &none).await, "Low [] [1, 2] []");
    fixture.set_override(MatchOverrideKind::Pin, &TrackQuery::from_path(query), "2").await.expect("store the override");
    assert_eq!(fixture.path(query, &none).await, "High [2] [] [pinned]");
    assert_eq!(fixture.path("/data/D/scene.mp4", &none).await, "Low [] [1, 2] []", "that is another file");
    assert_eq!(fixture.path("/data/c/scene.mp4", &none).await, "Low [] [1, 2] []", "and so is this");
    let set_override = greenroom_library::files::PathRule { from: "^X:/(.*)$", to: "/data/$1" };
    let maps = PathMaps::new([set_override]).expect("the rule is valid");
    assert_eq!(fixture.path("X:/C/scene.mp4", &maps).await, "High [2] [] [pinned]", "by what the rules make of it");
    // In a later process, under another key, and with the old key given to another item.
    let fixture = MatchingFixture { matching: open(fixture.folder.path()), ..fixture };
    let mut rekeyed = films();
    rekeyed[1].key = "9".into();
    rekeyed[0].key = "2".into();
    fixture.publish(&rekeyed);
    assert_eq!(fixture.path(query, &none).await, "High [9] [] [pinned]");
    assert_eq!(fixture.count(MatchCounter::Rekeyed), 1);
    fixture.publish(&rekeyed[..1]);
    assert_eq!(fixture.path(query, &none).await, "Low [] [2] []", "it waits for its item");
    fixture.publish(&rekeyed);
    assert_eq!(fixture.path(query, &none).await, "High [9] [] [pinned]");
    let listed = fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides");
    let second_matcher = open(fixture.folder.path());
    assert_eq!(second_matcher.remove_overrides(vec![listed[0].id]).await, Ok(1));
    assert_eq!(fixture.path(query, &none).await, "Low [] [2, 9] []", "also if another gateway took it back");
}

#[tokio::test]
async fn items_rejected_for_a_path_or_an_id_are_left_out() {
    let fixture = MatchingFixture::new(&editions());
    let none = PathMaps::default();
    assert_eq!(fixture.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
    fixture
        .set_override(MatchOverrideKind::Rejection, &TrackQuery::from_path("/mnt/A/scene.mp4"), "1")
        .await
        .expect("store the override");
    assert_eq!(fixture.path("/mnt/A/scene.mp4", &none).await, "None [] [] [rejected]");
    assert_eq!(fixture.path("/mnt/B/scene.mp4", &none).await, "High [2] [] []");
    fixture
        .set_override(MatchOverrideKind::Rejection, &TrackQuery::from_path("/data/C/scene.mp4"), "1")
        .await
        .expect("store the override");
    assert_eq!(fixture.path("/data/C/scene.mp4", &none).await, "Low [] [2] [rejected]");
    assert_eq!(fixture.named("tt0000007").await, "[1, 2] []");
    let id = TrackQuery::from_id("com.plexapp.agents.imdb://tt0000007?lang=en");
    fixture.set_override(MatchOverrideKind::Rejection, &id, "1").await.expect("store the override");
    assert_eq!(fixture.named("tt0000007").await, "[2] [rejected]");
    fixture.set_override(MatchOverrideKind::Pin, &id, "1").await.expect("store the override");
    assert_eq!(fixture.named("tt0000007").await, "[1] [pinned]");
    let isrc = fixture.set_override(MatchOverrideKind::Pin, &TrackQuery::from_id("USUM71703861"), "1").await;
    assert_eq!(isrc, Err(OverrideError::EmptyQuery), "an ISRC is no key");
}

#[tokio::test]
async fn an_item_missing_on_the_server_is_not_found_by_path_before_the_next_snapshot() {
    let fixture = MatchingFixture::new(&editions());
    let none = PathMaps::default();
    fixture.matching.mark_missing_on_server(&fixture.library, "1").await;
    assert_eq!(fixture.path("/mnt/A/scene.mp4", &none).await, "None [] [] [disowned]");
    assert_eq!(fixture.named("tt0000007").await, "[2] [disowned]");
    fixture.publish(&editions());
    assert_eq!(fixture.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
}

#[tokio::test]
async fn paths_and_ids_are_looked_up_in_all_given_libraries() {
    let fixture = MatchingFixture::new(&three_tracks());
    let films = Arc::new(Library::new(
        "home:1".parse().expect("parse the library id"),
        "Films",
        Arc::clone(&fixture.library.server),
    ));
    let mut film = Item::new(ItemKind::Film, "7", "The Matrix");
    film.guids = vec!["com.plexapp.agents.imdb://tt0133093?lang=en".into()];
    film.files = vec![MediaFile { path: "/films/The Matrix (1999)/matrix.mkv".into(), size_bytes: Some(9) }];
    let mut builder = SnapshotBuilder::default();
    builder.push(film);
    films.publish(builder.build(), Timestamp::from_millis(1));
    let unbuilt = Arc::new(Library::new(
        "home:2".parse().expect("parse the library id"),
        "Shows",
        Arc::clone(&fixture.library.server),
    ));
    let libraries = [Arc::clone(&fixture.library), films, unbuilt];
    let query = ["/mnt/The Matrix (1999)/matrix.mkv", "/music/Radiohead/Creep.flac", "/films/Other/matrix.mkv"];
    let query = query.map(|path| PathLookupQuery { path: path.to_owned(), ..PathLookupQuery::default() }).to_vec();
    let found =
        fixture.matching.find_paths(&libraries, query, Arc::new(PathMaps::default()), CaseSensitivity::Exact).await;
    let resolution: Vec<(FileMatchConfidence, Option<&str>)> = found
        .iter()
        .map(|one| (one.confidence, one.items.first().or(one.candidates.first()).map(|located| &*located.item.key)))
        .collect();
    let expected = [
        (FileMatchConfidence::High, Some("7")),
        (FileMatchConfidence::High, Some("101")),
        (FileMatchConfidence::Low, Some("7")),
    ];
    assert_eq!(resolution, expected);
    assert_eq!(found[0].items[0].library.to_string(), "home:1");
    let ids = ["tt0133093", "plex://track/creep", "local://101", "tmdb://1"].map(str::to_owned).to_vec();
    let named = fixture.matching.find_ids(&libraries, ids).await;
    let keys: Vec<Vec<&str>> =
        named.iter().map(|found| found.items.iter().map(|located| &*located.item.key).collect()).collect();
    assert_eq!(keys, [vec!["7"], vec!["101"], vec![], vec![]]);
}
