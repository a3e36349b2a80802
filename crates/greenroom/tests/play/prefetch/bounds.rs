//! Conditions without prefetch: disabled, excluded, busy, failed, budget spent, bypass.

use std::sync::Arc;

use super::{ON, app, children, loaded, plex, server, skipped, stage, teach, until, useful};
use crate::deferred::PATIENT;
use crate::fixture::GatewayConfigBuilder;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

#[tokio::test(flavor = "multi_thread")]
async fn off_means_off() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, "[server.prefetch]\nenabled = false\n").await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    for show in 2..9 {
        client.get(&children(show)).await;
    }
    assert_eq!(upstream.received().len(), 9);
    assert_eq!(server(&stage).origin.counters.own.load(std::sync::atomic::Ordering::Relaxed), 0);
    // Everything that was started must have ended; then nothing can follow.
    stage.stop().await;
    assert_eq!(upstream.received().len(), 9, "as many as the app made");
    upstream.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_is_left_out_is_not_loaded() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, "[server.prefetch]\nenabled = true\nclasses = [\"images\"]\n").await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get("/library/metadata/10/thumb/9").await;
    client.get("/library/metadata/11/thumb/9").await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    assert_eq!(upstream.count("GET", "/library/metadata/20/children"), 0);
    for season in [20, 21] {
        let picture = client.get(&format!("/library/metadata/{season}/thumb/9")).await;
        assert!(picture.was_hit(), "{}", picture.header("cache-status"));
    }
    assert_eq!(useful(&server(&stage)), 2);
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_prefetched_while_a_request_waits_for_the_server() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let upstream = ScriptedServer::start(&tasks, move |request| {
        if request.target.starts_with("/hubs") {
            return ScriptedReply::Held(Arc::clone(&held), plex(request));
        }
        ScriptedReply::Bytes(plex(request))
    })
    .await;
    let stage = stage(&upstream, &format!("upstream_concurrency = 8\n{ON}")).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 1).await;
    // Hubs may hold four permits; the fifth waits.
    let waiting: Vec<_> = (1..6)
        .map(|section| {
            let client = client.clone();
            tasks.spawn(async move { client.get(&format!("/hubs/sections/{section}")).await.status })
        })
        .collect();
    until(&stage, |server| server.origin.queue.snapshot().priorities.iter().any(|tally| tally.waiting == 1)).await;
    client.get(&children(3)).await;
    until(&stage, |server| skipped(server, "busy") == 1).await;
    assert_eq!(upstream.count("GET", &children(30)), 0);
    let release = async {
        loop {
            go.notify_one();
            tokio::task::yield_now().await;
        }
    };
    let ended = async {
        for waiting in waiting {
            assert_eq!(waiting.await.expect("it ends"), 200);
        }
    };
    tokio::select! {
        () = ended => {}
        () = release => {}
    }
    client.get(&children(4)).await;
    until(&stage, |server| loaded(server) == 2).await;
    assert_eq!(upstream.count("GET", &children(40)), 1, "and afterwards it goes on");
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_error_stops_the_round_and_makes_a_pause() {
    let tasks = TaskTracker::new();
    // The first fails only once the second is on its way, which on a slow machine would otherwise never begin.
    let (fail, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (failing, held) = (Arc::clone(&fail), Arc::clone(&go));
    let upstream = ScriptedServer::start(&tasks, move |request| {
        if request.target == children(20) {
            let error = answer("500 Internal Server Error", "text/plain", "no");
            ScriptedReply::Held(Arc::clone(&failing), error)
        } else if request.target == children(21) {
            ScriptedReply::Held(Arc::clone(&held), plex(request))
        } else {
            ScriptedReply::Bytes(plex(request))
        }
    })
    .await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    client.get(&children(1)).await;
    for season in 10..13 {
        client.get(&children(season)).await;
    }
    client.get(&children(2)).await;
    upstream.until(|upstream| upstream.count("GET", &children(21)) == 1).await;
    fail.notify_one();
    until(&stage, |server| server.prefetch.counters.snapshot().failed == 1).await;
    go.notify_one();
    until(&stage, |server| skipped(server, "stopped") == 1).await;
    assert_eq!(upstream.count("GET", &children(22)), 0, "the last of three was never asked");
    client.get(&children(3)).await;
    until(&stage, |server| skipped(server, "paused") == 3).await;
    assert_eq!(upstream.count("GET", &children(30)), 0);
    let opened = client.get(&children(30)).await;
    assert_eq!((opened.status.as_u16(), opened.was_hit()), (200, false), "clients are not paused");
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_and_a_count_bound_it() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let more = "[server.prefetch]\nenabled = true\nmax_per_answer = 2\nbudget_per_minute = 3\n";
    let stage = stage(&upstream, more).await;
    let client = app(&stage, "token-of-anna");
    client.get(&children(1)).await;
    for season in 10..13 {
        client.get(&children(season)).await;
    }
    client.get(&children(2)).await;
    until(&stage, |server| loaded(server) == 2).await;
    client.get(&children(3)).await;
    until(&stage, |server| loaded(server) == 3 && skipped(server, "budget") == 1).await;
    assert_eq!(server(&stage).prefetch.counters.snapshot().started, 3);
    assert_eq!(upstream.received().len(), 1 + 3 + 2 + 3);
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_loaded_ahead_while_reads_go_past_the_cache() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let stage = stage(&upstream, ON).await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    for mode in [greenroom_config::CacheMode::Observe, greenroom_config::CacheMode::Bypass] {
        server(&stage).set_mode(mode);
        client.get(&children(2)).await;
    }
    server(&stage).set_mode(greenroom_config::CacheMode::Cache);
    client.get(&children(3)).await;
    until(&stage, |server| loaded(server) == 1).await;
    assert_eq!(upstream.count("GET", &children(20)), 0);
    assert_eq!(upstream.count("GET", &children(30)), 1);
    upstream.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_on_disk_from_before_a_restart_are_prefetched_once_more_and_then_hits() {
    let tasks = TaskTracker::new();
    let upstream = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(plex(request))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let begin = || {
        let url = format!("http://{}", upstream.address);
        GatewayConfigBuilder::new().table(PATIENT).server("home", "plex", &url, ON).data_dir(folder.path()).start()
    };
    let stage = begin().await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    client.get(&children(20)).await;
    stage.stop().await;
    let stage = begin().await;
    let client = app(&stage, "token-of-anna");
    teach(&client).await;
    client.get(&children(2)).await;
    // Nothing was heard of the server in between, so the entry is unconfirmed: its first read would be loaded.
    until(&stage, |_| upstream.count("GET", &children(20)) == 2).await;
    client.get(&children(20)).await;
    assert_eq!(upstream.count("GET", &children(20)), 2);
    upstream.stop();
    stage.stop().await;
}
