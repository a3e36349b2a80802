//! Sessions, playback reports, devices and the journal.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::item_id;
use serde_json::{Value, json};

use crate::server::JellyfinFixture;

async fn sessions(server: &JellyfinFixture, label: &str) -> Vec<Value> {
    server.get("/Sessions").by(label).value().await.as_array().expect("an array").clone()
}

#[tokio::test]
async fn administrators_see_all_sessions_others_their_own() {
    let server = JellyfinFixture::start().await;
    for label in ["owner-a", "owner-b", "sam", "kim"] {
        server.get("/Users/Me").by(label).expect(200).await;
    }
    assert_eq!(sessions(&server, "owner-a").await.len(), 4);
    assert_eq!(sessions(&server, "key").await.len(), 4);
    let own = sessions(&server, "sam").await;
    assert_eq!((own.len(), &own[0]["UserName"]), (1, &"sam".into()));
    server.leave().await;
}

#[tokio::test]
async fn a_player_is_followed_from_start_to_stop() {
    let server = JellyfinFixture::start().await;
    let film = item_id(server.items(MediaKind::Film)[4]);
    let report = |path: &str, position_s: u64, paused: bool| {
        let ticks = position_s * 10_000_000;
        let body = json!({"ItemId": film, "PositionTicks": ticks, "IsPaused": paused, "MediaSourceId": film});
        server.post(&format!("/Sessions/Playing{path}")).by("sam").json(&body)
    };
    report("", 0, false).expect(204).await;
    let playing = sessions(&server, "sam").await;
    assert_eq!(
        (&playing[0]["NowPlayingItem"]["Id"], &playing[0]["PlayState"]["IsPaused"]),
        (&json!(film), &json!(false))
    );
    report("/Progress", 60, true).expect(204).await;
    let paused = sessions(&server, "sam").await;
    assert_eq!(
        (&paused[0]["PlayState"]["IsPaused"], &paused[0]["PlayState"]["PositionTicks"]),
        (&json!(true), &json!(600_000_000))
    );
    server.post("/Sessions/Playing/Ping?playSessionId=x").by("sam").expect(204).await;
    report("/Stopped", 600, false).expect(204).await;
    assert!(sessions(&server, "sam").await[0]["NowPlayingItem"].is_null());
    let data = server.get(&format!("/UserItems/{film}/UserData")).by("sam").value().await;
    assert_eq!(data["PlaybackPositionTicks"], 6_000_000_000_u64);
    let journal = server.get("/System/ActivityLog/Entries?limit=2").by("owner-a").value().await;
    let types: Vec<&str> =
        journal["Items"].as_array().expect("a list").iter().filter_map(|row| row["Type"].as_str()).collect();
    assert_eq!(types, ["VideoPlaybackStopped", "VideoPlayback"]);
    server.leave().await;
}

#[tokio::test]
async fn stopping_near_the_end_is_having_played_it() {
    let server = JellyfinFixture::start().await;
    let track = server.items(MediaKind::Track)[8];
    let duration_ms = server.state().view().record(track).and_then(|record| record.duration_ms).expect("a length");
    let before =
        server.get(&format!("/UserItems/{}/UserData", item_id(track))).by("kim").value().await["PlayCount"].clone();
    let body = json!({"ItemId": item_id(track), "PositionTicks": duration_ms * 9_900});
    server.post("/Sessions/Playing/Stopped").by("kim").json(&body).expect(204).await;
    let data = server.get(&format!("/UserItems/{}/UserData", item_id(track))).by("kim").value().await;
    assert_eq!(data["PlayCount"].as_u64(), before.as_u64().map(|count| count + 1));
    assert_eq!((&data["Played"], &data["PlaybackPositionTicks"]), (&json!(true), &json!(0)));
    server.leave().await;
}

#[tokio::test]
async fn the_old_form_of_reports_works_too() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    server.post(&format!("/PlayingItems/{film}")).by("sam").expect(204).await;
    server.post(&format!("/PlayingItems/{film}/Progress?positionTicks=50000000")).by("sam").expect(204).await;
    assert_eq!(sessions(&server, "sam").await[0]["PlayState"]["PositionTicks"], 50_000_000);
    server.delete(&format!("/PlayingItems/{film}?positionTicks=70000000")).by("sam").expect(204).await;
    assert!(sessions(&server, "sam").await[0]["NowPlayingItem"].is_null());
    server.leave().await;
}

#[tokio::test]
async fn devices_say_who_they_are_and_can_be_shut_out() {
    let server = JellyfinFixture::start().await;
    let line = format!("MediaBrowser Device=\"Lamp\", Version=\"7\", Token=\"{}\"", server.token("kim"));
    server.get("/Users/Me").header("authorization", &line).expect(200).await;
    let devices = server.get("/Devices").by("owner-a").value().await;
    let lamp = devices["Items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["Name"] == "Lamp")
        .expect("the lamp")
        .clone();
    assert_eq!((&lamp["LastUserName"], &lamp["AppVersion"]), (&json!("kim"), &json!("7")));
    let id = lamp["Id"].as_str().expect("an id");
    server.delete(&format!("/Devices?id={id}")).by("owner-a").expect(204).await;
    server.get("/Users/Me").by("kim").expect(401).await;
    server.delete(&format!("/Devices?id={id}")).by("owner-a").expect(404).await;
    server.leave().await;
}

#[tokio::test]
async fn capabilities_are_shown_with_the_session() {
    let server = JellyfinFixture::start().await;
    let body = json!({"PlayableMediaTypes": ["Audio"], "SupportedCommands": ["Play"], "SupportsMediaControl": true});
    server.post("/Sessions/Capabilities/Full").by("sam").json(&body).expect(204).await;
    let session = sessions(&server, "sam").await.remove(0);
    assert_eq!((&session["PlayableMediaTypes"], &session["SupportsMediaControl"]), (&json!(["Audio"]), &json!(true)));
    server.leave().await;
}

#[tokio::test]
async fn playback_info_opens_a_new_playback_each_time() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let ask = || server.post(&format!("/Items/{film}/PlaybackInfo")).by("sam").json(&json!({}));
    let (one, other) = (ask().value().await, ask().value().await);
    assert_eq!(one["MediaSources"][0]["Id"], film.as_str());
    assert_ne!(one["PlaySessionId"], other["PlaySessionId"]);
    server.leave().await;
}
