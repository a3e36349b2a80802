//! Changes of the tree as the system reports them. A scan adds each directory to the watch before it reads it, so
//! nothing is read twice to be watched, and no change after the reading is missed.

use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;

use crate::dirty_paths::DirtyPaths;
use crate::scan::rules::has_extension;
use crate::scan::{Root, RootIdentity};

/// A watch of a tree; it ends when this is dropped.
#[derive(Debug)]
pub struct TreeWatch {
    watcher: Mutex<RecommendedWatcher>,
    base: PathBuf,
    root: RootIdentity,
    is_full: Arc<AtomicBool>,
    is_whole: AtomicBool,
}

/// Reason for which a tree cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchError {
    /// The system's limit of watches is reached.
    Limit,
    /// The directory is not there any more, or may not be read.
    Unreadable,
    /// Anything else.
    Other(String),
}

impl TreeWatch {
    /// Begins to watch the root of a tree for changes of folders and of files with these extensions.
    ///
    /// # Errors
    /// It cannot be watched.
    pub fn start(path: &Path, extensions: Vec<String>, dirty: Arc<DirtyPaths>) -> Result<Self, WatchError> {
        // A root behind a link would not be watched itself.
        let base = path.canonicalize().map_err(|error| WatchError::Other(error.to_string()))?;
        // Before the watch begins: a root that is replaced meanwhile is seen as another one later.
        let root = Root::open(&base).map_err(|error| WatchError::Other(error.to_string()))?.identity();
        let is_full = Arc::new(AtomicBool::new(false));
        let reports = TreeReports { base: base.clone(), extensions, dirty, is_full: Arc::clone(&is_full) };
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher =
            RecommendedWatcher::new(move |result| reports.handle(result), config).map_err(WatchError::from)?;
        watcher.watch(&base, RecursiveMode::NonRecursive).map_err(WatchError::from)?;
        Ok(Self { watcher: Mutex::new(watcher), base, root, is_full, is_whole: AtomicBool::new(false) })
    }

