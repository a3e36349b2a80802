//! One user's state apart from another's, and what each may see.

use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{item_id, library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::json;

use crate::server::{JellyfinFixture, ids};

#[tokio::test]
async fn two_tokens_of_one_user_show_one_state_and_another_user_another() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let favourite = |label: &'static str| {
        let asking = server.get(&format!("/UserItems/{film}/UserData")).by(label);
        async move { asking.value().await["IsFavorite"].clone() }
    };
    server.post(&format!("/UserFavoriteItems/{film}")).by("owner-a").expect(200).await;
    assert_eq!(favourite("owner-a").await, true);
    assert_eq!(favourite("owner-b").await, true);
    assert_eq!(favourite("sam").await, false);
    server.leave().await;
}

#[tokio::test]
async fn a_restricted_user_does_not_see_the_other_libraries() {
    let server = JellyfinFixture::start().await;
    let views = server.get("/UserViews").by("kim").value().await;
    assert!(!ids(&views).contains(&library_id(Section::Shows)));
    let episodes = server.get("/Items?recursive=true&includeItemTypes=Episode").by("kim").value().await;
    assert_eq!(episodes["TotalRecordCount"], 0);
    let show = server.first(MediaKind::Show);
    server.get(&format!("/Items/{show}")).by("kim").expect(404).await;
    server.get(&format!("/Shows/{show}/Episodes")).by("kim").expect(404).await;
    server.post(&format!("/UserPlayedItems/{show}")).by("kim").expect(404).await;
    assert_eq!(server.get("/Items/Counts").by("kim").value().await["EpisodeCount"], 0);
    let latest = server.get("/Items/Latest?limit=50").by("kim").value().await;
    assert!(latest.as_array().expect("an array").iter().all(|row| row["Type"] != "Episode" && row["Type"] != "Series"));
    server.leave().await;
}

#[tokio::test]
async fn everybody_sees_the_users_they_may() {
    let server = JellyfinFixture::start().await;
    assert_eq!(ids(&server.get("/Users").by("owner-a").value().await).len(), 3);
    assert_eq!(ids(&server.get("/Users").by("sam").value().await).len(), 3, "any user sees all");
    let policy = server.get(&format!("/Users/{}", user_id(UserId(3)))).by("kim").value().await["Policy"].clone();
    assert_eq!((&policy["EnableAllFolders"], &policy["IsAdministrator"]), (&false.into(), &false.into()));
    let folders = [library_id(Section::Films), library_id(Section::Music)];
    assert_eq!(policy["EnabledFolders"], json!(folders));
    server.leave().await;
}

#[tokio::test]
async fn next_up_is_the_episode_after_the_last_one_played() {
    let server = JellyfinFixture::start().await;
    let show = server.items(MediaKind::Show)[1];
    let episodes = server.state().view().leaves(show);
    server.state().write(UserId(2), |write| {
        write.mark_unplayed(show);
        write.mark_played(episodes[0]);
        write.mark_played(episodes[1]);
    });
    let next = server.get(&format!("/Shows/NextUp?seriesId={}", item_id(show))).by("sam").value().await;
    assert_eq!(ids(&next), [item_id(episodes[2])]);
    server.state().write(UserId(2), |write| write.mark_played(show));
    let next = server.get(&format!("/Shows/NextUp?seriesId={}", item_id(show))).by("sam").value().await;
    assert_eq!(next["TotalRecordCount"], 0);
    server.leave().await;
}

#[tokio::test]
async fn what_was_left_in_the_middle_can_be_resumed_newest_first() {
    let server = JellyfinFixture::start().await;
    let films = server.items(MediaKind::Film);
    server.state().write(UserId(2), |write| write.set_offset(films[7], 60_000));
    let resume = server.get("/UserItems/Resume?mediaTypes=Video&limit=5").by("sam").value().await;
    assert_eq!(ids(&resume)[0], item_id(films[7]));
    let rows = resume["Items"].as_array().expect("a list");
    assert!(rows.iter().all(|row| row["UserData"]["PlaybackPositionTicks"].as_u64().is_some_and(|ticks| ticks > 0)));
    server.leave().await;
}

#[tokio::test]
async fn logging_in_gives_a_token_of_the_usual_form() {
    let server = JellyfinFixture::start().await;
    let login = |password: &str| {
        server
            .post("/Users/AuthenticateByName")
            .header("authorization", "MediaBrowser Client=\"c\", Device=\"phone\", DeviceId=\"p1\", Version=\"1\"")
            .json(&json!({"Username": "Sam", "Pw": password}))
    };
    login("wrong").expect(401).await;
    let result = login("sam").value().await;
    let token = result["AccessToken"].as_str().expect("a token").to_owned();
    assert!(token.len() == 32 && token.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!((&result["User"]["Name"], &result["SessionInfo"]["DeviceName"]), (&"sam".into(), &"phone".into()));
    assert_eq!(server.get("/Users/Me").header("x-emby-token", &token).value().await["Name"], "sam");
    let journal = server.get("/System/ActivityLog/Entries?limit=2").by("owner-a").value().await;
    assert_eq!(journal["Items"][0]["Type"], "AuthenticationSucceeded");
    assert_eq!(journal["Items"][1]["Type"], "AuthenticationFailed");
    server.leave().await;
}

#[tokio::test]
async fn a_code_lets_a_device_in() {
    let server = JellyfinFixture::start().await;
    let begun = server.post("/QuickConnect/Initiate").value().await;
    let secret = begun["Secret"].as_str().expect("a secret");
    let redeem = || server.post("/Users/AuthenticateWithQuickConnect").json(&json!({"Secret": secret}));
    redeem().expect(401).await;
    let code = begun["Code"].as_str().expect("a code");
    server.post(&format!("/QuickConnect/Authorize?code={code}")).by("kim").expect(200).await;
    assert_eq!(server.get(&format!("/QuickConnect/Connect?secret={secret}")).value().await["Authenticated"], true);
    assert_eq!(redeem().value().await["User"]["Name"], "kim");
    redeem().expect(401).await;
    server.leave().await;
}

#[tokio::test]
async fn the_simulator_agrees_to_a_code_for_whoever_asks_it_to() {
    let server = JellyfinFixture::start().await;
    let begun = server.post("/QuickConnect/Initiate").value().await;
    let (code, secret) = (begun["Code"].as_str().expect("a code"), &begun["Secret"]);
    server.post("/__simulator/link?code=000000").expect(404).await;
    server.post(&format!("/__simulator/link?code={code}&token=sam")).expect(204).await;
    let redeem = server.post("/Users/AuthenticateWithQuickConnect").json(&json!({"Secret": secret}));
    assert_eq!(redeem.value().await["User"]["Name"], "sam");
    server.leave().await;
}
