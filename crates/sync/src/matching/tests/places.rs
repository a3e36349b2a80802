//! Paths and ids, and what was decided about them.

use super::*;

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
        let keys = |placed: &[crate::matching::path_lookup::Placed]| -> Vec<String> {
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
