//! The comic app's own marker files, which are followed while its backend goes on writing them: what it adds is marked,
//! what it removes is unmarked. They are only read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::folder::Folder;
use crate::marks::mark_export::MAX_IMPORT_BYTES;
use crate::marks::{FollowedList, MarkError};

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
    seen: BTreeMap<&'static str, SeenFile>,
}

/// A file as it was last read.
#[derive(Debug, Default)]
struct SeenFile {
    written: Option<SystemTime>,
    /// The list that some of its paths are still missing in.
    waits_beyond: Option<u64>,
}

impl MarkerFiles {
    /// Applies what changed since the last look. It blocks.
    pub(crate) fn follow(&mut self, folder: &Folder, directory: &Path) {
        let root = format!("{}/", folder.settings.path.display());
        let number = folder.current().map_or(0, |current| current.number);
        for (file, mark) in FILES {
            let path = directory.join(file);
            let Ok(facts) = std::fs::metadata(&path) else { continue };
            let written = facts.modified().ok();
            let seen = self.seen.entry(mark).or_default();
            let is_waiting = seen.waits_beyond.is_some_and(|waits| waits != number);
            if seen.written.is_some() && seen.written == written && !is_waiting {
                continue;
            }
            // A file that is being written is read whole at the next look.
            let Some(paths) = read(&path, &root) else { continue };
            let name = &folder.settings.name;
            match folder.follow_marks(mark, &paths) {
                Ok(followed) => {
                    let waits_beyond = (followed == FollowedList::Partly).then_some(number);
                    *seen = SeenFile { written, waits_beyond };
                    if followed == FollowedList::Emptied {
                        tracing::warn!(folder = name, file, "an emptied list of the comic app is not followed");
                    }
                }
                Err(MarkError::NotReady) => {}
                Err(error) => tracing::warn!(folder = name, %error, "the comic app's marks cannot be followed"),
            }
        }
    }
}

/// The relative paths in a marker file.
fn read(path: &Path, root: &str) -> Option<BTreeSet<String>> {
    let mut bytes = Vec::new();
    let limit = MAX_IMPORT_BYTES as u64 + 1;
    std::fs::File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    if bytes.len() > MAX_IMPORT_BYTES {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let list = value.get("files").and_then(serde_json::Value::as_array)?;
    let paths = list.iter().filter_map(serde_json::Value::as_str);
    Some(paths.map(|path| path.strip_prefix(root).unwrap_or(path).to_owned()).collect())
}
