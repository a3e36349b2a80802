//! Dependencies between crates follow the allowed arrows only.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Allowed dependencies: the program may use everything, each other crate only the crates below it. A crate that is not
/// named here may not exist.
const ALLOWED: [(&str, &[&str]); 36] = [
    (
        "greenroom",
        &[
            "greenroom-api",
            "greenroom-app-cache",
            "greenroom-app-cache-import",
            "greenroom-cache",
            "greenroom-config",
            "greenroom-control",
            "greenroom-dashboard",
            "greenroom-demo",
            "greenroom-dialect",
            "greenroom-doctor",
            "greenroom-folder",
            "greenroom-graphql-simulator",
            "greenroom-http-api",
            "greenroom-http-caching",
            "greenroom-http-server",
            "greenroom-http-simulator",
            "greenroom-jobs",
            "greenroom-library",
            "greenroom-notifications",
            "greenroom-origin",
            "greenroom-prefetch",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-request-log",
            "greenroom-response-comparison",
            "greenroom-simulator",
            "greenroom-state",
            "greenroom-statistics",
            "greenroom-sync",
        ],
    ),
    (
        "greenroom-api",
        &[
            "greenroom-app-cache",
            "greenroom-app-cache-api",
            "greenroom-cache",
            "greenroom-config",
            "greenroom-control",
            "greenroom-dashboard-api",
            "greenroom-dialect",
            "greenroom-folder",
            "greenroom-http-server",
            "greenroom-jobs",
            "greenroom-library-api",
            "greenroom-notifications",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-request-log",
            "greenroom-state",
            "greenroom-statistics",
            "greenroom-sync",
        ],
    ),
    ("greenroom-app-cache", &["greenroom-cache", "greenroom-config"]),
    ("greenroom-app-cache-api", &["greenroom-app-cache", "greenroom-cache"]),
    ("greenroom-app-cache-import", &[]),
    ("greenroom-bench", &[]),
    ("greenroom-cache", &[]),
    ("greenroom-config", &["greenroom-cache", "greenroom-dialect", "greenroom-library"]),
    (
        "greenroom-control",
        &[
            "greenroom-app-cache",
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dashboard",
            "greenroom-dialect",
            "greenroom-folder",
            "greenroom-http-api",
            "greenroom-http-caching",
            "greenroom-http-server",
            "greenroom-jobs",
            "greenroom-notifications",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-request-log",
            "greenroom-response-comparison",
            "greenroom-state",
            "greenroom-statistics",
            "greenroom-sync",
        ],
    ),
    (
        "greenroom-demo",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-control",
            "greenroom-dialect",
            "greenroom-proxy",
            "greenroom-simulator",
        ],
    ),
    (
        "greenroom-dashboard",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-library",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-state",
            "greenroom-statistics",
            "greenroom-sync",
        ],
    ),
    (
        "greenroom-dashboard-api",
        &[
            "greenroom-cache",
            "greenroom-control",
            "greenroom-dashboard",
            "greenroom-dialect",
            "greenroom-folder",
            "greenroom-jobs",
            "greenroom-library-api",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-sync",
        ],
    ),
    ("greenroom-dialect", &["greenroom-library"]),
    (
        "greenroom-doctor",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-folder",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-response-comparison",
            "greenroom-state",
        ],
    ),
    ("greenroom-folder", &["greenroom-cache", "greenroom-config", "greenroom-library", "greenroom-state"]),
    ("greenroom-graphql-simulator", &["greenroom-simulator-backend"]),
    (
        "greenroom-http-api",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-http-caching",
            "greenroom-http-server",
            "greenroom-origin",
            "greenroom-prefetch",
            "greenroom-request-log",
            "greenroom-state",
        ],
    ),
    ("greenroom-http-caching", &[]),
    ("greenroom-http-server", &["greenroom-cache", "greenroom-config", "greenroom-origin", "greenroom-state"]),
    ("greenroom-http-simulator", &["greenroom-simulator", "greenroom-simulator-backend"]),
    (
        "greenroom-jobs",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dashboard",
            "greenroom-folder",
            "greenroom-state",
            "greenroom-statistics",
            "greenroom-sync",
        ],
    ),
    ("greenroom-library", &[]),
    (
        "greenroom-library-api",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-control",
            "greenroom-dialect",
            "greenroom-folder",
            "greenroom-library",
            "greenroom-proxy",
            "greenroom-remote-store",
            "greenroom-sync",
        ],
    ),
    (
        "greenroom-notifications",
        &["greenroom-cache", "greenroom-config", "greenroom-dialect", "greenroom-origin", "greenroom-state"],
    ),
    (
        "greenroom-origin",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-response-comparison",
            "greenroom-state",
        ],
    ),
    ("greenroom-plex-simulator", &["greenroom-simulator-backend"]),
    ("greenroom-prefetch", &["greenroom-config", "greenroom-dialect"]),
    (
        "greenroom-proxy",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-http-server",
            "greenroom-jobs",
            "greenroom-library",
            "greenroom-origin",
            "greenroom-prefetch",
            "greenroom-request-log",
            "greenroom-response-comparison",
            "greenroom-state",
        ],
    ),
    ("greenroom-remote-store", &["greenroom-cache", "greenroom-config", "greenroom-dialect"]),
    ("greenroom-request-log", &["greenroom-cache", "greenroom-dialect", "greenroom-origin"]),
    ("greenroom-simulator", &["greenroom-plex-simulator", "greenroom-simulator-backend"]),
    ("greenroom-simulator-backend", &[]),
    ("greenroom-response-comparison", &["greenroom-dialect"]),
    ("greenroom-state", &["greenroom-cache", "greenroom-config", "greenroom-dialect"]),
    (
        "greenroom-statistics",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-request-log",
            "greenroom-state",
        ],
    ),
    (
        "greenroom-sync",
        &[
            "greenroom-cache",
            "greenroom-config",
            "greenroom-dialect",
            "greenroom-library",
            "greenroom-origin",
            "greenroom-proxy",
            "greenroom-state",
        ],
    ),
];

