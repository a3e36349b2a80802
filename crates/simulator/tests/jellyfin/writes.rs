//! A write is read at once, by those it concerns, and every answer says how many writes it includes.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::{item_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::server::{JellyfinFixture, ids};

async fn user_data(server: &JellyfinFixture, item: &str, label: &str) -> Value {
    server.get(&format!("/Items/{item}")).by(label).value().await["UserData"].clone()
}

#[tokio::test]
async fn played_in_either_form_is_read_back_and_taken_back() {
    let server = JellyfinFixture::start().await;
    let item = item_id(server.items(MediaKind::Film)[9]);
    let sam = user_id(UserId(2));
    for path in [format!("/UserPlayedItems/{item}"), format!("/Users/{sam}/PlayedItems/{item}")] {
        server.delete(&path).by("sam").expect(200).await;
        assert_eq!(user_data(&server, &item, "sam").await["Played"], false);
        let answer = server.post(&format!("{path}?datePlayed=2024-02-20T19:26:41Z")).by("sam").value().await;
        assert_eq!(
            (&answer["Played"], &answer["LastPlayedDate"]),
            (&true.into(), &"2024-02-20T19:26:41.0000000Z".into())
        );
        assert_eq!(user_data(&server, &item, "sam").await["Played"], true);
    }
    server.leave().await;
}

#[tokio::test]
async fn a_played_season_plays_its_episodes_and_counts_upwards() {
    let server = JellyfinFixture::start().await;
    let show = server.items(MediaKind::Show)[0];
    let season = server.state().view().children(show)[0];
    server.state().write(UserId(2), |write| write.mark_unplayed(show));
    server.post(&format!("/UserPlayedItems/{}", item_id(season))).by("sam").expect(200).await;
    let data = user_data(&server, &item_id(show), "sam").await;
    assert_eq!((&data["UnplayedItemCount"], &data["Played"]), (&3.into(), &false.into()));
    assert_eq!(user_data(&server, &item_id(season), "sam").await["Played"], true);
    server.leave().await;
}

#[tokio::test]
async fn favourites_and_ratings_are_read_back_in_lists() {
    let server = JellyfinFixture::start().await;
    let item = item_id(server.items(MediaKind::Album)[2]);
    let sam = user_id(UserId(2));
    server.post(&format!("/Users/{sam}/FavoriteItems/{item}")).by("sam").expect(200).await;
    let favourites =
        server.get("/Items?recursive=true&filters=IsFavorite&includeItemTypes=MusicAlbum").by("sam").value().await;
    assert_eq!(ids(&favourites), std::slice::from_ref(&item));
    server.delete(&format!("/UserFavoriteItems/{item}")).by("sam").expect(200).await;
    let favourites =
        server.get("/Items?recursive=true&isFavorite=true&includeItemTypes=MusicAlbum").by("sam").value().await;
    assert_eq!(favourites["TotalRecordCount"], 0);
    let rated = server.post(&format!("/UserItems/{item}/Rating?likes=true")).by("sam").value().await;
    assert_eq!(rated["Likes"], true);
    assert!(server.delete(&format!("/UserItems/{item}/Rating")).by("sam").value().await["Likes"].is_null());
    server.leave().await;
}

#[tokio::test]
async fn user_data_is_written_as_a_whole() {
    let server = JellyfinFixture::start().await;
    let item = item_id(server.items(MediaKind::Film)[1]);
    let body = json!({"PlaybackPositionTicks": 600_000_000, "PlayCount": 4, "IsFavorite": true, "Rating": 7.5});
    server.post(&format!("/UserItems/{item}/UserData")).by("sam").json(&body).expect(200).await;
    let data = user_data(&server, &item, "sam").await;
    assert_eq!(data["PlaybackPositionTicks"], 600_000_000);
    assert_eq!((&data["PlayCount"], &data["IsFavorite"], &data["Rating"]), (&4.into(), &true.into(), &7.5.into()));
    server.leave().await;
}

