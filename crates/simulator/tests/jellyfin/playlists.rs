//! Playlists: made, filled, ordered, shared, renamed, deleted.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::{item_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::server::{JellyfinFixture, ids};

async fn make(server: &JellyfinFixture, tracks: &[String], public: bool) -> String {
    let body = json!({"Name": "Mine", "Ids": tracks, "MediaType": "Audio", "IsPublic": public});
    let made = server.post("/Playlists").by("sam").json(&body).value().await;
    made["Id"].as_str().expect("an id").to_owned()
}

fn tracks(server: &JellyfinFixture, count: usize) -> Vec<String> {
    server.items(MediaKind::Track).into_iter().take(count).map(item_id).collect()
}

fn entries(list: &Value) -> Vec<String> {
    let rows = list["Items"].as_array().expect("a list");
    rows.iter().map(|row| row["PlaylistItemId"].as_str().expect("an entry").to_owned()).collect()
}

#[tokio::test]
async fn a_playlist_keeps_its_order_and_takes_an_item_twice() {
    let server = JellyfinFixture::start().await;
    let tracks = tracks(&server, 3);
    let id = make(&server, &tracks, false).await;
    let items = || server.get(&format!("/Playlists/{id}/Items")).by("sam");
    server.post(&format!("/Playlists/{id}/Items?ids={}", tracks[0])).by("sam").expect(204).await;
    let listed = items().value().await;
    assert_eq!(ids(&listed), [&tracks[..], &tracks[..1]].concat());
    let entry = entries(&listed)[0].clone();
    server.post(&format!("/Playlists/{id}/Items/{entry}/Move/2")).by("sam").expect(204).await;
    assert_eq!(ids(&items().value().await)[..3], [tracks[1].clone(), tracks[2].clone(), tracks[0].clone()]);
    server.delete(&format!("/Playlists/{id}/Items?entryIds={entry}")).by("sam").expect(204).await;
    assert_eq!(ids(&items().value().await), [tracks[1].clone(), tracks[2].clone(), tracks[0].clone()]);
    let page = server.get(&format!("/Playlists/{id}/Items?startIndex=1&limit=1")).by("sam").value().await;
    assert_eq!((ids(&page), &page["TotalRecordCount"]), (vec![tracks[2].clone()], &3.into()));
    server.leave().await;
}

#[tokio::test]
async fn several_are_added_at_once() {
    let server = JellyfinFixture::start().await;
    let tracks = tracks(&server, 60);
    let id = make(&server, &tracks[..1], false).await;
    let more = tracks[1..].join(",");
    server.post(&format!("/Playlists/{id}/Items?ids={more}")).by("sam").expect(204).await;
    assert_eq!(ids(&server.get(&format!("/Playlists/{id}/Items")).by("sam").value().await), tracks);
    server.leave().await;
}

#[tokio::test]
async fn an_album_stands_for_its_tracks() {
    let server = JellyfinFixture::start().await;
    let album = server.first(MediaKind::Album);
    let id = make(&server, &[album], false).await;
    assert_eq!(
        server.get(&format!("/Playlists/{id}")).by("sam").value().await["ItemIds"].as_array().map(Vec::len),
        Some(6)
    );
    server.leave().await;
}

#[tokio::test]
async fn a_private_playlist_is_nobody_elses_until_it_is_shared() {
    let server = JellyfinFixture::start().await;
    let id = make(&server, &tracks(&server, 1), false).await;
    server.get(&format!("/Playlists/{id}/Items")).by("kim").expect(404).await;
    let listed = |label: &'static str| {
        let asking = server.get("/Items?includeItemTypes=Playlist&recursive=true").by(label);
        async move { ids(&asking.value().await) }
    };
    assert!(listed("sam").await.contains(&id) && !listed("kim").await.contains(&id));
    let kim = user_id(UserId(3));
    server.post(&format!("/Playlists/{id}/Users/{kim}")).by("sam").json(&json!({"CanEdit": true})).expect(204).await;
    assert!(listed("kim").await.contains(&id));
    assert_eq!(server.get(&format!("/Playlists/{id}")).by("sam").value().await["Shares"][0]["UserId"], kim.as_str());
    server.delete(&format!("/Playlists/{id}/Users/{kim}")).by("sam").expect(204).await;
    assert!(!listed("kim").await.contains(&id));
    server.leave().await;
}

#[tokio::test]
async fn a_public_playlist_is_read_by_all_and_changed_by_its_owner() {
    let server = JellyfinFixture::start().await;
    let track = tracks(&server, 1);
    let id = make(&server, &track, true).await;
    server.get(&format!("/Playlists/{id}/Items")).by("kim").expect(200).await;
    server.post(&format!("/Playlists/{id}/Items?ids={}", track[0])).by("kim").expect(403).await;
    server.delete(&format!("/Items/{id}")).by("kim").expect(401).await;
    server.leave().await;
}

#[tokio::test]
async fn a_playlist_is_renamed_refilled_and_deleted() {
    let server = JellyfinFixture::start().await;
    let tracks = tracks(&server, 4);
    let id = make(&server, &tracks[..2], false).await;
    let body = json!({"Name": "Ours", "Ids": &tracks[2..]});
    server.post(&format!("/Playlists/{id}")).by("sam").json(&body).expect(204).await;
    assert_eq!(server.get(&format!("/Items/{id}")).by("sam").value().await["Name"], "Ours");
    assert_eq!(ids(&server.get(&format!("/Playlists/{id}/Items")).by("sam").value().await), tracks[2..]);
    server.delete(&format!("/Items/{id}")).by("sam").expect(204).await;
    server.get(&format!("/Playlists/{id}")).by("sam").expect(404).await;
    server.leave().await;
}

#[tokio::test]
async fn the_old_form_names_everything_in_the_query() {
    let server = JellyfinFixture::start().await;
    let (track, sam) = (tracks(&server, 1), user_id(UserId(2)));
    let made = server
        .post(&format!("/Playlists?name=Old&ids={}&userId={sam}&mediaType=Audio", track[0]))
        .by("key")
        .value()
        .await;
    let id = made["Id"].as_str().expect("an id");
    assert_eq!(ids(&server.get(&format!("/Playlists/{id}/Items?userId={sam}")).by("key").value().await), track);
    server.leave().await;
}

#[tokio::test]
async fn a_playlist_is_found_by_its_name_and_counted() {
    let server = JellyfinFixture::start().await;
    let count = async || server.get("/Items/Counts").by("sam").value().await["ItemCount"].as_u64();
    let found = async |label: &str, term: &str| {
        let hints = server.get(&format!("/Search/Hints?searchTerm={term}")).by(label).value().await;
        hints["SearchHints"].as_array().unwrap().iter().any(|hint| hint["Type"] == "Playlist")
    };
    let before = count().await;
    assert!(!found("sam", "Zyxwv").await);
    let body = json!({"Name": "The Zyxwv List", "Ids": [], "IsPublic": false});
    server.post("/Playlists").by("sam").json(&body).value().await;
    assert!(found("sam", "Zyxwv").await && !found("kim", "Zyxwv").await);
    assert_eq!(count().await, before.map(|before| before + 1));
    server.leave().await;
}
