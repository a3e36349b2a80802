//! One gateway per data directory: a lock that the system releases when its holder ends in any way. While a gateway
//! holds it, commands that need the data ask that gateway (`cli`); a second gateway is refused, or takes over from the
//! first.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::time::Duration;

use greenroom_cache::disk::lock;
use lock::{DirectoryLock, LockError, LockHolder};

use crate::secrets::{LOCK_FILE as FILE, explain, give_to_owner};
use crate::warnings::Warning;

/// Wait before a refusal: a process that checks for a holder holds the lock for a moment.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// Prefix of a certificate's fingerprint.
const CERTIFICATE: &str = "sha256:";
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// An owned data directory, until this is dropped.
#[derive(Debug)]
pub struct Ownership {
    lock: Option<DirectoryLock>,
    /// The reason for which the directory has no lock, if it has none.
    unlocked: Option<String>,
}

impl Ownership {
    /// Writes this process's API address for other processes that find the directory in use.
    pub fn describe(&self, note: &str) {
        if let Some(lock) = &self.lock {
            lock.describe(note);
        }
    }

    /// Warning about a directory that could not be locked.
    pub fn warning(&self) -> Option<Warning> {
        let reason = self.unlocked.as_ref()?;
        let text = format!(
            "The data directory could not be locked ({reason}): nothing keeps a second gateway out of it, and \
             commands do not find this one there."
        );
        let remedy = "Name a directory on a local disk that can be written with data_dir; until then make sure that only \
                      one process uses it.";
        Some(Warning::notice(UNLOCKED, text, Cow::Borrowed(remedy)).urgent())
    }
}

/// Code of that warning.
pub const UNLOCKED: &str = "data-directory-unlocked";

/// The process that holds a data directory, if any.
pub fn holder(data_dir: &Path) -> Option<LockHolder> {
    DirectoryLock::holder(data_dir, FILE)
}

/// The holder's note: its API address, and the fingerprint of its certificate there.
pub fn note(address: &str, certificate: Option<&str>) -> String {
    match certificate {
        Some(certificate) => format!("{address}\n{CERTIFICATE}{certificate}"),
        None => address.to_owned(),
    }
}

/// API address of the holder; empty if it has not written one yet.
pub fn address_of(holder: &LockHolder) -> &str {
    holder.note.lines().next().unwrap_or_default()
}

/// Fingerprint of the holder's certificate, if it has one.
pub fn certificate_of(holder: &LockHolder) -> Option<&str> {
    holder.note.lines().nth(1)?.strip_prefix(CERTIFICATE)
}

/// Locks the data directory, waiting up to `patience` for a holder that is about to end. A cache in another directory
/// must not be in use either.
///
/// # Errors
/// One line that names the holder and the remedy.
pub async fn lock_data_dir(data_dir: &Path, cache_dir: Option<&Path>, patience: Duration) -> Result<Ownership, String> {
    let mut left = patience;
    loop {
        match try_lock_once(data_dir, cache_dir) {
            Err(LockFailure::Held(_, _)) if !left.is_zero() => tokio::time::sleep(PAUSE.min(left)).await,
            Err(failed) => return Err(failed.sentence()),
            Ok(lock) => return Ok(lock),
        }
        left = left.saturating_sub(PAUSE);
    }
}

/// Locks the data directory for a command that works alone.
///
/// # Errors
/// One line that names the holder and the remedy.
pub fn try_lock_data_dir(data_dir: &Path) -> Result<Ownership, String> {
    owned(data_dir, DirectoryLock::acquire(data_dir, FILE, PATIENCE)).map_err(LockFailure::sentence)
}

