//! Absent parts of an item: a 404 of one of its images says nothing about the others, and that there is no image, no
//! lyrics and no segments is remembered for a short time, until something may have made them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use http::Method;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::until_down;

const ITEM: &str = "27839354c2bcbec5c0b34ea921fc00ec";
const USER: &str = "08ca909f6d1044aa9930be392943948f";

/// A server that lacks everything in `lacks` until any write, and has all else.
async fn play(kind: ServerKind, lacks: &'static [&'static str], more: &str) -> (ScriptedServer, GatewayFixture) {
    let is_made = Arc::new(AtomicBool::new(false));
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
        if request.method != "GET" {
            is_made.store(true, Ordering::SeqCst);
            return ScriptedReply::Bytes(answer("204 No Content", "text/plain", ""));
        }
        let is_lacking = lacks.iter().any(|part| request.target.contains(part));
        ScriptedReply::Bytes(if is_lacking && !is_made.load(Ordering::SeqCst) {
            answer("404 Not Found", "text/plain", "no such thing")
        } else if ["/Images/", "/UserImage", "/thumb", "/clearLogo"].iter().any(|part| request.target.contains(part)) {
            answer("200 OK", "image/gif", "GIF89a;")
        } else {
            answer("200 OK", "application/json", r#"{"Items":[],"TotalRecordCount":0,"StartIndex":0}"#)
        })
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", kind.name(), &url, more).start_at(Clock::system()).await;
    (server, stage)
}

fn client(stage: &GatewayFixture, kind: ServerKind, token: &str) -> TestClient {
    let named = format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
    match kind {
        ServerKind::Plex => stage.client().with("x-plex-token", token),
        ServerKind::Jellyfin => stage.client().with("authorization", &named),
    }
}

async fn end(server: ScriptedServer, stage: GatewayFixture) {
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_logo_takes_no_other_picture_along() {
    for (kind, poster, logo) in [
        (ServerKind::Jellyfin, "/Items/1/Images/Primary?tag=1&maxWidth=100", "/Items/1/Images/Logo?maxWidth=100"),
        (ServerKind::Plex, "/library/metadata/1/thumb/2", "/library/metadata/1/clearLogo/2"),
    ] {
        let (server, stage) = play(kind, &["/Logo", "/clearLogo"], "").await;
        let client = client(&stage, kind, "token");
        assert_eq!(client.get(poster).await.status, 200);
        assert!(client.get(poster).await.was_hit());
        assert_eq!(client.get(logo).await.status, 404);
        assert!(client.get(poster).await.was_hit(), "{poster}");
        assert_eq!(server.received().len(), 2, "{poster}: asked for once, as the logo");
        end(server, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_missing_logo_the_poster_is_shown_in_an_outage() {
    let (poster, logo) = ("/library/metadata/1/thumb/2", "/library/metadata/1/clearLogo/2");
    for more in ["", "[server.lifetimes.images]\nfresh_s = 0\nstale_s = 0\n"] {
        let (server, stage) = play(ServerKind::Plex, &["/clearLogo"], more).await;
        let client = client(&stage, ServerKind::Plex, "token");
        assert_eq!(client.get(poster).await.status, 200);
        assert_eq!(client.get(logo).await.status, 404);
        server.stop();
        let failing = client.get(poster).await;
        assert_eq!(failing.status, 200, "the server just went: {}", failing.text());
        until_down(&stage, 0, &client).await;
        assert_eq!(client.get(poster).await.status, 200, "in an outage");
        assert_eq!(client.get(logo).await.status, 503, "it was never shown");
        end(server, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_picture_is_asked_for_once_a_minute_and_at_once_after_an_upload() {
    let logo = format!("/Items/{ITEM}/Images/Logo");
    let (server, stage) = play(ServerKind::Jellyfin, &["/Logo"], "").await;
    let [anna, bert] = ["anna", "bert"].map(|token| client(&stage, ServerKind::Jellyfin, token));
    for round in 0..5 {
        let missing = anna.get(&logo).await;
        assert_eq!((missing.status.as_u16(), missing.text().as_ref()), (404, "no such thing"));
        assert_eq!(missing.header("cache-status").contains("; hit; detail=absent"), round > 0, "{round}");
    }
    assert_eq!(server.count("GET", &logo), 1);
    assert_eq!(bert.get(&logo).await.status, 404);
    assert_eq!(server.count("GET", &logo), 2, "what one token is not shown says nothing to another");
    end(server, stage).await;

    let (server, stage) = play(ServerKind::Jellyfin, &["/Logo"], "").await;
    let anna = client(&stage, ServerKind::Jellyfin, "anna");
    anna.get(&logo).await;
    stage.process.clock.sleep(Duration::from_secs(59)).await;
    assert_eq!((anna.get(&logo).await.status.as_u16(), server.count("GET", &logo)), (404, 1));
    stage.process.clock.sleep(Duration::from_secs(2)).await;
    assert_eq!((anna.get(&logo).await.status.as_u16(), server.count("GET", &logo)), (404, 2), "a minute later");
    let demanded = anna.with("cache-control", "no-cache").get(&logo).await;
    assert_eq!((demanded.status.as_u16(), server.count("GET", &logo)), (404, 3), "demanded anew");
    assert_eq!(anna.send(Method::POST, &logo, "R0lGODlhOw==").await.status, 204);
    assert_eq!(anna.get(&logo).await.status, 200, "at once after the upload");
    assert!(anna.get(&logo).await.was_hit());
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_lyrics_segments_and_user_images_are_remembered_until_a_write_may_have_made_them() {
    for (target, write) in [
        (format!("/Audio/{ITEM}/Lyrics"), format!("/Audio/{ITEM}/Lyrics?fileName=a.lrc")),
        (format!("/MediaSegments/{ITEM}"), format!("/ScheduledTasks/Running/{USER}")),
        (format!("/UserImage?userId={USER}"), format!("/UserImage?userId={USER}")),
        (format!("/Users/{USER}/Images/Primary"), format!("/Users/{USER}/Images/Primary")),
        ("/Genres/Rock/Images/Primary".to_owned(), format!("/Items/{ITEM}/Images/Primary")),
    ] {
        let lacks = &["/Lyrics", "/MediaSegments", "/UserImage", "/Images/"];
        let (server, stage) = play(ServerKind::Jellyfin, lacks, "").await;
        let client = client(&stage, ServerKind::Jellyfin, "token");
        for _ in 0..3 {
            assert_eq!(client.get(&target).await.status, 404, "{target}");
        }
        let reads = server.received().into_iter().filter(|seen| seen.method == "GET" && seen.target != "/Users/Me");
        assert_eq!(reads.count(), 1, "{target}");
        assert_eq!(client.send(Method::POST, &write, "").await.status, 204, "{write}");
        assert_eq!(client.get(&target).await.status, 200, "{target} after {write}");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_item_is_asked_for_each_time() {
    let (server, stage) = play(ServerKind::Jellyfin, &["/Items/"], "").await;
    let client = client(&stage, ServerKind::Jellyfin, "token");
    let target = format!("/Items/{ITEM}/Ancestors");
    for asked in 1..4 {
        assert_eq!(client.get(&target).await.status, 404);
        assert_eq!(server.count("GET", "/Items/"), asked);
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_rejected_is_told_no_more_what_is_missing() {
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let server = ScriptedServer::start(&TaskTracker::new(), move |_: &ReceivedRequest| {
        ScriptedReply::Bytes(if revoked.load(Ordering::SeqCst) {
            answer("401 Unauthorized", "text/plain", "")
        } else {
            answer("404 Not Found", "text/plain", "no such thing")
        })
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &url, "").start().await;
    let client = client(&stage, ServerKind::Jellyfin, "token");
    let remembered = [format!("/Items/{ITEM}/Images/Logo"), format!("/Audio/{ITEM}/Lyrics")];
    for target in &remembered {
        assert_eq!(client.get(target).await.status, 404, "{target}");
        assert!(client.get(target).await.was_hit(), "{target}");
    }
    is_revoked.store(true, Ordering::SeqCst);
    assert!(client.get(&remembered[0]).await.was_hit(), "the server was not asked");
    assert_eq!(client.get("/Users").await.status, 401);
    for target in &remembered {
        assert_eq!(client.get(target).await.status, 401, "{target}");
    }
    end(server, stage).await;
}
