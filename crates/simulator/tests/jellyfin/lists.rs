//! Lists: paging, totals, order, filters, fields.

use greenroom_simulator::catalogue::{MediaKind, Section, SortKey};
use greenroom_simulator::jellyfin::{item_id, library_id};
use serde_json::Value;

use crate::server::{JellyfinFixture, ids, kinds};

fn names(list: &Value) -> Vec<String> {
    let rows = list["Items"].as_array().expect("a list");
    rows.iter().map(|row| row["Name"].as_str().expect("a name").to_owned()).collect()
}

async fn list(server: &JellyfinFixture, query: &str) -> Value {
    server.get(&format!("/Items?{query}")).by("owner-a").value().await
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let server = JellyfinFixture::start().await;
    for sort in ["SortName", "DateCreated,SortName", "ProductionYear,SortName", "CommunityRating", "PlayCount,SortName"]
    {
        for order in ["Ascending", "Descending"] {
            let query = format!("recursive=true&includeItemTypes=Movie&sortBy={sort}&sortOrder={order}");
            let whole = list(&server, &query).await;
            assert_eq!(whole["TotalRecordCount"], 30);
            let mut pages = Vec::new();
            for start in (0..30).step_by(7) {
                let page = list(&server, &format!("{query}&startIndex={start}&limit=7")).await;
                assert_eq!((&page["StartIndex"], &page["TotalRecordCount"]), (&start.into(), &30.into()));
                pages.extend(ids(&page));
            }
            assert_eq!(pages, ids(&whole), "{sort} {order}");
        }
    }
    server.leave().await;
}

#[tokio::test]
async fn a_limit_of_zero_is_a_count() {
    let server = JellyfinFixture::start().await;
    let counted = list(&server, "recursive=true&includeItemTypes=Audio&limit=0").await;
    assert_eq!((counted["Items"].as_array().map(Vec::len), &counted["TotalRecordCount"]), (Some(0), &60.into()));
    server.leave().await;
}

