//! The fast path: heads that are known byte by byte, and what they must not outlive.

use std::sync::atomic::Ordering;

use greenroom_config::{CacheMode, ConfigSource, HttpRouteSettings, Settings};

use crate::fixture::{Bodies, ClientResponse, Fixture, answer};

const FRESH: (&str, &str) = ("cache-control", "max-age=600");

impl Fixture {
    /// Requests that were answered before they were parsed.
    fn fast(&self) -> u64 {
        self.server.counters.fast_path.load(Ordering::Relaxed)
    }

    /// Reads until the next such request would be answered before it is parsed.
    async fn make_known(&self, target: &str, headers: &[(&str, &str)]) -> String {
        for _ in 0..2 {
            self.get_with(target, headers).await;
        }
        let before = self.fast();
        let body = self.get_with(target, headers).await.body;
        assert_eq!(self.fast(), before + 1, "{target} {headers:?}");
        body
    }
}

/// Status, body, and fields without the seconds that pass between two responses.
fn timeless(response: &ClientResponse) -> (u16, String, Vec<String>) {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = value.to_str().expect("a text");
        let value = if name == "age" { "…" } else { value.split("; ttl=").next().unwrap_or_default() };
        format!("{name}: {value}")
    };
    let mut fields: Vec<String> = response.headers.iter().map(text).collect();
    fields.sort();
    (response.status, response.body.clone(), fields)
}