/// Interprets an attempt to lock the data directory. A directory that cannot be locked is used without a lock: normally
/// on a file system without locks, and with state in memory on a read-only one.
fn owned(data_dir: &Path, taken: Result<DirectoryLock, LockError>) -> Result<Ownership, LockFailure> {
    match taken {
        Ok(lock) => {
            give_to_owner(lock.path());
            let unlocked = lock.unlocked().map(ToString::to_string);
            Ok(Ownership { lock: Some(lock), unlocked })
        }
        Err(LockError::Held(holder)) => Err(LockFailure::Held(data_dir.to_owned(), holder)),
        Err(LockError::Failed(error)) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            Ok(Ownership { lock: None, unlocked: Some(error.to_string()) })
        }
        Err(LockError::Failed(error)) => Err(LockFailure::Failed(explain(data_dir, &error))),
    }
}

/// Reason why a directory was not locked.
#[derive(Debug)]
enum LockFailure {
    Held(std::path::PathBuf, LockHolder),
    Failed(String),
}

impl LockFailure {
    fn sentence(self) -> String {
        match self {
            Self::Held(dir, holder) => held_message(&dir, &holder),
            Self::Failed(reason) => reason,
        }
    }
}

fn try_lock_once(data_dir: &Path, cache_dir: Option<&Path>) -> Result<Ownership, LockFailure> {
    let taken = owned(data_dir, DirectoryLock::acquire(data_dir, FILE, Duration::ZERO))?;
    match cache_dir.and_then(|dir| Some((dir, DirectoryLock::holder(dir, lock::FILE)?))) {
        Some((dir, holder)) => Err(LockFailure::Held(dir.to_owned(), holder)),
        None => Ok(taken),
    }
}

/// Message for a process that finds a directory in use.
fn held_message(dir: &Path, holder: &LockHolder) -> String {
    let address = address_of(holder);
    let at = if address.is_empty() { String::new() } else { format!(" ({address})") };
    format!(
        "{} is in use by {holder}{at}: one process owns a data directory at a time; stop that one first, or \
         start with `greenroom serve --take-over` to take its place without failing a request",
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_locked_at_all_is_used_with_a_warning() {
        let folder = tempfile::tempdir().expect("a folder");
        let no_locks = |_: &std::fs::File| {
            let error = io::Error::from(io::ErrorKind::Unsupported);
            Err(std::fs::TryLockError::Error(error))
        };
        let taken = DirectoryLock::acquire_with(no_locks, folder.path(), FILE, Duration::ZERO);
        let read_only = Err(LockError::Failed(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)));
        for taken in [taken, read_only] {
            let owned = owned(folder.path(), taken).expect("it can be used");
            owned.describe("http://127.0.0.1:8710");
            let warning = owned.warning().expect("it is said");
            assert_eq!(warning.code, UNLOCKED);
            assert!(warning.text.contains("nothing keeps a second gateway out"), "{}", warning.text);
        }
        let locked = try_lock_data_dir(folder.path()).expect("it is free");
        assert!(locked.warning().is_none());
        let damaged = Err(LockError::Failed(io::Error::from(io::ErrorKind::StorageFull)));
        assert!(matches!(owned(folder.path(), damaged), Err(LockFailure::Failed(_))));
    }

    #[tokio::test]
    async fn a_directory_in_use_is_refused_with_its_holder_and_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
        let lock = lock_data_dir(&data, Some(&cache), Duration::ZERO).await.expect("it is free");
        lock.describe(&note("http://127.0.0.1:8710", Some("ab12")));
        let described = holder(&data).expect("it is held");
        assert_eq!((address_of(&described), certificate_of(&described)), ("http://127.0.0.1:8710", Some("ab12")));
        let reason = lock_data_dir(&data, None, Duration::ZERO).await.expect_err("it is held");
        let process = format!("process {}", std::process::id());
        for part in [process.as_str(), "http://127.0.0.1:8710", "--take-over"] {
            assert!(reason.contains(part), "{reason}");
        }
        drop(lock);
        let other = DirectoryLock::acquire(&cache, lock::FILE, Duration::ZERO).expect("it is free");
        let reason = lock_data_dir(&data, Some(&cache), Duration::ZERO).await.expect_err("its cache is held");
        assert!(reason.starts_with(&cache.display().to_string()), "{reason}");
        drop(other);
        lock_data_dir(&data, Some(&cache), Duration::ZERO).await.expect("both are free");
    }
}
