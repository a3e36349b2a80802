//! Questions of a reader that was away: what changed since a moment, and whether any user state did.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::item_id;
use greenroom_simulator::state::WatchState;
use greenroom_simulator::timestamp::written;
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::server::{JellyfinFixture, ids};

async fn changed_since(server: &JellyfinFixture, since_ms: u64) -> Vec<String> {
    let target = format!(
        "/Items?minDateLastSaved={}&recursive=true&enableUserData=false&enableImages=false&limit=100",
        written(since_ms)
    );
    ids(&server.get(&target).by("owner-a").value().await)
}

/// Counts and newest play of a user: the same as long as no user state changed.
async fn fingerprint(server: &JellyfinFixture, label: &str) -> (Vec<u64>, Value) {
    let mut counts = Vec::new();
    for filter in ["IsUnplayed", "IsFavorite", "IsResumable", "Likes", "Dislikes"] {
        let list = server.get(&format!("/Items?filters={filter}&recursive=true&limit=0")).by(label).value().await;
        counts.push(list["TotalRecordCount"].as_u64().expect("a count"));
    }
    let newest = server.get("/Items?sortBy=DatePlayed&sortOrder=Descending&recursive=true&limit=1").by(label).value();
    let newest = newest.await["Items"][0]["UserData"]["LastPlayedDate"].clone();
    (counts, newest)
}

#[tokio::test(start_paused = true)]
async fn edits_new_items_playlists_and_pictures_are_found_by_the_moment_and_user_state_and_membership_are_not() {
    let server = JellyfinFixture::start().await;
    let films = server.items(MediaKind::Film);
    let collection = server.items(MediaKind::Collection)[0];
    let list = json!({"Name": "Old", "Ids": [], "IsPublic": true});
    let old = server.post("/Playlists").by("owner-a").json(&list).value().await;
    tokio::time::advance(std::time::Duration::from_millis(300)).await;
    let since = server.state().clock().now_ms() + 1;
    tokio::time::advance(std::time::Duration::from_millis(200)).await;
    server.post(&format!("/UserPlayedItems/{}", item_id(films[5]))).by("owner-a").expect(200).await;
    server.post(&format!("/UserFavoriteItems/{}", item_id(films[6]))).by("owner-a").expect(200).await;
    let added = format!("/Collections/{}/Items?ids={}", item_id(collection), item_id(films[7]));
    server.post(&added).by("owner-a").expect(204).await;
    assert!(changed_since(&server, since).await.is_empty());
    let before = server.get("/Items/Counts").by("owner-a").value().await;

    server.running().edit_item(films[0], |record| record.summary = "Other".into());
    let new = server.running().add_film("New", 2026);
    let made = server.post("/Playlists").by("owner-a").json(&json!({"Name": "New", "Ids": []})).value().await;
    let rename = format!("/Playlists/{}", old["Id"].as_str().expect("an id"));
    server.post(&rename).by("owner-a").json(&json!({"Name": "Renamed"})).expect(204).await;
    let picture = format!("/Items/{}/Images/Primary", item_id(films[1]));
    server.post(&picture).by("owner-a").header("content-type", "image/png").body(b"AAAA").expect(204).await;
    let mut found = changed_since(&server, since).await;
    found.sort();
    let id = |value: &Value| value["Id"].as_str().expect("an id").to_owned();
    let mut expected = vec![item_id(films[0]), item_id(new), id(&made), id(&old), item_id(films[1])];
    expected.sort();
    assert_eq!(found, expected);

    assert!(changed_since(&server, server.state().clock().now_ms() + 1).await.is_empty());
    let after = server.get("/Items/Counts").by("owner-a").value().await;
    let count = |counts: &Value, name: &str| counts[name].as_u64().expect("a count");
    assert_eq!(count(&after, "MovieCount"), count(&before, "MovieCount") + 1);
    assert_eq!(count(&after, "ItemCount"), count(&before, "ItemCount") + 2, "a film and a playlist");
    server.running().delete_item(films[3]);
    assert_eq!(
        count(&server.get("/Items/Counts").by("owner-a").value().await, "MovieCount"),
        count(&before, "MovieCount")
    );
    server.leave().await;
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_user_state_moves_the_fingerprint_of_its_user_and_nobody_elses() {
    let server = JellyfinFixture::start().await;
    let fresh = |kind: MediaKind| {
        let view = server.state().view();
        let all = server.items(kind);
        all.into_iter().find(|id| view.watch(UserId(2), *id) == WatchState::default()).expect("an item without state")
    };
    let (film, track) = (item_id(fresh(MediaKind::Film)), item_id(fresh(MediaKind::Track)));
    let position = json!({"PlaybackPositionTicks": 6_000_000_000_u64});
    let writes = [
        server.post(&format!("/UserPlayedItems/{film}")),
        server.delete(&format!("/UserPlayedItems/{film}")),
        server.post(&format!("/UserFavoriteItems/{film}")),
        server.delete(&format!("/UserFavoriteItems/{film}")),
        server.post(&format!("/UserItems/{track}/Rating?likes=true")),
        server.post(&format!("/UserItems/{track}/Rating?likes=false")),
        server.delete(&format!("/UserItems/{track}/Rating")),
        server.post(&format!("/UserItems/{film}/UserData")).json(&position),
        server.post(&format!("/UserPlayedItems/{film}")),
    ];
    let others = fingerprint(&server, "kim").await;
    let mut last = fingerprint(&server, "sam").await;
    for (at, write) in writes.into_iter().enumerate() {
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        write.by("sam").expect(200).await;
        let now = fingerprint(&server, "sam").await;
        assert_ne!(now, last, "write {at}");
        last = now;
    }
    server.running().edit_item(server.items(MediaKind::Film)[0], |record| record.title = "Other".into());
    assert_eq!((fingerprint(&server, "sam").await, fingerprint(&server, "kim").await), (last, others));
    server.leave().await;
}
