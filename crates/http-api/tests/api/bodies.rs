//! Bodies of requests in keys, and bodies of responses in tags.

use super::fixture::{Bodies, Fixture, answer};

const KEY_BODY: &str = "[[server.route]]\npath = \"/search\"\nkey_body = true\nfresh_s = 60\n";

#[tokio::test]
async fn a_post_whose_body_is_in_the_key_is_a_read() {
    let api = Fixture::new(KEY_BODY, |seen| {
        let kind = seen.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("-");
        answer(200, &[], format!("{} {} {kind}", seen.method, seen.body))
    })
    .await;
    let json = [("content-type", "application/json")];
    for _ in 0..2 {
        assert_eq!(api.send("POST", "/search", &json, "{\"a\":1}").await.body, "POST {\"a\":1} application/json");
        assert_eq!(api.send("POST", "/search", &json, "{\"a\":2}").await.body, "POST {\"a\":2} application/json");
        assert_eq!(api.send("POST", "/search", &[], "{\"a\":1}").await.body, "POST {\"a\":1} -");
        assert_eq!(api.send("GET", "/search", &json, "{\"a\":1}").await.body, "GET {\"a\":1} application/json");
        assert_eq!(api.get("/search").await.body, "GET  -");
    }
    assert_eq!(api.seen().len(), 5, "each once");
    assert!(api.send("POST", "/search", &json, "{\"a\":1}").await.is_hit());
}

#[tokio::test]
async fn other_methods_with_a_body_write_there_and_make_its_reads_stale() {
    let bodies = Bodies::default();
    let api = Fixture::new(KEY_BODY, move |_| answer(200, &[], bodies.next())).await;
    assert_eq!(api.send("POST", "/search", &[], "a").await.body, "v1");
    assert_eq!(api.send("PUT", "/search", &[], "a").await.body, "v2");
    assert_eq!(api.send("PUT", "/search", &[], "a").await.body, "v3");
    assert_eq!(api.send("POST", "/search", &[], "a").await.body, "v4");
}

#[tokio::test]
async fn no_identity_gets_the_response_to_the_same_body_of_another() {
    let bodies = Bodies::default();
    let api = Fixture::new(KEY_BODY, move |_| answer(200, &[], bodies.next())).await;
    for (owner, wanted) in [("a", "v1"), ("b", "v2"), ("a", "v1"), ("b", "v2")] {
        assert_eq!(api.send("POST", "/search", &[("authorization", owner)], "q").await.body, wanted);
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_to_be_a_key_is_passed_as_a_write() {
    let bodies = Bodies::default();
    let api = Fixture::new(KEY_BODY, move |_| answer(200, &[], bodies.next())).await;
    let long = "x".repeat(1024 * 1024 + 1);
    assert_eq!(api.send("POST", "/search", &[], &long).await.body, "v1");
    assert_eq!(api.send("POST", "/search", &[], &long).await.body, "v2");
}

const FILMS: &str = "[[server.route]]\npath = \"/films\"\nmethods = [\"GET\"]\nfresh_s = 60\n\
    tags = [\"film:{/rows/*/id}\"]\n[[server.route]]\npath = \"/films/{id}\"\nfresh_s = 60\ntags = [\"film:{id}\"]\n\
    invalidates = [\"film:{id}\"]\n[[server.route]]\npath = \"/rate\"\ninvalidates = [\"film:{/rated/id}\"]\n";

/// Films 1 to 3 in a list and alone.
async fn films() -> Fixture {
    let bodies = Bodies::default();
    Fixture::new(FILMS, move |seen| {
        let version = bodies.next();
        let fields = [("content-type", "application/json")];
        match (seen.method.as_str(), seen.target.as_str()) {
            ("GET", "/films") => {
                answer(200, &fields, format!("{{\"rows\":[{{\"id\":1}},{{\"id\":2}}],\"v\":\"{version}\"}}"))
            }
            ("POST", "/rate") => answer(200, &fields, seen.body.clone()),
            _ => answer(200, &fields, format!("{{\"v\":\"{version}\"}}")),
        }
    })
    .await
}

#[tokio::test]
async fn a_write_makes_stale_the_lists_that_hold_what_it_changed() {
    for (changed, list_is_hit) in [("/films/2", false), ("/films/3", true)] {
        let api = films().await;
        api.get("/films").await;
        api.send("PUT", changed, &[], "x").await;
        assert_eq!(api.get("/films").await.is_hit(), list_is_hit, "{changed}");
    }
}

#[tokio::test]
async fn a_write_may_say_in_its_response_what_it_changed() {
    for (told, is_hit) in [
        ("{\"rated\":{\"id\":2}}", [false, false, true]),
        ("{\"rated\":{\"id\":3}}", [true, true, false]),
        ("{}", [false, false, false]),
        ("no JSON", [false, false, false]),
    ] {
        let api = films().await;
        for target in ["/films", "/films/2", "/films/3"] {
            api.get(target).await;
        }
        assert_eq!(api.send("POST", "/rate", &[], told).await.body, told);
        for (target, wanted) in ["/films", "/films/2", "/films/3"].into_iter().zip(is_hit) {
            assert_eq!(api.get(target).await.is_hit(), wanted, "{told} {target}");
        }
    }
}

#[tokio::test]
async fn a_route_that_reads_bodies_asks_for_them_unencoded() {
    let api = films().await;
    api.get_with("/films", &[("accept-encoding", "gzip")]).await;
    api.get_with("/films/1", &[("accept-encoding", "gzip")]).await;
    let asked: Vec<_> = api.seen().iter().map(|seen| seen.headers["accept-encoding"].clone()).collect();
    assert_eq!(asked, ["identity", "gzip"]);
}

#[tokio::test]
async fn a_segment_of_the_path_is_the_value_that_it_is_written_for() {
    let routes = "[[server.route]]\npath = \"/list\"\nfresh_s = 60\ntags = [\"tag:{/rows/*/name}\"]\n\
        [[server.route]]\npath = \"/tags/{name}\"\ninvalidates = [\"tag:{name}\"]\n";
    for (written, is_hit) in [("/tags/Sci%20Fi", false), ("/tags/caf%c3%A9", false), ("/tags/Sci+Fi", true)] {
        let api =
            Fixture::new(routes, |_| answer(200, &[], "{\"rows\":[{\"name\":\"Sci Fi\"},{\"name\":\"café\"}]}")).await;
        api.get("/list").await;
        api.send("PUT", written, &[], "x").await;
        assert_eq!(api.get("/list").await.is_hit(), is_hit, "{written}");
    }
}
