//! Parts that are put together, and what is asked for to complete them.

use super::fixture::{ClientResponse, Fixture, SeenRequest, answer};

const BODY: &str = "0123456789";
const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

/// A server that knows ranges, and one version of its body.
fn ranges(etag: &'static str) -> impl Fn(&SeenRequest) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    move |seen| {
        let text = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok());
        let is_current = text("if-range").is_none_or(|condition| condition == etag);
        let range = text("range").filter(|_| is_current).and_then(|range| range.strip_prefix("bytes="));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
            return answer(200, &[FRESH, ("etag", etag)], BODY);
        };
        let first: usize = first.parse().expect("a number");
        let last: usize = last.parse().unwrap_or(9);
        let told = format!("bytes {first}-{last}/10");
        answer(206, &[FRESH, ("etag", etag), ("content-range", &told)], &BODY[first..=last])
    }
}

async fn part(api: &Fixture, range: &str) -> ClientResponse {
    api.get_with("/x", &[("range", &format!("bytes={range}"))]).await
}

/// The ranges that the server was asked for.
fn asked(api: &Fixture) -> Vec<String> {
    let text = |seen: &SeenRequest| {
        ["range", "if-range"]
            .map(|name| seen.headers.get(name).map_or("-", |value| value.to_str().expect("text")))
            .join(" ")
    };
    api.seen().iter().map(text).collect()
}

#[tokio::test]
async fn a_whole_response_is_completed_from_a_stored_part() {
    for (stored, rest) in [("0-3", "bytes=4- \"a\""), ("6-9", "bytes=0-5 \"a\"")] {
        let api = Fixture::new("", ranges("\"a\"")).await;
        part(&api, stored).await;
        let whole = api.get("/x").await;
        assert_eq!((whole.status, whole.body.as_str(), whole.header("content-range")), (200, BODY, ""));
        assert_eq!(whole.header("content-length"), "10");
        assert!(api.get("/x").await.is_hit());
        let inner = part(&api, "2-7").await;
        assert_eq!((inner.status, inner.body.as_str(), inner.is_hit()), (206, "234567", true));
        assert_eq!(asked(&api), [&format!("bytes={stored} -"), rest]);
    }
}

#[tokio::test]
async fn a_part_is_asked_for_only_as_far_as_it_is_missing() {
    let api = Fixture::new("", ranges("\"a\"")).await;
    assert_eq!(part(&api, "2-5").await.body, "2345");
    let longer = part(&api, "4-7").await;
    assert_eq!((longer.status, longer.body.as_str()), (206, "4567"));
    assert_eq!(longer.header("content-range"), "bytes 4-7/10");
    let joined = part(&api, "3-6").await;
    assert_eq!((joined.body.as_str(), joined.is_hit()), ("3456", true));
    assert_eq!(part(&api, "0-1").await.body, "01");
    let rest = part(&api, "8-9").await;
    assert_eq!((rest.status, rest.body.as_str(), rest.header("content-range")), (206, "89", "bytes 8-9/10"));
    let whole = api.get("/x").await;
    assert_eq!((whole.body.as_str(), whole.is_hit()), (BODY, true));
    assert_eq!(asked(&api), ["bytes=2-5 -", "bytes=6-7 \"a\"", "bytes=0-1 \"a\"", "bytes=8- \"a\""]);
}

#[tokio::test]
async fn a_part_of_an_older_version_is_never_put_together_with_a_newer_one() {
    // One server that obeys `If-Range`, and one that sends the part of the newer version all the same.
    for obeys in [true, false] {
        let api = Fixture::new("", ranges("\"a\"")).await;
        assert_eq!(part(&api, "0-3").await.body, "0123");
        api.script(move |seen| {
            let has_range = seen.headers.contains_key("range");
            if has_range && !(obeys && seen.headers.contains_key("if-range")) {
                return answer(206, &[FRESH, ("etag", "\"b\""), ("content-range", "bytes 4-9/10")], "BBBBBB");
            }
            answer(200, &[FRESH, ("etag", "\"b\"")], "BBBBBBBBBB")
        });
        let whole = api.get("/x").await;
        assert_eq!((whole.status, whole.body.as_str()), (200, "BBBBBBBBBB"), "{obeys}");
    }
}

