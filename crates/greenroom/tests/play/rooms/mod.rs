//! The rooms of every crate: the top-level modules know each other without a cycle, none is too large to be read, and
//! every type is called by a noun.
//!
//! Only source outside of tests counts: a file without items behind `cfg(test)`.

mod cycle;
mod documents;
mod milliseconds;
mod names;
mod source;

use std::path::{Path, PathBuf};

use source::SourceFile;

use crate::arrows::packages;

/// Maximum lines of Rust source in a crate.
const CRATE_LINES: usize = 16_000;

/// Maximum lines of crates with a limit of their own: the dialect holds two media servers, whose rules of what a write reaches
/// belong together.
const OWN_CRATE_LINES: [(&str, usize); 2] = [("greenroom-dialect", 16_400), ("greenroom", 8_000)];

/// Maximum lines of a file.
const FILE_LINES: usize = 400;

/// Every crate with its source.
fn crates() -> Vec<(String, Vec<SourceFile>)> {
    let packages = packages();
    let read = |package: &serde_json::Value| {
        let name = package["name"].as_str().expect("a name").to_owned();
        let manifest = package["manifest_path"].as_str().expect("a path");
        let src: PathBuf = Path::new(manifest).with_file_name("src");
        (name, source::read_crate(&src))
    };
    packages.iter().map(read).collect()
}

/// Files for which `is_found` holds, as named in the lists above.
fn files(is_found: impl Fn(&SourceFile) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, sources) in crates() {
        let files = sources.iter().filter(|source| is_found(source));
        found.extend(files.map(|source| format!("{name}: {}", source.file.display())));
    }
    found.sort();
    found
}

#[test]
fn no_rooms_of_a_crate_know_each_other_in_a_circle() {
    for (name, sources) in crates() {
        let circle = cycle::shortest(&sources);
        assert!(circle.is_none(), "the rooms of {name} form a cycle:\n{}", circle.unwrap_or_default());
    }
}

#[test]
fn no_crate_has_more_source_than_one_person_can_know() {
    for (name, sources) in crates() {
        let own = OWN_CRATE_LINES.iter().find(|(known, _)| *known == name);
        let allowed = own.map_or(CRATE_LINES, |(_, lines)| *lines);
        let lines: usize = sources.iter().map(|source| source.lines).sum();
        assert!(lines <= allowed, "{name} has {lines} lines of source; {allowed} are allowed");
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    assert_eq!(files(|source| source.lines > FILE_LINES), Vec::<String>::new());
}

#[test]
fn no_file_excuses_itself_for_a_long_function() {
    assert_eq!(files(|source| source.allows_long_functions), Vec::<String>::new());
    let clippy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../clippy.toml");
    let clippy = std::fs::read_to_string(clippy).expect("clippy.toml can be read");
    assert!(clippy.contains("too-many-lines-threshold = 70"), "clippy.toml bounds the length of functions");
}
