//! Fields after a body.

use http::{HeaderMap, Response};

use super::fixture::{Fixture, SeenRequest, Trailers, answer};

const TE: (&str, &str) = ("te", "trailers");

/// A server that sends a digest after its body, and a cookie.
fn with_digest(seen: &SeenRequest) -> Response<http_body_util::Full<bytes::Bytes>> {
    if seen.headers.contains_key("if-none-match") {
        return answer(304, &[("cache-control", "max-age=3600"), ("etag", "\"a\"")], "");
    }
    let max_age = if seen.target == "/stale" { "max-age=0" } else { "max-age=3600" };
    let fields = [
        ("cache-control", max_age),
        ("etag", "\"a\""),
        ("trailer", "x-digest, x-own"),
        ("transfer-encoding", "chunked"),
    ];
    let mut response = answer(200, &fields, "0123456789");
    let mut trailers = HeaderMap::new();
    for (name, value) in [("x-digest", "d1"), ("x-own", "1")] {
        trailers.insert(name, value.parse().expect("a value"));
    }
    response.extensions_mut().insert(Trailers(trailers));
    response
}

#[tokio::test]
async fn trailers_are_stored_with_their_response_for_clients_that_accept_them() {
    for target in ["/x", "/stale"] {
        let api = Fixture::new("", with_digest).await;
        for at in 0..3 {
            let seen = api.get_with(target, &[TE]).await;
            assert_eq!((seen.status, seen.body.as_str()), (200, "0123456789"), "{target} {at}");
            assert_eq!(seen.trailers["x-digest"], "d1", "{target} {at}");
            assert_eq!((seen.header("trailer"), seen.header("content-length")), ("x-digest, x-own", ""));
        }
        let plain = api.get(target).await;
        assert_eq!((plain.body.as_str(), plain.header("content-length")), ("0123456789", "10"));
        assert!(plain.trailers.is_empty() && plain.header("trailer").is_empty());
        let part = api.get_with(target, &[TE, ("range", "bytes=2-4")]).await;
        assert_eq!((part.status, part.body.as_str(), part.trailers.len()), (206, "234", 0), "they are of the whole");
        let seen = api.seen();
        assert!(seen[0].headers["te"] == "trailers" && seen[0].headers["connection"] == "te");
        assert_eq!(seen.len() > 1, target == "/stale");
    }
}

#[tokio::test]
async fn the_server_is_told_of_trailers_only_for_clients_that_accept_them() {
    let api = Fixture::new("", with_digest).await;
    assert!(api.get("/x").await.trailers.is_empty());
    assert!(!api.seen()[0].headers.contains_key("te"));
    let later = api.get_with("/x", &[TE]).await;
    assert!(later.is_hit() && later.trailers.is_empty(), "what the server was not asked for is not there");
    assert_eq!(later.header("content-length"), "10");
}
