//! What is wrong with the file, and what to do about it.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

use crate::warnings::{Severity, Warning};

/// The ways the file fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is not what we wrote.
    Damaged,
    /// A newer version of the program wrote it.
    Newer,
    /// It cannot be read or written at the moment.
    Failing,
}

impl Trouble {
    /// Whether the file is left as it is for good, until somebody sees to it.
    pub fn is_final(self) -> bool {
        self != Self::Failing
    }

    /// The warning for people.
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
            Self::Failing => Warning {
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

/// One failure, with what the system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// What it means.
    pub trouble: Trouble,
    /// In the system's words.
    pub message: String,
}

impl Failing {
    /// A failure of this kind, with the message of the system or of SQLite.
    pub fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into() }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<rusqlite::Error> for Failing {
    fn from(error: rusqlite::Error) -> Self {
        let trouble = match error.sqlite_error_code() {
            // Pages that do not fit together, a table that is not there, a field of another type: not what we wrote.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::Unknown
                | ErrorCode::TypeMismatch,
            )
            | None => Trouble::Damaged,
            // A page that is not there any more: the file was cut.
            Some(ErrorCode::SystemIoFailure) if is_short_read(&error) => Trouble::Damaged,
            Some(_) => Trouble::Failing,
        };
        Self::new(trouble, error.to_string())
    }
}

impl From<io::Error> for Failing {
    fn from(error: io::Error) -> Self {
        Self::new(Trouble::Failing, error.to_string())
    }
}

fn is_short_read(error: &rusqlite::Error) -> bool {
    let short = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == short)
}
