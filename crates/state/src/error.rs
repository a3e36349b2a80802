//! Errors of the state file and their remedies.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

use crate::warnings::{Severity, Warning};

/// Kind of a failure of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateErrorKind {
    /// Its contents are not ours or inconsistent.
    Damaged,
    /// A newer version of Greenroom wrote it.
    Newer,
    /// It cannot be read or written at the moment.
    Unavailable,
}

impl StateErrorKind {
    /// Whether the file is left untouched until a person intervenes.
    pub fn is_final(self) -> bool {
        self != Self::Unavailable
    }

    /// Its warning.
    pub fn warning(self) -> Warning {
        match self {
            Self::Damaged => Warning {
                code: "state-damaged",
                severity: Severity::Urgent,
                action: None,
                subject: None,
                text: "state.db in the data directory is damaged. It is kept as it is; until it is replaced nothing new is remembered over a restart.".into(),
                remedy: "Stop Greenroom and run `greenroom restore FILE` with a backup, or move state.db away to begin a new one.".into(),
            },
            Self::Newer => Warning {
                code: "state-newer",
                severity: Severity::Urgent,
                action: None,
                subject: None,
                text: "state.db in the data directory was written by a newer version of Greenroom. It is kept as it is; nothing new is remembered over a restart.".into(),
                remedy: "Run the newer version again, or stop Greenroom and run `greenroom restore FILE` with a backup of this version.".into(),
            },
            Self::Unavailable => Warning {
                code: "state-failing",
                severity: Severity::Urgent,
                action: None,
                subject: None,
                text: "state.db in the data directory cannot be written. What is proven of tokens may be forgotten by a restart.".into(),
                remedy: "Look whether the disk is full or the data directory is read-only; it is tried again by itself.".into(),
            },
        }
    }
}

/// A failure with the system's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateError {
    /// Its kind.
    pub kind: StateErrorKind,
    /// Message of the system.
    pub message: String,
}

impl StateError {
    /// A failure of this kind, with the message of the system or of SQLite.
    pub fn new(trouble: StateErrorKind, message: impl Into<String>) -> Self {
        Self { kind: trouble, message: message.into() }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        let trouble = match error.sqlite_error_code() {
            // Inconsistent pages, a missing table, a field of another type: not what we wrote.
            Some(
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown | ErrorCode::TypeMismatch,
            )
            | None => StateErrorKind::Damaged,
            // A missing page: the file was truncated.
            Some(ErrorCode::SystemIoFailure) if is_short_read(&error) => StateErrorKind::Damaged,
            Some(_) => StateErrorKind::Unavailable,
        };
        Self::new(trouble, error.to_string())
    }
}

impl From<io::Error> for StateError {
    fn from(error: io::Error) -> Self {
        Self::new(StateErrorKind::Unavailable, error.to_string())
    }
}

fn is_short_read(error: &rusqlite::Error) -> bool {
    let short = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == short)
}
