//! 2. Revocation: a revoked token loses all its cached responses at once, and an outage does not restore them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use http::Method;
use tokio::sync::Notify;

use super::{client, echo, end, play, play_at};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, answer};

/// Answers until the token is revoked, then with this status; then nothing.
fn until_ended(
    kind: ServerKind,
    status: &'static str,
    ended: &Arc<AtomicBool>,
) -> impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static {
    let (echo, ended) = (echo(kind), Arc::clone(ended));
    move |request| {
        let is_concerned = request.head.contains("token-that-ends");
        if is_concerned && ended.load(Ordering::SeqCst) {
            ScriptedReply::Bytes(answer(status, "text/html", "<h1>no</h1>"))
        } else if request.method == "GET" {
            echo(request)
        } else {
            ScriptedReply::Bytes(answer("204 No Content", "text/plain", ""))
        }
    }
}

const PLEX: [&str; 3] = ["/library/sections", "/library/sections/1/all", "/library/metadata/1/thumb/2"];
const JELLYFIN: [&str; 3] = ["/UserViews", "/Items?recursive=true", "/Items/1/Images/Primary?tag=1"];

#[tokio::test(flavor = "multi_thread")]
async fn two_a_401_or_an_expired_token_ends_all_that_was_kept() {
    for (kind, status, targets, news) in [
        (ServerKind::Plex, "401 Unauthorized", PLEX, "/accounts"),
        (ServerKind::Plex, "498 Invalid Token", PLEX, "/accounts"),
        (ServerKind::Jellyfin, "401 Unauthorized", JELLYFIN, "/System/Info"),
    ] {
        let ended = Arc::new(AtomicBool::new(false));
        let (server, stage) = play(kind, "", until_ended(kind, status, &ended)).await;
        let concerned = client(&stage, kind, "token-that-ends");
        let other = client(&stage, kind, "token-that-stays");
        for target in targets {
            concerned.get(target).await;
            other.get(target).await;
            assert!(concerned.get(target).await.was_hit(), "{target}");
        }
        ended.store(true, Ordering::SeqCst);
        let code: u16 = status[..3].parse().expect("a status");
        assert_eq!(concerned.get(news).await.status, code);
        for target in targets {
            let refused = concerned.get(target).await;
            assert_eq!((refused.status.as_u16(), refused.was_hit()), (code, false), "{kind:?} {target}");
            assert!(other.get(target).await.was_hit(), "{target}: others lose nothing");
        }
        // The server is down from here on; the revoked token's responses must not be served offline.
        server.stop();
        for target in targets {
            let status = concerned.get(target).await.status;
            assert!(status.is_server_error() || status.as_u16() == code, "{target}: {status}");
        }
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_a_library_refused_with_a_sentence_says_nothing_of_the_token() {
    let echo = echo(ServerKind::Jellyfin);
    let (server, stage) = play(ServerKind::Jellyfin, "", move |request: &ReceivedRequest| {
        if request.target.starts_with("/Items?parentId=f1") {
            let sentence = "\"kid is not permitted to access Library Films.\"";
            ScriptedReply::Bytes(answer("401 Unauthorized", "application/json; charset=utf-8", sentence))
        } else {
            echo(request)
        }
    })
    .await;
    let client = client(&stage, ServerKind::Jellyfin, "token-of-kid");
    for target in JELLYFIN {
        client.get(target).await;
    }
    assert_eq!(client.get("/Items?parentId=f1").await.status, 401);
    for target in JELLYFIN {
        assert!(client.get(target).await.was_hit(), "{target}: the token is as good as it was");
    }
    assert_eq!(client.get("/Items?parentId=f1").await.status, 401, "and the library as closed");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_logging_out_ends_all_that_was_kept_before_it_is_answered() {
    let ended = Arc::new(AtomicBool::new(false));
    let (server, stage) =
        play(ServerKind::Jellyfin, "", until_ended(ServerKind::Jellyfin, "401 Unauthorized", &ended)).await;
    let concerned = client(&stage, ServerKind::Jellyfin, "token-that-ends");
    for target in JELLYFIN {
        concerned.get(target).await;
        assert!(concerned.get(target).await.was_hit(), "{target}");
    }
    assert_eq!(concerned.send(Method::POST, "/Sessions/Logout", "").await.status, 204);
    ended.store(true, Ordering::SeqCst);
    for target in JELLYFIN {
        assert_eq!(concerned.get(target).await.status, 401, "{target}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_revoking_a_device_a_key_or_a_right_requires_new_grants_for_all_tokens() {
    for (method, target) in [
        (Method::DELETE, "/Devices?id=abc"),
        (Method::DELETE, "/Auth/Keys/0123456789abcdef"),
        (Method::DELETE, "/Users/0123456789abcdef0123456789abcdef"),
        (Method::POST, "/Users/0123456789abcdef0123456789abcdef/Policy"),
        (Method::POST, "/Users/Password?userId=0123456789abcdef0123456789abcdef"),
    ] {
        let ended = Arc::new(AtomicBool::new(false));
        let (server, stage) =
            play(ServerKind::Jellyfin, "", until_ended(ServerKind::Jellyfin, "401 Unauthorized", &ended)).await;
        let concerned = client(&stage, ServerKind::Jellyfin, "token-that-ends");
        let admin = client(&stage, ServerKind::Jellyfin, "token-of-admin");
        for asked in JELLYFIN {
            concerned.get(asked).await;
            assert!(concerned.get(asked).await.was_hit(), "{asked}");
        }
        assert_eq!(admin.send(method, target, "").await.status, 204);
        ended.store(true, Ordering::SeqCst);
        for asked in JELLYFIN {
            assert_eq!(concerned.get(asked).await.status, 401, "{target}, then {asked}");
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_what_was_under_way_when_the_token_ended_is_not_kept() {
    let go = Arc::new(Notify::new());
    let (held, echo) = (Arc::clone(&go), echo(ServerKind::Plex));
    let (server, stage) = play(ServerKind::Plex, "", move |request: &ReceivedRequest| match request.target.as_str() {
        "/library/sections/1/all" if request.before == 0 => {
            let ScriptedReply::Bytes(bytes) = echo(request) else { return ScriptedReply::Close };
            ScriptedReply::Held(Arc::clone(&held), bytes)
        }
        "/accounts" | "/library/sections/1/all" => ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "no")),
        _ => echo(request),
    })
    .await;
    let client = client(&stage, ServerKind::Plex, "token-that-ends");
    let waiting = join_all((0..5).map(|_| client.get("/library/sections/1/all")));
    let ending = async {
        server.until(|server| server.count("GET", "/library/sections/1/all") == 1).await;
        assert_eq!(client.get("/accounts").await.status, 401);
        go.notify_one();
    };
    tokio::join!(waiting, ending);
    assert_eq!(client.get("/library/sections/1/all").await.status, 401, "it was asked for by an ended token");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_a_picture_refused_in_one_size_is_refused_in_another() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"] {
        let echo = echo(ServerKind::Jellyfin);
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let (server, stage) = play(ServerKind::Jellyfin, "", move |request: &ReceivedRequest| {
            if request.head.contains("token-that-ends") && is_ended.load(Ordering::SeqCst) {
                ScriptedReply::Bytes(answer(status, "text/plain", "no"))
            } else {
                echo(request)
            }
        })
        .await;
        let concerned = client(&stage, ServerKind::Jellyfin, "token-that-ends");
        let other = client(&stage, ServerKind::Jellyfin, "token-that-stays");
        let [small, large] = [100, 900].map(|width| format!("/Items/1/Images/Primary?tag=1&maxWidth={width}"));
        for client in [&concerned, &other] {
            assert_eq!(client.get(&small).await.status, 200);
            assert!(client.get(&small).await.was_hit());
        }
        ended.store(true, Ordering::SeqCst);
        let code: u16 = status[..3].parse().expect("a status");
        for target in [&large, &small] {
            assert_eq!(concerned.get(target).await.status, code, "{target}");
        }
        assert!(other.get(&small).await.was_hit(), "others lose nothing");
        end(server, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_an_expired_grant_counts_only_while_the_server_does_not_respond() {
    for (reply, status) in [
        (Some(answer("500 Internal Server Error", "text/plain", "oops")), 500),
        (Some(answer("400 Bad Request", "text/plain", "what")), 400),
        (Some(answer("302 Found\r\nLocation: /login", "text/plain", "there")), 302),
        (None, 200),
    ] {
        let (fails, echo) = (Arc::new(AtomicBool::new(false)), echo(ServerKind::Plex));
        let is_failing = Arc::clone(&fails);
        let (server, stage) = play_at(Clock::system(), ServerKind::Plex, "", move |request: &ReceivedRequest| {
            match (is_failing.load(Ordering::SeqCst), reply.clone()) {
                (false, _) => echo(request),
                (true, Some(bytes)) => ScriptedReply::Bytes(bytes),
                (true, None) => ScriptedReply::Close,
            }
        })
        .await;
        let client = client(&stage, ServerKind::Plex, "token");
        assert_eq!(client.get("/library/sections").await.status, 200);
        fails.store(true, Ordering::SeqCst);
        stage.process.clock.sleep(std::time::Duration::from_secs(301)).await;
        assert_eq!(client.get("/library/sections").await.status, status);
        end(server, stage).await;
    }
}