#[tokio::test]
async fn the_order_is_the_one_asked_for() {
    let server = JellyfinFixture::start().await;
    let listed =
        list(&server, "recursive=true&includeItemTypes=Movie&sortBy=ProductionYear&sortOrder=Descending").await;
    let years: Vec<u64> = listed["Items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["ProductionYear"].as_u64().expect("a year"))
        .collect();
    assert!(years.is_sorted_by(|one, next| one >= next), "{years:?}");
    let listed = list(&server, "recursive=true&includeItemTypes=Movie,Series&sortBy=SortName").await;
    let expected = |kind| server.state().view().list(kind, SortKey::Title).len();
    assert_eq!(names(&listed).len(), expected(MediaKind::Film) + expected(MediaKind::Show));
    server.leave().await;
}

#[tokio::test]
async fn ids_come_back_in_their_order() {
    let server = JellyfinFixture::start().await;
    let films: Vec<String> = server.items(MediaKind::Film).into_iter().take(4).rev().map(item_id).collect();
    let listed = list(&server, &format!("ids={}", films.join(","))).await;
    assert_eq!(ids(&listed), films);
    server.leave().await;
}

#[tokio::test]
async fn a_parent_has_children_and_recursively_everything() {
    let server = JellyfinFixture::start().await;
    let artist = server.first(MediaKind::Artist);
    let albums = list(&server, &format!("parentId={artist}")).await;
    assert!(kinds(&server, &albums).iter().all(|kind| *kind == Some(MediaKind::Album)));
    let tracks = list(&server, &format!("parentId={artist}&recursive=true&includeItemTypes=Audio")).await;
    assert_eq!(tracks["TotalRecordCount"], 12);
    let top = list(&server, &format!("parentId={}", library_id(Section::Shows))).await;
    assert!(kinds(&server, &top).iter().all(|kind| *kind == Some(MediaKind::Show)));
    let roots = list(&server, "").await;
    assert_eq!(names(&roots), ["Films", "Shows", "Music", "Collections", "Playlists"]);
    server.leave().await;
}

#[tokio::test]
async fn a_search_finds_parts_of_titles_whatever_their_case() {
    let server = JellyfinFixture::start().await;
    let film = server.items(MediaKind::Film)[3];
    let title = server.state().view().title(film).expect("a title");
    let part: String = title.chars().skip(1).collect::<String>().to_uppercase().replace(' ', "%20").replace('&', "%26");
    let found = list(&server, &format!("recursive=true&searchTerm={part}")).await;
    assert!(ids(&found).contains(&item_id(film)), "{part}");
    let nothing = list(&server, "recursive=true&searchTerm=qqqqq").await;
    assert_eq!(nothing["TotalRecordCount"], 0);
    let hints = server.get(&format!("/Search/Hints?searchTerm={part}&limit=3")).by("sam").value().await;
    assert_eq!(hints["SearchHints"][0]["Id"], item_id(film));
    server.get("/Search/Hints").by("sam").expect(400).await;
    server.leave().await;
}

#[tokio::test]
async fn filters_narrow_a_list_down() {
    let server = JellyfinFixture::start().await;
    let record = server.state().view().record(server.items(MediaKind::Film)[5]).expect("a film");
    let year = record.year.expect("a year");
    let by_year = list(&server, &format!("recursive=true&includeItemTypes=Movie&years={year}")).await;
    assert!(by_year["Items"].as_array().expect("a list").iter().all(|row| row["ProductionYear"] == year));
    assert!(ids(&by_year).contains(&item_id(record.id)));
    let genre = record.genres[0].replace(' ', "%20");
    let by_genre = list(&server, &format!("recursive=true&includeItemTypes=Movie&genres={genre}&fields=Genres")).await;
    let has = |row: &Value| row["Genres"].as_array().expect("genres").contains(&record.genres[0].as_str().into());
    assert!(by_genre["Items"].as_array().expect("a list").iter().all(has));
    let genre_id = by_genre["Items"][0]["GenreItems"]
        .as_array()
        .expect("genres")
        .iter()
        .find(|it| it["Name"] == record.genres[0].as_str())
        .expect("the genre")["Id"]
        .clone();
    let by_id =
        list(&server, &format!("recursive=true&includeItemTypes=Movie&genreIds={}", genre_id.as_str().expect("an id")))
            .await;
    assert_eq!(ids(&by_id), ids(&by_genre));
    let artist = server.first(MediaKind::Artist);
    let by_artist = list(&server, &format!("recursive=true&includeItemTypes=Audio&artistIds={artist}")).await;
    assert_eq!(by_artist["TotalRecordCount"], 12);
    let late = list(&server, "recursive=true&includeItemTypes=Movie&minDateLastSaved=2035-01-01T00:00:00Z").await;
    assert_eq!(late["TotalRecordCount"], 0);
    server.leave().await;
}

#[tokio::test]
async fn fields_images_and_user_data_come_as_asked() {
    let server = JellyfinFixture::start().await;
    let bare =
        list(&server, "recursive=true&includeItemTypes=Movie&limit=1&enableUserData=false&enableImages=false").await;
    let row = &bare["Items"][0];
    assert!(row["UserData"].is_null() && row["ImageTags"].is_null() && row["Path"].is_null());
    let rich = list(&server, "recursive=true&includeItemTypes=Movie&limit=1&fields=Path,MediaSources,Overview").await;
    let row = &rich["Items"][0];
    assert!(row["UserData"].is_object() && row["ImageTags"]["Primary"].is_string());
    assert_eq!(row["MediaSources"][0]["Path"], row["Path"]);
    let keyed = server.get("/Items?recursive=true&includeItemTypes=Movie&limit=1").by("key").value().await;
    assert!(keyed["Items"][0]["UserData"].is_null(), "an API key has no user");
    server.leave().await;
}

#[tokio::test]
async fn names_are_listed_counted_and_found_again() {
    let server = JellyfinFixture::start().await;
    for (path, kind) in [("/Genres", "Genre"), ("/Studios", "Studio"), ("/Persons", "Person"), ("/Years", "Year")] {
        let listed = server.get(path).by("sam").value().await;
        let rows = listed["Items"].as_array().expect("a list");
        assert_eq!(listed["TotalRecordCount"], rows.len());
        assert!(!rows.is_empty() && rows.iter().all(|row| row["Type"] == kind), "{path}");
        let id = rows[0]["Id"].as_str().expect("an id");
        let again = server.get(&format!("/Items/{id}")).by("sam").value().await;
        assert_eq!(again["Name"], rows[0]["Name"]);
    }
    let artists = server.get("/Artists/AlbumArtists?limit=2&sortOrder=Descending").by("sam").value().await;
    assert_eq!((ids(&artists).len(), &artists["TotalRecordCount"]), (2, &5.into()));
    let one = server.get("/Artists?limit=1").by("sam").value().await;
    let name = one["Items"][0]["Name"].as_str().expect("a name").replace(' ', "%20");
    assert_eq!(server.get(&format!("/Artists/{name}")).by("sam").value().await["Id"], one["Items"][0]["Id"]);
    server.leave().await;
}

#[tokio::test]
async fn filters_name_what_there_is() {
    let server = JellyfinFixture::start().await;
    let plain = server.get("/Items/Filters?includeItemTypes=Movie").by("sam").value().await;
    let paired = server.get("/Items/Filters2?includeItemTypes=Movie").by("sam").value().await;
    let genres: Vec<&str> = plain["Genres"].as_array().expect("genres").iter().filter_map(Value::as_str).collect();
    let pairs: Vec<&str> =
        paired["Genres"].as_array().expect("genres").iter().filter_map(|pair| pair["Name"].as_str()).collect();
    assert!(!genres.is_empty() && plain["Years"].as_array().is_some_and(|years| !years.is_empty()));
    assert_eq!(genres, pairs);
    server.leave().await;
}

#[tokio::test]
async fn counts_agree_with_lists() {
    let server = JellyfinFixture::start().await;
    let counts = server.get("/Items/Counts").by("sam").value().await;
    for (name, kind) in [
        ("MovieCount", "Movie"),
        ("EpisodeCount", "Episode"),
        ("SongCount", "Audio"),
        ("AlbumCount", "MusicAlbum"),
        ("BoxSetCount", "BoxSet"),
    ] {
        let listed =
            server.get(&format!("/Items?recursive=true&includeItemTypes={kind}&limit=0")).by("sam").value().await;
        assert_eq!(counts[name], listed["TotalRecordCount"], "{name}");
    }
    server.leave().await;
}

#[tokio::test]
async fn a_show_has_seasons_and_episodes_in_order() {
    let server = JellyfinFixture::start().await;
    let show = server.first(MediaKind::Show);
    let seasons = server.get(&format!("/Shows/{show}/Seasons")).by("sam").value().await;
    assert_eq!(seasons["TotalRecordCount"], 2);
    let all = server.get(&format!("/Shows/{show}/Episodes")).by("sam").value().await;
    assert_eq!(all["TotalRecordCount"], 6);
    let second = server.get(&format!("/Shows/{show}/Episodes?season=2")).by("sam").value().await;
    assert_eq!(ids(&second), ids(&all)[3..]);
    let by_id = server.get(&format!("/Shows/{show}/Episodes?seasonId={}", ids(&seasons)[1])).by("sam").value().await;
    assert_eq!(ids(&by_id), ids(&second));
    let around = server.get(&format!("/Shows/{show}/Episodes?adjacentTo={}", ids(&all)[2])).by("sam").value().await;
    assert_eq!(ids(&around), ids(&all)[1..4]);
    let film = server.first(MediaKind::Film);
    server.get(&format!("/Shows/{film}/Seasons")).by("sam").expect(404).await;
    server.leave().await;
}

#[tokio::test]
async fn ancestors_lead_to_the_root() {
    let server = JellyfinFixture::start().await;
    let track = server.first(MediaKind::Track);
    let above = server.get(&format!("/Items/{track}/Ancestors")).by("sam").value().await;
    let types: Vec<&str> = above.as_array().expect("an array").iter().filter_map(|row| row["Type"].as_str()).collect();
    assert_eq!(types, ["MusicAlbum", "MusicArtist", "CollectionFolder", "UserRootFolder"]);
    server.leave().await;
}

#[tokio::test]
async fn similar_items_are_of_the_same_kind_and_not_the_item_itself() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let similar = server.get(&format!("/Items/{film}/Similar?limit=5")).by("sam").value().await;
    assert!(!ids(&similar).is_empty() && !ids(&similar).contains(&film));
    assert!(kinds(&server, &similar).iter().all(|kind| *kind == Some(MediaKind::Film)));
    server.leave().await;
}

