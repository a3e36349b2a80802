//! Paths and ids with their overrides.

use super::*;

/// Two films whose file names are alike.
fn scenes() -> Vec<Item> {
    let scene = |key: &str, folder: &str| {
        let mut film = Item::new(ItemKind::Film, key, folder);
        film.files = vec![MediaFile { path: format!("/mnt/{folder}/scene.mp4").into(), size_bytes: None }];
        film.guids = vec![format!("plex://movie/{}", folder.to_lowercase()).into()];
        film
    };
    vec![scene("1", "A"), scene("2", "B")]
}

/// The same files as two editions of one film.
fn editions() -> Vec<Item> {
    let mut editions = scenes();
    for film in &mut editions {
        film.guids.push("imdb://tt0000007".into());
    }
    editions
}

impl MatchingFixture {
    /// The result of a path in one line.
    async fn path(&self, path: &str, maps: &PathMaps) -> String {
        let (libraries, maps) = (std::slice::from_ref(&self.library), Arc::new(maps.clone()));
        let asked = vec![PathLookupQuery { path: path.to_owned(), ..PathLookupQuery::default() }];
        let found = self.matching.find_paths(libraries, asked, maps, CaseSensitivity::Exact).await.remove(0);
        let keys = |placed: &[crate::matching::path_lookup::LocatedItem]| -> Vec<String> {
            placed.iter().map(|placed| placed.item.key.to_string()).collect()
        };
        let ruled: Vec<&str> = found.overrides.iter().map(|ruled| ruled.name()).collect();
        let (items, candidates) = (keys(&found.items), keys(&found.candidates));
        format!("{:?} {items:?} {candidates:?} {ruled:?}", found.confidence).replace('"', "")
    }

    /// The result of an id: keys, and overrides that applied.
    async fn named(&self, id: &str) -> String {
        let libraries = std::slice::from_ref(&self.library);
        let found = self.matching.find_ids(libraries, vec![id.to_owned()]).await.remove(0);
        let mut keys: Vec<String> = found.items.iter().map(|placed| placed.item.key.to_string()).collect();
        keys.sort();
        let ruled: Vec<&str> = found.overrides.iter().map(|ruled| ruled.name()).collect();
        format!("{keys:?} {ruled:?}").replace('"', "")
    }
}

#[tokio::test]
async fn a_path_that_is_not_sure_is_settled_once_and_for_ever() {
    let house = MatchingFixture::new(&scenes());
    let none = PathMaps::default();
    let asked = "/data/C/scene.mp4";
    assert_eq!(house.path(asked, &none).await, "Low [] [1, 2] []");
    house.rule(MatchOverrideKind::Pin, &TrackQuery::from_path(asked), "2").await.expect("kept");
    assert_eq!(house.path(asked, &none).await, "High [2] [] [pinned]");
    assert_eq!(house.path("/data/D/scene.mp4", &none).await, "Low [] [1, 2] []", "that is another file");
    assert_eq!(house.path("/data/c/scene.mp4", &none).await, "Low [] [1, 2] []", "and so is this");
    let rule = greenroom_library::files::PathRule { from: "^X:/(.*)$", to: "/data/$1" };
    let maps = PathMaps::new([rule]).expect("it is right");
    assert_eq!(house.path("X:/C/scene.mp4", &maps).await, "High [2] [] [pinned]", "by what the rules make of it");
    // In a later process, under another key, and with the old key given to another item.
    let house = MatchingFixture { matching: open(house.folder.path()), ..house };
    let mut rekeyed = scenes();
    rekeyed[1].key = "9".into();
    rekeyed[0].key = "2".into();
    house.publish(&rekeyed);
    assert_eq!(house.path(asked, &none).await, "High [9] [] [pinned]");
    assert_eq!(house.count(MatchCounter::Rekeyed), 1);
    house.publish(&rekeyed[..1]);
    assert_eq!(house.path(asked, &none).await, "Low [] [2] []", "it waits for its item");
    house.publish(&rekeyed);
    assert_eq!(house.path(asked, &none).await, "High [9] [] [pinned]");
    let listed = house.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read");
    let neighbour = open(house.folder.path());
    assert_eq!(neighbour.remove_overrides(vec![listed[0].id]).await, Ok(1));
    assert_eq!(house.path(asked, &none).await, "Low [] [2, 9] []", "also if another gateway took it back");
}

