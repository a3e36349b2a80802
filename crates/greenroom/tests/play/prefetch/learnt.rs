//! Prefetched requests, their time, their identity, and their counters.

use std::sync::Arc;

use super::{ON, app, children, loaded, plex, server, stage, teach, until, useful};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_season_of_the_next_show_is_there_when_it_is_opened() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    assert_eq!(upstream.count("GET", "/library/metadata/20/children"), 1);
    let arrived = upstream.drain();
    let ahead = arrived.last().expect("something arrived");
    assert_eq!(ahead.target, children(20), "in the words of the app");
    assert_eq!(ahead.header("x-plex-token"), ["token-of-anna"]);
    let opened = client.get(&children(20)).await;
    assert!(opened.was_hit(), "{}", opened.header("cache-status"));
    assert!(upstream.drain().is_empty(), "nothing else was loaded: the app opens only the first season");
    assert_eq!(useful(&server(&stage)), 1);
    let figures = stage.control().get("/api/v1/cache/stats").await.json();
    let counted = &figures["servers"][0];
    assert_eq!((&counted["prefetch"]["started"], &counted["own"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(counted["saved"], 1, "a prefetch is no request of an app's");
    let classes = figures["classes"].as_array().expect("a list");
    let item = classes.iter().find(|class| class["class"] == "item").expect("it is there");
    assert_eq!((&item["hits"], &item["misses"], &item["ahead_useful"]), (&1.into(), &3.into(), &1.into()));
    let metrics = stage.control().get("/metrics").await.text();
    assert!(metrics.contains("greenroom_prefetch_started_total{server=\"home\"} 1"), "{metrics}");
    assert!(metrics.contains("greenroom_prefetch_skipped_total{server=\"home\",reason=\"busy\"} 0"), "{metrics}");
    upstream.stop();
    stage.stop().await;
}

/// Responses of another token cannot be predicted, and one app's habits do not apply to another.
#[tokio::test(flavor = "multi_thread")]
async fn another_identity_or_app_gets_nothing_from_it() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let (anna, bert) = (app(&stage, "token-of-anna"), app(&stage, "token-of-bert"));
    let other = anna.with("x-plex-product", "Dashboard");
    teach(&anna).await;
    anna.get("/library/metadata/10/thumb/9").await;
    other.get(&children(3)).await;
    bert.get(&children(4)).await;
    anna.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    for season in [30, 40] {
        assert_eq!(upstream.count("GET", &children(season)), 0, "nothing is known of these");
    }
    let (page, picture) = (children(20), "/library/metadata/20/thumb/9");
    for target in [page.as_str(), picture] {
        let arrived = upstream.received();
        let ahead = arrived.iter().find(|one| one.target == target).expect("it was loaded ahead");
        assert_eq!(ahead.header("x-plex-token"), ["token-of-anna"]);
        let asked = bert.get(target).await;
        assert!(!asked.was_hit(), "{target}: {}", asked.header("cache-status"));
        let arrived = upstream.received();
        let own = arrived.iter().rfind(|one| one.target == target).expect("it arrived");
        assert_eq!(own.header("x-plex-token"), ["token-of-bert"], "the server was asked on his own behalf");
        assert!(anna.get(target).await.was_hit());
    }
    upstream.stop();
    stage.stop().await;
}

/// The prefetch waits until the response has been sent, which is where it is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_ahead_of_an_answer_that_has_not_come() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let upstream = ScriptedServer::start(&tasks, move |request| {
        if request.target == children(2) {
            return ScriptedReply::Held(Arc::clone(&held), plex(request));
        }
        ScriptedReply::Bytes(plex(request))
    })
    .await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    let asking = client.clone();
    let asking = tasks.spawn(async move { asking.get(&children(2)).await.status });
    upstream.until(|upstream| upstream.count("GET", &children(2)) == 1).await;
    assert_eq!(client.get(&children(1)).await.status, 200);
    assert_eq!(upstream.count("GET", &children(20)), 0);
    go.notify_one();
    assert_eq!(asking.await.expect("it ends"), 200);
    until(&stage, |server| loaded(server) == 1).await;
    assert_eq!(upstream.received().last().expect("it arrived").target, children(20));
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_prefetched_responses_are_counted_as_useless() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    // The season is marked as watched, so the response is invalidated and loaded anew.
    let (server, season) = (server(&stage), children(20));
    client.get("/:/scrobble?key=20&identifier=com.plexapp.plugins.library").await;
    assert!(!client.get(&season).await.was_hit());
    let useless: u64 = server.cache.stats().classes.iter().map(|class| class.prefetch_useless).sum();
    assert_eq!((loaded(&server), useful(&server), useless), (1, 0, 1));
    upstream.stop();
    stage.stop().await;
}