    /// Adds a directory, by its path below the root, that is about to be read. One that cannot be read either is left
    /// out: the watch of its parent reports when it can. Any other failure counts as the limit.
    pub fn add(&self, directory: &str) {
        if self.is_full() {
            return;
        }
        let added = self.watcher.lock().watch(&self.base.join(directory), RecursiveMode::NonRecursive);
        if let Err(error) = added.map_err(WatchError::from).or_else(WatchError::unless_unreadable) {
            tracing::debug!(directory, ?error, "a folder cannot be watched");
            self.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that each directory of the tree was added.
    pub fn set_whole(&self) {
        self.is_whole.store(true, Ordering::Relaxed);
    }

    /// Whether each directory of the tree was added once.
    pub fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// The directory that is watched, whatever is at its path now.
    pub fn root(&self) -> RootIdentity {
        self.root
    }

    /// Whether the system's limit was reached, so that some folders are not watched.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }
}

impl From<notify::Error> for WatchError {
    fn from(error: notify::Error) -> Self {
        let is_limit = matches!(error.kind, ErrorKind::MaxFilesWatch)
            || matches!(&error.kind, ErrorKind::Io(io) if io.raw_os_error() == Some(28));
        let is_unreadable = |io: &std::io::Error| {
            matches!(io.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory | IoErrorKind::PermissionDenied)
        };
        match &error.kind {
            _ if is_limit => Self::Limit,
            ErrorKind::PathNotFound => Self::Unreadable,
            ErrorKind::Io(io) if is_unreadable(io) => Self::Unreadable,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl WatchError {
    fn unless_unreadable(self) -> Result<(), Self> {
        if self == Self::Unreadable { Ok(()) } else { Err(self) }
    }
}

/// Turns the system's events into changed paths.
struct TreeReports {
    base: PathBuf,
    extensions: Vec<String>,
    dirty: Arc<DirtyPaths>,
    is_full: Arc<AtomicBool>,
}

impl TreeReports {
    fn handle(&self, result: notify::Result<Event>) {
        match result {
            Ok(event) => self.report(event),
            Err(error) => {
                tracing::debug!(%error, "events of a folder were lost");
                if WatchError::from(error) == WatchError::Limit {
                    self.is_full.store(true, Ordering::Relaxed);
                }
                self.dirty.lose();
            }
        }
    }

    /// Adds an event to what changed. Mere reading is no change.
    fn report(&self, event: Event) {
        if event.need_rescan() {
            self.dirty.lose();
            return;
        }
        let is_of_content = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Create(CreateKind::File)
            | EventKind::Modify(ModifyKind::Data(_)) => true,
            EventKind::Access(_) => return,
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
                let paths: Vec<TreePath> = event.paths.iter().map(|path| self.locate(path)).collect();
                if let [TreePath::Inside(from), TreePath::Inside(to)] = &paths[..] {
                    self.dirty.add_rename(from.clone(), to.clone());
                    return;
                }
                false
            }
            _ => false,
        };
        for path in event.paths {
            match self.locate(&path) {
                // A download of a name that is not wanted reports its every write.
                TreePath::Inside(path) if is_of_content && !has_extension(&path, &self.extensions) => {}
                TreePath::Inside(path) => self.dirty.add(path),
                TreePath::Unusable => {}
                TreePath::Outside => self.dirty.lose(),
            }
        }
    }

    fn locate(&self, path: &Path) -> TreePath {
        match path.strip_prefix(&self.base).map(Path::to_str) {
            Ok(Some(relative)) => TreePath::Inside(relative.to_owned()),
            Ok(None) => TreePath::Unusable,
            Err(_) => TreePath::Outside,
        }
    }
}

/// Place of an event's path.
enum TreePath {
    /// In the tree: its path below the root.
    Inside(String),
    /// In the tree, with a name that is not UTF-8: neither it nor anything below it is ever in a list.
    Unusable,
    /// Not in the tree.
    Outside,
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use notify::event::{DataChange, RemoveKind};

    use super::*;

    fn reports() -> TreeReports {
        TreeReports {
            base: "/c".into(),
            extensions: vec!["cbz".into()],
            dirty: Arc::default(),
            is_full: Arc::default(),
        }
    }

    fn changed(reports: &TreeReports, kind: EventKind, path: &[u8]) -> (Vec<String>, bool) {
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
        reports.handle(Ok(Event::new(kind).add_path(path)));
        let changes = reports.dirty.take();
        (changes.paths.into_iter().collect(), changes.are_incomplete)
    }

    #[test]
    fn writes_to_names_that_are_not_wanted_are_no_change_but_folders_renames_and_removals_are() {
        let reports = reports();
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for kind in [data, close, EventKind::Create(CreateKind::File)] {
            assert_eq!(changed(&reports, kind, b"/c/a/1.cbz.part"), (vec![], false), "{kind:?}");
            assert_eq!(changed(&reports, kind, b"/c/a/1.CBZ"), (vec!["a/1.CBZ".into()], false), "{kind:?}");
        }
        let from = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        for kind in [from, EventKind::Create(CreateKind::Folder), EventKind::Remove(RemoveKind::Any)] {
            assert_eq!(changed(&reports, kind, b"/c/a"), (vec!["a".into()], false), "{kind:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf_8_causes_no_full_scan() {
        let reports = reports();
        let created = EventKind::Create(CreateKind::Any);
        assert_eq!(changed(&reports, created, b"/c/a/\xff.cbz"), (vec![], false));
        assert_eq!(changed(&reports, created, b"/elsewhere/1.cbz"), (vec![], true));
        let renamed = Event::new(EventKind::Modify(ModifyKind::Name(RenameMode::Both)));
        let from = PathBuf::from(std::ffi::OsStr::from_bytes(b"/c/\xff"));
        reports.handle(Ok(renamed.add_path(from).add_path("/c/b".into())));
        assert_eq!(reports.dirty.take().paths.into_iter().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_limit_that_is_reached_after_the_start_is_told_apart_from_other_losses() {
        let reports = reports();
        reports.handle(Err(notify::Error::generic("something")));
        assert!(reports.dirty.take().are_incomplete && !reports.is_full.load(Ordering::Relaxed));
        reports.handle(Err(notify::Error::new(ErrorKind::MaxFilesWatch)));
        assert!(reports.dirty.take().are_incomplete && reports.is_full.load(Ordering::Relaxed));
    }
}
