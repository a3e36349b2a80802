//! The query language: filters, operators, groups, orders, and what a section says about them.

use serde_json::Value;

use crate::harness::{PlexFixture, keys, rows};

/// A library large enough for every filter to find something.
async fn library() -> PlexFixture {
    PlexFixture::with(|options| {
        options.size.films = 400;
        options.size.tracks = 600;
    })
    .await
}

async fn films(server: &PlexFixture, query: &str) -> Vec<Value> {
    rows(&server.json(&format!("/library/sections/1/all?type=1&{query}")).await).to_vec()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or("")
}

fn has_genre(row: &Value, genre: &str) -> bool {
    row["Genre"].as_array().is_some_and(|list| list.iter().any(|one| one["tag"] == genre))
}

/// That `query` finds exactly the films that `fits`, some but not all.
async fn finds(server: &PlexFixture, query: &str, fits: impl Fn(&Value) -> bool) {
    let all = films(server, "").await;
    let wanted: Vec<&Value> = all.iter().filter(|row| fits(row)).collect();
    assert!(!wanted.is_empty() && wanted.len() < all.len(), "{query} must part the library to prove anything");
    let found = films(server, query).await;
    assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{query}");
}

#[tokio::test]
async fn texts_are_compared_by_every_operator() {
    let server = library().await;
    let title = films(&server, "").await[7]["title"].as_str().unwrap().to_owned();
    let whole: String = form_urlencoded::byte_serialize(title.as_bytes()).collect();
    let lower = title.to_lowercase();
    let is = |row: &Value| text(row, "title").to_lowercase() == lower;
    finds(&server, "title=river", |row| text(row, "title").to_lowercase().contains("river")).await;
    finds(&server, "title!=the", |row| !text(row, "title").to_lowercase().contains("the")).await;
    finds(&server, &format!("title=={whole}"), is).await;
    finds(&server, &format!("title%3D={whole}"), is).await;
    finds(&server, &format!("title!=={whole}"), |row| !is(row)).await;
    finds(&server, "title<=the", |row| text(row, "title").to_lowercase().starts_with("the")).await;
    finds(&server, "title>=e", |row| text(row, "title").to_lowercase().ends_with('e')).await;
    server.done().await;
}

#[tokio::test]
async fn numbers_and_times_are_compared_by_every_operator() {
    let server = library().await;
    let year = |row: &Value| row["year"].as_u64().unwrap();
    finds(&server, "year=2020", |row| year(row) == 2_020).await;
    finds(&server, "year=2020,2021", |row| matches!(year(row), 2_020 | 2_021)).await;
    finds(&server, "year!=2020", |row| year(row) != 2_020).await;
    finds(&server, "year>>=2020", |row| year(row) > 2_020).await;
    finds(&server, "year%3C%3C=2020", |row| year(row) < 2_020).await;
    finds(&server, "decade=1990", |row| (1_990..2_000).contains(&year(row))).await;
    let at = films(&server, "").await[5]["addedAt"].as_u64().unwrap();
    finds(&server, &format!("addedAt>>={at}"), |row| row["addedAt"].as_u64().unwrap() > at).await;
    let last_year = 1_760_003_600 - 365 * 86_400;
    finds(&server, "addedAt>>=-1y", |row| row["addedAt"].as_u64().unwrap() > last_year).await;
    finds(&server, "originallyAvailableAt<<=2000-01-01", |row| text(row, "originallyAvailableAt") < "2000-01-01").await;
    server.done().await;
}

#[tokio::test]
async fn tags_are_found_by_number_and_by_text() {
    let server = library().await;
    let choices = server.json("/library/sections/1/genre").await;
    let drama = choices["Directory"].as_array().unwrap().iter().find(|row| row["title"] == "Drama").unwrap();
    let number = drama["key"].as_str().unwrap();
    finds(&server, &format!("genre={number}"), |row| has_genre(row, "Drama")).await;
    finds(&server, "genre=Drama", |row| has_genre(row, "Drama")).await;
    finds(&server, "genre!=Drama", |row| !has_genre(row, "Drama")).await;
    let by_key = server.json(drama["fastKey"].as_str().unwrap()).await;
    assert_eq!(keys(&by_key).len(), films(&server, "genre=Drama").await.len());
    server.done().await;
}

