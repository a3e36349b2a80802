//! The mirrored playback history: complete, updated, and without entries that the server deleted.

use super::DashboardFixture;

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
