//! 8. Fetching for strangers: the gateway requests no address that a request names, follows no redirect, and lets the
//!    server fetch foreign addresses only with the caller's own rights, for the caller only.

use greenroom_dialect::request::ServerKind;
use http::Method;

use super::{TOKEN, client, echo, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply};

/// The gateway's own token: it must not appear in a request caused by a client.
const OURS: &str = "OWNERtoken0123456789";

/// Requests that name an address chosen by an attacker.
const FOREIGN: [(ServerKind, &str); 14] = [
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=http://evil.example/a.png"),
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=http%3A%2F%2F169.254.169.254%2Flatest"),
    (
        ServerKind::Plex,
        "/photo/:/transcode?width=1&height=1&url=http://127.0.0.1@evil.example/library/metadata/1/thumb/2",
    ),
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=//evil.example/library/metadata/1/thumb/2"),
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=file:///etc/passwd"),
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=/myplex/account"),
    (ServerKind::Plex, "/photo/:/transcode?width=1&height=1&url=/a&url=/library/metadata/1/thumb/2"),
    (ServerKind::Plex, "/services/ultrablur/colors?url=http://evil.example/a.png"),
    (ServerKind::Plex, "/services/ultrablur/image?url=/library/metadata/1/thumb/2"),
    (ServerKind::Plex, "/library/file?url=http://evil.example/a.mp4"),
    (ServerKind::Plex, "/library/metadata/1/file?url=upload://posters/abc"),
    (ServerKind::Jellyfin, "/Images/Remote?imageUrl=http://evil.example/a.png"),
    (ServerKind::Jellyfin, "/Items/1/RemoteImages?type=Primary"),
    (ServerKind::Jellyfin, "/Items/RemoteSearch/Image?imageUrl=http://evil.example/a.png&providerName=x"),
];

#[tokio::test(flavor = "multi_thread")]
async fn eight_a_foreign_address_is_the_askers_own_affair() {
    for (kind, target) in FOREIGN {
        let (server, stage) = play(kind, &format!("token = \"{OURS}\""), echo(kind)).await;
        let one = client(&stage, kind, TOKEN);
        let other = client(&stage, kind, "token-of-somebody-else");
        for _ in 0..2 {
            let answer = one.get(target).await;
            assert!(!answer.was_hit() && !answer.header("cache-status").contains("stored"), "{target}");
        }
        assert!(!other.get(target).await.was_hit(), "{target}");
        assert_eq!(stage.client().get(target).await.status, 401, "{target}: without a token");
        let path = target.split('?').next().unwrap_or_default();
        let arrived: Vec<ReceivedRequest> =
            server.drain().into_iter().filter(|request| request.target.starts_with(path)).collect();
        assert_eq!(arrived.len(), 3, "{target}: each asks for itself");
        for (request, token) in arrived.iter().zip([TOKEN, TOKEN, "token-of-somebody-else"]) {
            assert!(request.head.contains(token) && !request.head.contains(OURS), "{target}: {}", request.head);
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writes_that_name_an_address_go_once_with_the_writers_own_token() {
    for (kind, target) in [
        (ServerKind::Plex, "/library/metadata/1/posters?url=http://evil.example/a.png"),
        (ServerKind::Plex, "/library/metadata/1/arts?url=http://evil.example/a.png"),
        (ServerKind::Jellyfin, "/Items/1/RemoteImages/Download?type=Primary&imageUrl=http://evil.example/a.png"),
    ] {
        let (server, stage) = play(kind, &format!("token = \"{OURS}\""), echo(kind)).await;
        assert_eq!(client(&stage, kind, TOKEN).send(Method::POST, target, "").await.status, 200);
        assert_eq!(server.count("POST", "/"), 1, "{target}");
        let arrived = server.drain();
        let request = arrived.iter().find(|request| request.method == "POST").expect("it arrived");
        assert_eq!(request.target, target);
        assert!(request.head.contains(TOKEN) && !request.head.contains(OURS));
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_images_are_requested_from_the_server_by_path_alone() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    for own in [
        "/library/metadata/1/thumb/2",
        "http://127.0.0.1:32400/library/metadata/1/thumb/2",
        "http%3A%2F%2Flocalhost%3A32400%2Flibrary%2Fmetadata%2F1%2Fthumb%2F2%3FX-Plex-Token%3Dsomebody-elses",
    ] {
        let answer = client.get(&format!("/photo/:/transcode?width=1&height=1&url={own}")).await;
        assert_eq!(answer.status, 200, "{own}");
    }
    let arrived = server.drain();
    assert_eq!(arrived.len(), 1, "three spellings of one picture");
    assert_eq!(arrived[0].target, "/photo/:/transcode?height=1&url=/library/metadata/1/thumb/2&width=1");
    assert_eq!(arrived[0].header("x-plex-token"), [TOKEN]);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_a_redirect_is_handed_on_and_not_followed() {
    for target in ["/library/sections", "/library/parts/1/2/a.mp4", "/library/metadata/1/thumb/2"] {
        let (server, stage) = play(ServerKind::Plex, "", |_: &ReceivedRequest| {
            let head = "HTTP/1.1 302 Found\r\nLocation: /myplex/account\r\nContent-Length: 0\r\n\r\n";
            ScriptedReply::Bytes(head.as_bytes().to_vec())
        })
        .await;
        for _ in 0..2 {
            let answer = client(&stage, ServerKind::Plex, TOKEN).get(target).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "/myplex/account"), "{target}");
            assert!(!answer.was_hit());
        }
        assert!(server.received().iter().all(|request| request.target == target), "{target}");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_a_request_cannot_name_another_server() {
    let (elsewhere, stage_of_elsewhere) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let other = elsewhere.address;
    for line in [
        format!("GET http://{other}/library/sections HTTP/1.1\r\nHost: {other}"),
        format!("GET http://user@{other}/unknown HTTP/1.1\r\nHost: x"),
        format!("GET /unknown HTTP/1.1\r\nHost: {other}"),
        format!("GET //{other}/unknown HTTP/1.1\r\nHost: x"),
        format!("GET /unknown@{other}/ HTTP/1.1\r\nHost: x"),
        format!("CONNECT {other} HTTP/1.1\r\nHost: {other}"),
        format!("GET @{other}/unknown HTTP/1.1\r\nHost: x"),
    ] {
        let answer = stage.raw().await.ask(format!("{line}\r\nX-Plex-Token: {TOKEN}\r\n\r\n")).await;
        assert!(answer.is_some_and(|answer| answer.status() < 500), "{line}");
    }
    assert_eq!(elsewhere.received().len(), 0);
    for request in server.drain() {
        assert_eq!(request.header("host"), [server.address.to_string()]);
    }
    end(server, stage).await;
    end(elsewhere, stage_of_elsewhere).await;
}
