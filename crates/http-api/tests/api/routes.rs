//! Routes say what the headers of responses do not.

use super::fixture::{Bodies, Fixture, answer};

const NO_STORE: (&str, &str) = ("cache-control", "no-store");

#[tokio::test]
async fn a_route_sets_lifetimes_that_the_server_denies() {
    let bodies = Bodies::default();
    let api = Fixture::new("[[server.route]]\npath = \"/movies/{id}\"\nfresh_s = 60\n", move |seen| {
        let status = if seen.target == "/movies/0" { 500 } else { 200 };
        answer(status, &[NO_STORE, ("set-cookie", "a=b")], bodies.next())
    })
    .await;
    assert_eq!(api.get("/movies/1").await.body, "v1");
    let second = api.get("/movies/1").await;
    assert_eq!((second.body.as_str(), second.is_hit(), second.header("set-cookie")), ("v1", true, ""));
    assert_eq!((api.get("/other").await.body, api.get("/other").await.body), ("v2".into(), "v3".into()));
    assert_eq!((api.get("/movies/0").await.status, api.get("/movies/0").await.is_hit()), (500, false));
}

#[tokio::test]
async fn a_public_route_is_shared_and_query_keys_may_make_no_difference() {
    let bodies = Bodies::default();
    let lines = "[[server.route]]\npath = \"/open\"\nfresh_s = 60\npublic = true\nignore_query = [\"utm\"]\nsort_query = true\n";
    let api = Fixture::new(lines, move |_| answer(200, &[], bodies.next())).await;
    for (target, token) in
        [("/open?a=1&b=2", "x"), ("/open?b=2&a=1&utm=9", "y"), ("/open?b=2&utm=8&a=1&api_key=k", "z")]
    {
        assert_eq!(api.get_with(target, &[("authorization", token)]).await.body, "v1", "{target}");
    }
    assert_eq!(api.get("/open?a=2&b=2").await.body, "v2");
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn a_write_to_a_route_invalidates_the_tags_that_it_names() {
    let bodies = Bodies::default();
    let lines = "[[server.route]]\npath = \"/lists/{list}\"\nmethods = [\"GET\"]\nfresh_s = 60\ntags = [\"list:{list}\"]\n\
                 [[server.route]]\npath = \"/lists/{list}/add\"\ninvalidates = [\"list:{list}\"]\n";
    let api = Fixture::new(lines, move |_| answer(200, &[], bodies.next())).await;
    assert_eq!((api.get("/lists/1").await.body, api.get("/lists/2").await.body), ("v1".into(), "v2".into()));
    api.send("POST", "/lists/1/add", &[], "").await;
    assert_eq!((api.get("/lists/1").await.body, api.get("/lists/2").await.body), ("v4".into(), "v2".into()));
}

#[tokio::test]
async fn routes_can_be_replaced_while_it_runs() {
    let bodies = Bodies::default();
    let api = Fixture::new("[[server.route]]\npath = \"/*\"\nfresh_s = 60\n", move |_| {
        answer(200, &[NO_STORE], bodies.next())
    })
    .await;
    api.server.set_routes(&[]);
    assert_eq!((api.get("/x").await.body, api.get("/x").await.body), ("v1".into(), "v2".into()));
    api.server.set_routes(&api.server.settings.routes);
    // Having been uncacheable is remembered, and forgotten by the first response that is stored.
    assert_eq!((api.get("/x").await.body, api.get("/x").await.body), ("v3".into(), "v3".into()));
}

#[tokio::test]
async fn secrets_are_added_for_the_server_and_clients_need_none() {
    let lines = "[server.add_headers]\nx-api-key = \"SECRET\"\n[server.add_query]\nkey = \"S&T\"\n";
    let api = Fixture::new(lines, |_| answer(200, &[("cache-control", "max-age=60")], "body")).await;
    let seen = api.get("/x?a=1").await;
    assert_eq!(seen.body, "body");
    let request = &api.seen()[0];
    assert_eq!(
        (request.target.as_str(), &request.headers["x-api-key"]),
        ("/x?a=1&key=S%26T", &"SECRET".parse().expect("a value"))
    );
    assert!(api.get_with("/x?a=1", &[]).await.is_hit());
}
