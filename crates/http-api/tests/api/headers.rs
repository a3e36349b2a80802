//! Headers of responses and requests are obeyed.

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{Cache, CacheSettings, Clock};
use tokio_util::task::TaskTracker;

use super::fixture::{Bodies, Fixture, answer};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");
/// Stale from the beginning, and usable while the server cannot be asked.
const STALE: [(&str, &str); 2] = [("cache-control", "max-age=5"), ("age", "6")];

#[tokio::test]
async fn a_fresh_response_is_served_again_with_its_age() {
    let bodies = Bodies::default();
    let api =
        Fixture::new("", move |_| answer(200, &[FRESH, ("age", "7"), ("connection", "a"), ("a", "1")], bodies.next()))
            .await;
    let first = api.get("/x?b=1").await;
    assert_eq!((first.body.as_str(), first.header("cache-status")), ("v1", "greenroom; fwd=uri-miss; stored"));
    let second = api.get("/x?b=1").await;
    assert_eq!(
        (second.body.as_str(), second.is_hit(), second.header("age"), second.header("a")),
        ("v1", true, "7", "")
    );
    assert!(second.header("date").ends_with("GMT"));
    assert_eq!(api.get("/x?b=2").await.body, "v2");
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn many_callers_of_a_cold_resource_cost_one_request() {
    let api = Fixture::new("", |_| answer(200, &[FRESH], "one")).await;
    api.hold();
    let reads: Vec<_> = (0..50).map(|_| api.get("/x")).collect();
    let release = async {
        api.wait_seen(1).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        api.release();
    };
    let (all, ()) = tokio::join!(join_all(reads), release);
    assert!(all.iter().all(|seen| seen.body == "one"));
    assert_eq!(api.seen().len(), 1);
}

pub(super) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_stale_response_is_validated_and_a_304_updates_it() {
    let api = Fixture::new("", |seen| match seen.headers.get("if-none-match") {
        Some(etag) if etag == "\"a\"" => answer(304, &[FRESH, ("etag", "\"a\""), ("x", "new")], ""),
        _ => answer(200, &[("cache-control", "no-cache"), ("etag", "\"a\""), ("x", "old")], "body"),
    })
    .await;
    assert_eq!(api.get("/x").await.header("x"), "old");
    let validated = api.get("/x").await;
    assert_eq!((validated.status, validated.body.as_str(), validated.header("x")), (200, "body", "new"));
    assert!(api.get("/x").await.is_hit());
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn a_client_that_has_the_response_gets_304_and_a_range_gets_its_part() {
    let api = Fixture::new("", |_| answer(200, &[FRESH, ("etag", "\"a\"")], "0123456789")).await;
    api.get("/x").await;
    let known = api.get_with("/x", &[("if-none-match", "\"b\", W/\"a\"")]).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let part = api.get_with("/x", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.body.as_str(), part.header("content-range")), (206, "234", "bytes 2-4/10"));
    assert_eq!(api.get_with("/x", &[("range", "bytes=10-")]).await.status, 416);
    assert_eq!(api.get_with("/x", &[("range", "bytes=0-1"), ("if-range", "\"b\"")]).await.status, 200);
    let head = api.send("HEAD", "/x", &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.body.as_str()), (200, "10", ""));
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_stored_part_serves_what_is_in_it() {
    let api = Fixture::new("", |_| answer(206, &[FRESH, ("content-range", "bytes 4-8/10")], "45678")).await;
    assert_eq!(api.get_with("/x", &[("range", "bytes=4-8")]).await.body, "45678");
    let inner = api.get_with("/x", &[("range", "bytes=5-6")]).await;
    assert_eq!((inner.status, inner.body.as_str(), inner.header("content-range")), (206, "56", "bytes 5-6/10"));
    assert_eq!(api.seen().len(), 1);
    api.get_with("/x", &[("range", "bytes=3-4")]).await;
    api.get("/x").await;
    assert_eq!(api.seen().len(), 3, "what is not in it is asked for");
}

#[tokio::test]
async fn no_response_reaches_another_identity() {
    let of = |seen: &super::fixture::SeenRequest| {
        let value = |name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
        format!("{:?} {:?} {}", value("authorization"), value("cookie"), seen.target)
    };
    let api = Fixture::new("", move |seen| answer(200, &[("cache-control", "public, max-age=60")], of(seen))).await;
    let requests: [(&str, &[(&str, &str)]); 6] = [
        ("/x", &[]),
        ("/x", &[("authorization", "a")]),
        ("/x", &[("authorization", "b")]),
        ("/x", &[("cookie", "a")]),
        ("/x?api_key=a", &[]),
        ("/x?api_key=b", &[]),
    ];
    let mut first = Vec::new();
    for (target, headers) in requests {
        first.push(api.get_with(target, headers).await.body);
    }
    for ((target, headers), first) in requests.iter().zip(&first) {
        let again = api.get_with(target, headers).await;
        assert_eq!((&again.body, again.is_hit()), (first, true));
    }
    let mut distinct = first.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((distinct.len(), api.seen().len()), (6, 6));
}

#[tokio::test]
async fn variants_are_never_mixed_even_when_they_are_first_asked_for_together() {
    let api = Fixture::new("", |seen| {
        let language = seen.headers.get("accept-language").cloned();
        let body = language.map(|value| value.to_str().unwrap_or_default().to_owned()).unwrap_or_default();
        answer(200, &[FRESH, ("vary", "accept-language")], body)
    })
    .await;
    api.hold();
    let read = |language: &'static str| api.get_with("/x", Box::leak(Box::new([("accept-language", language)])));
    let reads = vec![read("en"), read("de"), read("en"), read("fr"), read("de")];
    let release = async {
        api.wait_seen(1).await;
        api.release();
    };
    let (all, ()) = tokio::join!(join_all(reads), release);
    let bodies: Vec<&str> = all.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies, ["en", "de", "en", "fr", "de"]);
    assert!(api.get_with("/x", &[("accept-language", "DE")]).await.is_hit());
}

