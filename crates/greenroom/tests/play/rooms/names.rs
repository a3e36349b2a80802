//! Names of types: each names a thing, and a public one means one thing in the whole workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source;
use crate::arrows::packages;

/// Words that are a participle or a question word. Regular participles are found by their ending.
const WORDS: [&str; 42] = [
    "Been", "Begun", "Born", "Bought", "Brought", "Built", "By", "Cut", "Done", "Drawn", "Fallen", "Found", "Given",
    "Gone", "Heard", "Held", "How", "Kept", "Known", "Left", "Lost", "Made", "Meant", "Met", "No", "Odd", "Said",
    "Seen", "Sent", "Shown", "Spent", "Taken", "Thrown", "Told", "What", "When", "Where", "Which", "Who", "Whom",
    "Why", "Written",
];

/// Single words that end like a participle and are nouns.
const NOUNS: [(&str, &str); 3] = [
    ("Finding", "what a check of the doctor reports; the word of audits"),
    ("Setting", "one preference of a server, in Plex' own word"),
    ("Warning", "what the page and the doctor show"),
];

/// Public names for the same concept in two crates, with the reason.
const SHARED: [(&str, &str); 1] =
    [("Tag", "the dialect makes the tags that the engine invalidates by, and knows no engine: one concept, two types")];

/// A type, its file, and whether other files may name it.
struct Type {
    package: String,
    file: String,
    name: String,
    is_public: bool,
}

fn types() -> Vec<Type> {
    let mut types = Vec::new();
    for package in packages() {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let (name, src) = (package["name"].as_str().expect("a name"), manifest.with_file_name("src"));
        for source in source::read_crate(&src) {
            let text = std::fs::read_to_string(src.join(&source.file)).expect("a source file can be read");
            let mut found = Vec::new();
            walk(text.parse().expect("a source file is made of tokens"), &mut found);
            types.extend(found.into_iter().map(|(type_name, is_public)| Type {
                package: name.to_owned(),
                file: source.file.display().to_string(),
                name: type_name,
                is_public,
            }));
        }
    }
    types
}

/// Collects the types defined in these tokens; not those of traits and implementations.
fn walk(tokens: TokenStream, found: &mut Vec<(String, bool)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for at in 0..tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if ["struct", "enum", "trait", "union", "type"].contains(&&*word.to_string()) => {
                if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                    found.push((name.to_string(), is_public(&tokens[..at])));
                }
            }
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace && is_module(&tokens[..at]) => {
                walk(body.stream(), found);
            }
            _ => {}
        }
    }
}

/// Whether the braces behind these tokens are the body of a module.
fn is_module(before: &[TokenTree]) -> bool {
    matches!(before, [.., TokenTree::Ident(word), TokenTree::Ident(_)] if *word == "mod")
}

/// Whether the item whose keyword follows these tokens is public beyond its crate.
fn is_public(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(word)] => *word == "pub",
        _ => false,
    }
}

/// Whether a name is a single participle or question word.
fn is_no_thing(name: &str) -> bool {
    let is_one_word = name.chars().skip(1).all(char::is_lowercase);
    let is_participle = name.ends_with("ed") || name.ends_with("ing");
    is_one_word && (WORDS.contains(&name) || is_participle) && !NOUNS.iter().any(|(noun, _)| *noun == name)
}

#[test]
fn every_type_is_called_by_a_noun() {
    let found = types().into_iter().filter(|found| is_no_thing(&found.name));
    let lines: Vec<String> = found.map(|found| format!("{} {}: {}", found.package, found.file, found.name)).collect();
    assert_eq!(lines, Vec::<String>::new());
    assert!(["Kept", "Which", "Warned", "Asking"].iter().all(|name| is_no_thing(name)));
    assert!(!["Finding", "KeptBody", "Key"].iter().any(|name| is_no_thing(name)));
}

#[test]
fn a_public_name_means_one_thing_in_the_whole_workspace() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in types().into_iter().filter(|found| found.is_public) {
        homes.entry(found.name).or_default().insert(found.package);
    }
    homes.retain(|name, packages| packages.len() > 1 && !SHARED.iter().any(|(shared, _)| shared == name));
    assert_eq!(homes, BTreeMap::new());
}
