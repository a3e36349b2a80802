//! Gateways on one data directory take turns: one of them keeps what is kept in step, and a playlist is written by one at
//! a time. Locks on files, which end with the process however that ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The folder of these files in the data directory.
const FOLDER: &str = "playlists";
/// Files that stand for all playlists there can be: two in one wait for each other without need, which costs little.
const WRITERS: u8 = 64;

/// The turn to keep what is kept in step, if nobody has it.
///
/// # Errors
/// If the directory cannot be written.
pub(super) fn to_keep(data_dir: &Path) -> io::Result<Option<File>> {
    take(data_dir, "keep.lock")
}

/// The turn to write the playlist of this name, if nobody has it.
///
/// # Errors
/// If the directory cannot be written.
pub(super) fn to_write(data_dir: &Path, server: &str, name: &str) -> io::Result<Option<File>> {
    let hash = blake3::hash(format!("{server}\0{name}").as_bytes());
    take(data_dir, &format!("write-{:02}.lock", hash.as_bytes()[0] % WRITERS))
}

fn take(data_dir: &Path, name: &str) -> io::Result<Option<File>> {
    let folder = data_dir.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_turn_and_the_other_when_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = to_keep(folder.path()).expect("it can be written").expect("nobody has it");
        assert!(to_keep(folder.path()).expect("it can be written").is_none());
        assert!(to_write(folder.path(), "home", "Weekly").expect("it can be written").is_some());
        drop(one);
        assert!(to_keep(folder.path()).expect("it can be written").is_some());
    }
}
