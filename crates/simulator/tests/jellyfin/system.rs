//! The server's report of itself, and its tasks.

use std::time::Duration;

use serde_json::json;

use crate::server::JellyfinFixture;

#[tokio::test]
async fn the_server_says_who_it_is() {
    let server = JellyfinFixture::start().await;
    let public = server.get("/system/info/public").value().await;
    let whole = server.get("/System/Info").by("sam").value().await;
    assert_eq!(public["Id"], whole["Id"]);
    assert_eq!(public["Id"].as_str().map(str::len), Some(32));
    assert_eq!(public["LocalAddress"], server.running().url());
    assert_eq!(server.get("/System/Ping").value().await, "Jellyfin Server");
    assert_eq!(server.get("/System/Endpoint").by("sam").value().await["IsLocal"], true);
    server.leave().await;
}

#[tokio::test]
async fn json_carries_no_validator_and_its_time_taken() {
    let server = JellyfinFixture::start().await;
    let got = server.get("/UserViews").by("sam").send().await;
    assert!(got.header("etag").is_empty() && got.header("cache-control").is_empty());
    assert!(!got.header("x-response-time-ms").is_empty());
    server.leave().await;
}

#[tokio::test]
async fn a_body_is_compressed_for_those_who_take_it() {
    let server = JellyfinFixture::start().await;
    let plain = server.get("/UserViews").by("sam").send().await;
    let packed = server.get("/UserViews").by("sam").header("accept-encoding", "gzip").send().await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert_eq!(packed.header("vary"), "Accept-Encoding");
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() < plain.body.len());
    server.leave().await;
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let server = JellyfinFixture::start().await;
    let got = server.get("/UserViews").by("sam").send().await;
    let head = server.ask(http::Method::HEAD, "/UserViews").by("sam").send().await;
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), got.body.len().to_string());
    server.leave().await;
}

#[tokio::test]
async fn a_scan_runs_and_ends() {
    let server = JellyfinFixture::start().await;
    server.post("/Library/Refresh").by("sam").expect(403).await;
    server.post("/Library/Refresh").by("owner-a").expect(204).await;
    let task = || async { server.get("/ScheduledTasks").by("owner-a").value().await[0].clone() };
    let running = task().await;
    assert_eq!((&running["Key"], &running["State"]), (&json!("RefreshLibrary"), &json!("Running")));
    assert!(running["CurrentProgressPercentage"].is_number());
    let folders = server.get("/Library/VirtualFolders").by("owner-a").value().await;
    assert_eq!(folders[0]["RefreshStatus"], "Active");
    let id = running["Id"].as_str().expect("an id");
    server.delete(&format!("/ScheduledTasks/Running/{id}")).by("owner-a").expect(204).await;
    let idle = task().await;
    assert_eq!((&idle["State"], &idle["LastExecutionResult"]["Status"]), (&json!("Idle"), &json!("Cancelled")));
    server.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_ends_by_itself() {
    let server = JellyfinFixture::start().await;
    let mut changes = server.state().subscribe();
    server.post("/Library/Refresh").by("owner-a").expect(204).await;
    tokio::time::timeout(Duration::from_mins(1), async {
        while !matches!(changes.recv().await, Ok(greenroom_simulator::state::StateChange::Scanned(_))) {}
    })
    .await
    .expect("the scan ends");
    server.leave().await;
}

#[tokio::test]
async fn what_is_the_same_for_everybody_is_served() {
    let server = JellyfinFixture::start().await;
    for target in
        ["/Localization/Cultures", "/Localization/Countries", "/Localization/Options", "/Localization/ParentalRatings"]
    {
        assert!(server.get(target).by("sam").value().await.as_array().is_some_and(|rows| rows.len() > 3), "{target}");
    }
    assert!(server.get("/Branding/Configuration").value().await["CustomCss"].is_string());
    assert_eq!(server.get("/Branding/Css").send().await.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(server.get("/web/index.html").send().await.header("cache-control"), "no-cache");
    server.leave().await;
}

#[tokio::test]
async fn the_journal_can_be_cut_by_date_and_page() {
    let server = JellyfinFixture::start().await;
    let all = server.get("/System/ActivityLog/Entries").by("owner-a").value().await;
    assert_eq!(all["TotalRecordCount"], 120);
    let middle = all["Items"][60]["Date"].as_str().expect("a date");
    let later =
        server.get(&format!("/System/ActivityLog/Entries?minDate={middle}&limit=5")).by("owner-a").value().await;
    assert_eq!(later["Items"].as_array().map(Vec::len), Some(5));
    assert!(later["TotalRecordCount"].as_u64().is_some_and(|total| (61..120).contains(&total)));
    server.get("/System/ActivityLog/Entries?minDate=soon").by("owner-a").expect(400).await;
    server.leave().await;
}
