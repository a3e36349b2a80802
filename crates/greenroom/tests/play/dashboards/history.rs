//! The mirrored playback history: complete, updated, and without entries that the server deleted.

use greenroom_dialect::dashboard::timestamp;
use serde_json::Value;

use super::DashboardFixture;

/// komandorr's page of rows of `/api/plex/watch-history`.
struct KomandorrPage {
    watch_time_s: u64,
    badges: Vec<(String, Vec<String>)>,
}

impl KomandorrPage {
    /// With the page's own expressions.
    fn of(rows: &[Value]) -> Self {
        // `sum + (item.duration || 0)`
        let watch_time_s = rows.iter().map(|item| item["duration"].as_u64().unwrap_or_default()).sum();
        let badges = |item: &Value| {
            // `{item.rating && …item.rating.toFixed(1)}`
            assert!(item["rating"].is_null() || item["rating"].is_number(), "{item}");
            let rating = item["rating"].as_f64().map(|rating| format!("{rating:.1}")).unwrap_or_default();
            // `new Date(item.viewed_at)`
            let viewed_at = item["viewed_at"].as_str().and_then(timestamp::parse);
            assert!(viewed_at > Some(1_000_000_000), "{item}");
            // `item.genres && item.genres.length > 0 && item.genres.slice(0, 2)`
            let genres = item["genres"].as_array().expect("a list").iter().take(2);
            (rating, genres.map(|genre| genre.as_str().expect("a text").to_owned()).collect())
        };
        Self { watch_time_s, badges: rows.iter().map(badges).collect() }
    }
}

async fn watched(house: &DashboardFixture) -> Vec<Value> {
    house.get("/api/plex/watch-history").await.json().as_array().expect("a list").clone()
}

