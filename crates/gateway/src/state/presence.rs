//! Which gateways are alive on a data directory: each holds a lock on a file of its own, which ends with the process
//! however that ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::keys::new_token;

/// The folder of these files in the data directory.
pub(crate) const FOLDER: &str = "running";

/// This process, seen by others as long as this lives.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    _lock: File,
}

impl Presence {
    /// Lets others see this process.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn announce(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        loop {
            let path = folder.join(format!("{}-{}", std::process::id(), new_token()));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.lock()?;
            // Somebody may have taken it for one that was left over, before it was locked.
            if path.exists() {
                return Ok(Self { path, _lock: file });
            }
        }
    }

    /// Whether no other process is there.
    pub fn is_alone(&self) -> bool {
        !others(&self.path.with_file_name(""), Some(&self.path))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

/// Whether a gateway is alive on this directory.
pub fn is_anybody_there(data_dir: &Path) -> bool {
    others(&data_dir.join(FOLDER), None)
}

/// Whether somebody holds a file but `ours`. Those that nobody holds are left over from a crash, and removed.
fn others(folder: &Path, ours: Option<&Path>) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let held = |path: PathBuf| {
        if ours == Some(path.as_path()) {
            return false;
        }
        let Ok(file) = File::open(&path) else { return false };
        let is_held = file.try_lock_shared().is_err();
        if !is_held {
            drop(std::fs::remove_file(path));
        }
        is_held
    };
    // All are looked at, so that all that is left over goes.
    entries.flatten().map(|entry| held(entry.path())).fold(false, |any, held| any | held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lives_is_seen_and_who_crashed_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!is_anybody_there(folder.path()));
        let one = Presence::announce(folder.path()).expect("it can be written");
        assert!(one.is_alone() && is_anybody_there(folder.path()));
        let two = Presence::announce(folder.path()).expect("it can be written");
        assert!(!one.is_alone() && !two.is_alone());
        drop(two);
        assert!(one.is_alone());
        let left = folder.path().join(FOLDER).join("1-left");
        std::fs::write(&left, "").expect("written");
        assert!(one.is_alone() && !left.exists(), "what a crash left over is removed");
    }
}
