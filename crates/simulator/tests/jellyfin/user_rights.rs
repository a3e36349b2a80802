//! Users that are limited, disabled, removed and made anew while the server runs.

use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::frames::FrameClient;
use crate::server::JellyfinFixture;

const SAM: UserId = UserId(2);

async fn policy(server: &JellyfinFixture, user: UserId) -> Option<Value> {
    let users = server.get("/Users").by("owner-a").value().await;
    let rows = users.as_array().expect("a list").clone();
    rows.into_iter().find(|row| row["Id"] == user_id(user).as_str()).map(|row| row["Policy"].clone())
}

async fn set_policy(server: &JellyfinFixture, wanted: Value) {
    server.post(&format!("/Users/{}/Policy", user_id(SAM))).by("owner-a").json(&wanted).expect(204).await;
}

#[tokio::test]
async fn a_disabled_user_is_shown_as_such_and_the_users_tokens_and_sockets_end() {
    let server = JellyfinFixture::start().await;
    let mut socket = FrameClient::open(&server, "sam").await;
    assert_eq!(policy(&server, SAM).await.expect("sam")["IsDisabled"], false);
    set_policy(&server, json!({"IsDisabled": true})).await;
    assert_eq!(policy(&server, SAM).await.expect("sam")["IsDisabled"], true);
    assert!(socket.is_ended().await);
    server.get("/Users/Me").by("sam").expect(401).await;
    let body = json!({"Username": "sam", "Pw": ""});
    server.post("/Users/AuthenticateByName").json(&body).expect(401).await;
    set_policy(&server, json!({"IsDisabled": false})).await;
    server.post("/Users/AuthenticateByName").json(&body).expect(200).await;
    server.get("/Users/Me").by("sam").expect(401).await;
    server.leave().await;
}

#[tokio::test]
async fn a_user_disabled_past_the_interface_is_refused_until_enabled_again() {
    let server = JellyfinFixture::start().await;
    assert!(server.running().change(|write| write.set_disabled(SAM, true)));
    server.get("/Users/Me").by("sam").expect(401).await;
    assert!(server.running().change(|write| write.set_disabled(SAM, false)));
    server.get("/Users/Me").by("sam").expect(200).await;
    server.leave().await;
}

#[tokio::test]
async fn a_library_taken_away_and_an_age_limit_show_in_the_policy_and_in_what_the_user_reads() {
    let server = JellyfinFixture::start().await;
    let count = async |target: &str| server.get(target).by("sam").value().await["TotalRecordCount"].as_u64();
    let (films, shows) =
        ("/Items?includeItemTypes=Movie&recursive=true", "/Items?includeItemTypes=Series&recursive=true");
    let all = count(films).await.expect("films");
    let strict = server
        .items(MediaKind::Film)
        .into_iter()
        .filter_map(|film| server.state().view().record(film)?.content_rating)
        .filter(|rating| !["G", "PG"].contains(&rating.as_str()))
        .count() as u64;
    let enabled = [Section::Films, Section::Music].map(library_id);
    set_policy(&server, json!({"EnableAllFolders": false, "EnabledFolders": enabled, "MaxParentalRating": 10})).await;
    let shown = policy(&server, SAM).await.expect("sam");
    assert_eq!((&shown["EnableAllFolders"], &shown["MaxParentalRating"]), (&json!(false), &json!(10)));
    assert_eq!(count(shows).await, Some(0));
    assert!(strict > 0);
    assert_eq!(count(films).await, Some(all - strict));
    set_policy(&server, json!({"EnableAllFolders": true})).await;
    assert_eq!(count(films).await, Some(all));
    server.leave().await;
}

#[tokio::test]
async fn a_user_removed_and_made_anew_has_another_id_no_state_and_no_token() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    server.post(&format!("/UserFavoriteItems/{film}")).by("sam").expect(200).await;
    server.delete(&format!("/Users/{}", user_id(SAM))).by("kim").expect(403).await;
    server.delete(&format!("/Users/{}", user_id(SAM))).by("owner-a").expect(204).await;
    assert_eq!(policy(&server, SAM).await, None);
    server.get("/Users/Me").by("sam").expect(401).await;
    let made = server.post("/Users/New").by("owner-a").json(&json!({"Name": "sam"})).value().await;
    assert_ne!(made["Id"], user_id(SAM).as_str());
    server.get("/Users/Me").by("sam").expect(401).await;
    let entered = server.post("/Users/AuthenticateByName").json(&json!({"Username": "sam", "Pw": ""})).value().await;
    let token = entered["AccessToken"].as_str().expect("a token");
    let favourites = server.get(&format!("/Items?filters=IsFavorite&recursive=true&api_key={token}")).value().await;
    assert_eq!((&entered["User"]["Id"], &favourites["TotalRecordCount"]), (&made["Id"], &json!(0)));
    server.leave().await;
}
