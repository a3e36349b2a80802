//! Comments name the thing that they stand beside: none begins with a question word.

use std::path::{Path, PathBuf};

/// Words with which no documentation begins. `Whether` says that a thing is a yes or a no, `When` that it is a moment.
const QUESTION_WORDS: [&str; 6] = ["What", "How", "Who", "Which", "Why", "Where"];

/// The first lines of all documentation in a source text, with their numbers.
fn first_lines(text: &str) -> Vec<(usize, &str)> {
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let begins = |at: &usize| is_doc(lines[*at]) && (*at == 0 || !is_doc(lines[*at - 1]));
    (0..lines.len()).filter(begins).map(|at| (at + 1, lines[at])).collect()
}

fn begins_with_question_word(line: &str) -> bool {
    let first = line[3..].split_whitespace().next().unwrap_or_default();
    QUESTION_WORDS.contains(&first.trim_end_matches(|mark: char| !mark.is_alphanumeric()))
}

fn sources_under(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let found = |path: PathBuf| match path {
        folder if folder.is_dir() && !folder.ends_with("target") => sources_under(&folder),
        file if file.extension().is_some_and(|extension| extension == "rs") => vec![file],
        _ => Vec::new(),
    };
    entries.flat_map(found).collect()
}

#[test]
fn no_documentation_begins_with_a_question_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files: Vec<PathBuf> =
        ["crates", "bench", "fuzz"].iter().flat_map(|name| sources_under(&root.join(name))).collect();
    assert!(files.len() > 1000, "only {} files were read", files.len());
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let lines = first_lines(&text).into_iter().filter(|(_, line)| begins_with_question_word(line));
        found.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", file.display())));
    }
    assert!(found.is_empty(), "say the thing itself:\n{}", found.join("\n"));
}

#[test]
fn only_first_lines_count_and_only_whole_words() {
    let text = "//! What it is.\nmod a;\n/// A thing.\n/// What it does.\nfn b() {}\n    /// Why: so.\n/// Whatever.\n\n/// Whatever.\n";
    let found: Vec<usize> = first_lines(text)
        .into_iter()
        .filter(|(_, line)| begins_with_question_word(line))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(found, [1, 6]);
}
