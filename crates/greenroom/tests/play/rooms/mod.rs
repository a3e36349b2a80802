//! The rooms of every crate: the top-level modules know each other without a cycle, none is too large to be read, and
//! every type is called by a noun, and comments say the thing that they stand beside.
//!
//! Only source outside of tests counts: a file without items behind `cfg(test)`.

mod cycle;
mod documents;
mod english;
mod milliseconds;
mod names;
mod source;

use std::path::{Path, PathBuf};

use source::SourceFile;

use crate::arrows::packages;

/// Maximum lines of Rust source in a crate.
const CRATE_LINES: usize = 16_000;

/// Maximum lines of the program's own crate, which only wires the others.
const PROGRAM_LINES: usize = 8_000;

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
        let allowed = if name == "greenroom" { PROGRAM_LINES } else { CRATE_LINES };
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
