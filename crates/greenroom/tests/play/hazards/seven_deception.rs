//! 7. Cache deception: no disguise of a path makes a private page look public or static, for any request type and for
//!    paths that must never be cached.

use std::collections::BTreeSet;

use greenroom_dialect::classification::SharingScope;
use greenroom_dialect::request::ServerKind;
use http::HeaderMap;

use super::{asked_for, client, echo, end, play, readings};

/// The victim, who follows a link.
const ONE: &str = "token-of-who-was-deceived";
/// The attacker, who sent the link.
const OTHER: &str = "token-of-who-deceives";

/// A path in disguises that some server or proxy reads as the path itself, as a static file, or as both.
fn disguises(path: &str) -> Vec<String> {
    let slash_at = path.rfind('/').expect("a path has one");
    let (before, last) = path.split_at(slash_at);
    let last = &last[1..];
    let mut disguises: Vec<String> = [
        "/x.css",
        ";x.css",
        "%3bx.css",
        ".css",
        "%2ex.css",
        "/..%2fx.css",
        "%00.css",
        "%0a.css",
        "%23x.css",
        "%3fx.css",
        "/%2e%2e/x.css",
        "//x.css",
        "\\x.css",
        "%5cx.css",
        "%252fx.css",
        "%20",
        "/.",
    ]
    .iter()
    .map(|end| format!("{path}{end}"))
    .collect();
    disguises.extend([
        format!("{before}//{last}"),
        format!("{before}/./{last}"),
        format!("{before}%2f{last}"),
        format!("{before}%5c{last}"),
        format!("{before}/x/../{last}"),
        format!("{before}/x/%2e%2e/{last}"),
        format!("/web/..{path}"),
        format!("/web/%2e%2e{path}"),
        format!("/web/..%2f{}", &path[1..]),
        format!("/web/main.js/..;{path}"),
        format!("/identity;/..{path}"),
        format!("/photo/:/transcode?url={path}"),
        format!("/Items/1/Images/Primary/..{path}"),
        format!("/{path}"),
    ]);
    disguises
}

/// Paths that must never be cached, in either dialect.
const PRIVATE: [&str; 12] = [
    "/myplex/account",
    "/users",
    "/security/token",
    "/security/resources",
    "/pins",
    "/user",
    "/Auth/Keys",
    "/Devices/Info",
    "/QuickConnect/Connect",
    "/System/Logs",
    "/System/Configuration",
    "/Users/AuthenticateByName",
];

#[tokio::test(flavor = "multi_thread")]
async fn seven_no_disguise_shows_one_what_another_was_shown() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (server, stage) = play(kind, "", echo(kind)).await;
        let (one, other, nobody) = (client(&stage, kind, ONE), client(&stage, kind, OTHER), stage.client());
        let paths: BTreeSet<&str> =
            readings::targets(kind).iter().map(|target| target.split('?').next().unwrap_or("/")).collect();
        for path in paths.into_iter().chain(PRIVATE).filter(|path| path.len() > 1) {
            // Image bytes are shared with users to whom the server showed the item's image: see the first and the
            // fourteenth hazard.
            let is_picture = |disguise: &String| {
                let read = readings::read(kind, disguise, &HeaderMap::new());
                read.is_some_and(|read| matches!(read.sharing, SharingScope::Image(_)))
            };
            for disguise in disguises(path).into_iter().filter(|disguise| !is_picture(disguise)) {
                let Ok(_) = one.try_send(http::Method::GET, &disguise, "").await else { continue };
                for stranger in [&other, &nobody] {
                    let Ok(answer) = stranger.try_send(http::Method::GET, &disguise, "").await else {
                        continue;
                    };
                    let asked = asked_for(&answer);
                    assert!(!asked.contains(ONE), "{kind:?} {disguise}: {asked}");
                }
            }
            // And the path itself, after all of that.
            if !is_picture(&path.to_owned()) {
                let answer = other.get(path).await;
                assert!(!asked_for(&answer).contains(ONE), "{kind:?} {path}");
            }
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_what_may_be_read_in_two_ways_is_never_kept() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (server, stage) = play(kind, "", echo(kind)).await;
        let one = client(&stage, kind, ONE);
        let list = if kind == ServerKind::Plex { "/library/sections/1/all" } else { "/Items/Latest" };
        one.get(list).await;
        // The others are other paths, with one interpretation only.
        let is_odd = |path: &String| {
            ["%2e", ".css", "%20", "/x.css", "?url="].iter().all(|plain| !path.contains(plain))
                || [";", "%3b", "%5c", "%2f", "%25", "//", "\\"].iter().any(|odd| path.contains(odd))
        };
        for odd in disguises(list).into_iter().filter(is_odd) {
            for _ in 0..2 {
                let Ok(answer) = one.try_send(http::Method::GET, &odd, "").await else { continue };
                let said = answer.header("cache-status").to_owned();
                assert!(!answer.was_hit() && !said.contains("stored"), "{odd}: {said}");
            }
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_paths_that_no_honest_client_sends_go_nowhere() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for path in [
        "/library/../myplex/account",
        "/library/%2e%2e/myplex/account",
        "/library/..%2fmyplex/account",
        "/library/..%5cmyplex/account",
        "/library/..;/myplex/account",
        "/library/sections%00",
        "/library/sections%0d%0aX:%20y",
        "/library/sections/%",
        "/library/sections/%zz",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {ONE}\r\n\r\n");
        let answer = stage.raw().await.ask(request).await.expect("an answer");
        assert_eq!(answer.status(), 400, "{path}");
    }
    assert_eq!(server.received().len(), 0);
    end(server, stage).await;
}
