//! The crates may know each other only along the allowed arrows.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Who may know whom. A crate that is not named here may not exist.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("greenroom", &["greenroom-cache", "greenroom-library", "greenroom-simulator", "greenroom-upstream"]),
    ("greenroom-bench", &[]),
    ("greenroom-cache", &[]),
    ("greenroom-library", &[]),
    ("greenroom-simulator", &[]),
    ("greenroom-upstream", &["greenroom-library"]),
];

/// Names that say nothing about what is inside.
const BANNED: [&str; 6] = ["common", "core", "utils", "types", "helpers", "prelude"];

/// What a crate must never see, whoever wants to add it.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("greenroom-cache", &["http", "hyper", "axum"]),
    ("greenroom-library", &["tokio", "http", "hyper", "axum", "rusqlite"]),
    ("greenroom-upstream", &["axum", "hyper", "tokio", "rusqlite"]),
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata speaks JSON");
    metadata["packages"].as_array().expect("there are packages").clone()
}

fn dependencies(package: &Value, kind: Option<&str>) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("a list").iter();
    all.filter(|dependency| kind.is_none() || dependency["kind"].as_str() != kind)
        .filter_map(|dependency| dependency["name"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_know_each_other_only_along_the_allowed_arrows() {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(names, ALLOWED.iter().map(|(name, _)| *name).collect());
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).expect("it is in the list").1;
        for dependency in dependencies(package, None).iter().filter(|other| other.starts_with("greenroom")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not know {dependency}");
        }
    }
}

#[test]
fn no_crate_sees_what_it_must_never_know() {
    for package in &packages() {
        let name = package["name"].as_str().expect("a name");
        let Some((_, forbidden)) = FORBIDDEN.iter().find(|(known, _)| *known == name) else { continue };
        let known = dependencies(package, Some("dev"));
        for other in *forbidden {
            assert!(!known.contains(*other), "{name} must not know {other}");
        }
    }
}

#[test]
fn no_room_is_called_by_a_name_that_says_nothing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut folders = vec![std::path::PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be read").filter_map(Result::ok) {
            let path = entry.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            assert!(!BANNED.contains(&name.as_str()), "{} has a banned name", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}
