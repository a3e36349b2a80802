//! 1. Token leakage between users: an answer given to one token is never given to another, however alike the two
//!    are, however many ask at once, and whatever they say about who they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use greenroom_dialect::ask::Kind;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{TOKEN, asked_for, client, echo, end, play};
use crate::stage::scripted::{Arrived, Reply};
use crate::stage::waiting::until;

/// One path per kind of sharing and dialect.
const ASKED: [(Kind, &str); 6] = [
    (Kind::Plex, "/library/sections/1/all?type=1"),
    (Kind::Plex, "/library/metadata/7/thumb/1700000000"),
    (Kind::Plex, "/status/sessions"),
    (Kind::Jellyfin, "/Items?recursive=true"),
    (Kind::Jellyfin, "/Items/7/Images/Primary?tag=abc"),
    (Kind::Jellyfin, "/Users/Me"),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_a_crowd_of_many_tokens_gets_each_its_own_answer() {
    for (kind, target) in ASKED {
        let held: Arc<Mutex<Vec<Arc<Notify>>>> = Arc::default();
        let (holding, answer) = (Arc::clone(&held), echo(kind));
        let (server, stage) = play(kind, "upstream_concurrency = 100", move |request: &Arrived| {
            let Reply::Bytes(bytes) = answer(request) else { return Reply::Close };
            let go = Arc::new(Notify::new());
            holding.lock().push(Arc::clone(&go));
            Reply::Held(go, bytes)
        })
        .await;
        // Tokens that differ in their last letter only, each asked with by five at once.
        let tokens: Vec<String> = (0..20).map(|index| format!("{TOKEN}{index:02}")).collect();
        let asking = tokens.iter().flat_map(|token| {
            let client = client(&stage, kind, token);
            (0..5).map(move |_| {
                let client = client.clone();
                async move { (token, client.get(target).await) }
            })
        });
        let asked = &stage.process.servers[0].0.counters.asked;
        let waking = async {
            server.until(|server| server.arrived().len() == 20).await;
            until(|| asked.load(Ordering::Relaxed) >= 100 && held.lock().len() >= 20).await;
            held.lock().iter().for_each(|go| go.notify_one());
        };
        let (answers, ()) = tokio::join!(join_all(asking), waking);
        for (token, answer) in answers {
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            assert!(asked_for(&answer).contains(token.as_str()), "{target}: somebody else's answer");
        }
        assert_eq!(server.arrived().len(), 20, "{target}: once for each token");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_answer_it_is_does_not_hang_on_what_the_asker_says_of_users() {
    let (server, stage) = play(Kind::Jellyfin, "", echo(Kind::Jellyfin)).await;
    let user = "0123456789abcdef0123456789abcdef";
    let one = client(&stage, Kind::Jellyfin, "token-of-one");
    let other = client(&stage, Kind::Jellyfin, "token-of-other");
    for target in
        [format!("/Items?userId={user}"), format!("/Users/{user}/Items?recursive=true"), "/UserViews".into()]
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
    let (server, stage) = play(Kind::Plex, "", echo(Kind::Plex)).await;
    let client = client(&stage, Kind::Plex, TOKEN);
    for target in
        ["/library/sections", "/library/sections/1/all", "/status/sessions", "/library/metadata/1/thumb/2"]
    {
        assert!(!client.get(target).await.was_hit(), "{target}: the first time the server is asked");
        assert!(client.get(target).await.was_hit(), "{target}");
    }
    assert_eq!(server.arrived().len(), 4);
    end(server, stage).await;
}
