//! XML and JSON: the same rows, each in its own way.

use serde_json::Value;

use crate::harness::{PlexFixture, XmlElement, rows};

const PATHS: [&str; 22] = [
    "/",
    "/library",
    "/library/sections",
    "/library/sections/1/all?includeGuids=1",
    "/library/sections/2/all?type=2",
    "/library/sections/2/all?type=4",
    "/library/sections/3/all?type=8",
    "/library/sections/3/all?type=10&includeMeta=1",
    "/library/sections/1/collections",
    "/library/metadata/1?includeChapters=1",
    "/library/metadata/31/children",
    "/library/metadata/31/allLeaves",
    "/hubs",
    "/hubs/search?query=the",
    "/library/search?query=the",
    "/playlists",
    "/status/sessions/history/all",
    "/accounts",
    "/devices",
    "/activities",
    "/media/providers",
    "/:/prefs",
];

/// Everything JSON says, XML says in its way, and the other way round.
fn same(path: &str, json: &Value, xml: &XmlElement) {
    let fields = json.as_object().expect("an object");
    for (name, value) in fields {
        let told = match value {
            Value::Array(list) => {
                let elements: Vec<&XmlElement> = of_list(xml, name);
                assert_eq!(elements.len(), list.len(), "{path}: {name}");
                for (value, element) in list.iter().zip(elements) {
                    same(path, value, element);
                }
                continue;
            }
            Value::Object(_) => {
                let [element] = of_list(xml, name)[..] else { panic!("{path}: {name} is not single") };
                same(path, value, element);
                continue;
            }
            Value::Bool(flag) => if *flag { "1" } else { "0" }.to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => panic!("{path}: {name} is null"),
        };
        assert_eq!(xml.get(name), Some(told.as_str()), "{path}: {name}");
    }
    for (name, _) in &xml.fields {
        assert!(fields.contains_key(name), "{path}: JSON lacks {name}");
    }
}

/// The elements that JSON has in the list `name`.
fn of_list<'a>(xml: &'a XmlElement, name: &str) -> Vec<&'a XmlElement> {
    let is_item = |child: &&XmlElement| {
        child.get("ratingKey").is_some() && matches!(child.name.as_str(), "Video" | "Directory" | "Track" | "Playlist")
    };
    xml.children
        .iter()
        .filter(|child| if name == "Metadata" { is_item(child) } else { child.name == name && !is_item(child) })
        .collect()
}

#[tokio::test]
async fn both_forms_tell_the_same() {
    let server = PlexFixture::quick().await;
    for path in PATHS {
        let json = server.json(path).await;
        let xml = server.get(path).xml().await;
        assert_eq!(xml.name, "MediaContainer", "{path}");
        same(path, &json, &xml);
    }
    server.done().await;
}

#[tokio::test]
async fn the_butler_has_a_root_of_its_own() {
    let server = PlexFixture::quick().await;
    assert_eq!(server.get("/butler").xml().await.name, "ButlerTasks");
    let json = server.json("/butler").await;
    assert!(json["ButlerTasks"]["ButlerTask"].as_array().is_some_and(|tasks| !tasks.is_empty()));
    assert_eq!(json["ButlerTasks"]["greenroomUser"], "olga");
    server.done().await;
}

#[tokio::test]
async fn each_kind_has_its_element_and_all_meet_in_one_list() {
    let server = PlexFixture::quick().await;
    for (section, number, element, word) in [
        (1, 1, "Video", "movie"),
        (2, 2, "Directory", "show"),
        (2, 3, "Directory", "season"),
        (2, 4, "Video", "episode"),
        (3, 8, "Directory", "artist"),
        (3, 9, "Directory", "album"),
        (3, 10, "Track", "track"),
    ] {
        let path = format!("/library/sections/{section}/all?type={number}");
        let xml = server.get(&path).xml().await;
        assert!(xml.items().count() > 0);
        assert!(xml.items().all(|item| item.name == element && item.get("type") == Some(word)), "{word}");
        assert_eq!(rows(&server.json(&path).await)[0]["type"], word);
    }
    server.done().await;
}

#[tokio::test]
async fn types_of_json_are_those_of_the_real_server() {
    let server = PlexFixture::quick().await;
    let film = &rows(&server.json("/library/metadata/1").await)[0].clone();
    assert!(film["ratingKey"].is_string() && film["librarySectionID"].is_u64() && film["year"].is_u64());
    assert!(film["rating"].is_f64() && film["addedAt"].is_u64() && film["duration"].is_u64());
    assert!(film["Media"][0]["Part"][0]["Stream"][0]["default"].is_boolean());
    let section = &server.json("/library/sections").await["Directory"][0].clone();
    assert!(section["key"].is_string() && section["refreshing"].is_boolean() && section["contentChangedAt"].is_u64());
    server.done().await;
}

#[tokio::test]
async fn only_the_seasons_of_a_show_have_a_row_for_all_episodes() {
    let server = PlexFixture::quick().await;
    let seasons = server.json("/library/metadata/31/children").await;
    assert_eq!(seasons["Directory"][0]["key"], "/library/metadata/31/allLeaves");
    assert_eq!((seasons["size"].as_u64(), rows(&seasons).len()), (Some(3), 2));
    let season = rows(&seasons)[0]["ratingKey"].as_str().unwrap();
    let episodes = server.json(&format!("/library/metadata/{season}/children")).await;
    assert!(episodes.get("Directory").is_none());
    assert_eq!(rows(&episodes).len(), 3);
    let leaves = server.json(&format!("/library/metadata/{season}/allLeaves")).await;
    assert_eq!(leaves["size"], 0);
    server.done().await;
}

#[tokio::test]
async fn answers_forbid_caching_and_carry_no_validator() {
    let server = PlexFixture::quick().await;
    for path in ["/", "/library/sections/1/all", "/library/metadata/1", "/identity"] {
        let told = server.get(path).send().await;
        assert_eq!(told.header("cache-control"), "no-cache", "{path}");
        assert_eq!(told.header("x-plex-protocol"), "1.0", "{path}");
        assert!(!told.headers.contains_key("etag") && !told.headers.contains_key("last-modified"), "{path}");
    }
    server.done().await;
}

#[tokio::test]
async fn the_same_seed_tells_the_same_and_another_does_not() {
    let (one, same, other) =
        (PlexFixture::quick().await, PlexFixture::quick().await, PlexFixture::with(|options| options.seed = 2).await);
    let path = "/library/sections/3/all?type=10&includeGuids=1";
    assert_eq!(one.get(path).send().await.body, same.get(path).send().await.body);
    assert_ne!(one.get(path).send().await.body, other.get(path).send().await.body);
    for server in [one, same, other] {
        server.done().await;
    }
}
