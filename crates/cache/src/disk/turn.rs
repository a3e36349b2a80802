//! The turn of one process to open the store.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::trouble::{Failing, Trouble};

/// Locked by the process that is opening the store.
const TURN_FILE: &str = "cache.lock";
/// How often, and with which pause, a process asks for its turn.
const TURN_TRIES: u32 = 1_000;
const TURN_PAUSE: Duration = Duration::from_millis(2);

/// The turn of one process to open the store: two that make it, or turn its log on, at once would fail each other.
pub(super) struct Turn(#[expect(dead_code, reason = "held until it is dropped")] File);

impl Turn {
    pub(super) fn take(dir: &Path) -> Result<Self, Failing> {
        let path = dir.join(TURN_FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        for _ in 0..TURN_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(TURN_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(Failing::new(Trouble::Locked, "another process is opening it and does not end"))
    }
}
