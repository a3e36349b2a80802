//! Queries that make no difference (`No-Vary-Search`).

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{Cache, CacheSettings, Clock};
use tokio_util::task::TaskTracker;

use super::fixture::{Bodies, Fixture, answer};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");
const IGNORES_UTM: (&str, &str) = ("no-vary-search", "key-order, params=(\"utm\")");

#[tokio::test]
async fn parameters_that_a_response_names_make_no_difference_from_then_on() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(200, &[FRESH, IGNORES_UTM], bodies.next())).await;
    for target in ["/x?a=1&b=2&utm=1", "/x?b=2&utm=2&a=1", "/x?utm=3&a=1&b=2", "/x?a=1&b=2"] {
        assert_eq!(api.get(target).await.body, "v1", "{target}");
    }
    assert_eq!(api.get("/x?a=1&b=3&utm=1").await.body, "v2");
    assert_eq!(api.get("/x?utm=1").await.body, "v3");
    assert_eq!(api.get("/x").await.body, "v3");
    assert_eq!(api.get("/y?utm=1").await.body, "v4", "another path");
    assert_eq!(api.seen().len(), 4);
}

#[tokio::test]
async fn a_response_that_says_nothing_of_it_is_for_its_own_query_alone() {
    let api = Fixture::new("", |seen| {
        let says_it = !seen.target.contains("own");
        let fields = [FRESH, if says_it { IGNORES_UTM } else { ("x-a", "b") }];
        answer(200, &fields, seen.target.clone())
    })
    .await;
    assert_eq!(api.get("/x?utm=1").await.body, "/x?utm=1");
    assert_eq!(api.get("/x?own=1&utm=1").await.body, "/x?own=1&utm=1");
    assert_eq!(api.get("/x?own=1&utm=2").await.body, "/x?own=1&utm=2");
    let only_cached = [("cache-control", "only-if-cached")];
    assert_eq!(api.get_with("/x?own=1&utm=3", &only_cached).await.status, 504);
    assert_eq!(api.get_with("/x?own=1&utm=2", &only_cached).await.body, "/x?own=1&utm=2");
    let range = [("range", "bytes=0-3"), ("cache-control", "only-if-cached")];
    assert_eq!(api.get_with("/x?own=1&utm=3", &range).await.status, 504, "nor is a part of it");
    assert_eq!(api.get_with("/x?own=1&utm=2", &range).await.body, "/x?o");
    assert_eq!(api.get("/x?utm=9").await.body, "/x?utm=1", "what the others say still holds for them");
}

#[tokio::test]
async fn what_one_identity_is_told_holds_for_it_alone() {
    let api = Fixture::new("", |seen| {
        let owner = seen.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let fields = [FRESH, if owner == "a" { IGNORES_UTM } else { ("x-a", "b") }];
        answer(200, &fields, format!("{owner} {}", seen.target))
    })
    .await;
    for owner in ["a", "b", ""] {
        for utm in 1..=2 {
            let seen = api.get_with(&format!("/x?utm={utm}"), &[("authorization", owner)]).await.body;
            let wanted = if owner == "a" { "a /x?utm=1".to_owned() } else { format!("{owner} /x?utm={utm}") };
            assert_eq!(seen, wanted);
        }
    }
}

#[tokio::test]
async fn a_write_with_any_query_makes_it_stale_for_every_identity() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(200, &[FRESH, IGNORES_UTM], bodies.next())).await;
    let other = [("authorization", "b")];
    assert_eq!(api.get("/x?id=1&utm=1").await.body, "v1");
    assert_eq!(api.get_with("/x?id=1&utm=2", &other).await.body, "v2");
    api.send("POST", "/x?id=1&utm=7", &[("authorization", "c")], "").await;
    assert_eq!(api.get("/x?id=1&utm=1").await.body, "v4");
    assert_eq!(api.get_with("/x?id=1&utm=2", &other).await.body, "v5");
}

#[tokio::test]
async fn it_is_known_after_a_restart_and_with_variants() {
    let dir = tempfile::tempdir().expect("a directory");
    let bodies = Bodies::default();
    for start in 0..2 {
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let disk = DiskSettings::new(dir.path().join("cache"));
        let cache = Cache::with_disk(CacheSettings::default(), disk, clock.clone(), tasks.clone()).expect("a cache");
        let bodies = bodies.clone();
        let handler = move |_: &super::fixture::SeenRequest| {
            answer(200, &[FRESH, IGNORES_UTM, ("vary", "accept-language")], bodies.next())
        };
        let api = Fixture::with_cache("", handler, (cache.clone(), clock, tasks)).await;
        for (language, wanted) in [("de", "v1"), ("en", "v2")] {
            let target = format!("/x?utm={start}");
            assert_eq!(api.get_with(&target, &[("accept-language", language)]).await.body, wanted, "{start}");
        }
        drop(api);
        assert_eq!(cache.close_disk().await, 0);
    }
}

#[tokio::test]
async fn what_was_stored_before_anything_made_no_difference_is_for_its_own_query() {
    for (said, other) in [("/x?own=1", "/x?own=1&utm=5"), ("/x?b=2&own=1", "/x?own=1&b=2")] {
        let api = Fixture::new("", |seen| {
            let says_it = !seen.target.contains("own");
            let fields = [FRESH, if says_it { IGNORES_UTM } else { ("x-a", "b") }];
            answer(200, &fields, seen.target.clone())
        })
        .await;
        assert_eq!(api.get(said).await.body, said);
        assert_eq!(api.get("/x?q=2&utm=1").await.body, "/x?q=2&utm=1", "now it is known of the path");
        assert!(api.get(said).await.is_hit());
        let range = [("range", "bytes=0-40")];
        assert_eq!(api.get_with(other, &range).await.body, other, "nor is a part of it");
        assert_eq!(api.get(other).await.body, other);
        api.stop_origin();
        let offline = api.get(other).await;
        assert!(offline.body == other || offline.status >= 500, "{}", offline.body);
    }
}