#[tokio::test]
async fn variants_are_found_again_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let (clock, tasks) = (Clock::system(), TaskTracker::new());
    let open = || {
        let disk = DiskSettings::new(dir.path().join("cache"));
        Cache::with_disk(CacheSettings::default(), disk, clock.clone(), tasks.clone()).expect("a cache")
    };
    let handler = |_: &super::fixture::SeenRequest| answer(200, &[FRESH, ("vary", "accept")], "body");
    let cache = open();
    let api = Fixture::with_cache("", handler, (cache.clone(), clock.clone(), tasks.clone())).await;
    api.get_with("/x", &[("accept", "a")]).await;
    drop(api);
    assert_eq!(cache.close_disk().await, 0);
    let api = Fixture::with_cache("", handler, (open(), clock.clone(), tasks.clone())).await;
    assert!(api.get_with("/x", &[("accept", "a")]).await.is_hit());
    assert!(!api.get_with("/x", &[("accept", "b")]).await.is_hit());
}

#[tokio::test]
async fn a_write_makes_what_it_changes_stale_and_a_failed_one_does_not() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |seen| match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", _) => answer(200, &[FRESH, ("cache-groups", "\"g\"")], bodies.next()),
        ("DELETE", _) => answer(500, &[], ""),
        ("PATCH", _) => answer(200, &[("cache-group-invalidation", "\"g\"")], ""),
        _ => answer(201, &[("location", "/b"), ("content-location", "http://elsewhere.example/c")], ""),
    })
    .await;
    for (target, body) in [("/a", "v1"), ("/b", "v2"), ("/c", "v3")] {
        assert_eq!(api.get_with(target, &[("authorization", "me")]).await.body, body);
    }
    let read = async |target: &str| api.get_with(target, &[("authorization", "me")]).await.body;
    api.send("DELETE", "/a", &[], "").await;
    assert_eq!(read("/a").await, "v1");
    api.send("POST", "/a", &[], "x").await;
    assert_eq!((read("/a").await, read("/b").await, read("/c").await), ("v4".into(), "v5".into(), "v3".into()));
    api.send("PATCH", "/elsewhere", &[], "").await;
    assert_eq!(read("/c").await, "v6", "its group was invalidated");
}

#[tokio::test]
async fn in_an_outage_reads_go_on_unless_the_server_forbids_it() {
    let api = Fixture::new("", |seen| match seen.target.as_str() {
        "/strict" => {
            answer(200, &[("cache-control", "max-age=5, must-revalidate"), ("age", "6"), ("etag", "\"a\"")], "strict")
        }
        _ => answer(200, &STALE, "old"),
    })
    .await;
    api.get("/x").await;
    api.get("/strict").await;
    api.stop_origin();
    let stale = api.get("/x").await;
    assert_eq!((stale.status, stale.body.as_str()), (200, "old"));
    assert!(stale.header("cache-status").ends_with("detail=stale-if-error"), "{stale:?}");
    assert_eq!(api.get("/strict").await.status, 504);
    assert_eq!(api.get("/never-seen").await.status, 503);
}

