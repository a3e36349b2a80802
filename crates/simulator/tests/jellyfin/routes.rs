//! Old and new routes, spellings of paths, names and lists, and profiles: one thing, one answer.

use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::Value;

use crate::server::{JellyfinFixture, plain};

const SAM: UserId = UserId(2);

async fn same(server: &JellyfinFixture, one: &str, other: &str) {
    let left = plain(server.get(one).by("sam").value().await);
    let right = plain(server.get(other).by("sam").value().await);
    assert_eq!(left, right, "{one} and {other} differ");
    assert!(left != Value::Null);
}

#[tokio::test]
async fn legacy_routes_say_what_the_new_ones_say() {
    let server = JellyfinFixture::start().await;
    let sam = user_id(SAM);
    let film = server.first(MediaKind::Film);
    same(&server, &format!("/Users/{sam}/Items?recursive=true&limit=9"), "/Items?recursive=true&limit=9").await;
    same(&server, &format!("/Users/{sam}/Items/{film}"), &format!("/Items/{film}?userId={sam}")).await;
    same(&server, &format!("/Users/{sam}/Items/Latest"), "/Items/Latest").await;
    same(&server, &format!("/Users/{sam}/Items/Resume"), "/UserItems/Resume").await;
    same(&server, &format!("/Users/{sam}/Views"), &format!("/UserViews?userId={sam}")).await;
    server.leave().await;
}

#[tokio::test]
async fn the_user_of_a_legacy_path_wins_over_the_query() {
    let server = JellyfinFixture::start().await;
    let (sam, kim) = (user_id(SAM), user_id(UserId(3)));
    server.get(&format!("/Users/{sam}/Views?userId={kim}")).by("sam").expect(200).await;
    server.get(&format!("/Users/{kim}/Views?userId={sam}")).by("sam").expect(403).await;
    server.leave().await;
}

#[tokio::test]
async fn paths_and_names_have_no_case_and_ids_may_have_dashes() {
    let server = JellyfinFixture::start().await;
    same(&server, "/items?RECURSIVE=True&INCLUDEITEMTYPES=movie", "/Items?recursive=true&includeItemTypes=Movie").await;
    same(&server, "/Items/?recursive=true&limit=3", "/items?recursive=true&limit=3").await;
    let film = server.first(MediaKind::Film);
    let dashed =
        format!("{}-{}-{}-{}-{}", &film[..8], &film[8..12], &film[12..16], &film[16..20], &film[20..]).to_uppercase();
    same(&server, &format!("/ITEMS/{dashed}"), &format!("/Items/{film}")).await;
    server.leave().await;
}

#[tokio::test]
async fn comma_joined_and_repeated_lists_are_one() {
    let server = JellyfinFixture::start().await;
    same(
        &server,
        "/Items?recursive=true&includeItemTypes=Movie,Audio&fields=Path,Genres",
        "/Items?recursive=true&includeItemTypes=Movie&IncludeItemTypes=Audio&fields=Genres&fields=Path",
    )
    .await;
    server.leave().await;
}

#[tokio::test]
async fn the_case_profile_changes_the_spelling_and_nothing_else() {
    let server = JellyfinFixture::start().await;
    let target = format!("/Items?parentId={}&fields=ProviderIds&limit=2", library_id(Section::Films));
    let asked = |accept: &'static str| server.get(&target).by("sam").header("accept", accept);
    let usual = asked("application/json").send().await;
    let pascal = asked("application/json; profile=\"PascalCase\"").send().await;
    let camel = asked("application/json; profile=\"CamelCase\"").send().await;
    assert_eq!(usual.body, pascal.body);
    assert_eq!(usual.header("content-type"), "application/json; charset=utf-8");
    assert!(camel.header("content-type").contains("profile=\"CamelCase\""));
    let (usual, camel) = (usual.value(), camel.value());
    assert_eq!(usual["Items"][0]["Name"], camel["items"][0]["name"]);
    assert_eq!(usual["Items"][0]["ProviderIds"], camel["items"][0]["providerIds"]);
    assert!(camel["items"][0]["providerIds"]["Imdb"].is_string(), "keys that are data keep their case");
    server.leave().await;
}

#[tokio::test]
async fn a_base_url_stands_before_everything() {
    let server = JellyfinFixture::with(|switches| switches.base_url = "/jellyfin".into()).await;
    server.get("/System/Info/Public").expect(404).await;
    let info = server.get("/Jellyfin/System/Info/Public").value().await;
    assert!(info["LocalAddress"].as_str().expect("an address").ends_with("/jellyfin"));
    server.leave().await;
}

#[tokio::test]
async fn what_does_not_exist_is_a_problem_document() {
    let server = JellyfinFixture::start().await;
    let unknown = server.get("/Items/0123456789abcdef0123456789abcdef").by("sam").expect(404).await;
    assert!(unknown.header("content-type").starts_with("application/problem+json"));
    assert_eq!(unknown.value()["status"], 404);
    server.get("/Items/music").by("sam").expect(400).await;
    server.get("/Items?limit=many").by("sam").expect(400).await;
    server.get("/Nothing/Here").by("sam").expect(404).await;
    server.leave().await;
}
