//! Users' watching, and mutations of it.

use serde_json::{Value, json};

use crate::harness::GraphQlFixture;

const RESUME: &str = "query Resume($first: Int, $after: String) { resumeWatching(first: $first, after: $after) {
    edges { cursor node { guid watchData { positionS watched } project { slug } } } pageInfo { hasNextPage endCursor } } }";

#[tokio::test]
async fn what_was_left_in_the_middle_is_listed_in_pages() {
    let server = GraphQlFixture::with(|options| options.size.shows = 20).await;
    let first = server.data(RESUME, json!({"first": 10})).await["resumeWatching"].clone();
    let edges = first["edges"].as_array().unwrap();
    let projects: std::collections::BTreeSet<_> =
        edges.iter().map(|edge| edge["node"]["project"]["slug"].to_string()).collect();
    assert_eq!((edges.len(), projects.len(), &first["pageInfo"]["hasNextPage"]), (10, 10, &json!(true)));
    assert!(edges.iter().all(|edge| edge["node"]["watchData"]["positionS"].as_u64().unwrap() > 0));
    let rest = server.data(RESUME, json!({"first": 100, "after": first["pageInfo"]["endCursor"]})).await;
    assert_eq!(rest["resumeWatching"]["pageInfo"]["hasNextPage"], false);
    assert!(rest["resumeWatching"]["edges"].as_array().unwrap().iter().all(|edge| !edges.contains(edge)));
    server.done().await;
}

#[tokio::test]
async fn a_mutation_changes_what_its_user_sees_and_nobody_else() {
    let server = GraphQlFixture::quick().await;
    let others = server.data_of("gql-sam", RESUME, json!({"first": 50})).await;
    let before = server.data(RESUME, json!({"first": 50})).await;
    let guid = before["resumeWatching"]["edges"][0]["node"]["guid"].clone();
    let mark = "mutation Mark($guid: ID!) { markWatched(guid: $guid, watched: true) { watchData { watched } } }";
    let marked = server.data(mark, json!({"guid": guid})).await;
    assert_eq!(marked["markWatched"]["watchData"]["watched"], true);
    let listed = |data: &Value| data["resumeWatching"].to_string().contains(guid.as_str().unwrap());
    assert!(!listed(&server.data(RESUME, json!({"first": 50})).await));
    let set = "mutation($guid: ID!) { setWatchPosition(guid: $guid, positionS: 120) { watchData { positionS } } }";
    assert_eq!(server.data(set, json!({"guid": guid})).await["setWatchPosition"]["watchData"]["positionS"], 120);
    assert!(listed(&server.data(RESUME, json!({"first": 50})).await));
    server.data("mutation($guid: ID!) { removeFromResume(guid: $guid) { guid } }", json!({"guid": guid})).await;
    assert!(!listed(&server.data(RESUME, json!({"first": 50})).await));
    assert_eq!(server.data_of("gql-sam", RESUME, json!({"first": 50})).await, others);
    server.done().await;
}

#[tokio::test]
async fn without_a_token_the_catalogue_is_open_and_the_user_state_is_not() {
    let server = GraphQlFixture::quick().await;
    let document = "{ me { name } projects { name } resumeWatching { edges { cursor } } }";
    let (status, body) = server.post(None, &json!({"query": document})).await;
    assert_eq!((status, &body["data"]["me"], &body["data"]["resumeWatching"]), (200, &Value::Null, &Value::Null));
    assert_eq!(body["data"]["projects"].as_array().unwrap().len(), 34);
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(body["errors"][0]["path"], json!(["resumeWatching"]));
    assert_eq!(body["extensions"]["greenroomUser"], "anonymous");
    for token in ["wrong", "gql-key"] {
        assert_eq!(server.post(Some(token), &json!({"query": document})).await.0, 401);
    }
    server.running.revoke_token("sam");
    assert_eq!(server.post(Some("gql-sam"), &json!({"query": document})).await.0, 401);
    let closed = GraphQlFixture::with(|options| options.switches.public_catalogue = false).await;
    assert_eq!(closed.post(None, &json!({"query": document})).await.0, 401);
    closed.done().await;
    server.done().await;
}