#[tokio::test]
async fn conditions_are_joined_by_and_or_and_groups() {
    let server = library().await;
    let (drama, new) = (|row: &Value| has_genre(row, "Drama"), |row: &Value| row["year"].as_u64() > Some(2_015));
    let comedy = |row: &Value| has_genre(row, "Comedy");
    finds(&server, "genre=Drama&year>>=2015", |row| drama(row) && new(row)).await;
    finds(&server, "genre=Drama&or=1&year>>=2015", |row| drama(row) || new(row)).await;
    finds(&server, "push=1&genre=Drama&or=1&genre=Comedy&pop=1&year>>=2015", |row| {
        (drama(row) || comedy(row)) && new(row)
    })
    .await;
    finds(&server, "genre=Drama&or=1&push=1&genre=Comedy&and=1&year>>=2015&pop=1", |row| {
        drama(row) || (comedy(row) && new(row))
    })
    .await;
    server.done().await;
}

#[tokio::test]
async fn user_state_is_a_filter_of_whoever_asks() {
    let server = library().await;
    finds(&server, "unwatched=1", |row| row.get("viewCount").is_none()).await;
    finds(&server, "unwatched!=1", |row| row.get("viewCount").is_some()).await;
    finds(&server, "inProgress=1", |row| row.get("viewOffset").is_some()).await;
    let mine = films(&server, "unwatched=0").await.len();
    let target = "/library/sections/1/all?type=1&unwatched=0";
    server.get("/:/scrobble?key=1").by("sam").send().await;
    let theirs = rows(&server.get(target).by("sam").json().await).to_vec();
    assert!(theirs.iter().any(|row| row["ratingKey"] == "1"));
    assert_eq!(films(&server, "unwatched=0").await.len(), mine);
    server.done().await;
}

#[tokio::test]
async fn conditions_reach_up_and_down() {
    let server = library().await;
    let show = server.json("/library/metadata/401").await["Metadata"][0]["title"].as_str().unwrap().to_owned();
    let name: String = form_urlencoded::byte_serialize(show.as_bytes()).collect();
    let episodes = server.json(&format!("/library/sections/2/all?type=4&show.title=={name}")).await;
    assert!(rows(&episodes).iter().all(|row| row["grandparentTitle"] == show.as_str()));
    assert!(rows(&episodes).len() >= 6);
    server.get("/:/scrobble?key=401").send().await;
    let left = server.json("/library/sections/2/all?type=2&episode.unwatched=1").await;
    assert!(!keys(&left).contains(&"401".to_owned()));
    server.done().await;
}

#[tokio::test]
async fn lists_come_in_the_order_that_is_asked_for() {
    let server = library().await;
    let number = |name: &'static str| move |row: &Value| row[name].as_f64().unwrap_or(0.0);
    for name in ["year", "addedAt", "updatedAt", "duration", "rating", "audienceRating"] {
        let up: Vec<f64> = films(&server, &format!("sort={name}")).await.iter().map(number(name)).collect();
        let down: Vec<f64> = films(&server, &format!("sort={name}:desc")).await.iter().map(number(name)).collect();
        assert!(up.is_sorted(), "{name}");
        assert!(down.is_sorted_by(|a, b| a >= b), "{name}");
    }
    let viewed: Vec<f64> = films(&server, "sort=lastViewedAt:desc").await.iter().map(number("lastViewedAt")).collect();
    assert!(viewed[0] > 0.0 && viewed.is_sorted_by(|a, b| a >= b));
    let titles: Vec<String> = films(&server, "").await.iter().map(sort_title).collect();
    assert!(titles.is_sorted());
    let two = films(&server, "sort=year:desc,titleSort").await;
    assert!(two.is_sorted_by_key(|row| (std::cmp::Reverse(row["year"].as_u64()), sort_title(row))));
    server.done().await;
}

