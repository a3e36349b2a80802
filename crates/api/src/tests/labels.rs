//! The words of the page, the command line, the demo and the documents.

use std::path::Path;

/// Labels of before the glossary, each with the quotation marks or the capital that make it a label. In the order of
/// what took their place: figures, freshness and storage, requests and results, index builds, playlists, states.
const OLD_LABELS: [&str; 92] = [
    "\"Asked\"",
    "\"Reached\"",
    "\"Saved\"",
    "\"Sent on\"",
    "\"Our own\"",
    "\"Under way\"",
    ">Asked<",
    ">Reached<",
    ">Saved<",
    "asked against reached",
    "were spared",
    "was spared",
    "Nobody asked",
    "nobody asked",
    "\"Truth\"",
    "\"Room\"",
    "Lifetimes",
    "Keep these",
    "What is kept",
    "what is kept",
    "kept on disk",
    "Mark as stale",
    "asked anew",
    "ask anew",
    "answered from what",
    "What there is",
    "Last decisions",
    "last decisions",
    "log of decisions",
    "\"Verdict\"",
    "\"Class\"",
    "Kind of question",
    "kind of question",
    "kinds of question",
    "\"Passed\"",
    "\"Missed\"",
    "\"Because\"",
    "Look again",
    "look again at the server",
    "Who plays",
    "Watch history",
    "watch history",
    "What was played",
    "What is set up badly",
    "set up badly",
    "is set up wrong",
    "Kept in step",
    "kept in step",
    "Bring a playlist",
    "brings a playlist",
    "bring a playlist",
    "Look it up",
    "Write it",
    "What would be written",
    "Needs a look",
    "Need a look",
    "need a look",
    "needs a look",
    "thing like it",
    "things like it",
    "Take this",
    "Never this",
    "Decided by you",
    "sounds alike",
    "Build anew",
    "build anew",
    "built anew",
    "believe it",
    "is believed",
    "not believed",
    "Called otherwise",
    "\"Doubted\"",
    "doubted list",
    "\"Breaker\"",
    "breaker is open",
    "Waits for a place",
    "Usual: ",
    "everything goes",
    "Not heard of yet",
    "\"Well\"",
    "\"Unwell\"",
    "only observed",
    "open door",
    "Open door",
    "lets everybody in",
    "requests in flight may finish",
    "whom this machine believes",
    "authority that is not trusted",
    "\"Notices\"",
    "nobody waiting",
    "somebody",
    "who answers",
];

/// Texts under a folder of the workspace, by path: files of these endings.
fn texts_under(folder: &Path, endings: &[&str]) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| match path {
        folder if folder.is_dir() => texts_under(&folder, endings),
        file if endings.iter().any(|ending| file.to_string_lossy().ends_with(ending)) => {
            vec![(file.display().to_string(), std::fs::read_to_string(&file).expect("a text"))]
        }
        _ => Vec::new(),
    };
    entries.flat_map(read).collect()
}

#[test]
fn page_and_command_line_and_demo_and_documents_hold_none_of_the_old_labels() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let below = |folder: &str, endings: &[&str]| texts_under(&workspace.join(folder), endings);
    let named = |path: &str| (path.to_owned(), std::fs::read_to_string(workspace.join(path)).expect("a text"));
    let pages = below("crates/control/src/web", &[".html", ".css", ".js", ".svg"]);
    let commands = below("crates/greenroom/src/cli", &[".rs"]).into_iter().chain(below("crates/doctor/src", &[".rs"]));
    let demo = below("crates/demo/src/scenario", &[".rs", ".html", ".js"]);
    let descriptions = [("the API's description".to_owned(), crate::description().to_owned())];
    // The glossary lists words that are not to be used.
    let documents = below("docs", &[".md"]).into_iter().filter(|(path, _)| !path.ends_with("glossary.md"));
    let documents = documents.chain(["README.md", "compose.yaml", "packaging/greenroom.service"].map(named));
    let mut found = Vec::new();
    let mut texts = 0;
    for (path, text) in pages.into_iter().chain(commands).chain(demo).chain(descriptions).chain(documents) {
        texts += 1;
        let labels = OLD_LABELS.iter().filter(|label| text.contains(**label));
        found.extend(labels.map(|label| format!("{path}: {label}")));
    }
    assert!(texts > 140, "only {texts} texts were read");
    assert!(found.is_empty(), "old labels:\n{}", found.join("\n"));
}
