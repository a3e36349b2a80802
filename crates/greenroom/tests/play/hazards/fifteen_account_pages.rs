//! 15. Account and token pages: what CVE-2025-69414 and its like went through is never kept, never shared, never
//!     joined, and never asked for by the gateway itself.

use futures_util::future::join_all;
use greenroom_dialect::ask::Kind;

use super::{TOKEN, asked_for, client, echo, end, play};

const ACCOUNT_PAGES: [(Kind, &str); 25] = [
    (Kind::Plex, "/myplex/account"),
    (Kind::Plex, "/myplex/account?includeProviders=1"),
    (Kind::Plex, "/security/token?type=delegation&scope=all"),
    (Kind::Plex, "/security/resources?source=server://x"),
    (Kind::Plex, "/api/v2/server/access_tokens"),
    (Kind::Plex, "/api/v2/resources"),
    (Kind::Plex, "/devices.xml"),
    (Kind::Plex, "/users"),
    (Kind::Plex, "/users/account.json"),
    (Kind::Plex, "/user"),
    (Kind::Plex, "/pins/5"),
    (Kind::Plex, "/pins.xml"),
    (Kind::Plex, "/home/users"),
    (Kind::Plex, "/resources"),
    (Kind::Plex, "/log"),
    (Kind::Plex, "/diagnostics/databases"),
    (Kind::Jellyfin, "/Auth/Keys"),
    (Kind::Jellyfin, "/Devices"),
    (Kind::Jellyfin, "/Devices/Info?id=x"),
    (Kind::Jellyfin, "/QuickConnect/Connect?secret=x"),
    (Kind::Jellyfin, "/System/Logs"),
    (Kind::Jellyfin, "/System/Logs/Log?name=x"),
    (Kind::Jellyfin, "/System/Configuration"),
    (Kind::Jellyfin, "/Plugins/x/Configuration"),
    (Kind::Jellyfin, "/Users/Public"),
];

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_account_pages_are_asked_for_anew_by_everybody_every_time() {
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
        assert_eq!(server.arrived().len(), 4, "{target}");
        let kept: u64 = stage.process.cache.stats().classes.iter().map(|class| class.bytes).sum();
        assert_eq!(kept, 0, "{target}");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_the_gateway_itself_never_asks_for_one() {
    let (server, stage) = play(Kind::Plex, &format!("token = \"{TOKEN}\""), echo(Kind::Plex)).await;
    stage.process.watch_openness();
    client(&stage, Kind::Plex, TOKEN).get("/library/sections").await;
    server.until(|server| server.arrived().len() >= 3).await;
    let pages = ["/myplex", "/security", "/api/", "/users", "/pins", "/resources"];
    for request in server.take() {
        assert!(pages.iter().all(|page| !request.target.starts_with(page)), "{}", request.target);
    }
    end(server, stage).await;
}
