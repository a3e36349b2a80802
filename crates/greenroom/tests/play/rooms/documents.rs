//! The documents name files that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The documents that lead through the source.
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs/fuzzing.md"];
/// Folders that runs make and the documents name; `fuzz/.gitignore` keeps it out of the tree.
const MADE_BY_RUNS: [&str; 2] = ["fuzz/corpus", "fuzz/findings"];
/// Top-level folders of the tree.
const TOP_LEVEL: [&str; 7] = ["crates/", "docs/", "e2e/", "fuzz/", "bench/", "packaging/", "clients/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All texts in `code font`, with `{a,b}` expanded.
fn code_texts(document: &str) -> Vec<String> {
    let texts = document.split('`').skip(1).step_by(2).filter(|text| !text.contains(char::is_whitespace));
    texts.flat_map(expand).collect()
}

fn expand(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
    let Some((names, after)) = rest.split_once('}') else { return vec![text.to_owned()] };
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

fn is_rust_file(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// The ends of all paths of Rust files below a folder, such as `a.rs`, `src/a.rs` and `cache/src/a.rs`.
fn rust_file_ends(folder: &Path, ends: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder that can be read").flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            rust_file_ends(&path, ends);
        } else if is_rust_file(&entry.path().to_string_lossy()) {
            let text = path.to_string_lossy();
            ends.extend(text.match_indices('/').map(|(at, _)| text[at + 1..].to_owned()));
        }
    }
}

#[test]
fn every_file_that_the_documents_name_exists() {
    let mut ends = BTreeSet::new();
    rust_file_ends(&root().join("crates"), &mut ends);
    let mut missing = Vec::new();
    for name in DOCUMENTS {
        let document = std::fs::read_to_string(root().join(name)).expect("a document");
        for text in code_texts(&document) {
            let is_pattern = text.contains(['*', '<']);
            let is_missing = if TOP_LEVEL.iter().any(|folder| text.starts_with(folder)) {
                !is_pattern && !MADE_BY_RUNS.contains(&text.as_str()) && !root().join(&text).exists()
            } else {
                is_rust_file(&text) && !is_pattern && !ends.contains(&text)
            };
            if is_missing {
                missing.push(format!("{name}: {text}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn braces_and_code_fences_are_read_as_paths() {
    assert_eq!(code_texts("see `crates/{a,b}/x.rs` and `two words`"), ["crates/a/x.rs", "crates/b/x.rs"]);
}