#[tokio::test]
async fn an_error_never_replaces_a_good_response() {
    let api = Fixture::new("", |_| answer(200, &STALE, "good")).await;
    api.get("/x").await;
    api.script(|_| answer(503, &[("cache-control", "max-age=60")], "bad"));
    assert_eq!(api.get("/x").await.body, "good");
    let other = api.get("/y").await;
    assert_eq!((other.status, other.body.as_str()), (503, "bad"));
}

#[tokio::test]
async fn a_stale_window_is_served_at_once_while_the_response_is_refreshed() {
    let bodies = Bodies::default();
    let stale = [("cache-control", "max-age=5, stale-while-revalidate=60"), ("age", "6")];
    let api = Fixture::new("", move |_| answer(200, &stale, bodies.next())).await;
    api.get("/x").await;
    let second = api.get("/x").await;
    // How long ago it expired depends on when the second was full.
    let status = second.header("cache-status");
    assert_eq!(second.body, "v1");
    assert!(
        status.starts_with("greenroom; hit; ttl=-") && status.ends_with("; detail=stale-while-revalidate"),
        "{status}"
    );
    api.wait_seen(2).await;
}

#[tokio::test]
async fn a_request_may_demand_the_servers_own_answer_or_the_caches() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(200, &[FRESH], bodies.next())).await;
    assert_eq!(api.get_with("/x", &[("cache-control", "only-if-cached")]).await.status, 504);
    assert_eq!(api.get("/x").await.body, "v1");
    assert_eq!(api.get_with("/x", &[("cache-control", "only-if-cached")]).await.body, "v1");
    assert_eq!(api.get_with("/x", &[("cache-control", "no-cache")]).await.body, "v2");
    assert_eq!(api.get("/x").await.body, "v2");
    assert_eq!(api.get_with("/x", &[("cache-control", "no-store")]).await.body, "v3");
    assert_eq!(api.get("/x").await.body, "v2", "nothing of that exchange is stored");
    assert_eq!(api.get_with("/x", &[("cache-control", "min-fresh=7200")]).await.body, "v4");
}

#[tokio::test]
async fn a_path_with_dots_is_refused() {
    let api = Fixture::new("", |_| answer(200, &[], "")).await;
    assert_eq!(api.get("/a/%2e%2e/b").await.status, 400);
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn a_request_may_accept_a_stale_response_but_not_one_that_a_write_changed() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |seen| match seen.target.as_str() {
        "/strict" => answer(200, &[("cache-control", "max-age=5, must-revalidate"), ("age", "6")], bodies.next()),
        _ => answer(200, &STALE, bodies.next()),
    })
    .await;
    let read = async |target: &str, value: &str| api.get_with(target, &[("cache-control", value)]).await;
    assert_eq!(api.get("/x").await.body, "v1");
    let stale = read("/x", "max-stale=60").await;
    assert!(stale.body == "v1" && stale.header("cache-status").ends_with("detail=max-stale"), "{stale:?}");
    assert_eq!(read("/x", "max-stale").await.body, "v1");
    assert_eq!(read("/x", "max-stale=0").await.body, "v2");
    api.send("PUT", "/x", &[("authorization", "another")], "").await;
    assert_eq!(read("/x", "max-stale=60").await.body, "v4");
    assert_eq!(
        (read("/strict", "max-stale").await.body, read("/strict", "max-stale").await.body),
        ("v5".into(), "v6".into())
    );
}

#[tokio::test]
async fn in_an_outage_ranges_are_answered_from_the_whole_response() {
    let api = Fixture::new("", |_| answer(200, &STALE, "0123456789")).await;
    api.get("/x").await;
    api.stop_origin();
    let part = api.get_with("/x", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.body.as_str()), (206, "234"));
}

#[tokio::test]
async fn an_error_of_the_server_is_for_those_who_wait_and_not_for_those_who_come_after() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(503, &[("date", "x")], bodies.next())).await;
    for wanted in ["v1", "v2"] {
        let seen = api.get("/x").await;
        assert_eq!((seen.status, seen.body.as_str()), (503, wanted));
        assert!(seen.header("cache-status").contains("fwd="), "{}", seen.header("cache-status"));
    }
}