#[tokio::test]
async fn a_part_whose_body_has_shrunk_is_asked_for_anew() {
    let api = Fixture::new("", ranges("\"a\"")).await;
    part(&api, "0-3").await;
    api.script(|seen| match seen.headers.get("range") {
        Some(_) => answer(416, &[("content-range", "bytes */2")], ""),
        None => answer(200, &[FRESH, ("etag", "\"b\"")], "BB"),
    });
    assert_eq!(api.get("/x").await.body, "BB");
}

#[tokio::test]
async fn parts_without_a_strong_entity_tag_are_not_completed() {
    let api = Fixture::new("", ranges("W/\"a\"")).await;
    part(&api, "0-3").await;
    assert_eq!(api.get("/x").await.body, BODY);
    assert_eq!(asked(&api), ["bytes=0-3 -", "- -"]);
}

#[tokio::test]
async fn after_a_write_the_writer_gets_nothing_that_was_stored_before_it() {
    let api = Fixture::new("", ranges("\"a\"")).await;
    part(&api, "0-3").await;
    api.send("POST", "/x", &[], "").await;
    assert_eq!(api.get("/x").await.body, BODY);
    assert_eq!(asked(&api).last().expect("a request"), "- -");
}

#[tokio::test]
async fn a_rest_that_may_not_be_stored_reaches_no_client_in_place_of_the_whole() {
    let api = Fixture::new("", ranges("\"a\"")).await;
    part(&api, "0-3").await;
    api.script(|seen| {
        let fields = [("cache-control", "no-store"), ("etag", "\"a\""), ("content-range", "bytes 4-9/10")];
        if seen.headers.contains_key("range") {
            answer(206, &fields, "456789")
        } else {
            answer(200, &fields[..2], BODY)
        }
    });
    let whole = api.get("/x").await;
    assert_eq!((whole.status, whole.body.as_str()), (200, BODY));
}

/// Bytes of a body that is too long to be stored whole.
const LONG: usize = 100_000;

fn long_body(first: usize, last: usize) -> String {
    (first..=last).map(|at| char::from(b'a' + u8::try_from(at % 23).expect("small"))).collect()
}

/// A server with a body that is too long to be stored whole, which knows ranges.
async fn long() -> Fixture {
    Fixture::new("max_body_bytes = 65536\n", |seen| {
        let range = seen.headers.get("range").and_then(|value| value.to_str().ok()?.strip_prefix("bytes="));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
            return answer(200, &[FRESH, ("etag", "\"a\"")], long_body(0, LONG - 1));
        };
        let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().unwrap_or(LONG - 1));
        let told = format!("bytes {first}-{last}/{LONG}");
        answer(206, &[FRESH, ("etag", "\"a\""), ("content-range", &told)], long_body(first, last))
    })
    .await
}

#[tokio::test]
async fn a_part_of_what_is_too_long_to_be_stored_leaves_the_whole_to_the_server() {
    let api = long().await;
    part(&api, "0-999").await;
    let whole = api.get("/x").await;
    assert_eq!((whole.status, whole.body.len()), (200, LONG));
    let open = part(&api, "0-").await;
    assert_eq!((open.status, open.body.len()), (206, LONG));
    assert_eq!(open.header("content-range"), "bytes 0-99999/100000");
    assert_eq!(asked(&api), ["bytes=0-999 -", "- -", "bytes=0- -"]);
}

#[tokio::test]
async fn a_part_that_would_be_too_long_with_the_stored_one_takes_its_place() {
    let api = long().await;
    for (first, last) in [(0, 29_999), (30_000, 59_999), (60_000, 89_999)] {
        let seen = part(&api, &format!("{first}-{last}")).await;
        assert_eq!((seen.status, seen.body == long_body(first, last)), (206, true), "{first}");
    }
    assert_eq!(asked(&api), ["bytes=0-29999 -", "bytes=30000-59999 \"a\"", "bytes=60000-89999 -"]);
    assert!(part(&api, "60000-89999").await.is_hit());
}

#[tokio::test]
async fn a_rest_that_is_longer_than_it_says_is_not_taken_for_the_whole() {
    let api = long().await;
    api.script(|seen| {
        let is_rest = seen.headers.contains_key("if-range");
        let told = if is_rest { "bytes 2-5/6" } else { "bytes 0-1/6" };
        let body = if is_rest { "x".repeat(LONG) } else { "01".to_owned() };
        answer(206, &[FRESH, ("etag", "\"a\""), ("content-range", told)], body)
    });
    part(&api, "0-1").await;
    let whole = api.get("/x").await;
    assert_eq!(whole.status, 502);
}
