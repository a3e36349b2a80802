//! The comic app's own marker files, which are followed while its backend goes on writing them: what it adds is marked,
//! what it removes is unmarked. They are only read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::folder::Folder;
use crate::marks::mark_export::MAX_IMPORT_BYTES;
use crate::marks::{MarkAction, MarkChange, MarkError};

/// The app's files, each with its mark.
const FILES: [(&str, &str); 3] = [
    ("processed_files.json", "processed"),
    ("duplicate_files.json", "duplicate"),
    ("web_modified_files.json", "web_modified"),
];
/// Interval of looks at the files.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What was last read of the files.
#[derive(Debug, Default)]
pub(crate) struct MarkerFiles {
    known: BTreeMap<&'static str, (Option<SystemTime>, BTreeSet<String>)>,
}

impl MarkerFiles {
    /// Applies what changed since the last look. It blocks.
    pub(crate) fn follow(&mut self, folder: &Folder, directory: &Path) {
        let root = format!("{}/", folder.settings.path.display());
        for (file, mark) in FILES {
            let path = directory.join(file);
            let Ok(facts) = std::fs::metadata(&path) else { continue };
            let written = facts.modified().ok();
            let known = self.known.entry(mark).or_default();
            if known.0.is_some() && known.0 == written {
                continue;
            }
            // A file that is being written is read whole at the next look.
            let Some(paths) = read(&path, &root) else { continue };
            let added = paths.difference(&known.1).cloned().collect();
            let removed = known.1.difference(&paths).cloned().collect();
            match apply(folder, mark, added, removed) {
                Ok(()) => *known = (written, paths),
                Err(MarkError::NotReady) => {}
                Err(error) => {
                    tracing::warn!(folder = folder.settings.name, %error, "the comic app's marks cannot be followed");
                }
            }
        }
    }
}

fn apply(folder: &Folder, mark: &str, added: Vec<String>, removed: Vec<String>) -> Result<(), MarkError> {
    for (action, paths) in [(MarkAction::Set, added), (MarkAction::Unset, removed)] {
        if !paths.is_empty() {
            folder.follow_marks(&MarkChange { mark: mark.to_owned(), action, paths })?;
        }
    }
    Ok(())
}

/// The relative paths in a marker file.
fn read(path: &Path, root: &str) -> Option<BTreeSet<String>> {
    let bytes = std::fs::read(path).ok().filter(|bytes| bytes.len() <= MAX_IMPORT_BYTES)?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let list = value.get("files").and_then(serde_json::Value::as_array)?;
    let paths = list.iter().filter_map(serde_json::Value::as_str);
    Some(paths.map(|path| path.strip_prefix(root).unwrap_or(path).to_owned()).collect())
}
