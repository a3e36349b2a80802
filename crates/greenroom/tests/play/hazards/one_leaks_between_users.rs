//! 1. Token leakage between users: a response for one token is never served to another, however similar the two,
//!    however many concurrent requests, and whatever identity they claim.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::request::ServerKind;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{TOKEN, asked_for, client, echo, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, answer};
use crate::fixture::waiting::until;

/// One path per kind of sharing and dialect.
const ASKED: [(ServerKind, &str); 6] = [
    (ServerKind::Plex, "/library/sections/1/all?type=1"),
    (ServerKind::Plex, "/library/metadata/7/thumb/1700000000"),
    (ServerKind::Plex, "/status/sessions"),
    (ServerKind::Jellyfin, "/Items?recursive=true"),
    (ServerKind::Jellyfin, "/Items/7/Images/Primary?tag=abc"),
    (ServerKind::Jellyfin, "/Users/Me"),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_a_crowd_of_many_tokens_gets_each_its_own_answer() {
    for (kind, target) in ASKED {
        let held: Arc<Mutex<Vec<Arc<Notify>>>> = Arc::default();
        let (holding, answer) = (Arc::clone(&held), echo(kind));
        let (server, stage) = play(kind, "upstream_concurrency = 100", move |request: &ReceivedRequest| {
            let ScriptedReply::Bytes(bytes) = answer(request) else { return ScriptedReply::Close };
            // Whose token it is, Greenroom asks for itself.
            if request.target == "/Users/Me" && request.header("user-agent").is_empty() {
                return ScriptedReply::Bytes(bytes);
            }
            let go = Arc::new(Notify::new());
            holding.lock().push(Arc::clone(&go));
            ScriptedReply::Held(go, bytes)
        })
        .await;
        // Tokens that differ in their last letter only, each with five concurrent requests.
        let tokens: Vec<String> = (0..20).map(|index| format!("{TOKEN}{index:02}")).collect();
        let asking = tokens.iter().flat_map(|token| {
            let client = client(&stage, kind, token);
            (0..5).map(move |_| {
                let client = client.clone();
                async move { (token, client.get(target).await) }
            })
        });
        let asked = &stage.process.servers[0].0.counters.requests;
        let waking = async {
            server.until(|_| held.lock().len() == 20).await;
            until(|| asked.load(Ordering::Relaxed) >= 100 && held.lock().len() >= 20).await;
            held.lock().iter().for_each(|go| go.notify_one());
        };
        let (answers, ()) = tokio::join!(join_all(asking), waking);
        for (token, answer) in answers {
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            assert!(asked_for(&answer).contains(token.as_str()), "{target}: somebody else's answer");
        }
        assert_eq!(held.lock().len(), 20, "{target}: once for each token");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_responses_are_separate_by_token_whatever_user_the_request_names() {
    let (server, stage) = play(ServerKind::Jellyfin, "", echo(ServerKind::Jellyfin)).await;
    let user = "0123456789abcdef0123456789abcdef";
    let one = client(&stage, ServerKind::Jellyfin, "token-of-one");
    let other = client(&stage, ServerKind::Jellyfin, "token-of-other");
    for target in [format!("/Items?userId={user}"), format!("/Users/{user}/Items?recursive=true"), "/UserViews".into()]
    {
        one.get(&target).await;
        assert!(one.get(&target).await.was_hit(), "{target}");
        let answer = other.get(&target).await;
        assert!(!answer.was_hit(), "{target}");
        assert!(asked_for(&answer).contains("token-of-other"), "{target}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_yes_to_one_class_proves_nothing_for_another() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    for target in ["/library/sections", "/library/sections/1/all", "/status/sessions", "/library/metadata/1/thumb/2"] {
        assert!(!client.get(target).await.was_hit(), "{target}: the first time the server is asked");
        assert!(client.get(target).await.was_hit(), "{target}");
    }
    assert_eq!(server.received().len(), 4);
    end(server, stage).await;
}

/// Pictures are shared, and so is what stands in for a load that failed, but not what the server says of the failure.
#[tokio::test(flavor = "multi_thread")]
async fn one_an_error_about_a_picture_is_told_to_the_token_that_it_is_about() {
    const PICTURE: &str = "/library/metadata/7/thumb/1700000000";
    let (server, stage) = play(ServerKind::Plex, "", |request: &ReceivedRequest| {
        let error = format!("an error for {}", request.header("x-plex-token").concat());
        ScriptedReply::Bytes(match request.before {
            0 | 1 if request.target == PICTURE => answer("200 OK", "image/gif", "GIF89a;"),
            _ => answer("500 Internal Server Error", "text/plain", &error),
        })
    })
    .await;
    let [anna, bert] = ["anna", "bert"].map(|token| client(&stage, ServerKind::Plex, token));
    for known in [&anna, &bert] {
        assert_eq!(known.get(PICTURE).await.status, 200);
        assert!(known.get(PICTURE).await.was_hit());
    }
    stage.process.cache.invalidate(&Scope::All, &Invalidation::purge());
    for _ in 0..3 {
        let (of_anna, of_bert) = tokio::join!(anna.get(PICTURE), bert.get(PICTURE));
        assert_eq!((of_anna.status.as_u16(), of_anna.text().as_str()), (500, "an error for anna"));
        assert_eq!((of_bert.status.as_u16(), of_bert.text().as_str()), (500, "an error for bert"));
    }
    end(server, stage).await;
}
