//! The turn of a process at a file that several share, and that two at once would spoil for each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::trouble::Failing;
use crate::keys::give_to_owner;

/// Locked by the process that opens `state.db`.
pub(super) const TO_OPEN: &str = "state.lock";
/// How often, and with which pause, a process asks for its turn.
const TURN_TRIES: u32 = 1_000;
const TURN_PAUSE: Duration = Duration::from_millis(2);

/// Keeps others from what this file stands for, as long as what it gives lives. `None` if another one has its turn
/// and does not end it. It blocks.
pub(crate) fn take(data_dir: &Path, lock_file: &str) -> Result<Option<File>, Failing> {
    let path = data_dir.join(lock_file);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    give_to_owner(&path);
    for _ in 0..TURN_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(TURN_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Ok(None)
}
