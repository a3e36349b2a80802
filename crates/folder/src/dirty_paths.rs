//! Changes in the tree since it was last read, as the system reported them.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// From this many paths on, the whole tree is read instead.
pub(crate) const MAX_PATHS: usize = 20_000;

/// Changes in the tree since it was last read.
#[derive(Debug, Default)]
pub struct DirtyPaths {
    changes: Mutex<ReportedChanges>,
    changed: Notify,
}

/// Changes that the system reported.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReportedChanges {
    /// Relative paths of files and folders.
    pub paths: BTreeSet<String>,
    /// Renames, from and to.
    pub renames: Vec<(String, String)>,
    /// Whether reports were lost, so that the whole tree must be read.
    pub are_incomplete: bool,
}

impl DirtyPaths {
    /// Adds a path; the empty one is the root.
    pub fn add(&self, path: String) {
        self.change(|changes| {
            changes.are_incomplete |= path.is_empty();
            changes.paths.insert(path);
        });
    }

    /// Adds a rename.
    pub fn add_rename(&self, from: String, to: String) {
        self.change(|changes| {
            changes.paths.extend([from.clone(), to.clone()]);
            changes.renames.push((from, to));
        });
    }

    /// Notes that reports were lost.
    pub fn lose(&self) {
        self.change(|changes| changes.are_incomplete = true);
    }

    /// Takes all changes.
    pub fn take(&self) -> ReportedChanges {
        std::mem::take(&mut self.changes.lock())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        let changes = self.changes.lock();
        changes.paths.is_empty() && !changes.are_incomplete
    }

    /// Waits until there are some.
    pub async fn wait(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut ReportedChanges)) {
        {
            let mut changes = self.changes.lock();
            change(&mut changes);
            // One file that is renamed to and fro adds no path, but a rename each time.
            if changes.paths.len() > MAX_PATHS || changes.renames.len() > MAX_PATHS {
                changes.paths.clear();
                changes.renames.truncate(MAX_PATHS);
                changes.are_incomplete = true;
            }
        }
        self.changed.notify_one();
    }
}

impl ReportedChanges {
    /// Whether a path is one of these or below one.
    pub fn covers(&self, path: &str) -> bool {
        self.paths.contains(path) || path.match_indices('/').any(|(at, _)| self.paths.contains(&path[..at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_are_bounded_as_paths_are_and_what_is_more_makes_the_reports_incomplete() {
        let dirty = DirtyPaths::default();
        for _ in 0..MAX_PATHS / 2 {
            dirty.add_rename("a".into(), "b".into());
            dirty.add_rename("b".into(), "a".into());
        }
        assert!(!dirty.changes.lock().are_incomplete);
        dirty.add_rename("a".into(), "b".into());
        let changes = dirty.take();
        assert!(changes.are_incomplete);
        assert_eq!((changes.renames.len(), changes.paths.len()), (MAX_PATHS, 0));
    }
}
