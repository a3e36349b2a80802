//! Requests and responses that would mix up questions, versions or secrets.

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{Cache, CacheSettings, Clock};
use tokio_util::task::TaskTracker;

use super::fixture::{Bodies, Fixture, answer};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

#[tokio::test]
async fn a_read_with_a_body_is_passed_with_it() {
    let api = Fixture::new("", |seen| answer(200, &[FRESH], seen.body.clone())).await;
    for body in ["one", "two"] {
        assert_eq!(api.send("GET", "/search", &[], body).await.body, body);
    }
    assert_eq!(api.get("/search").await.body, "");
}

#[tokio::test]
async fn a_request_that_would_show_added_secrets_is_refused() {
    let api = Fixture::new("[server.add_headers]\nx-api-key = \"SECRET\"\n", |_| answer(200, &[], "")).await;
    assert_eq!(api.send("TRACE", "/x", &[], "").await.status, 405);
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn added_parameters_are_hidden_in_the_addresses_of_a_response() {
    let api = Fixture::new("[server.add_query]\napi_key = \"SECRET\"\n", |seen| {
        let location = format!("{}/?lang=de&api%5fkey=SECRET#top", seen.target.split('?').next().unwrap_or_default());
        let link = "<https://api.example/x?page=2&api_key=SECRET>; rel=\"next\", </y?api_key=SECRET>; rel=last";
        answer(301, &[FRESH, ("location", &location), ("link", link)], "")
    })
    .await;
    for method in ["GET", "GET", "POST"] {
        let seen = api.send(method, "/x", &[], "").await;
        assert_eq!(seen.header("location"), "/x/?lang=de#top");
        assert_eq!(seen.header("link"), "<https://api.example/x?page=2>; rel=\"next\", </y>; rel=last");
    }
}

#[tokio::test]
async fn a_part_is_never_joined_to_one_of_another_version() {
    // A server that knows no `If-Range`, and one that does.
    for obeys in [false, true] {
        let api = Fixture::new("", move |seen| {
            let is_whole = !seen.headers.contains_key("range")
                || (obeys && seen.headers.get("if-range").is_some_and(|tag| tag != "\"b\""));
            if is_whole {
                return answer(200, &[FRESH, ("etag", "\"b\"")], "BBBBBBBBBB");
            }
            answer(206, &[FRESH, ("etag", "\"b\""), ("content-range", "bytes 5-9/10")], "BBBBB")
        })
        .await;
        let outdated = api.get_with("/x", &[("range", "bytes=5-"), ("if-range", "\"a\"")]).await;
        assert_eq!((outdated.status, outdated.body.as_str()), (200, "BBBBBBBBBB"), "{obeys}");
        let current = api.get_with("/x", &[("range", "bytes=5-"), ("if-range", "\"b\"")]).await;
        assert_eq!((current.status, current.body.as_str()), (206, "BBBBB"), "{obeys}");
    }
}

#[tokio::test]
async fn a_304_of_another_version_is_not_believed() {
    let api = Fixture::new("", |_| answer(200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "old")).await;
    assert_eq!(api.get("/x").await.body, "old");
    api.script(|seen| {
        if seen.headers.contains_key("if-none-match") {
            return answer(304, &[("etag", "\"b\"")], "");
        }
        answer(200, &[("cache-control", "no-cache"), ("etag", "\"b\"")], "new")
    });
    assert_eq!(api.get("/x").await.body, "new");
}

#[tokio::test]
async fn many_callers_of_a_failing_resource_cost_one_request() {
    let api = Fixture::new("", |_| answer(500, &[("set-cookie", "a=b")], "broken")).await;
    api.hold();
    let reads: Vec<_> = (0..50).map(|_| api.get("/x")).collect();
    let release = async {
        api.wait_seen(1).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        api.release();
    };
    let (all, ()) = tokio::join!(super::headers::join_all(reads), release);
    assert!(all.iter().all(|seen| (seen.status, seen.body.as_str(), seen.header("set-cookie")) == (500, "broken", "")));
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn no_credential_is_written_even_if_the_responses_vary_by_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (clock, tasks) = (Clock::system(), TaskTracker::new());
    let disk = DiskSettings::new(dir.path().join("cache"));
    let cache = Cache::with_disk(CacheSettings::default(), disk, clock.clone(), tasks.clone()).expect("a cache");
    let handler = |_: &super::fixture::SeenRequest| answer(200, &[FRESH, ("vary", "cookie, authorization")], "body");
    let api = Fixture::with_cache("", handler, (cache.clone(), clock, tasks)).await;
    let identity = [("cookie", "sessionid=SECRETCOOKIE"), ("authorization", "Bearer SECRETTOKEN")];
    api.get_with("/x", &identity).await;
    assert!(api.get_with("/x", &identity).await.is_hit());
    drop(api);
    assert_eq!(cache.close_disk().await, 0);
    let files = std::fs::read_dir(dir.path().join("cache")).expect("files").map(|file| file.expect("a file").path());
    let mut found = 0;
    for file in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).expect("a file");
        found += usize::from(bytes.windows(4).any(|window| window == b"vary"));
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"), "{}", file.display());
    }
    assert!(found > 0, "the response is in one of them");
}

#[tokio::test]
async fn what_is_public_no_more_is_out_of_reach() {
    let bodies = Bodies::default();
    let api = Fixture::new("[[server.route]]\npath = \"/x\"\nfresh_s = 60\npublic = true\n", move |_| {
        answer(200, &[FRESH], bodies.next())
    })
    .await;
    assert_eq!(api.get_with("/x", &[("authorization", "me")]).await.body, "v1");
    api.server.set_routes(&[]);
    assert_eq!(api.get("/x").await.body, "v2");
}
