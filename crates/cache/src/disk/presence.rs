//! Who else has the store open. Each process holds a lock on a file of its own in one folder for as long as it
//! lives; a file that nobody holds is of a process that died. So nobody need be told that a process is gone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder of all processes.
const FOLDER: &str = "present";
/// Who dies leaves no trace, so the files are looked at this often even if none came or went.
const LOOK_EVERY_MS: u64 = 1_000;
/// Somebody may take a file that is not locked yet for that of a dead process, and remove it: then it is made anew.
const TRIES: usize = 8;

/// This process among those that have the store open.
#[derive(Debug)]
pub(crate) struct Presence {
    folder: PathBuf,
    name: String,
    /// Held for as long as we are here; `None` where it could not be made: then nobody sees us.
    file: Option<File>,
    changed: Option<SystemTime>,
    look_at_ms: u64,
    has_company: bool,
}

impl Presence {
    /// Shows this process to the others. Where that cannot be, it counts as alone.
    pub(crate) fn enter(dir: &Path, origin: i64) -> Self {
        let mut presence = Self {
            folder: dir.join(FOLDER),
            name: format!("{:016x}", origin.cast_unsigned()),
            file: None,
            changed: None,
            look_at_ms: 0,
            has_company: false,
        };
        presence.show();
        presence
    }

    /// Whether anybody else is here. Asked often, it mostly looks at the folder's time of change only.
    pub(crate) fn look(&mut self, now_ms: u64) -> bool {
        let changed = std::fs::metadata(&self.folder).and_then(|folder| folder.modified()).ok();
        if now_ms >= self.look_at_ms || changed != self.changed {
            (self.look_at_ms, self.changed) = (now_ms + LOOK_EVERY_MS, changed);
            self.show();
            self.has_company = self.count_others() > 0;
        }
        self.has_company
    }

    /// Makes our file if it is not there (any more).
    fn show(&mut self) {
        let is_shown = |file: &File| file.metadata().is_ok_and(|file| file.nlink() > 0);
        if self.file.as_ref().is_some_and(is_shown) {
            return;
        }
        self.file = None;
        for _ in 0..TRIES {
            let Ok(file) = self.make() else { return };
            if file.try_lock().is_ok() && is_shown(&file) {
                self.file = Some(file);
                return;
            }
        }
    }

    fn make(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(&self.name);
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Counts who lives, and removes the files of who does not.
    fn count_others(&self) -> usize {
        count_in(&self.folder, Some(&self.name))
    }
}

/// Whether anybody has the store in `dir` open.
pub(super) fn is_anybody_in(dir: &Path) -> bool {
    count_in(&dir.join(FOLDER), None) > 0
}

fn count_in(folder: &Path, except: Option<&str>) -> usize {
    let Ok(files) = std::fs::read_dir(folder) else { return 0 };
    let others = files.flatten().filter(|file| file.file_name().to_str() != except);
    others.filter(|other| lives(&other.path())).count()
}

fn lives(path: &Path) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return false };
    let is_free = file.try_lock().is_ok();
    if is_free {
        drop(std::fs::remove_file(path));
    }
    !is_free
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.file.is_some() {
            drop(std::fs::remove_file(self.folder.join(&self.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_who_goes_is_seen() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut one = Presence::enter(dir.path(), 1);
        assert!(!one.look(0), "alone");
        let mut two = Presence::enter(dir.path(), 2);
        assert!(two.look(0), "the newcomer sees who is there at once");
        assert!(one.look(LOOK_EVERY_MS), "and is seen within a second");
        drop(two);
        assert!(!one.look(2 * LOOK_EVERY_MS));
    }

    #[test]
    fn who_died_left_a_file_that_nobody_holds() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut one = Presence::enter(dir.path(), 1);
        let left = dir.path().join(FOLDER).join("00000000000000ff");
        std::fs::write(&left, "").expect("written");
        assert!(!one.look(0));
        assert!(!left.exists());
    }

    #[test]
    fn a_file_taken_away_is_made_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (Presence::enter(dir.path(), 1), Presence::enter(dir.path(), 2));
        std::fs::remove_dir_all(dir.path().join(FOLDER)).expect("removed");
        assert!(!one.look(LOOK_EVERY_MS), "two has not noticed yet");
        assert!(two.look(LOOK_EVERY_MS));
        assert!(one.look(2 * LOOK_EVERY_MS));
    }

    #[test]
    fn where_no_file_can_be_made_a_process_counts_as_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FOLDER), "a file where the folder should be").expect("written");
        assert!(!Presence::enter(dir.path(), 1).look(0));
    }
}
