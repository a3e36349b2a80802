//! Times have types: no field and no parameter is a bare number of milliseconds, which could be a moment or a duration,
//! by any clock.
//!
//! A field of a type that derives `Serialize` or `Deserialize` is a key on the wire, which names its unit.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source;
use crate::arrows::packages;

/// Crates that may count milliseconds, with the reason.
const CRATES: [(&str, &str); 7] = [
    ("greenroom-dialect", "positions and offsets as media servers write them, and no dependency on the engine's clock"),
    (
        "greenroom-http-caching",
        "the arithmetic of RFC 9111 on numbers, and no dependency on any crate of the workspace",
    ),
    ("greenroom-http-simulator", "settings of simulated servers, which know nothing of the gateway"),
    ("greenroom-plex-simulator", "fields of simulated servers, which know nothing of the gateway"),
    ("greenroom-prefetch", "pure rules that are given numbers, and no dependency on the engine's clock"),
    ("greenroom-simulator", "fields of simulated servers, which know nothing of the gateway"),
    ("greenroom-simulator-backend", "fields of simulated servers, which know nothing of the gateway"),
];

/// Files that may count milliseconds, with the reason.
const FILES: [(&str, &str); 7] = [
    ("greenroom-app-cache-api: parameters.rs", "parameters of queries, which name their unit"),
    ("greenroom-cache: clock/mod.rs", "the clock makes moments of what it reads"),
    ("greenroom-cache: clock/suspend_detector.rs", "differences between the machine's clocks, none of which is ours"),
    ("greenroom-doctor: facts.rs", "times of one probe, as its findings print them"),
    ("greenroom-doctor: server.rs", "the middle of one probe, to compare the server's clock"),
    ("greenroom: cli/doctor.rs", "time that passed while it waited, as it is printed"),
    ("greenroom-proxy: invalidation_state.rs", "a player's position, as media servers write it"),
];

/// Names of the fields and parameters that are a bare number of milliseconds.
fn bare(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let [TokenTree::Punct(mark), TokenTree::Group(attribute), ..] = &tokens[at..]
            && mark.as_char() == '#'
            && source::is_for_tests(attribute)
        {
            at = source::end_of_item(&tokens, at + 2) + 1;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(name) if is_bare(name, &tokens[at + 1..]) => found.push(name.to_string()),
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace || !is_on_the_wire(&tokens[..at]) => {
                bare(group.stream(), found);
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether a name and what follows it are `…_ms: u64` or `…_ms: Option<u64>`.
fn is_bare(name: &proc_macro2::Ident, after: &[TokenTree]) -> bool {
    let words: Vec<String> = after.iter().take(5).map(ToString::to_string).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_number = match words[..] {
        [":", "u64", ref next @ ..] => next.first() != Some(&":"),
        [":", "Option", "<", "u64", ..] => true,
        _ => false,
    };
    is_number && name.to_string().ends_with("_ms")
}

/// Whether the braces behind these tokens are the body of a type that derives a form on the wire.
fn is_on_the_wire(before: &[TokenTree]) -> bool {
    let Some(keyword) = before.iter().rposition(is_type_keyword).filter(|at| before.len() - at <= 12) else {
        return false;
    };
    let is_its_own =
        |token: &TokenTree| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let attributes = before[..keyword].iter().rev().take_while(|token| is_its_own(token));
    attributes.filter_map(group_text).any(|text| text.starts_with("derive") && text.contains("erialize"))
}

fn is_type_keyword(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if *word == "struct" || *word == "enum")
}

fn group_text(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group.stream().to_string()),
        _ => None,
    }
}

#[test]
fn no_field_and_no_parameter_is_a_bare_number_of_milliseconds() {
    let mut lines = Vec::new();
    for package in packages() {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let (name, src) = (package["name"].as_str().expect("a name"), manifest.with_file_name("src"));
        if CRATES.iter().any(|(known, _)| *known == name) {
            continue;
        }
        for source in source::read_crate(&src) {
            let place = format!("{name}: {}", source.file.display());
            if FILES.iter().any(|(known, _)| *known == place) {
                continue;
            }
            let text = std::fs::read_to_string(src.join(&source.file)).expect("a source file can be read");
            let mut found = Vec::new();
            bare(text.parse().expect("a source file is made of tokens"), &mut found);
            lines.extend(found.into_iter().map(|found| format!("{place}: {found}")));
        }
    }
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn bare_milliseconds_are_found_in_fields_and_parameters_but_not_on_the_wire_or_in_tests() {
    let text = "struct A { pub at_ms: u64, since_ms: Option<u64>, age: Duration }\n\
        #[derive(Debug, Serialize)]\n#[serde(default)]\npub struct B { sent_ms: u64 }\n\
        fn f(now_ms: u64) -> A { A { at_ms: u64::MAX, since_ms: None } }\n\
        #[cfg(test)]\nmod tests { fn g(test_ms: u64) {} }\n";
    let mut found = Vec::new();
    bare(text.parse().unwrap(), &mut found);
    assert_eq!(found, ["at_ms", "since_ms", "now_ms"]);
}