#[tokio::test]
async fn what_is_random_is_drawn_anew_at_each_request() {
    for random_similar in [true, false] {
        let server = JellyfinFixture::with(|switches| switches.random_similar = random_similar).await;
        let (film, album) = (server.first(MediaKind::Film), server.first(MediaKind::Album));
        server.get(&format!("/Albums/{album}/Similar")).by("sam").expect(200).await;
        for (target, is_random) in [
            (format!("/Items/{film}/Similar?limit=50"), random_similar),
            (format!("/Movies/{film}/Similar?limit=50"), random_similar),
            ("/Items/Suggestions?limit=20".into(), true),
            ("/Movies/Recommendations".into(), true),
            ("/Items?recursive=true&sortBy=Random&limit=20".into(), true),
        ] {
            let (first, second) =
                (server.get(&target).by("sam").value().await, server.get(&target).by("sam").value().await);
            assert_eq!(first != second, is_random, "{target}");
        }
        let found = server.get("/Movies/Recommendations?categoryLimit=2&itemLimit=3").by("sam").value().await;
        let categories = found.as_array().expect("a list");
        assert_eq!(categories.len(), 2);
        assert!(categories.iter().all(|one| one["Items"].as_array().expect("a list").len() == 3), "{found}");
        server.leave().await;
    }
}
