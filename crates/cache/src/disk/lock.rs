//! Lets one process at a time own a directory, by a lock on a file in it. The system releases the lock when the process
//! ends, even if it crashes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the lock file in a store's directory.
pub const FILE: &str = "cache.lock";
/// Pause between two attempts to lock.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// Max bytes read from a lock file.
const MAX_TEXT_BYTES: u64 = 4096;

/// Locks a file without waiting.
pub type TryLock = fn(&File) -> Result<(), TryLockError>;

/// The lock on a directory. Dropping it releases the lock.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
    path: PathBuf,
    /// The error that says that the file system has no locks. If set, other processes are not excluded.
    unlocked: Option<io::Error>,
}

/// Reason for which a directory could not be locked.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds the lock.
    Held(LockHolder),
    /// The lock file can be neither opened nor locked.
    Failed(io::Error),
}

/// The process that holds a lock, as described in the lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process id; `None` if not written yet.
    pub pid: Option<u32>,
    /// Further text from the process, such as the address of its API.
    pub note: String,
}

impl std::fmt::Display for LockHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

impl DirectoryLock {
    /// Locks a directory, creating it if necessary. If another process holds the lock, waits up to `timeout` for its
    /// release.
    ///
    /// # Errors
    /// If another process holds the lock, the directory cannot be created, or the lock file can be neither opened nor
    /// locked.
    pub fn acquire(dir: &Path, file_name: &str, timeout: Duration) -> Result<Self, LockError> {
        Self::acquire_with(File::try_lock, dir, file_name, timeout)
    }

    /// Like [`Self::acquire`], with a given function to lock the file. On a file system without locks it succeeds
    /// without one ([`Self::unlocked`]), because such a setup works if only one process uses the directory.
    ///
    /// # Errors
    /// As with [`Self::acquire`].
    pub fn acquire_with(try_lock: TryLock, dir: &Path, file_name: &str, timeout: Duration) -> Result<Self, LockError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(LockError::Failed)?;
        let path = dir.join(file_name);
        let mut remaining = timeout;
        loop {
            let file = open(&path).map_err(LockError::Failed)?;
            match try_lock(&file) {
                Ok(()) => {
                    let lock = Self { file, path: path.clone(), unlocked: None };
                    if lock.is_in_place() {
                        lock.describe("");
                        return Ok(lock);
                    }
                    // The file was removed between opening and locking it.
                }
                Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                    let lock = Self { file, path: path.clone(), unlocked: Some(error) };
                    lock.describe("");
                    return Ok(lock);
                }
                Err(TryLockError::Error(error)) => return Err(LockError::Failed(error)),
                Err(TryLockError::WouldBlock) if remaining.is_zero() => {
                    return Err(LockError::Held(read(file)));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::park_timeout(RETRY_PAUSE.min(remaining));
                    remaining = remaining.saturating_sub(RETRY_PAUSE);
                }
            }
        }
    }

    /// The process that holds the lock of a directory, if any.
    pub fn holder(dir: &Path, file_name: &str) -> Option<LockHolder> {
        let file = File::open(dir.join(file_name)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read(file)),
            _ => None,
        }
    }

    /// Whether the locked file is still the one at its path. It is not if the directory was moved or replaced.
    pub fn is_in_place(&self) -> bool {
        let current = std::fs::metadata(&self.path);
        let own = self.file.metadata();
        matches!((current, own), (Ok(current), Ok(own)) if (current.dev(), current.ino()) == (own.dev(), own.ino()))
    }

    /// The system's error if the file system has no locks, so that other processes are not excluded.
    pub fn unlocked(&self) -> Option<&io::Error> {
        self.unlocked.as_ref()
    }

    /// Path of the lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the process id and `note` into the lock file, for processes that find the directory locked. Errors are
    /// ignored: on a full disk the text is missing, but the lock holds.
    pub fn describe(&self, note: &str) {
        let mut file = &self.file;
        let text = format!("{}\n{note}\n", std::process::id());
        // Only a hint for other processes: the lock holds without it.
        let _ =
            file.rewind().and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.set_len(text.len() as u64));
    }
}

/// Whether a lock failed because the file system has no locks.
fn has_no_locks(error: &io::Error) -> bool {
    let no_locks = rustix::io::Errno::NOLCK.raw_os_error();
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(no_locks)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read(file: File) -> LockHolder {
    let mut text = String::new();
    let _ = file.take(MAX_TEXT_BYTES).read_to_string(&mut text); // What cannot be read is left out of the message.
    let (pid, note) = text.split_once('\n').unwrap_or_default();
    LockHolder { pid: pid.parse().ok(), note: note.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(dir: &Path) -> Result<DirectoryLock, LockError> {
        DirectoryLock::acquire(dir, FILE, Duration::ZERO)
    }

    #[test]
    fn a_locked_directory_is_refused_with_its_owner_and_free_once_the_lock_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("new");
        assert_eq!(DirectoryLock::holder(&dir, FILE), None);
        let lock = take(&dir).expect("it is free");
        lock.describe("127.0.0.1:8710");
        let holder = LockHolder { pid: Some(std::process::id()), note: "127.0.0.1:8710".into() };
        assert!(matches!(take(&dir), Err(LockError::Held(found)) if found == holder));
        assert_eq!(DirectoryLock::holder(&dir, FILE), Some(holder));
        lock.describe("");
        assert_eq!(DirectoryLock::holder(&dir, FILE).map(|holder| holder.note), Some(String::new()));
        drop(lock);
        assert_eq!(DirectoryLock::holder(&dir, FILE), None, "what it wrote is left over and means nothing");
        take(&dir).expect("it is free again");
    }

    #[test]
    fn a_lock_of_a_directory_that_was_replaced_is_not_in_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("one");
        let lock = take(&dir).expect("it is free");
        assert!(lock.is_in_place());
        std::fs::rename(&dir, folder.path().join("two")).expect("it is moved");
        assert!(!lock.is_in_place());
        take(&dir).expect("another directory by the same name is free");
    }

    #[test]
    fn a_directory_on_a_file_system_without_locks_is_used_without_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let errors: [TryLock; 3] = [
            |_| Err(TryLockError::Error(io::Error::from(rustix::io::Errno::NOLCK))),
            |_| Err(TryLockError::Error(io::Error::from(rustix::io::Errno::NOTSUP))),
            |_| Err(TryLockError::Error(io::Error::from(rustix::io::Errno::NOSYS))),
        ];
        for try_lock in errors {
            let take = || DirectoryLock::acquire_with(try_lock, folder.path(), FILE, Duration::ZERO);
            let lock = take().expect("it can be used");
            assert!(lock.unlocked().is_some() && lock.is_in_place());
            assert!(take().is_ok(), "it excludes no other process");
        }
        let fails: TryLock = |_| Err(TryLockError::Error(io::Error::from(rustix::io::Errno::IO)));
        let failed = DirectoryLock::acquire_with(fails, folder.path(), FILE, Duration::ZERO);
        assert!(matches!(failed, Err(LockError::Failed(_))), "a disk that fails is another matter");
        assert!(take(folder.path()).expect("it is free").unlocked().is_none());
    }

    #[test]
    fn a_path_that_is_no_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(matches!(take(&file.path().join("below")), Err(LockError::Failed(_))));
    }
}
