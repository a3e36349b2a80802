//! One gateway per data directory: a lock that the system frees when its holder ends, however it ends. While a gateway
//! holds it, commands that touch the data ask that gateway (`cli`); a second gateway is refused, or takes the
//! first one's place.

use std::path::Path;
use std::time::Duration;

use greenroom_cache::disk::lock;
use lock::{DirectoryLock, Holder, LockError};

use crate::secrets::{LOCK_FILE as FILE, explain, give_to_owner};

/// How long a refusal waits: whoever asks who holds a lock, holds it for a moment.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The process that holds a data directory, if one does.
pub fn holder(data_dir: &Path) -> Option<Holder> {
    DirectoryLock::holder(data_dir, FILE)
}

/// Locks the data directory, waiting up to `patience` for a holder that is about to end. A cache that lies elsewhere must
/// not be in use either.
///
/// # Errors
/// One line that names the holder and what to do.
pub async fn take(
    data_dir: &Path,
    cache_dir: Option<&Path>,
    patience: Duration,
) -> Result<DirectoryLock, String> {
    let mut left = patience;
    loop {
        match attempt(data_dir, cache_dir) {
            Err(Attempt::Held(_, _)) if !left.is_zero() => tokio::time::sleep(PAUSE.min(left)).await,
            Err(failed) => return Err(failed.sentence()),
            Ok(lock) => return Ok(lock),
        }
        left = left.saturating_sub(PAUSE);
    }
}

/// Locks the data directory for a command that works alone.
///
/// # Errors
/// One line that names the holder and what to do.
pub fn take_now(data_dir: &Path) -> Result<DirectoryLock, String> {
    match DirectoryLock::take(data_dir, FILE, PATIENCE) {
        Ok(lock) => {
            give_to_owner(lock.path());
            Ok(lock)
        }
        Err(LockError::Held(holder)) => Err(held(data_dir, &holder)),
        Err(LockError::Failed(error)) => Err(explain(data_dir, &error)),
    }
}

/// Why a directory was not locked.
enum Attempt {
    Held(std::path::PathBuf, Holder),
    Failed(String),
}

impl Attempt {
    fn sentence(self) -> String {
        match self {
            Self::Held(dir, holder) => held(&dir, &holder),
            Self::Failed(reason) => reason,
        }
    }
}

fn attempt(data_dir: &Path, cache_dir: Option<&Path>) -> Result<DirectoryLock, Attempt> {
    let taken = DirectoryLock::take(data_dir, FILE, Duration::ZERO).map_err(|error| match error {
        LockError::Held(holder) => Attempt::Held(data_dir.to_owned(), holder),
        LockError::Failed(error) => Attempt::Failed(explain(data_dir, &error)),
    })?;
    give_to_owner(taken.path());
    match cache_dir.and_then(|dir| Some((dir, DirectoryLock::holder(dir, lock::FILE)?))) {
        Some((dir, holder)) => Err(Attempt::Held(dir.to_owned(), holder)),
        None => Ok(taken),
    }
}

/// What a process hears that finds a directory held.
fn held(dir: &Path, holder: &Holder) -> String {
    let at = if holder.note.is_empty() { String::new() } else { format!(" ({})", holder.note) };
    format!(
        "{} is in use by {holder}{at}: one process owns a data directory at a time; stop that one first, or \
         start with `greenroom serve --take-over` to take its place without failing a request",
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_in_use_is_refused_with_its_holder_and_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
        let lock = take(&data, Some(&cache), Duration::ZERO).await.expect("it is free");
        lock.describe("http://127.0.0.1:8710");
        let reason = take(&data, None, Duration::ZERO).await.expect_err("it is held");
        let process = format!("process {}", std::process::id());
        for part in [process.as_str(), "http://127.0.0.1:8710", "--take-over"] {
            assert!(reason.contains(part), "{reason}");
        }
        drop(lock);
        let other = DirectoryLock::take(&cache, lock::FILE, Duration::ZERO).expect("it is free");
        let reason = take(&data, Some(&cache), Duration::ZERO).await.expect_err("its cache is held");
        assert!(reason.starts_with(&cache.display().to_string()), "{reason}");
        drop(other);
        take(&data, Some(&cache), Duration::ZERO).await.expect("both are free");
    }
}
