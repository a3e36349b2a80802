//! The comic app's own marker files, or its database of marks, which are followed while its backend goes on writing
//! them: what it adds is marked, what it removes is unmarked. They are only read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::folder::Folder;
use crate::marks::mark_export::MAX_IMPORT_BYTES;
use crate::marks::marker_database::{FILE_NAMES, PathsByMark, read_marks};
use crate::marks::{FollowedList, MarkError};

/// The app's files, each with its mark.
const FILES: [(&str, &str); 3] = [
    ("processed_files.json", "processed"),
    ("duplicate_files.json", "duplicate"),
    ("web_modified_files.json", "web_modified"),
];
/// Interval of looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Max wait of a list for a look.
const MAX_LOOK: Duration = Duration::from_millis(500);

impl Folder {
    /// Follows the comic app's marker files until the process ends.
    pub(crate) async fn follow_markers(self: Arc<Self>, directory: PathBuf) {
        let mut files = MarkerFiles::default();
        loop {
            self.marker_looks.begin();
            let (folder, directory) = (Arc::clone(&self), directory.clone());
            let followed = self.context.tasks.spawn_blocking(move || {
                files.follow(&folder, &directory);
                files
            });
            files = followed.await.unwrap_or_default();
            self.marker_looks.end();
            tokio::select! {
                () = self.context.stop.cancelled() => return,
                () = self.context.clock.sleep(LOOK_INTERVAL) => {}
                () = self.marker_looks.requested() => {}
            }
        }
    }

    /// Applies what the comic app has written until now; waits for that at most a moment.
    pub async fn look_at_markers(&self) {
        if self.settings.marker_dir.is_some() && self.current().is_some() {
            drop(self.context.clock.timeout(MAX_LOOK, self.marker_looks.look()).await);
        }
    }
}

/// Marker files as they were last read.
#[derive(Debug, Default)]
pub(crate) struct MarkerFiles {
    seen: BTreeMap<&'static str, SeenFile>,
    /// The last content of a database that could not be read.
    unreadable: Option<FileStamps>,
}

/// A file as it was last read.
#[derive(Debug, Default)]
struct SeenFile {
    written: Option<FileStamps>,
    /// The list that some of its paths are still missing in.
    waits_beyond: Option<u64>,
}

/// Stamps that tell one content of a file from the next, for a database also of its log of writes. Two writes within a
/// tick of the system's clock have the same time.
type FileStamps = [Option<(SystemTime, u64, u64)>; 2];

impl MarkerFiles {
    /// Applies what changed since the last look. A database of marks stands for all marker files: the app that has one
    /// writes them no more. It blocks.
    pub(crate) fn follow(&mut self, folder: &Folder, directory: &Path) {
        let root = format!("{}/", folder.settings.path.display());
        let database = FILE_NAMES.iter().map(|name| directory.join(name)).find(|path| path.exists());
        let mut marks_read: Option<Option<PathsByMark>> = None;
        for (file, mark) in FILES {
            let path = database.clone().unwrap_or_else(|| directory.join(file));
            let written = file_stamps(&path);
            if written[0].is_none() || !self.is_due(folder, mark, written) {
                continue;
            }
            let paths = if database.is_some() {
                marks_read
                    .get_or_insert_with(|| self.read_database(folder, &path, written))
                    .as_ref()
                    .map(|marks| relative(marks.get(mark).into_iter().flatten().map(String::as_str), &root))
            } else {
                read(&path, &root)
            };
            // A file that is being written is read whole at the next look.
            let Some(paths) = paths else { continue };
            self.apply(folder, (file, mark), &paths, written);
        }
    }

    /// The marks of the database; a failure is told once for each content.
    fn read_database(&mut self, folder: &Folder, path: &Path, written: FileStamps) -> Option<PathsByMark> {
        match read_marks(path) {
            Ok(marks) => Some(marks),
            Err(error) => {
                if self.unreadable.replace(written) != Some(written) {
                    warn_of(folder, &error);
                }
                None
            }
        }
    }

    fn is_due(&mut self, folder: &Folder, mark: &'static str, written: FileStamps) -> bool {
        let number = current_number(folder);
        let seen = self.seen.entry(mark).or_default();
        seen.written != Some(written) || seen.waits_beyond.is_some_and(|waits| waits != number)
    }

    fn apply(
        &mut self,
        folder: &Folder,
        (file, mark): (&'static str, &'static str),
        paths: &BTreeSet<String>,
        written: FileStamps,
    ) {
        let (name, number) = (&folder.settings.name, current_number(folder));
        match folder.follow_marks(mark, paths) {
            Ok(followed) => {
                let waits_beyond = (followed == FollowedList::Partly).then_some(number);
                self.seen.insert(mark, SeenFile { written: Some(written), waits_beyond });
                if followed == FollowedList::Emptied {
                    tracing::warn!(folder = name, file, "an emptied list of the comic app is not followed");
                }
            }
            Err(MarkError::NotReady) => {}
            Err(error) => warn_of(folder, &error.to_string()),
        }
    }
}

fn current_number(folder: &Folder) -> u64 {
    folder.current().map_or(0, |current| current.number)
}

fn warn_of(folder: &Folder, error: &str) {
    tracing::warn!(folder = folder.settings.name, error, "the comic app's marks cannot be followed");
}

/// The stamps of a file and, beside it, of the log of a database.
fn file_stamps(path: &Path) -> FileStamps {
    let stamp = |path: &Path| {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.modified().ok()?, facts.ino(), facts.len()))
    };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    [stamp(path), stamp(Path::new(&log))]
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
    Some(relative(list.iter().filter_map(serde_json::Value::as_str), root))
}

/// Whole paths as paths below the root.
fn relative<'a>(paths: impl Iterator<Item = &'a str>, root: &str) -> BTreeSet<String> {
    paths.map(|path| path.strip_prefix(root).unwrap_or(path).to_owned()).collect()
}
