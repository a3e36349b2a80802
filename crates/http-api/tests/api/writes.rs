//! After a write, no reader of what it changed gets the response from before.

use super::fixture::{Bodies, Fixture, SeenRequest, answer};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");
const ME: [(&str, &str); 1] = [("authorization", "me")];
const OTHER: [(&str, &str); 1] = [("authorization", "other")];

fn is_error(status: u16) -> bool {
    matches!(status, 503 | 504)
}

#[tokio::test]
async fn after_a_confirmed_write_an_outage_is_an_error_for_the_writer_and_the_older_body_for_others() {
    let api = Fixture::new("", |_| answer(200, &[FRESH], "old")).await;
    for identity in [&ME, &OTHER] {
        assert_eq!(api.get_with("/x", identity).await.body, "old");
    }
    assert_eq!(api.send("PUT", "/x", &ME, "new").await.status, 200);
    api.stop_origin();
    let mine = api.get_with("/x", &ME).await;
    assert!(is_error(mine.status), "{mine:?}");
    assert_ne!(mine.body, "old");
    let theirs = api.get_with("/x", &OTHER).await;
    assert_eq!((theirs.status, theirs.body.as_str()), (200, "old"), "{theirs:?}");
}

#[tokio::test]
async fn after_a_confirmed_write_an_outage_is_an_error_on_a_public_route_and_without_credentials() {
    let lines = "[[server.route]]\npath = \"/public\"\nfresh_s = 60\npublic = true\n";
    let api = Fixture::new(lines, |_| answer(200, &[FRESH], "old")).await;
    for (target, identity) in [("/public", &ME[..]), ("/x", &[])] {
        assert_eq!(api.get_with(target, identity).await.body, "old");
        assert_eq!(api.send("PUT", target, identity, "new").await.status, 200);
    }
    api.stop_origin();
    for (target, identity) in [("/public", &ME[..]), ("/x", &[])] {
        let seen = api.get_with(target, identity).await;
        assert!(is_error(seen.status), "{target} {seen:?}");
    }
}

#[tokio::test]
async fn after_a_write_a_read_waits_for_the_budget_rather_than_get_the_older_body() {
    let bodies = Bodies::default();
    let api = Fixture::new("requests_per_second = 1\n", move |_| answer(200, &[FRESH], bodies.next())).await;
    assert_eq!(api.get("/x").await.body, "v1");
    assert_eq!(api.send("PUT", "/x", &[], "new").await.status, 200);
    assert_eq!(api.get("/x").await.body, "v3");
}

#[tokio::test]
async fn after_a_write_an_error_of_the_server_reaches_the_writer() {
    let api = Fixture::new("", |seen| answer(200, &[FRESH], if seen.method == "GET" { "old" } else { "" })).await;
    assert_eq!(api.get("/x").await.body, "old");
    api.send("PUT", "/x", &[], "new").await;
    api.script(|_| answer(500, &[], "broken"));
    let seen = api.get("/x").await;
    assert_eq!((seen.status, seen.body.as_str()), (500, "broken"));
}

#[tokio::test]
async fn nothing_is_stored_for_a_while_after_a_write_of_unknown_outcome() {
    let bodies = Bodies::default();
    let handler = move |seen: &SeenRequest| match seen.method.as_str() {
        "PUT" => answer(504, &[], "the gateway gave up"),
        _ => answer(200, &[FRESH], bodies.next()),
    };
    let api = Fixture::new("", handler).await;
    assert_eq!((api.get("/x").await.body, api.get("/x").await.body), ("v1".into(), "v1".into()));
    assert_eq!(api.send("PUT", "/x", &[], "new").await.status, 504);
    assert_eq!((api.get("/x").await.body, api.get("/x").await.body), ("v2".into(), "v3".into()));
}

#[tokio::test]
async fn an_invalidated_response_is_not_validated_by_a_date() {
    let bodies = Bodies::default();
    let modified = "Thu, 18 Aug 2022 02:01:18 GMT";
    let api = Fixture::new("", move |seen| {
        if seen.headers.contains_key("if-modified-since") {
            return answer(304, &[], "");
        }
        answer(200, &[FRESH, ("last-modified", modified)], bodies.next())
    })
    .await;
    assert_eq!(api.get_with("/x", &OTHER).await.body, "v1");
    api.send("PUT", "/x", &ME, "new").await;
    assert_eq!(api.get_with("/x", &OTHER).await.body, "v3");
}
