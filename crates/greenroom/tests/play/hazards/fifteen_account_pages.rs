//! 15. Account and token pages: endpoints like those of CVE-2025-69414 are never cached, never shared, never joined,
//!     and never requested by the gateway itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use greenroom_dialect::request::ServerKind;

use super::{TOKEN, asked_for, client, echo, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, answer};

const ACCOUNT_PAGES: [(ServerKind, &str); 23] = [
    (ServerKind::Plex, "/myplex/account"),
    (ServerKind::Plex, "/myplex/account?includeProviders=1"),
    (ServerKind::Plex, "/security/token?type=delegation&scope=all"),
    (ServerKind::Plex, "/security/resources?source=server://x"),
    (ServerKind::Plex, "/api/v2/server/access_tokens"),
    (ServerKind::Plex, "/api/v2/resources"),
    (ServerKind::Plex, "/devices.xml"),
    (ServerKind::Plex, "/users"),
    (ServerKind::Plex, "/users/account.json"),
    (ServerKind::Plex, "/user"),
    (ServerKind::Plex, "/pins/5"),
    (ServerKind::Plex, "/pins.xml"),
    (ServerKind::Plex, "/home/users"),
    (ServerKind::Plex, "/resources"),
    (ServerKind::Plex, "/log"),
    (ServerKind::Plex, "/diagnostics/databases"),
    (ServerKind::Jellyfin, "/Auth/Keys"),
    (ServerKind::Jellyfin, "/Devices/Info?id=x"),
    (ServerKind::Jellyfin, "/QuickConnect/Connect?secret=x"),
    (ServerKind::Jellyfin, "/System/Logs"),
    (ServerKind::Jellyfin, "/System/Logs/Log?name=x"),
    (ServerKind::Jellyfin, "/System/Configuration"),
    (ServerKind::Jellyfin, "/Plugins/x/Configuration"),
];

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_account_pages_are_never_cached_or_shared() {
    for (kind, target) in ACCOUNT_PAGES {
        let (server, stage) = play(kind, "", echo(kind)).await;
        let one = client(&stage, kind, TOKEN);
        let other = client(&stage, kind, "token-of-another");
        let asking = [&one, &one, &other, &other].map(|client| client.get(target));
        for (index, answer) in join_all(asking).await.into_iter().enumerate() {
            assert_eq!(answer.status, 200, "{target}");
            assert!(!answer.was_hit() && !answer.header("cache-status").contains("stored"), "{target}");
            assert!(!answer.header("cache-status").contains("collapsed"), "{target}");
            let expected = if index < 2 { TOKEN } else { "token-of-another" };
            assert!(asked_for(&answer).contains(expected), "{target}");
        }
        assert_eq!(server.received().len(), 4, "{target}");
        let kept: u64 = stage.process.cache.stats().classes.iter().map(|class| class.bytes).sum();
        assert_eq!(kept, 0, "{target}");
        end(server, stage).await;
    }
}

/// A device has a field for its access token, which no known server fills.
#[tokio::test(flavor = "multi_thread")]
async fn fifteen_a_list_of_devices_with_a_token_is_not_kept() {
    let with_token = Arc::new(AtomicBool::new(true));
    let is_with_token = Arc::clone(&with_token);
    let (server, stage) = play(ServerKind::Jellyfin, "", move |_: &ReceivedRequest| {
        let token = if is_with_token.load(Ordering::SeqCst) { r#""s3cret""# } else { "null" };
        let list = format!(r#"{{"Items":[{{"Id":"d","AccessToken":{token}}}],"TotalRecordCount":1}}"#);
        ScriptedReply::Bytes(answer("200 OK", "application/json", &list))
    })
    .await;
    let admin = client(&stage, ServerKind::Jellyfin, TOKEN);
    for _ in 0..3 {
        let devices = admin.get("/Devices").await;
        assert!(!devices.was_hit() && devices.text().contains("s3cret"), "{}", devices.header("cache-status"));
    }
    let kept: u64 = stage.process.cache.stats().classes.iter().map(|class| class.bytes).sum();
    assert_eq!((server.count("GET", "/Devices"), kept), (3, 0));
    with_token.store(false, Ordering::SeqCst);
    let other = client(&stage, ServerKind::Jellyfin, "token-of-another");
    assert!(!other.get("/Devices").await.was_hit());
    assert!(other.get("/Devices").await.was_hit());
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_the_gateway_itself_never_asks_for_one() {
    let (server, stage) = play(ServerKind::Plex, &format!("token = \"{TOKEN}\""), echo(ServerKind::Plex)).await;
    stage.process.watch_anonymous_access();
    client(&stage, ServerKind::Plex, TOKEN).get("/library/sections").await;
    server.until(|server| server.received().len() >= 3).await;
    let pages = ["/myplex", "/security", "/api/", "/users", "/pins", "/resources"];
    for request in server.drain() {
        assert!(pages.iter().all(|page| !request.target.starts_with(page)), "{}", request.target);
    }
    end(server, stage).await;
}
