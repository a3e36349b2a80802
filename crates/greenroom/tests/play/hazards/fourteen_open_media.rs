//! 14. Media without authentication: images of a Jellyfin pass without a token as they do there, but the gateway serves
//!     nothing that the server would not serve now or was not asked for within a day.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use tokio_util::task::TaskTracker;

use super::{TOKEN, client, echo, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

const PICTURE: &str = "/Items/0123456789abcdef0123456789abcdef/Images/Primary?tag=abc";

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_a_picture_that_the_server_shows_to_users_only_is_shown_to_users_only() {
    let echo = echo(ServerKind::Jellyfin);
    let (server, stage) = play(ServerKind::Jellyfin, "", move |request: &ReceivedRequest| {
        if request.header("authorization").is_empty() {
            ScriptedReply::Bytes(answer("401 Unauthorized", "text/plain", "no"))
        } else {
            echo(request)
        }
    })
    .await;
    let user = client(&stage, ServerKind::Jellyfin, TOKEN);
    assert_eq!(user.get(PICTURE).await.status, 200);
    assert!(user.get(PICTURE).await.was_hit());
    for _ in 0..2 {
        assert_eq!(stage.client().get(PICTURE).await.status, 401, "what a user was shown is not everybody's");
    }
    assert!(user.get(PICTURE).await.was_hit(), "and the user loses nothing by it");
    end(server, stage).await;
}

/// A server that serves images without a token, until it is gone.
async fn open_until_gone(more: &str) -> (Arc<AtomicBool>, ScriptedServer, GatewayFixture) {
    let gone = Arc::new(AtomicBool::new(false));
    let (is_gone, echo) = (Arc::clone(&gone), echo(ServerKind::Jellyfin));
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
        if is_gone.load(Ordering::SeqCst) { ScriptedReply::Close } else { echo(request) }
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &url, more).start_at(Clock::system()).await;
    (gone, server, stage)
}

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Part of each hour that passes in small steps, so that periodic checks of the server run.
const LIVED: Duration = Duration::from_secs(30);

/// Lets hours pass. Time leaps over most of each, because waking at every timer of two days takes minutes.
async fn pass(stage: &GatewayFixture, hours: u32) {
    for _ in 0..hours {
        tokio::time::advance(HOUR.saturating_sub(LIVED)).await;
        stage.process.clock.sleep(LIVED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fourteen_without_a_token_a_kept_picture_is_shown_for_a_day_and_no_longer() {
    let (gone, server, stage) = open_until_gone("").await;
    let nobody = stage.client();
    assert_eq!(nobody.get(PICTURE).await.status, 200);
    gone.store(true, Ordering::SeqCst);
    pass(&stage, 23).await;
    assert!(nobody.get(PICTURE).await.was_hit(), "the server said yes within a day");
    pass(&stage, 2).await;
    assert_eq!(nobody.get(PICTURE).await.status, 503, "nobody can say whether it still would");
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn fourteen_images_are_public_only_where_configured() {
    let (gone, server, stage) = open_until_gone("public_images = true").await;
    assert_eq!(client(&stage, ServerKind::Jellyfin, TOKEN).get(PICTURE).await.status, 200);
    gone.store(true, Ordering::SeqCst);
    pass(&stage, 48).await;
    let nobody = stage.client();
    assert!(nobody.get(PICTURE).await.was_hit());
    let users = client(&stage, ServerKind::Jellyfin, "never-seen-before");
    assert_eq!(users.get(PICTURE).await.status, 503, "a token that is shown has to be a right one");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_nothing_but_pictures_and_public_words_is_open() {
    let (server, stage) = play(ServerKind::Jellyfin, "public_images = true", echo(ServerKind::Jellyfin)).await;
    for target in [
        "/Videos/1/stream",
        "/Videos/1/1/Subtitles/0/Stream.srt",
        "/Audio/1/universal",
        "/Audio/1/Lyrics",
        "/Items/1/Download",
        "/Items/1/Images",
        "/Items",
        "/Users",
        "/System/Info",
        "/socket",
    ] {
        assert_eq!(stage.client().get(target).await.status, 401, "{target}");
    }
    assert_eq!(server.received().len(), 0);
    for target in ["/GetUtcTime", "/Videos/1/1/Attachments/2", "/Plugins/1/1.0/Image"] {
        for _ in 0..2 {
            let answer = stage.client().get(target).await;
            let status = answer.header("cache-status");
            assert!(answer.status == 200 && !answer.was_hit() && !status.contains("stored"), "{target}: {status}");
        }
    }
    assert_eq!(server.drain().len(), 6, "the server itself answers each time");
    end(server, stage).await;
    let (server, stage) = play(ServerKind::Plex, "public_images = true", echo(ServerKind::Plex)).await;
    for target in [
        "/library/metadata/1/thumb/2",
        "/photo/:/transcode?url=/library/metadata/1/thumb/2",
        "/library/parts/1/2/a.mp4",
    ] {
        client(&stage, ServerKind::Plex, TOKEN).get(target).await;
        assert_eq!(stage.client().get(target).await.status, 401, "{target}: a Plex shows it to no stranger");
    }
    end(server, stage).await;
}

/// Jellyfin decides by the client's address about streams without a token, so it has to see that address.
#[tokio::test(flavor = "multi_thread")]
async fn fourteen_a_stream_needs_no_token_only_behind_a_known_proxy() {
    for (more, status) in [("", 401), ("known_proxy = true", 200)] {
        let (server, stage) = play(ServerKind::Jellyfin, more, echo(ServerKind::Jellyfin)).await;
        for target in [
            "/Videos/1/stream",
            "/Videos/1/stream.mkv?static=true",
            "/Audio/1/stream.mp3",
            "/Videos/1/1/Subtitles/0/Stream.srt",
        ] {
            assert_eq!(stage.client().get(target).await.status, status, "{more} {target}");
            for arrived in server.drain() {
                assert_eq!(arrived.header("x-forwarded-for"), ["127.0.0.1"], "{target}");
            }
        }
        for target in ["/Audio/1/universal", "/Videos/1/master.m3u8", "/Items/1/Download", "/Videos/1/AdditionalParts"]
        {
            assert_eq!(stage.client().get(target).await.status, 401, "{more} {target}");
        }
        end(server, stage).await;
    }
}