#[tokio::test]
async fn what_is_rejected_for_a_path_or_a_name_is_left_out() {
    let house = MatchingFixture::new(&editions());
    let none = PathMaps::default();
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
    house.rule(MatchOverrideKind::Rejection, &TrackQuery::from_path("/mnt/A/scene.mp4"), "1").await.expect("kept");
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "None [] [] [rejected]");
    assert_eq!(house.path("/mnt/B/scene.mp4", &none).await, "High [2] [] []");
    house.rule(MatchOverrideKind::Rejection, &TrackQuery::from_path("/data/C/scene.mp4"), "1").await.expect("kept");
    assert_eq!(house.path("/data/C/scene.mp4", &none).await, "Low [] [2] [rejected]");
    assert_eq!(house.named("tt0000007").await, "[1, 2] []");
    let id = TrackQuery::from_id("com.plexapp.agents.imdb://tt0000007?lang=en");
    house.rule(MatchOverrideKind::Rejection, &id, "1").await.expect("kept");
    assert_eq!(house.named("tt0000007").await, "[2] [rejected]");
    house.rule(MatchOverrideKind::Pin, &id, "1").await.expect("kept");
    assert_eq!(house.named("tt0000007").await, "[1] [pinned]");
    let isrc = house.rule(MatchOverrideKind::Pin, &TrackQuery::from_id("USUM71703861"), "1").await;
    assert_eq!(isrc, Err(OverrideError::EmptyQuery), "nobody would find it again");
}

#[tokio::test]
async fn what_the_server_does_not_have_is_no_files_item_before_the_next_snapshot() {
    let house = MatchingFixture::new(&editions());
    let none = PathMaps::default();
    house.matching.mark_missing_on_server(&house.library, "1").await;
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "None [] [] [disowned]");
    assert_eq!(house.named("tt0000007").await, "[2] [disowned]");
    house.publish(&editions());
    assert_eq!(house.path("/mnt/A/scene.mp4", &none).await, "High [1] [] []");
}

#[tokio::test]
async fn paths_and_names_are_looked_up_in_all_libraries_that_are_asked() {
    let house = MatchingFixture::new(&three());
    let films = Arc::new(Library::new("home:1".parse().expect("an id"), "Films", Arc::clone(&house.library.server)));
    let mut film = Item::new(ItemKind::Film, "7", "The Matrix");
    film.guids = vec!["com.plexapp.agents.imdb://tt0133093?lang=en".into()];
    film.files = vec![MediaFile { path: "/films/The Matrix (1999)/matrix.mkv".into(), size_bytes: Some(9) }];
    let mut builder = SnapshotBuilder::default();
    builder.push(film);
    films.publish(builder.build(), 1);
    let unbuilt = Arc::new(Library::new("home:2".parse().expect("an id"), "Shows", Arc::clone(&house.library.server)));
    let libraries = [Arc::clone(&house.library), films, unbuilt];
    let asked = ["/mnt/The Matrix (1999)/matrix.mkv", "/music/Radiohead/Creep.flac", "/films/Other/matrix.mkv"];
    let asked = asked.map(|path| PathLookupQuery { path: path.to_owned(), ..PathLookupQuery::default() }).to_vec();
    let found =
        house.matching.find_paths(&libraries, asked, Arc::new(PathMaps::default()), CaseSensitivity::Exact).await;
    let told: Vec<(FileMatchConfidence, Option<&str>)> = found
        .iter()
        .map(|one| (one.confidence, one.items.first().or(one.candidates.first()).map(|placed| &*placed.item.key)))
        .collect();
    let expected = [
        (FileMatchConfidence::High, Some("7")),
        (FileMatchConfidence::High, Some("101")),
        (FileMatchConfidence::Low, Some("7")),
    ];
    assert_eq!(told, expected);
    assert_eq!(found[0].items[0].library.to_string(), "home:1");
    let ids = ["tt0133093", "plex://track/creep", "local://101", "tmdb://1"].map(str::to_owned).to_vec();
    let named = house.matching.find_ids(&libraries, ids).await;
    let keys: Vec<Vec<&str>> =
        named.iter().map(|found| found.items.iter().map(|placed| &*placed.item.key).collect()).collect();
    assert_eq!(keys, [vec!["7"], vec!["101"], vec![], vec![]]);
}