fn sort_title(row: &Value) -> String {
    let title = if row.get("titleSort").is_some() { text(row, "titleSort") } else { text(row, "title") };
    title.to_lowercase()
}

#[tokio::test]
async fn tracks_are_ordered_by_artist_album_and_number() {
    let server = library().await;
    let sort = "artist.titleSort,album.index,album.titleSort,track.index";
    let list = server.json(&format!("/library/sections/3/all?type=10&sort={sort}")).await;
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for row in rows(&list) {
        let album = (text(row, "grandparentTitle"), text(row, "parentRatingKey"));
        if seen.last() != Some(&album) {
            assert!(!seen.contains(&album), "an album is in one piece");
            seen.push(album);
        }
    }
    server.done().await;
}

#[tokio::test]
async fn a_section_describes_its_filters_fields_and_orders() {
    let server = library().await;
    let list =
        server.json("/library/sections/3/all?includeMeta=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0").await;
    let types = list["Meta"]["Type"].as_array().unwrap();
    let words: Vec<&str> = types.iter().map(|kind| text(kind, "type")).collect();
    assert_eq!(words, ["artist", "album", "track"]);
    for kind in types {
        for filter in kind["Filter"].as_array().unwrap() {
            let choices = server.json(text(filter, "key")).await;
            assert_eq!(choices["librarySectionID"], 3, "{}", text(filter, "key"));
        }
        assert!(kind["Sort"].as_array().is_some_and(|sorts| sorts.iter().any(|sort| sort["key"] == "titleSort")));
        let fields = kind["Field"].as_array().unwrap();
        let field_types: Vec<&str> =
            list["Meta"]["FieldType"].as_array().unwrap().iter().map(|one| text(one, "type")).collect();
        assert!(fields.iter().all(|field| field_types.contains(&text(field, "type"))));
    }
    server.done().await;
}

#[tokio::test]
async fn history_is_filtered_by_time_item_and_section() {
    let server = library().await;
    let all = server.json("/status/sessions/history/all?sort=viewedAt:desc").await;
    let middle = rows(&all)[50]["viewedAt"].as_u64().unwrap();
    let since = server.json(&format!("/status/sessions/history/all?sort=viewedAt:desc&viewedAt>={middle}")).await;
    assert_eq!(rows(&since), &rows(&all)[..51]);
    let encoded = server.json(&format!("/status/sessions/history/all?sort=viewedAt:desc&viewedAt%3E={middle}")).await;
    assert_eq!(since, encoded);
    let of = server.json("/status/sessions/history/all?librarySectionID=1").await;
    assert!(!rows(&of).is_empty() && rows(&of).iter().all(|row| row["librarySectionID"] == "1"));
    let show = rows(&all).iter().find(|row| row["type"] == "episode").unwrap();
    let key = text(show, "grandparentKey").rsplit('/').next().unwrap();
    let played = server.json(&format!("/status/sessions/history/all?metadataItemID={key}")).await;
    assert!(rows(&played).iter().all(|row| row["grandparentKey"] == show["grandparentKey"]));
    server.done().await;
}

#[tokio::test]
async fn searches_find_items_of_every_kind_and_own_playlists() {
    let server = library().await;
    let found = server.json("/hubs/search?query=the&limit=50").await;
    let hub = |word: &str| {
        let hubs = found["Hub"].as_array().unwrap();
        hubs.iter().find(|hub| hub["type"] == word).map(|hub| rows(hub).to_vec()).unwrap_or_default()
    };
    for word in ["movie", "show", "episode", "artist", "album", "track"] {
        assert!(hub(word).iter().all(|row| text(row, "title").to_lowercase().contains("the")), "{word}");
    }
    assert!(!hub("movie").is_empty() && !hub("track").is_empty());
    let own = server.json("/hubs/search?query=sunday").await;
    assert!(own.to_string().contains("(olga)") && !own.to_string().contains("(sam)"));
    server.done().await;
}
