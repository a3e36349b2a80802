//! Every path there is, walked: what is described is there, what is there is described, and the guards stand before
//! all of it.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::super::{openapi, paths};
use super::*;

/// Every operation that is described, with its path.
fn described() -> Vec<(Method, String)> {
    let mut description = paths::description().clone();
    let operations = description.paths.paths.iter_mut().flat_map(|(path, item)| {
        let of = |(method, _)| (method, path.clone());
        openapi::operations(item).map(of).collect::<Vec<_>>()
    });
    operations.collect()
}

/// A path that can be asked for: every hole is filled.
fn filled(path: &str) -> String {
    path.replace("{id}", "home:3").replace("{name}", "weekly").replace("{server}", "home")
}

/// Every path the router knows, by its own account, the page's too.
fn routed() -> BTreeSet<String> {
    let told = format!("{:?}", paths::everything());
    let quoted = told.split("RouteId(").skip(1).filter_map(|rest| {
        let path = rest.split_once("): \"")?.1.split('"').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    quoted.filter(|path| !path.contains("{*")).collect()
}

#[tokio::test]
async fn what_is_described_is_what_is_there_method_by_method() {
    let house = House::new();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in described() {
        let methods = expected.entry(path).or_default();
        methods.insert(method.to_string());
        if method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    for path in super::super::page::paths() {
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
    let mut description = paths::description().clone();
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

#[tokio::test]
async fn the_description_is_served_and_says_where_it_is() {
    let house = House::new();
    let served = house.get("/api/v1/openapi.json").await;
    assert_eq!(served.text, super::super::description());
    assert!(served.json()["servers"].is_null());
    let moved = House::told("base_path = \"/greenroom\"").get("/api/v1/openapi.json").await;
    assert_eq!(moved.json()["servers"][0]["url"], "/greenroom");
}
