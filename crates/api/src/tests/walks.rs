//! The OpenAPI document describes exactly the routed operations, and each rejects malformed requests properly.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use utoipa::openapi::path::ParameterIn;

use serde_json::Value;

use super::fixture::{ApiTestResponse, BEARER, ControlFixture, JSON, LOCAL, files_under};
use crate::router;
use crate::router::openapi;
use crate::router::openapi::as_json;
use greenroom_control::web;

/// Every operation of the OpenAPI document: method and path.
pub(super) fn documented_operations() -> Vec<(Method, String)> {
    let mut description = router::description().clone();
    let operations = description.paths.paths.iter_mut().flat_map(|(path, item)| {
        let with_path = |(method, _)| (method, path.clone());
        openapi::operations(item).map(with_path).collect::<Vec<_>>()
    });
    operations.collect()
}

/// The path with a value for every parameter.
pub(super) fn fill_path(path: &str) -> String {
    let path = path.replace("{id}", "home:3").replace("{name}", "weekly").replace("{server}", "home");
    path.replace("{cache}", "worker").replace("{key}", "a%2Fb")
}

/// Every path of the router, including those of the web page.
fn routed_paths() -> BTreeSet<String> {
    let debug_text = format!("{:?}", router::unguarded_router());
    let paths = debug_text.split("RouteId(").skip(1).filter_map(|rest| {
        let path = rest.split_once("): \"")?.1.split('"').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    paths.filter(|path| !path.contains("{*")).collect()
}

#[tokio::test]
async fn the_openapi_document_lists_exactly_the_routed_methods() {
    let fixture = ControlFixture::new();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in documented_operations() {
        let methods = expected.entry(path).or_default();
        methods.insert(method.to_string());
        if method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    for path in web::paths() {
        expected.insert(path.to_owned(), ["GET", "HEAD"].map(str::to_owned).into());
    }
    let routed_paths = routed_paths();
    assert!(routed_paths.len() > 30, "too few paths found in the router's debug output: {routed_paths:?}");
    assert_eq!(routed_paths, expected.keys().cloned().collect());
    for (path, methods) in expected {
        let response = fixture.request("PROPFIND", &fill_path(&path), &[LOCAL, BEARER], "").await;
        assert_eq!((response.status.as_u16(), response.code().as_str()), (405, "wrong-method"), "{path}");
        let allowed = response.headers["allow"].to_str().expect("text");
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[test]
fn every_operation_has_a_unique_id_and_a_summary() {
    let mut description = router::description().clone();
    let mut names = BTreeSet::new();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let name = operation.operation_id.clone().expect("an operation id");
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
fn every_reference_of_the_document_resolves() {
    fn count_references(value: &Value, description: &Value, found: &mut usize) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(target)) = object.get("$ref") {
                    let pointer = target.strip_prefix('#').expect("a local reference");
                    assert!(description.pointer(pointer).is_some(), "{target}");
                    *found += 1;
                }
                object.values().for_each(|value| count_references(value, description, found));
            }
            Value::Array(values) => values.iter().for_each(|value| count_references(value, description, found)),
            _ => {}
        }
    }
    let description = serde_json::from_str(as_json()).expect("valid JSON");
    let mut found = 0;
    count_references(&description, &description, &mut found);
    assert!(found > 100, "{found}");
    assert!(!as_json().contains("u-int"));
}

#[tokio::test]
async fn the_document_is_served_with_the_base_path() {
    let fixture = ControlFixture::new();
    let document = fixture.get("/api/v1/openapi.json").await;
    assert_eq!(document.text, as_json());
    assert!(document.json()["servers"].is_null());
    let prefixed = ControlFixture::with_config("base_path = \"/greenroom\"").get("/api/v1/openapi.json").await;
    assert_eq!(prefixed.json()["servers"][0]["url"], "/greenroom");
}

#[tokio::test]
async fn malformed_input_gets_a_problem_with_a_detail() {
    let fixture = ControlFixture::new();
    let json_headers = [LOCAL, BEARER, JSON];
    let huge = "x".repeat(20 << 20);
    let mut description = router::description().clone();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let assert_problem = |status: u16, response: &ApiTestResponse, case: &str| {
                assert_eq!(response.status.as_u16(), status, "{case}: {method} {path}: {}", response.text);
                assert_eq!(response.headers["content-type"], "application/problem+json", "{case}: {method} {path}");
                let problem = response.json();
                assert_eq!(problem["type"], format!("urn:greenroom:problem:{}", response.code()));
                let detail = problem["detail"].as_str().expect("a detail");
                assert!(detail.len() > 15, "{case}: {method} {path}: {detail}");
            };
            let method = method.as_str();
            if path.contains('{') {
                let odd_target = path.replace("{id}", "%FF%FE").replace("{name}", "%FF");
                let odd_target = odd_target.replace("{cache}", "%FF").replace("{key}", "%FF");
                assert_problem(400, &fixture.request(method, &odd_target, &json_headers, "{}").await, "invalid UTF-8");
                let long_target = path.replace("{id}", &"9".repeat(4000)).replace("{name}", &"9".repeat(4000));
                let long_target = long_target.replace("{cache}", &"9".repeat(4000)).replace("{key}", "a");
                let body = if path == "/api/v1/libraries/{id}" { r#"{"enabled":true}"# } else { "" };
                assert_problem(404, &fixture.request(method, &long_target, &json_headers, body).await, "an unknown id");
            }
            let has_query =
                operation.parameters.iter().flatten().any(|parameter| parameter.parameter_in == ParameterIn::Query);
            // Compatibility paths ignore unknown parameters.
            let is_strict = path.starts_with("/api/v1/");
            if has_query && is_strict {
                let odd_target = fill_path(path) + "?no_such_key=1";
                assert_problem(400, &fixture.request(method, &odd_target, &json_headers, "{}").await, "an unknown key");
            }
            if operation.request_body.is_some() {
                let target = fill_path(path);
                let media_type = if path.ends_with("/decisions") { "application/x-ndjson" } else { "application/json" };
                let headers = [LOCAL, BEARER, ("content-type", media_type)];
                assert_problem(413, &fixture.request(method, &target, &headers, &huge).await, "too long");
                // A value may be anything.
                let takes_any_body = path == "/api/v1/caches/{cache}/entries/{key}";
                for body in ["{\"no_such_key\":1}", "{", "[1]", "\u{0}", "\"text\""].iter().skip(if takes_any_body {
                    5
                } else {
                    usize::from(!is_strict)
                }) {
                    let response = fixture.request(method, &target, &headers, body).await;
                    // A sync request may have the playlist itself as body, whose errors have another status.
                    let is_playlist_error = path == "/api/v1/playlists/sync" && response.status == 422;
                    assert_problem(if is_playlist_error { 422 } else { 400 }, &response, body);
                }
                if path != "/api/v1/playlists/sync" && !takes_any_body {
                    let other = [LOCAL, BEARER, ("content-type", "text/html")];
                    assert_problem(415, &fixture.request(method, &target, &other, "{}").await, "another content type");
                }
            }
        }
    }
}

#[tokio::test]
async fn head_matches_get_and_options_reveals_nothing_to_other_origins() {
    let fixture = ControlFixture::new();
    for (_, path) in documented_operations().into_iter().filter(|(method, _)| *method == Method::GET) {
        let (get, head) = (
            fixture.send("GET", &fill_path(&path), &[LOCAL], "").await,
            fixture.request("HEAD", &fill_path(&path), &[LOCAL], "").await,
        );
        assert_eq!((get.status(), ""), (head.status, head.text.as_str()), "{path}");
        assert_eq!(get.headers().get("content-type"), head.headers.get("content-type"), "{path}");
        let preflight = [LOCAL, ("origin", "http://evil.example"), ("access-control-request-method", "POST")];
        let denial = fixture.request("OPTIONS", &fill_path(&path), &preflight, "").await;
        assert_eq!(denial.code(), "foreign-page", "{path}");
        assert!(!denial.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        assert_eq!(fixture.request("OPTIONS", &fill_path(&path), &[LOCAL, BEARER], "").await.status, 405, "{path}");
    }
}

/// If two body types had one name, the document would silently contain only one of them.
#[test]
fn every_described_body_type_has_a_unique_name() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of_the_api = ["api", "control", "dashboard-api", "library-api"];
    let sources: Vec<_> = of_the_api.iter().flat_map(|name| files_under(&crates.join(name).join("src"))).collect();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (file, bytes) in sources
        .iter()
        .filter(|(file, _)| std::path::Path::new(file).extension().is_some_and(|extension| extension == "rs"))
    {
        let text = String::from_utf8_lossy(bytes);
        for rest in text.split("#[derive(").skip(1).filter(|rest| {
            rest.split(")]").next().is_some_and(|derived| derived.split([',', ' ']).any(|name| name == "ToSchema"))
        }) {
            let head = rest.split(['{', ';']).next().unwrap_or_default();
            let alias = head.split("schema(as = ").nth(1).and_then(|rest| rest.split([',', ')']).next());
            let after = |kind: &str| head.split(kind).nth(1).and_then(|rest| rest.split([' ', '<', '\n']).next());
            let name = alias.or_else(|| after("struct ")).or_else(|| after("enum ")).expect("a type").to_owned();
            if let Some(other) = names.insert(name.clone(), file.clone()) {
                panic!("{name} is in {file} and in {other}; add #[schema(as = …)] to one of them");
            }
        }
    }
    assert!(names.len() > 60, "too few described types found: {names:?}");
}
