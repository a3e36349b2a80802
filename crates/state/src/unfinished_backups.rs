//! Names of unfinished backups, and removal of those left by a killed process.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::secrets::new_token;

/// Prefix of unfinished backups; a token follows.
const UNFINISHED: &str = ".greenroom-";
/// Digits of that token.
const TOKEN_DIGITS: usize = 32;
/// Suffixes of the database's side files.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];
/// A backup without a write for this long is abandoned.
const LEFT_OVER: Duration = Duration::from_hours(24);

/// The folder of a file.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A unique name in a folder for an unfinished backup.
pub(crate) fn unfinished(folder: &Path) -> PathBuf {
    folder.join(format!("{UNFINISHED}{}", new_token()))
}

/// Removes abandoned backups beside a file.
#[expect(clippy::disallowed_methods, reason = "compared with the times of files, which the system's clock gave them")]
pub(crate) fn remove_beside(file: &Path) {
    remove_left_over(folder_of(file), SystemTime::now());
}

/// Removes abandoned backups from a folder. Only certain ones: a file with such a name and without a write for
/// [`LEFT_OVER`].
pub fn remove_left_over(folder: &Path, now: SystemTime) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_unfinished) && is_left_over(&entry, now) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => {
                    tracing::info!(file = %entry.path().display(), "removed the rest of a backup that never ended");
                }
                Err(error) => tracing::debug!(file = %entry.path().display(), %error, "it cannot be removed"),
            }
        }
    }
}

/// Whether a file has the name of an unfinished backup, or of its database's side files.
fn is_unfinished(name: &str) -> bool {
    let name = BESIDE.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let token = name.strip_prefix(UNFINISHED);
    token.is_some_and(|token| token.len() == TOKEN_DIGITS && token.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn is_left_over(entry: &std::fs::DirEntry, now: SystemTime) -> bool {
    let Ok(file) = entry.metadata() else { return false };
    let age = file.modified().ok().and_then(|written| now.duration_since(written).ok());
    file.is_file() && age.is_some_and(|age| age >= LEFT_OVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "compared with the times of files")]
    fn what_a_killed_backup_left_is_removed_when_it_is_old_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let write = |name: &str, age: Duration| {
            std::fs::write(folder.path().join(name), "x").expect("written");
            let file = std::fs::File::options().write(true).open(folder.path().join(name)).expect("it is there");
            file.set_modified(now - age).expect("its time is set");
        };
        let (old, new) = (format!("{UNFINISHED}{:032x}", 7), format!("{UNFINISHED}{:032x}", 8));
        write(&old, LEFT_OVER);
        write(&format!("{old}-journal"), LEFT_OVER);
        write(&new, LEFT_OVER / 2);
        let others = [".greenroom-notes", ".greenroom-", "greenroom-20260101-000000.backup", "state.db"];
        for other in others {
            write(other, 100 * LEFT_OVER);
        }
        remove_left_over(folder.path(), now);
        let left = std::fs::read_dir(folder.path()).expect("it is there").flatten();
        let mut left: Vec<String> = left.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        left.sort();
        let mut expected: Vec<&str> = others.into_iter().chain([new.as_str()]).collect();
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    #[test]
    fn the_name_of_an_unfinished_backup_is_known_for_one() {
        let path = unfinished(Path::new("/folder"));
        assert!(path.file_name().and_then(|name| name.to_str()).is_some_and(is_unfinished), "{path:?}");
        assert_eq!(folder_of(Path::new("a.backup")), Path::new("."));
    }
}