fn routes(lines: &str) -> Vec<HttpRouteSettings> {
    let mut source = ConfigSource::default();
    let server = "[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n";
    source.add_toml("test.toml", &format!("{server}{lines}"));
    Settings::read(source).expect("valid settings").http_apis.remove(0).routes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_read_is_answered_before_it_is_parsed_with_the_same_fields_as_the_second() {
    let fields =
        [FRESH, ("etag", "\"1\""), ("x-twice", "a"), ("x-twice", "b"), ("cache-status", "inner; hit"), ("age", "7")];
    let api = Fixture::new("", move |_| answer(200, &fields, "body")).await;
    for headers in
        [&[][..], &[("if-none-match", "\"1\"")], &[("accept-encoding", "gzip"), ("authorization", "Bearer a")]]
    {
        api.get_with("/a", headers).await;
        let parsed = api.get_with("/a", headers).await;
        let before = api.fast();
        let fast = api.get_with("/a", headers).await;
        assert_eq!(api.fast(), before + 1, "{headers:?}");
        assert_eq!(timeless(&fast), timeless(&parsed), "{headers:?}");
        assert!(fast.is_hit() && fast.headers.contains_key("date"));
        assert_eq!(fast.headers.get_all("cache-status").iter().count(), 2, "the inner cache's word stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_more_than_its_response_is_left_to_the_parser() {
    let api = Fixture::new("", |_| answer(200, &[FRESH, ("etag", "\"1\"")], "body")).await;
    for (name, value) in [
        ("cache-control", "max-age=5"),
        ("pragma", "no-cache"),
        ("range", "bytes=0-1"),
        ("te", "trailers"),
        ("connection", "close"),
        ("if-match", "\"1\""),
    ] {
        for _ in 0..4 {
            api.get_with("/a", &[(name, value)]).await;
        }
        assert_eq!(api.fast(), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_off() {
    let api = Fixture::new("fast_path = false\n", |_| answer(200, &[FRESH], "body")).await;
    for _ in 0..4 {
        api.get("/a").await;
    }
    assert_eq!(api.fast(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_gets_the_response_of_another() {
    let api = Fixture::new("", |seen| {
        let name = seen.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
        answer(200, &[("cache-control", "private, max-age=600")], name.to_owned())
    })
    .await;
    for name in ["Bearer ann", "Bearer ben"] {
        assert_eq!(api.make_known("/me", &[("authorization", name)]).await, name);
    }
    assert_eq!(api.get_with("/me", &[("authorization", "Bearer ann")]).await.body, "Bearer ann");
    assert_eq!(api.get("/me").await.body, "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_seen_by_the_next_read() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(200, &[FRESH], bodies.next())).await;
    assert_eq!(api.make_known("/a", &[]).await, "v1");
    assert_eq!(api.send("PUT", "/a", &[], "").await.body, "v2");
    assert_eq!(api.get("/a").await.body, "v3");
    assert_eq!(api.make_known("/a", &[]).await, "v3", "and its successor is known as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_varies_anew_is_not_given_to_others() {
    let api = Fixture::new("", |_| answer(200, &[FRESH], "for all")).await;
    assert_eq!(api.make_known("/a", &[("accept-language", "en")]).await, "for all");
    api.script(|seen| {
        let language = seen.headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or("none");
        answer(200, &[FRESH, ("vary", "accept-language")], language.to_owned())
    });
    api.send("PUT", "/a", &[], "").await;
    assert_eq!(api.get_with("/a", &[("accept-language", "de")]).await.body, "de");
    assert_eq!(api.get_with("/a", &[("accept-language", "en")]).await.body, "en");
    for language in ["de", "en"] {
        assert_eq!(api.make_known("/a", &[("accept-language", language)]).await, language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_makes_a_difference_again_is_another_read() {
    let api =
        Fixture::new("", |seen| answer(200, &[FRESH, ("no-vary-search", "params=(\"b\")")], seen.target.clone())).await;
    assert_eq!(api.make_known("/a?b=1", &[]).await, "/a?b=1");
    assert_eq!(api.make_known("/a?b=2", &[]).await, "/a?b=1", "it makes none");
    api.script(|seen| answer(200, &[FRESH, ("no-vary-search", "params=(\"c\")")], seen.target.clone()));
    assert_eq!(api.get("/a?x=1").await.body, "/a?x=1", "it says what counts now");
    assert_eq!(api.get("/a?b=2").await.body, "/a?b=2");
    assert_eq!(api.make_known("/a?b=2", &[]).await, "/a?b=2");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_that_were_replaced_count_at_the_next_request() {
    let open = "[[server.route]]\nname = \"all\"\npath = \"/a\"\nfresh_s = 600\npublic = true\n";
    let api = Fixture::new(open, |seen| {
        let name = seen.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
        answer(200, &[], name.to_owned())
    })
    .await;
    let (ann, ben) = ([("authorization", "ann")], [("authorization", "ben")]);
    assert_eq!(api.make_known("/a", &ann).await, "ann");
    assert_eq!(api.make_known("/a", &ben).await, "ann", "the route is public");
    api.server.set_routes(&routes(&open.replace("public = true\n", "")));
    assert_eq!(api.get_with("/a", &ben).await.body, "ben");
    assert_eq!(api.get_with("/a", &ann).await.body, "ann");
    assert_eq!(api.make_known("/a", &ben).await, "ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bypass_and_an_observation_reach_the_server() {
    let bodies = Bodies::default();
    let api = Fixture::new("", move |_| answer(200, &[FRESH], bodies.next())).await;
    assert_eq!(api.make_known("/a", &[]).await, "v1");
    assert!(api.server.set_mode(CacheMode::Observe));
    assert_eq!(api.get("/a").await.body, "v2");
    assert!(api.server.set_mode(CacheMode::Cache));
    api.server.bypasses.add(&greenroom_state::bypass::Bypass::default()).expect("it is kept in memory");
    assert_eq!(api.get("/a").await.body, "v3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_with_a_prefetch_rule_is_read_by_the_parser() {
    let lines = "[[server.route]]
name = \"list\"
path = \"/list\"
fresh_s = 600
[[server.route.prefetch]]
\
                 values = \"/items/*/id\"
first = 2
route = \"one\"
capture = \"id\"
\
                 [[server.route]]
name = \"one\"
path = \"/one/{id}\"
fresh_s = 600
";
    let api = Fixture::new(lines, |_| answer(200, &[("content-type", "application/json")], "{\"items\":[]}")).await;
    for _ in 0..4 {
        api.get("/list").await;
        api.get("/one/1").await;
    }
    assert_eq!(api.fast(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_long_heads_and_empty_bodies_are_left_to_the_parser() {
    let long = "x".repeat(5000);
    let api = Fixture::new("", move |seen| match seen.target.as_str() {
        "/missing" => answer(404, &[FRESH], "none"),
        "/moved" => answer(301, &[FRESH, ("location", "/a")], "there"),
        "/long" => answer(200, &[FRESH, ("x-long", &long)], "body"),
        _ => answer(200, &[FRESH], ""),
    })
    .await;
    for target in ["/missing", "/moved", "/long", "/empty"] {
        api.get(target).await;
        assert!(api.get(target).await.is_hit() && api.get(target).await.is_hit(), "{target}");
        assert_eq!(api.fast(), 0, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_an_error_or_long_is_left_to_the_parser_again() {
    let api = Fixture::new("", |_| answer(200, &[FRESH], "short")).await;
    assert_eq!(api.make_known("/a", &[]).await, "short");
    let long = "x".repeat(5000);
    api.script(move |_| answer(200, &[FRESH, ("x-long", &long)], "long"));
    api.send("PUT", "/a", &[], "").await;
    let before = api.fast();
    for _ in 0..4 {
        assert_eq!(api.get("/a").await.body, "long");
    }
    assert_eq!(api.fast(), before);
}
