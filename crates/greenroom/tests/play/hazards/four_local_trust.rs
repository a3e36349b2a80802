//! 4. Local trust: a Plex server trusts its local network, and behind a gateway every client appears local. So the
//!    gateway requires a token itself, warns when the server would not, and lets no client claim it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use greenroom_origin::anonymous_access;
use greenroom_state::warnings::Warning;
use http::Method;

use super::{TOKEN, client, echo, end, play, play_at};
use crate::fixture::TestClient;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, answer};
use crate::fixture::waiting::with_deadline;

#[tokio::test(start_paused = true)]
async fn four_a_server_that_answers_without_a_token_is_warned_of_until_it_stops() {
    let closed = Arc::new(AtomicBool::new(false));
    let is_closed = Arc::clone(&closed);
    let (server, stage) = play_at(Clock::system(), ServerKind::Plex, "", move |_: &ReceivedRequest| {
        ScriptedReply::Bytes(if is_closed.load(Ordering::SeqCst) {
            answer("401 Unauthorized", "text/html", "no")
        } else {
            answer("200 OK", "application/json", r#"{"MediaContainer":{"size":0}}"#)
        })
    })
    .await;
    let watched = &stage.process.servers[0].0;
    let until = async |holds: fn(&[Warning]) -> bool| {
        let awaited = async {
            while !holds(&watched.origin.warnings.active()) {
                watched.origin.clock.sleep(Duration::from_secs(10)).await;
            }
        };
        with_deadline("the warnings that are expected", awaited).await;
    };
    stage.process.watch_anonymous_access();
    until(|holding| !holding.is_empty()).await;
    let shown = TestClient::new(stage.process.control).get("/api/v1/cache/stats").await.json();
    assert_eq!(shown["warnings"][0]["code"], "server-answers-without-a-token");
    assert_eq!(shown["warnings"][0]["server"], "home");
    assert!(shown["warnings"][0]["text"].as_str().is_some_and(|text| text.contains("without a token")));
    assert!(shown["warnings"][0]["remedy"].as_str().is_some_and(|remedy| remedy.len() > 20));
    assert_eq!(shown["totals"]["own"], server.received().len(), "it is counted as ours");
    assert_eq!(stage.client().get("/library/sections").await.status, 401, "every app is still asked for one");
    closed.store(true, Ordering::SeqCst);
    until(<[Warning]>::is_empty).await;
    for asked in server.received() {
        assert_eq!(asked.target, "/library/sections");
        assert!(asked.header("x-plex-token").is_empty(), "{}", asked.head);
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_a_server_that_is_closed_or_silent_is_not_warned_of() {
    for status in ["401 Unauthorized", "503 Service Unavailable"] {
        let (server, stage) = play(ServerKind::Plex, "", move |_: &ReceivedRequest| {
            ScriptedReply::Bytes(answer(status, "text/html", "no"))
        })
        .await;
        anonymous_access::check(&stage.process.servers[0].0.origin).await;
        assert!(stage.process.servers[0].0.origin.warnings.active().is_empty(), "{status}");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_no_client_can_claim_or_set_up_the_server_through_the_gateway() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for named in [stage.client(), client(&stage, ServerKind::Plex, TOKEN)] {
        for (method, target) in [
            (Method::POST, "/myplex/claim?token=claim-x"),
            (Method::GET, "/myplex/claim?token=claim-x"),
            (Method::POST, "//myplex/claim"),
            (Method::POST, "/myplex;a/claim"),
            (Method::POST, "/myplex%2fclaim"),
            (Method::GET, "/setup"),
        ] {
            assert_eq!(named.send(method, target, "").await.status, 403, "{target}");
        }
    }
    assert_eq!(stage.client().send(Method::PUT, "/:/prefs?AcceptedEULA=1", "").await.status, 403);
    assert_eq!(server.received().len(), 0);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_a_token_that_was_shown_to_us_is_shown_to_the_server_too() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let token = format!("X-Plex-Token: {TOKEN}\r\n");
    for (target, headers) in [
        // Each of these passes a check of one place and carries no token in another.
        ("/library/parts/1/2/a.mp4".to_owned(), format!("{token}Connection: X-Plex-Token\r\n")),
        ("/library/parts/1/2/a.mp4".to_owned(), format!("{token}Connection: close, x-plex-token\r\n")),
        ("/library/parts/1/2/a.mp4?X-Plex-Token=".to_owned(), token.clone()),
        ("/library/parts/1/2/a.mp4?x-plex-token&a=b".to_owned(), token.clone()),
        (format!("/library/parts/1/2/a.mp4?X-Plex%2DToken={TOKEN}"), String::new()),
        (format!("/:/scrobble?key=1&%58-Plex-Token={TOKEN}"), String::new()),
        (format!("/library/sections?X-Plex-Token=%20&x-plex-token={TOKEN}"), String::new()),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let answer = stage.raw().await.ask(request).await.expect("an answer");
        let arrived = server.drain();
        assert!(answer.status() == 200 || answer.status() == 400, "{target}: {}", answer.head);
        assert_eq!(arrived.is_empty(), answer.status() == 400, "{target}");
        for request in arrived {
            assert_eq!(request.header("x-plex-token"), [TOKEN], "{target}");
            assert!(!request.target.to_ascii_lowercase().contains("token=&") && !request.target.ends_with("Token="));
        }
    }
    end(server, stage).await;
}
