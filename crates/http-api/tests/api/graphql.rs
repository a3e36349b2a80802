//! GraphQL: queries are reads, mutations are writes.

use super::fixture::{Bodies, ClientResponse, Fixture, answer};

const ROUTE: &str = "[[server.route]]\npath = \"/graphql\"\ngraphql = true\nfresh_s = 60\n";

async fn post(api: &Fixture, body: &str) -> ClientResponse {
    api.send("POST", "/graphql", &[("content-type", "application/json")], body).await
}

fn data(text: &str) -> String {
    format!("{{\"data\":{{\"a\":\"{text}\"}}}}")
}

#[tokio::test]
async fn a_query_in_other_words_is_served_again_and_another_one_is_not() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    assert_eq!(post(&api, r#"{"query":"query A($x:Int){a(x:$x)}","variables":{"x":1,"y":2}}"#).await.body, data("v1"));
    let same = post(&api, r#"{"variables":{"y":2,"x":1},"query":"query A ( $x: Int ) { a( x: $x ) } # again"}"#).await;
    assert_eq!((same.body, same.status), (data("v1"), 200));
    assert_eq!(post(&api, r#"{"query":"query A($x:Int){a(x:$x)}","variables":{"x":2,"y":2}}"#).await.body, data("v2"));
    assert_eq!(api.seen().len(), 2);
    assert_eq!(api.seen()[0].body, r#"{"query":"query A($x:Int){a(x:$x)}","variables":{"x":1,"y":2}}"#);
}

#[tokio::test]
async fn a_mutation_is_never_stored_and_makes_queries_stale() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    let (query, mutation) = (r#"{"query":"{a}"}"#, r#"{"query":"mutation{b}"}"#);
    assert_eq!(post(&api, query).await.body, data("v1"));
    assert_eq!((post(&api, mutation).await.body, post(&api, mutation).await.body), (data("v2"), data("v3")));
    assert_eq!(post(&api, query).await.body, data("v4"));
}

#[tokio::test]
async fn errors_never_replace_good_data() {
    let lines = format!("{ROUTE}error_s = 3600\n").replace("fresh_s = 60", "fresh_s = 0");
    let api = Fixture::new(&lines, |_| answer(200, &[], data("good"))).await;
    let query = r#"{"query":"{a}"}"#;
    post(&api, query).await;
    api.script(|_| answer(200, &[], r#"{"data":null,"errors":[{"message":"no"}]}"#));
    assert_eq!(post(&api, query).await.body, data("good"));
    let other = post(&api, r#"{"query":"{b}"}"#).await;
    assert!(other.body.contains("errors"), "without good data the errors are passed on");
}

#[tokio::test]
async fn partial_data_is_passed_and_not_kept() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| {
        let body = format!("{{\"data\":{{\"a\":\"{}\"}},\"errors\":[{{\"message\":\"half\"}}]}}", bodies.next());
        answer(200, &[], body)
    })
    .await;
    assert!(post(&api, r#"{"query":"{a}"}"#).await.body.contains("v1"));
    assert!(post(&api, r#"{"query":"{a}"}"#).await.body.contains("v2"));
}

#[tokio::test]
async fn a_mutation_that_returns_an_object_makes_only_its_queries_stale() {
    let bodies = Bodies::default();
    let lines = format!("{ROUTE}tag_objects = true\n");
    let api = Fixture::new(&lines, move |seen| {
        let id = if seen.body.contains("two") { 2 } else { 1 };
        answer(
            200,
            &[],
            format!("{{\"data\":{{\"p\":{{\"__typename\":\"P\",\"id\":{id},\"v\":\"{}\"}}}}}}", bodies.next()),
        )
    })
    .await;
    let (one, two) = (r#"{"query":"{one}"}"#, r#"{"query":"{two}"}"#);
    assert!(post(&api, one).await.body.contains("v1") && post(&api, two).await.body.contains("v2"));
    post(&api, r#"{"query":"mutation{one}"}"#).await;
    assert!(post(&api, one).await.body.contains("v4"));
    assert!(post(&api, two).await.body.contains("v2"));
}

#[tokio::test]
async fn each_operation_has_its_own_lifetime_and_each_identity_its_own_answers() {
    let bodies = Bodies::default();
    let lines = "[[server.route]]\npath = \"/graphql\"\ngraphql = true\n[server.route.operations.Menu]\nfresh_s = 60\n";
    let api = Fixture::new(lines, move |_| answer(200, &[("cache-control", "no-store")], data(&bodies.next()))).await;
    let (menu, other) = (r#"{"query":"query Menu{a}"}"#, r#"{"query":"query Other{a}"}"#);
    assert_eq!((post(&api, menu).await.body, post(&api, menu).await.body), (data("v1"), data("v1")));
    assert_eq!((post(&api, other).await.body, post(&api, other).await.body), (data("v2"), data("v3")));
    let mine = api.send("POST", "/graphql", &[("authorization", "me")], menu).await;
    assert_eq!(mine.body, data("v4"));
}

#[tokio::test]
async fn a_mutation_with_errors_makes_all_queries_of_its_route_stale() {
    let bodies = Bodies::default();
    let lines = format!("{ROUTE}tag_objects = true\n");
    let api = Fixture::new(&lines, move |seen| {
        if seen.body.contains("mutation") {
            let partial = r#"{"data":{"p":{"__typename":"P","id":9}},"errors":[{"message":"half"}]}"#;
            return answer(200, &[], partial);
        }
        answer(200, &[], data(&bodies.next()))
    })
    .await;
    let query = r#"{"query":"{a}"}"#;
    assert_eq!((post(&api, query).await.body, post(&api, query).await.body), (data("v1"), data("v1")));
    post(&api, r#"{"query":"mutation{b}"}"#).await;
    assert_eq!(post(&api, query).await.body, data("v2"));
}

#[tokio::test]
async fn queries_of_other_addresses_differ_and_a_mutation_at_any_of_them_counts_for_all() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    let query = r#"{"query":"{a}"}"#;
    let read = async |target: &str| api.send("POST", target, &[], query).await.body;
    assert_eq!((read("/graphql?lang=de").await, read("/graphql?lang=en").await), (data("v1"), data("v2")));
    assert_eq!(read("/graphql?lang=de").await, data("v1"));
    api.send("POST", "/graphql?op=Set", &[], r#"{"query":"mutation{b}"}"#).await;
    assert_eq!((read("/graphql?lang=de").await, read("/graphql?lang=en").await), (data("v4"), data("v5")));
}

#[tokio::test]
async fn a_get_that_is_not_understood_invalidates_nothing() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    let query = r#"{"query":"{a}"}"#;
    assert_eq!(post(&api, query).await.body, data("v1"));
    for target in ["/graphql", "/graphql?extensions=%7B%22persistedQuery%22:%7B%7D%7D", "/graphql?query=%7B"] {
        api.get(target).await;
    }
    assert_eq!(post(&api, query).await.body, data("v1"));
    assert_eq!(api.seen().len(), 4);
}

#[tokio::test]
async fn a_request_that_is_too_long_is_passed_as_a_write_and_counted() {
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    let (query, long) = (r#"{"query":"{a}"}"#, format!(r#"{{"query":"{{a}} #{}"}}"#, "x".repeat(1024 * 1024)));
    assert_eq!(post(&api, query).await.body, data("v1"));
    assert_eq!((post(&api, &long).await.body, post(&api, &long).await.body), (data("v2"), data("v3")));
    assert_eq!(post(&api, query).await.body, data("v4"), "it may have been a mutation");
    let counts = api.server.limits.counters.counts();
    assert!(counts.contains(&("body-length", 2)), "{counts:?}");
    assert_eq!(api.seen()[1].body, long);
}

#[tokio::test]
async fn a_document_of_many_brackets_is_passed_and_not_parsed() {
    let api = Fixture::new(ROUTE, |_| answer(400, &[], "no")).await;
    for open in ["{a(x:[", "[", "{", "{a(x:{b:"] {
        let body = serde_json::json!({ "query": format!("{{a(x:{}", open.repeat(20_000)) }).to_string();
        assert_eq!(post(&api, &body).await.status, 400, "{open}");
    }
}

#[tokio::test]
async fn a_hash_in_place_of_a_document_is_the_same_query_once_the_document_is_known() {
    const HASH: &str = "a2a0b1dfdec8a8c03b2eaff2e2ae3b1f2b0d4fd6a4b6b7f7c9a0b0f0a0e0d0c0";
    let hash = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, b"{a}").as_ref());
    let bodies = Bodies::default();
    let api = Fixture::new(ROUTE, move |_| answer(200, &[], data(&bodies.next()))).await;
    let extensions = |hash: &str| format!(r#""extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}"#);
    let alone = format!("{{{}}}", extensions(&hash));
    assert_eq!((post(&api, &alone).await.body, post(&api, &alone).await.body), (data("v1"), data("v2")));
    assert_eq!(post(&api, &format!("{{\"query\":\"{{a}}\",{}}}", extensions(&hash))).await.body, data("v3"));
    assert_eq!((post(&api, &alone).await.body, post(&api, &alone).await.body), (data("v3"), data("v3")));
    let encoded =
        extensions(&hash).replace("\"extensions\":", "").replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    assert_eq!(api.get(&format!("/graphql?extensions={encoded}")).await.body, data("v3"), "a GET meets the POST");
    assert_eq!(post(&api, &format!("{{{}}}", extensions(HASH))).await.body, data("v4"), "another hash is unknown");
}
