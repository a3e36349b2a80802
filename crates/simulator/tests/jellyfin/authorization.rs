//! Every place a token may stand in, which counts, and what each kind of caller may do.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::user_id;
use greenroom_simulator::users::UserId;

use crate::server::JellyfinFixture;

const LEGACY_HEADERS: [&str; 2] = ["x-emby-token", "x-mediabrowser-token"];

#[tokio::test]
async fn every_form_of_a_token_is_understood() {
    let server = JellyfinFixture::start().await;
    let sam = server.token("sam");
    let me = |target: &str| server.get(target);
    for name in LEGACY_HEADERS {
        assert_eq!(me("/Users/Me").header(name, &sam).value().await["Name"], "sam");
    }
    for query in ["ApiKey", "apikey", "api_key"] {
        assert_eq!(me(&format!("/Users/Me?{query}={sam}")).value().await["Name"], "sam");
    }
    for (header, scheme) in [
        ("authorization", "MediaBrowser"),
        ("authorization", "Emby"),
        ("x-emby-authorization", "MediaBrowser"),
        ("x-emby-authorization", "Emby"),
    ] {
        let line = format!("{scheme} Client=\"A, B\", Device=\"d\", DeviceId=\"i\", Version=\"1\", Token=\"{sam}\"");
        assert_eq!(me("/Users/Me").header(header, &line).value().await["Name"], "sam");
    }
    server.leave().await;
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let server = JellyfinFixture::start().await;
    let target = format!("/Users/Me?api_key={}", server.token("kim"));
    assert_eq!(server.get(&target).by("sam").value().await["Name"], "sam");
    server.leave().await;
}

#[tokio::test]
async fn without_the_legacy_forms_only_two_are_left() {
    let server = JellyfinFixture::with(|switches| switches.reject_legacy_auth = true).await;
    let sam = server.token("sam");
    server.get("/Users/Me").by("sam").expect(200).await;
    server.get(&format!("/Users/Me?ApiKey={sam}")).expect(200).await;
    server.get(&format!("/Users/Me?api_key={sam}")).expect(401).await;
    for name in LEGACY_HEADERS {
        server.get("/Users/Me").header(name, &sam).expect(401).await;
    }
    for (header, scheme) in [("authorization", "Emby"), ("x-emby-authorization", "MediaBrowser")] {
        server.get("/Users/Me").header(header, &format!("{scheme} Token=\"{sam}\"")).expect(401).await;
    }
    server.leave().await;
}

#[tokio::test]
async fn no_token_and_a_wrong_one_are_refused_without_a_word() {
    let server = JellyfinFixture::start().await;
    for asking in
        [server.get("/Items"), server.get("/Items").header("x-emby-token", "0123456789abcdef0123456789abcdef")]
    {
        let got = asking.expect(401).await;
        assert!(got.body.is_empty());
    }
    assert_eq!(server.running().request_log().by_token()["unknown"], 1);
    assert_eq!(server.running().request_log().by_token()["none"], 1);
    server.leave().await;
}

#[tokio::test]
async fn the_open_list_needs_no_token() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    for target in
        ["/System/Info/Public", "/System/Ping", "/Users/Public", "/Branding/Configuration", "/QuickConnect/Enabled"]
    {
        server.get(target).expect(200).await;
    }
    server.get(&format!("/Items/{film}/Images/Primary")).expect(200).await;
    server.get(&format!("/Videos/{film}/stream")).header("range", "bytes=0-9").expect(206).await;
    for target in ["/System/Info", "/Users", "/Localization/Cultures", "/Sessions"] {
        server.get(target).expect(401).await;
    }
    server.leave().await;
}

#[tokio::test]
async fn administrators_and_keys_may_what_others_may_not() {
    let server = JellyfinFixture::start().await;
    for target in ["/ScheduledTasks", "/Devices", "/Library/VirtualFolders", "/System/ActivityLog/Entries"] {
        server.get(target).by("owner-a").expect(200).await;
        server.get(target).by("key").expect(200).await;
        let refused = server.get(target).by("sam").expect(403).await;
        assert!(refused.body.is_empty());
    }
    server.leave().await;
}

#[tokio::test]
async fn another_user_may_be_named_only_by_those_who_may() {
    let server = JellyfinFixture::start().await;
    let target = format!("/UserViews?userId={}", user_id(UserId(2)));
    assert_eq!(server.get(&target).by("owner-b").value().await["GreenroomShown"], "sam");
    assert_eq!(server.get(&target).by("key").value().await["GreenroomUser"], "key");
    server.get(&target).by("kim").expect(403).await;
    server.get("/UserViews?userId=0123456789abcdef0123456789abcdef").by("owner-a").expect(404).await;
    server.get("/UserViews").by("key").expect(400).await;
    server.leave().await;
}

#[tokio::test]
async fn a_token_that_logged_out_is_worth_nothing() {
    let server = JellyfinFixture::start().await;
    server.post("/Sessions/Logout").by("owner-b").expect(204).await;
    server.get("/Users/Me").by("owner-b").expect(401).await;
    server.get("/Users/Me").by("owner-a").expect(200).await;
    server.leave().await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_until_it_is_restored() {
    let server = JellyfinFixture::start().await;
    server.running().revoke_token("sam");
    server.get("/Users/Me").by("sam").expect(401).await;
    server.running().restore_token("sam");
    server.get("/Users/Me").by("sam").expect(200).await;
    server.leave().await;
}
