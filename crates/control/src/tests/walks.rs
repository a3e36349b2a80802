//! Every path is routed and described, and no other.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use utoipa::openapi::path::ParameterIn;

use serde_json::Value;

use super::fixture::{ApiTestResponse, BEARER, ControlFixture, JSON, LOCAL, files_below};
use crate::router::openapi;
use crate::router::openapi::as_json;
use crate::{router, web};

/// Every described operation, with its path.
pub(super) fn described() -> Vec<(Method, String)> {
    let mut description = router::description().clone();
    let operations = description.paths.paths.iter_mut().flat_map(|(path, item)| {
        let of = |(method, _)| (method, path.clone());
        openapi::operations(item).map(of).collect::<Vec<_>>()
    });
    operations.collect()
}

/// The path with every parameter filled in.
pub(super) fn filled(path: &str) -> String {
    path.replace("{id}", "home:3").replace("{name}", "weekly").replace("{server}", "home")
}

/// Every path of the router, including those of the page.
fn routed() -> BTreeSet<String> {
    let told = format!("{:?}", router::unguarded_router());
    let quoted = told.split("RouteId(").skip(1).filter_map(|rest| {
        let path = rest.split_once("): \"")?.1.split('"').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    quoted.filter(|path| !path.contains("{*")).collect()
}

#[tokio::test]
async fn what_is_described_is_what_is_there_method_by_method() {
    let house = ControlFixture::new();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in described() {
        let methods = expected.entry(path).or_default();
        methods.insert(method.to_string());
        if method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    for path in web::paths() {
        expected.insert(path.to_owned(), ["GET", "HEAD"].map(str::to_owned).into());
    }
    let routed = routed();
    assert!(routed.len() > 30, "the router tells of its paths in another way now: {routed:?}");
    assert_eq!(routed, expected.keys().cloned().collect());
    for (path, methods) in expected {
        let answer = house.ask("PROPFIND", &filled(&path), &[LOCAL, BEARER], "").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "wrong-method"), "{path}");
        let allowed = answer.headers["allow"].to_str().expect("text");
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_is_for() {
    let mut description = router::description().clone();
    let mut names = BTreeSet::new();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let name = operation.operation_id.clone().expect("it has a name");
            assert!(names.insert(name), "{method} {path}");
            let summary = operation.summary.as_deref().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} has no doc comment");
            for status in operation.responses.responses.keys() {
                assert!(status.parse::<u16>().is_ok(), "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn whatever_the_description_refers_to_is_in_it() {
    fn refer(value: &Value, description: &Value, found: &mut usize) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(to)) = object.get("$ref") {
                    let pointer = to.strip_prefix('#').expect("it refers to itself");
                    assert!(description.pointer(pointer).is_some(), "{to}");
                    *found += 1;
                }
                object.values().for_each(|value| refer(value, description, found));
            }
            Value::Array(values) => values.iter().for_each(|value| refer(value, description, found)),
            _ => {}
        }
    }
    let description = serde_json::from_str(as_json()).expect("it is JSON");
    let mut found = 0;
    refer(&description, &description, &mut found);
    assert!(found > 100, "{found}");
    assert!(!as_json().contains("u-int"));
}

#[tokio::test]
async fn the_description_is_served_and_says_where_it_is() {
    let house = ControlFixture::new();
    let served = house.get("/api/v1/openapi.json").await;
    assert_eq!(served.text, as_json());
    assert!(served.json()["servers"].is_null());
    let moved = ControlFixture::with_config("base_path = \"/greenroom\"").get("/api/v1/openapi.json").await;
    assert_eq!(moved.json()["servers"][0]["url"], "/greenroom");
}

