//! Forms of a request, errors, faults and counts.

use greenroom_simulator_backend::class::RequestClass;
use greenroom_simulator_backend::faults::Fault;
use http::Method;
use serde_json::{Value, json};

use crate::harness::GraphQlFixture;

const MENU: &str = "query Menu { projects { name } }";

#[tokio::test]
async fn get_post_batch_and_hash_give_the_same_data() {
    let server = GraphQlFixture::quick().await;
    let data = server.data("query Me { me { name } }", Value::Null).await;
    let target = "/graphql?query=query+Me+%7B+me+%7B+name+%7D+%7D&operationName=Me&variables=%7B%7D";
    let (status, _, body) = server.send(Method::GET, target, Some("gql-owner-a"), "").await;
    assert_eq!((status, &serde_json::from_slice::<Value>(&body).unwrap()["data"]), (200, &data));
    let both = json!([{"query": "query Me { me { name } }"}, {"query": MENU}]);
    let (_, batch) = server.post(Some("gql-owner-a"), &both).await;
    assert_eq!((&batch[0]["data"], batch.as_array().unwrap().len()), (&data, 2));
    let hash = "5ab3bbb8cf22ae1a5e9d8ff5f1a20fbd21d38f2c7e0d0f7d0a5f3a7e0a0a0a0a";
    let by_hash = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}});
    let (status, body) = server.post(Some("gql-owner-a"), &by_hash).await;
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (200, &json!("PERSISTED_QUERY_NOT_FOUND")));
    let mut wrong = by_hash.clone();
    wrong["query"] = MENU.into();
    assert_eq!(server.post(None, &wrong).await.0, 400, "the hash of another document");
    let digest = ring::digest::digest(&ring::digest::SHA256, b"query Me { me { name } }");
    let hash = data_encoding::HEXLOWER.encode(digest.as_ref());
    let mut known = json!({"query": "query Me { me { name } }"});
    known["extensions"]["persistedQuery"]["sha256Hash"] = hash.into();
    assert_eq!(server.post(Some("gql-owner-a"), &known).await.1["data"], data);
    known.as_object_mut().unwrap().remove("query");
    assert_eq!(server.post(Some("gql-owner-a"), &known).await.1["data"], data);
    server.done().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_refused_and_changes_nothing() {
    let server = GraphQlFixture::quick().await;
    let seq = server.running.state().seq();
    for body in [
        json!({}),
        json!([]),
        json!({"query": "{ me {"}),
        json!({"query": "{ nothing }"}),
        json!({"query": "{ me }"}),
        json!({"query": "{ projects { name { deeper } unknown } }"}),
        json!({"query": "query A($slug: String!) { project(slug: $slug) { name } }"}),
        json!({"query": "subscription { me { name } }"}),
        json!({"query": MENU, "operationName": "Other"}),
    ] {
        let (status, answer) = server.post(Some("gql-owner-a"), &body).await;
        assert_eq!((status, answer["errors"].is_array(), &answer["data"]), (400, true, &Value::Null), "{body}");
    }
    let target = "/graphql?query=mutation+%7BmarkWatched(guid:%22x%22,watched:true)%7Bguid%7D%7D";
    assert_eq!(server.send(Method::GET, target, Some("gql-owner-a"), "").await.0, 405);
    assert_eq!(server.send(Method::PUT, "/graphql", None, "{}").await.0, 405);
    assert_eq!(server.send(Method::POST, "/graphql", None, "no json").await.0, 400);
    assert_eq!(server.running.state().seq(), seq);
    server.done().await;
}

#[tokio::test]
async fn operations_fail_as_told_whole_or_in_part() {
    let server = GraphQlFixture::quick().await;
    let rule = |text: &'static str| server.send(Method::PUT, "/__simulator/operation-errors", None, text);
    assert_eq!(rule("{\"operation\": \"Menu\", \"times\": 1}").await.0, 204);
    let (status, other) = server.post(None, &json!({"query": "query Other { projects { name } }"})).await;
    assert_eq!((status, &other["errors"]), (200, &Value::Null));
    let (status, whole) = server.post(None, &json!({"query": MENU})).await;
    assert_eq!((status, whole["errors"].is_array(), whole.get("data")), (200, true, None));
    assert_eq!(server.post(None, &json!({"query": MENU})).await.1["errors"], Value::Null);
    assert_eq!(rule("{\"partial\": true}").await.0, 204);
    let (_, partial) = server.post(None, &json!({"query": MENU})).await;
    assert!(partial["errors"].is_array() && partial["data"]["projects"].is_array());
    assert_eq!(server.send(Method::DELETE, "/__simulator/operation-errors", None, "").await.0, 204);
    assert_eq!(server.post(None, &json!({"query": MENU})).await.1["errors"], Value::Null);
    assert_eq!(rule("{\"unknown\": 1}").await.0, 400);
    server.done().await;
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_without_their_token() {
    let server = GraphQlFixture::quick().await;
    server.data(MENU, Value::Null).await;
    server.data("mutation Gone($g: ID!) { __typename }", json!({"g": "1"})).await;
    server.send(Method::GET, "/status", None, "").await;
    let log = server.running.request_log();
    let targets: Vec<String> = log.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/graphql#Menu", "/graphql#Gone", "/status"]);
    assert_eq!(log.by_token()["owner-a"], 2);
    let count = |class| log.count_of_class(class);
    assert_eq!((count(RequestClass::List), count(RequestClass::Write), count(RequestClass::Identity)), (1, 1, 1));
    server.running.faults().set_for("/graphql", Fault::Status(502));
    assert_eq!(server.send(Method::POST, "/graphql", None, "{}").await.0, 502);
    server.done().await;
}
