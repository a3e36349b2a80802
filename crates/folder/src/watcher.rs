//! Changes of the tree as the system reports them.

use std::path::Path;
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::dirty_paths::DirtyPaths;

/// A watch of a tree; it ends when this is dropped.
#[derive(Debug)]
pub struct TreeWatch {
    _watcher: RecommendedWatcher,
}

/// Why a tree cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchError {
    /// The system's limit of watches is reached.
    Limit,
    /// Anything else.
    Other(String),
}

impl TreeWatch {
    /// Watches a tree. It blocks while the tree is walked.
    ///
    /// # Errors
    /// It cannot be watched.
    pub fn start(root: &Path, dirty: Arc<DirtyPaths>) -> Result<Self, WatchError> {
        let base = root.to_owned();
        let handle = move |result: notify::Result<Event>| match result {
            Ok(event) => report(&base, event, &dirty),
            Err(error) => {
                tracing::debug!(%error, "events of a folder were lost");
                dirty.lose();
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(handle, config).map_err(WatchError::from)?;
        watcher.watch(root, RecursiveMode::Recursive).map_err(WatchError::from)?;
        Ok(Self { _watcher: watcher })
    }
}

impl From<notify::Error> for WatchError {
    fn from(error: notify::Error) -> Self {
        let is_limit = matches!(error.kind, ErrorKind::MaxFilesWatch)
            || matches!(&error.kind, ErrorKind::Io(io) if io.raw_os_error() == Some(28));
        if is_limit { Self::Limit } else { Self::Other(error.to_string()) }
    }
}

/// Adds an event to what changed. Mere reading is no change.
fn report(root: &Path, event: Event, dirty: &DirtyPaths) {
    if event.need_rescan() {
        dirty.lose();
        return;
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return,
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            let paths: Vec<Option<String>> = event.paths.iter().map(|path| relative(root, path)).collect();
            if let [Some(from), Some(to)] = &paths[..] {
                dirty.add_rename(from.clone(), to.clone());
                return;
            }
        }
        _ => {}
    }
    for path in event.paths {
        match relative(root, &path) {
            Some(path) => dirty.add(path),
            None => dirty.lose(),
        }
    }
}

/// The path below the root; `None` if it is none or not UTF-8.
fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}