#[tokio::test(start_paused = true)]
async fn the_history_has_what_komandorrs_page_adds_up() {
    let house = DashboardFixture::plex().await;
    house.sync().await;
    let rows = watched(&house).await;
    let page = KomandorrPage::of(&rows);
    let (expected_s, with_genres) = {
        let view = house.server.state().view();
        let newest = view.plays().iter().rev().take(rows.len());
        let records: Vec<_> = newest.filter_map(|play| view.record(play.item)).collect();
        let genres = |record: &greenroom_simulator::catalogue::ItemRecord| {
            let above = record.grandparent.as_ref().and_then(|above| view.record(above.id));
            !record.genres.is_empty() || above.is_some_and(|above| !above.genres.is_empty())
        };
        let length_s: u64 = records.iter().filter_map(|record| record.duration_ms).map(|ms| ms / 1000).sum();
        (length_s, records.iter().filter(|record| genres(record)).count())
    };
    assert_eq!(page.watch_time_s, expected_s, "every playback has its length");
    assert_eq!(page.badges.iter().filter(|(_, genres)| !genres.is_empty()).count(), with_genres);
    assert!(with_genres > rows.len() / 2 && page.badges.iter().any(|(rating, _)| !rating.is_empty()));
    let film = rows.iter().find(|row| row["type"] == "movie").expect("a film was watched");
    for name in ["year", "duration", "view_offset", "rating"] {
        assert!(film[name].is_number(), "{name}: {film}");
    }
    for name in ["content_rating", "studio", "summary"] {
        assert!(film[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {film}");
    }
    assert_eq!(
        (&film["view_offset"], &film["progress"]),
        (&film["duration"], &100.0.into()),
        "it was watched to its end"
    );
    // The items were read in batches, and never again.
    let batches = || {
        let batch = |target: &str| target.strip_prefix("/library/metadata/").map(|keys| keys.split(',').count());
        house.server.request_log().count(|seen| batch(&seen.target).is_some_and(|keys| (2..=50).contains(&keys)))
    };
    let single = |target: &str| {
        target.strip_prefix("/library/metadata/").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let most = 2 * rows.len().div_ceil(50) + 2;
    assert!((1..=most).contains(&batches()), "{} of at most {most}", batches());
    assert!(house.server.request_log().count(|seen| single(&seen.target)) <= 1, "not one by one");
    house.server.request_log().reset();
    house.sync().await;
    assert_eq!(house.server.request_log().count(|seen| seen.target.starts_with("/library/metadata/")), 0);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_jellyfin_has_what_komandorrs_page_adds_up() {
    let house = DashboardFixture::jellyfin().await;
    house.sync().await;
    let rows = watched(&house).await;
    let page = KomandorrPage::of(&rows);
    assert!(page.watch_time_s > 3_600, "{}", page.watch_time_s);
    assert_eq!(page.badges.len(), rows.len());
    for row in rows.iter().filter(|row| row["type"] != "track") {
        assert!(row["genres"].as_array().is_some_and(|genres| !genres.is_empty()), "{row}");
    }
    let film = rows.iter().find(|row| row["type"] == "movie").expect("a film was watched");
    for name in ["content_rating", "studio", "summary"] {
        assert!(film[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {film}");
    }
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_sync_takes_every_page_and_the_next_one_only_what_is_new() {
    let house = DashboardFixture::with(450, "").await;
    let there = house.server.state().view().plays().len() as u64;
    assert!(there > 1_000, "several pages: {there}");
    house.sync().await;
    let page = house.get("/api/v1/history?limit=500").await.json();
    assert_eq!((&page["total"], page["items"].as_array().map(Vec::len)), (&there.into(), Some(500)));
    let last = house.get(&format!("/api/v1/history?offset={}", there - 1)).await.json();
    assert_eq!(last["items"].as_array().map(Vec::len), Some(1));
    let newest = &page["items"][0];
    assert!(newest["at_ms"].as_u64() >= page["items"][1]["at_ms"].as_u64());
    assert!(newest["user"].is_string() && newest["title"].is_string() && newest["server"] == "home");
    house.server.request_log().reset();
    assert_eq!(house.sync().await["message"], "No new playbacks.");
    assert!(house.reached("/status/sessions/history/all") <= 2, "not all of it again");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn history_is_filtered_by_user_time_and_title_and_bad_queries_are_rejected() {
    let house = DashboardFixture::plex().await;
    house.sync().await;
    let all = house.get("/api/v1/history?limit=500").await.json();
    let user = all["items"][0]["user"].as_str().expect("a name").to_owned();
    let own = house.get(&format!("/api/v1/history?limit=500&user={user}")).await.json();
    assert!(own["total"].as_u64() < all["total"].as_u64() && own["total"].as_u64() > Some(0), "{user}");
    assert!(own["items"].as_array().expect("a list").iter().all(|row| row["user"] == user.as_str()));
    let since = all["items"][3]["at_ms"].as_u64().expect("a time");
    let lately = house.get(&format!("/api/v1/history?since_ms={since}")).await.json();
    assert!(lately["total"].as_u64() >= Some(4) && lately["total"].as_u64() < all["total"].as_u64());
    let title = all["items"][0]["title"].as_str().expect("a title").replace(' ', "%20");
    let named = house.get(&format!("/api/v1/history?search={title}")).await.json();
    assert!(named["total"].as_u64() >= Some(1) && named["total"].as_u64() < all["total"].as_u64(), "{named}");
    assert!(all["synced_ms"].as_u64() > Some(0), "its age is told");
    assert_eq!(house.get(&format!("/api/v1/history?search={}", "x".repeat(201))).await.status, 400);
    for bad in ["limit=0", "limit=501", "limit=x", "offset=-1", "since_ms=now", "sinc_ms=1"] {
        assert_eq!(house.get(&format!("/api/v1/history?{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(house.get("/api/v1/history?server=attic").await.status, 404);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn plays_deleted_on_the_server_are_removed_by_a_full_comparison() {
    let house = DashboardFixture::plex().await;
    house.sync().await;
    let before = house.get("/api/v1/history").await.json()["total"].as_u64().expect("a number");
    let oldest = house.server.state().view().plays()[0].id;
    house.server.change(|write| assert!(write.delete_play(oldest), "it was there"));
    house.sync().await;
    assert_eq!(house.get("/api/v1/history").await.json()["total"], before, "that is not looked at every time");
    // The last full comparison was long ago.
    let file = rusqlite::Connection::open(house.stage.folder().join("state.db")).expect("it is there");
    file.execute("UPDATE played_sync SET full_ms = 1", []).expect("written");
    house.sync().await;
    assert_eq!(house.get("/api/v1/history").await.json()["total"], before - 1);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn plays_on_jellyfin_come_from_its_activity_log_with_names() {
    let house = DashboardFixture::jellyfin().await;
    house.sync().await;
    let page = house.get("/api/v1/history?limit=500").await.json();
    assert!(page["total"].as_u64() > Some(10), "{page}");
    let row = &page["items"][0];
    assert!(!row["title"].as_str().expect("a title").contains("has finished playing"), "{row}");
    assert_eq!(house.sync().await["message"], "No new playbacks.");
    house.end().await;
}