#[tokio::test]
async fn whatever_cannot_be_understood_is_a_problem_that_says_what_to_do() {
    let house = ControlFixture::new();
    let with = [LOCAL, BEARER, JSON];
    let huge = "x".repeat(20 << 20);
    let mut description = router::description().clone();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let named = |status: u16, answer: &ApiTestResponse, what: &str| {
                assert_eq!(answer.status.as_u16(), status, "{what}: {method} {path}: {}", answer.text);
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}: {method} {path}");
                let problem = answer.json();
                assert_eq!(problem["type"], format!("urn:greenroom:problem:{}", answer.code()));
                let detail = problem["detail"].as_str().expect("it says what to do");
                assert!(detail.len() > 15, "{what}: {method} {path}: {detail}");
            };
            let method = method.as_str();
            if path.contains('{') {
                let odd = path.replace("{id}", "%FF%FE").replace("{name}", "%FF");
                named(400, &house.ask(method, &odd, &with, "{}").await, "no UTF-8");
                let long = path.replace("{id}", &"9".repeat(4000)).replace("{name}", &"9".repeat(4000));
                let body = if path == "/api/v1/libraries/{id}" { r#"{"enabled":true}"# } else { "" };
                named(404, &house.ask(method, &long, &with, body).await, "an absurd id");
            }
            let query = operation.parameters.iter().flatten().any(|one| one.parameter_in == ParameterIn::Query);
            // Compatibility paths ignore unknown parameters.
            let is_strict = path.starts_with("/api/v1/");
            if query && is_strict {
                let odd = filled(path) + "?no_such_key=1";
                named(400, &house.ask(method, &odd, &with, "{}").await, "an unknown key");
            }
            if operation.request_body.is_some() {
                let target = filled(path);
                let media_type = if path.ends_with("/decisions") { "application/x-ndjson" } else { "application/json" };
                let typed = [LOCAL, BEARER, ("content-type", media_type)];
                named(413, &house.ask(method, &target, &typed, &huge).await, "too long");
                for body in
                    ["{\"no_such_key\":1}", "{", "[1]", "\u{0}", "\"text\""].iter().skip(usize::from(!is_strict))
                {
                    let answer = house.ask(method, &target, &typed, body).await;
                    // A full body differs from a malformed sync request by its status.
                    let is_document = path == "/api/v1/playlists/sync" && answer.status == 422;
                    named(if is_document { 422 } else { 400 }, &answer, body);
                }
                if path != "/api/v1/playlists/sync" {
                    let other = [LOCAL, BEARER, ("content-type", "text/html")];
                    named(415, &house.ask(method, &target, &other, "{}").await, "another kind");
                }
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_is_and_options_tells_nothing_to_other_pages() {
    let house = ControlFixture::new();
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        let (got, head) = (
            house.send("GET", &filled(&path), &[LOCAL], "").await,
            house.ask("HEAD", &filled(&path), &[LOCAL], "").await,
        );
        assert_eq!((got.status(), ""), (head.status, head.text.as_str()), "{path}");
        assert_eq!(got.headers().get("content-type"), head.headers.get("content-type"), "{path}");
        let asked_by_page = [LOCAL, ("origin", "http://evil.example"), ("access-control-request-method", "POST")];
        let refused = house.ask("OPTIONS", &filled(&path), &asked_by_page, "").await;
        assert_eq!(refused.code(), "foreign-page", "{path}");
        assert!(!refused.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        assert_eq!(house.ask("OPTIONS", &filled(&path), &[LOCAL, BEARER], "").await.status, 405, "{path}");
    }
}

/// Of two body types with one name, the document would silently hold only one.
#[test]
fn every_body_that_is_described_has_a_name_of_its_own() {
    let sources = files_below(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (file, bytes) in
        sources.iter().filter(|(file, _)| std::path::Path::new(file).extension().is_some_and(|end| end == "rs"))
    {
        let text = String::from_utf8_lossy(bytes);
        for rest in text.split("#[derive(").skip(1).filter(|rest| {
            rest.split(")]").next().is_some_and(|derived| derived.split([',', ' ']).any(|word| word == "ToSchema"))
        }) {
            let head = rest.split(['{', ';']).next().unwrap_or_default();
            let alias = head.split("schema(as = ").nth(1).and_then(|rest| rest.split([',', ')']).next());
            let word = |kind: &str| head.split(kind).nth(1).and_then(|rest| rest.split([' ', '<', '\n']).next());
            let name = alias.or_else(|| word("struct ")).or_else(|| word("enum ")).expect("a type").to_owned();
            if let Some(other) = names.insert(name.clone(), file.clone()) {
                panic!("{name} is in {file} and in {other}; say #[schema(as = …)] at one of them");
            }
        }
    }
    assert!(names.len() > 60, "types are described in another way now: {names:?}");
}