#[tokio::test]
async fn every_answer_counts_the_writes_it_includes() {
    let server = JellyfinFixture::start().await;
    let item = server.first(MediaKind::Film);
    let marks = |value: &Value| {
        ["GreenroomUser", "GreenroomSeq", "GreenroomUserSeq"].map(|name| value[name].to_string()).join(" ")
    };
    let read = |label: &'static str| {
        let asking = server.get("/UserViews").by(label);
        async move { marks(&asking.value().await) }
    };
    assert_eq!(read("sam").await, "\"sam\" 0 0");
    let written = server.post(&format!("/UserFavoriteItems/{item}")).by("owner-a").value().await;
    assert_eq!(marks(&written), "\"olga\" 1 1");
    assert_eq!(read("sam").await, "\"sam\" 1 0");
    assert_eq!(read("owner-b").await, "\"olga\" 1 1");
    let latest = server.get("/Items/Latest").by("sam").value().await;
    assert!(latest.as_array().expect("an array").iter().all(|row| marks(row) == "\"sam\" 1 0"));
    server.leave().await;
}

#[tokio::test]
async fn an_edit_is_seen_by_all_and_made_by_the_administrator() {
    let server = JellyfinFixture::start().await;
    let item = server.first(MediaKind::Film);
    let mut body = server.get(&format!("/Items/{item}")).by("owner-a").value().await;
    let etag = body["Etag"].clone();
    body["Name"] = json!("Quite Another Title");
    body["Genres"] = json!(["Noir"]);
    server.post(&format!("/Items/{item}")).by("sam").json(&body).expect(403).await;
    server.post(&format!("/Items/{item}")).by("owner-a").json(&body).expect(204).await;
    let read = server.get(&format!("/Items/{item}")).by("sam").value().await;
    assert_eq!((&read["Name"], &read["Genres"]), (&body["Name"], &body["Genres"]));
    assert_ne!(read["Etag"], etag);
    let found = server.get("/Items?recursive=true&searchTerm=quite%20another").by("sam").value().await;
    assert_eq!(ids(&found), [item]);
    server.leave().await;
}

#[tokio::test]
async fn what_is_deleted_is_gone_from_lists_and_counts() {
    let server = JellyfinFixture::start().await;
    let item = server.first(MediaKind::Film);
    server.delete(&format!("/Items/{item}")).by("sam").expect(401).await;
    server.delete(&format!("/Items/{item}")).by("owner-a").expect(204).await;
    server.get(&format!("/Items/{item}")).by("sam").expect(404).await;
    assert_eq!(server.get("/Items/Counts").by("sam").value().await["MovieCount"], 29);
    server.leave().await;
}

#[tokio::test]
async fn what_is_added_is_the_latest() {
    let server = JellyfinFixture::start().await;
    let film = item_id(server.running().add_film("Fresh From the Press", 2025));
    let latest = server.get("/Items/Latest").by("sam").value().await;
    assert_eq!(ids(&latest)[0], film);
    let sorted = server
        .get("/Items?recursive=true&includeItemTypes=Movie&sortBy=DateCreated&sortOrder=Descending&limit=1")
        .by("sam")
        .value()
        .await;
    assert_eq!(ids(&sorted), [film]);
    server.leave().await;
}

#[tokio::test]
async fn collections_are_made_and_changed() {
    let server = JellyfinFixture::start().await;
    let films: Vec<String> = server.items(MediaKind::Film).into_iter().take(2).map(item_id).collect();
    let made = server.post(&format!("/Collections?name=Best&ids={}", films[0])).by("owner-a").value().await;
    let id = made["Id"].as_str().expect("an id");
    server.post(&format!("/Collections/{id}/Items?ids={}", films[1])).by("owner-a").expect(204).await;
    let members = server.get(&format!("/Items?parentId={id}&sortBy=SortName")).by("sam").value().await;
    assert_eq!(ids(&members), films);
    server.delete(&format!("/Collections/{id}/Items?ids={}", films[0])).by("owner-a").expect(204).await;
    let members = server.get(&format!("/Items?parentId={id}")).by("sam").value().await;
    assert_eq!(ids(&members), films[1..]);
    server.leave().await;
}

#[tokio::test]
async fn preferences_are_kept_for_one_user_and_program() {
    let server = JellyfinFixture::start().await;
    let target = "/DisplayPreferences/userSettings?client=web";
    let mut kept = server.get(target).by("sam").value().await;
    assert_eq!(kept["Id"], "userSettings");
    kept["CustomPrefs"] = json!({"homesection0": "resume"});
    server.post(target).by("sam").json(&kept).expect(204).await;
    assert_eq!(server.get(target).by("sam").value().await["CustomPrefs"]["homesection0"], "resume");
    assert_eq!(server.get(target).by("kim").value().await["CustomPrefs"], json!({}));
    server.get("/DisplayPreferences/userSettings").by("sam").expect(400).await;
    server.leave().await;
}