/// Items of the engine that crates without cached responses use. The clock, its rhythm, the barrier and the disk tier's
/// settings are the engine's own, and so are moments in its time: it waits by the clock, and is useful without us. As it knows nothing of ours, these
/// arrows point down; but knowledge of entries and policies belongs above, in the proxy.
const OF_THE_ENGINE: [(&str, &[&str]); 3] = [
    ("config", &["disk::DiskSettings"]),
    ("origin", &["AtomicTimestamp", "Clock", "Partition", "Timestamp", "clock::millis"]),
    ("state", &["AccessRhythmSnapshot", "Cache", "Timestamp", "clock::millis", "disk::lock"]),
];

/// Names that say nothing about the content.
const BANNED: [&str; 6] = ["common", "core", "utils", "types", "helpers", "prelude"];

/// Crates that may never become a dependency, with the reason.
const FORBIDDEN: [(&str, &[&str]); 26] = [
    ("greenroom-app-cache", &["greenroom-dialect", "greenroom-state", "http", "hyper", "axum"]),
    ("greenroom-app-cache-api", &["hyper", "rusqlite"]),
    ("greenroom-cache", &["http", "hyper", "axum", "redis"]),
    ("greenroom-config", &["tokio", "hyper", "axum", "rusqlite"]),
    ("greenroom-dashboard", &["axum", "hyper"]),
    ("greenroom-dialect", &["axum", "hyper", "tokio", "rusqlite"]),
    ("greenroom-doctor", &["axum", "rusqlite"]),
    ("greenroom-folder", &["greenroom-dialect", "http", "hyper", "axum"]),
    ("greenroom-graphql-simulator", &["axum", "rusqlite"]),
    ("greenroom-http-api", &["axum", "rusqlite"]),
    ("greenroom-http-caching", &["axum", "hyper", "rusqlite", "tokio"]),
    ("greenroom-http-server", &["axum", "rusqlite"]),
    ("greenroom-library", &["tokio", "http", "hyper", "axum", "rusqlite"]),
    ("greenroom-notifications", &["axum", "rusqlite"]),
    ("greenroom-origin", &["axum", "rusqlite"]),
    ("greenroom-plex-simulator", &["axum"]),
    ("greenroom-prefetch", &["hyper", "axum", "rusqlite"]),
    ("greenroom-proxy", &["axum"]),
    ("greenroom-remote-store", &["http", "hyper", "axum", "rusqlite"]),
    ("greenroom-request-log", &["http", "hyper", "axum", "rusqlite"]),
    ("greenroom-response-comparison", &["axum", "hyper", "tokio", "rusqlite"]),
    ("greenroom-simulator", &["axum"]),
    ("greenroom-simulator-backend", &["axum"]),
    ("greenroom-state", &["http", "hyper", "axum"]),
    ("greenroom-statistics", &["hyper", "axum"]),
    ("greenroom-sync", &["hyper", "axum"]),
];

/// Every package of the workspace, from `cargo metadata`.
pub fn packages() -> Vec<Value> {
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
fn no_file_or_folder_has_a_banned_name() {
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

/// Collects the paths by which a crate's source names the engine: each from the engine's root to the first type.
fn cache_items_named_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("it can be read").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            cache_items_named_in(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.extend(named_in(&std::fs::read_to_string(&path).expect("it can be read")));
        }
    }
}

fn named_in(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, root) in code.match_indices("greenroom_cache") {
        let after = &code[at + root.len()..];
        let after = after.strip_prefix("::").unwrap_or_else(|| panic!("the engine is taken whole: {after:.40}"));
        let names: Vec<&str> = match after.strip_prefix('{') {
            Some(group) => group.split('}').next().expect("there is a first").split(',').collect(),
            None => after.split(|letter: char| !(letter.is_alphanumeric() || "_:*".contains(letter))).take(1).collect(),
        };
        let is_type = |part: &str| part.starts_with(char::is_uppercase);
        for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            assert!(!name.contains('{'), "name by name: {name}");
            let name = name.split(" as ").next().expect("there is a first");
            let parts: Vec<&str> = name.split("::").collect();
            let end = parts.iter().position(|part| is_type(part)).map_or(parts.len(), |at| at + 1);
            found.push(parts[..end].join("::"));
        }
    }
    found
}

#[test]
fn crates_below_the_proxy_use_only_a_closed_list_of_the_engine() {
    for (name, allowed) in OF_THE_ENGINE {
        let mut found = BTreeSet::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        cache_items_named_in(&folder, &mut found);
        assert_eq!(found, allowed.iter().map(ToString::to_string).collect(), "crates/{name}");
    }
}

#[test]
fn names_of_the_engine_are_found_however_they_are_written() {
    let text = "use greenroom_cache::{Clock, disk::DiskSettings as D,\n    Answer};\nuse greenroom_cache::*;\n\
        // greenroom_cache::Key\nlet now = greenroom_cache::Rhythm::of(1); greenroom_cache::network_file_system(dir)\n";
    let wanted = ["Clock", "disk::DiskSettings", "Answer", "*", "Rhythm", "network_file_system"];
    assert_eq!(named_in(text), wanted);
}
