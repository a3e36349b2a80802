//! What goes wrong with storage, and what it means for the tier.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

/// The ways storage fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No space is left: nothing is written for a while, reads go on.
    Full,
    /// The place may not be written to: reads go on.
    ReadOnly,
    /// Somebody else holds the database longer than we wait.
    Locked,
    /// The file is not what we wrote: it is set aside, and a new one begun.
    Damaged,
    /// It is a cache of another version of the program, which may be using it.
    Format,
    /// The file or its directory is gone: a new one is begun where possible.
    Gone,
    /// Anything else the system reports.
    Failing,
}

impl Trouble {
    /// Every way.
    pub const EVERY: [Self; 7] =
        [Self::Full, Self::ReadOnly, Self::Locked, Self::Damaged, Self::Format, Self::Gone, Self::Failing];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Format => "another format",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// What a person can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Full => {
                "make room on this disk or lower disk.max_bytes; nothing is lost but hits after a restart"
            }
            Self::ReadOnly => "make the directory writable for this user, or name another data_dir",
            Self::Locked => "end the other program that holds the file; it is tried again by itself",
            Self::Damaged => "nothing; look at the disk's health if it happens again",
            Self::Format => "end the other version of the program, or give each a directory of its own",
            Self::Gone => "nothing if you removed it; else check that the disk is mounted",
            Self::Failing => "check the disk and the system's log",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure of storage, with what the system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) trouble: Trouble,
    pub(crate) message: String,
}

impl Failing {
    pub(crate) fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into() }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.trouble, self.message)
    }
}

impl From<rusqlite::Error> for Failing {
    fn from(error: rusqlite::Error) -> Self {
        let trouble = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Trouble::ReadOnly,
            Some(
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
            ) => Trouble::Locked,
            Some(ErrorCode::CannotOpen) => Trouble::Gone,
            // A page that is not there any more: the file was cut.
            Some(ErrorCode::SystemIoFailure) if is_short_read(&error) => Trouble::Damaged,
            // Pages that do not fit together, a table that is not there, a field of another type: not what we wrote.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::Unknown
                | ErrorCode::TypeMismatch,
            )
            | None => Trouble::Damaged,
            Some(_) => Trouble::Failing,
        };
        Self::new(trouble, error.to_string())
    }
}

impl From<io::Error> for Failing {
    fn from(error: io::Error) -> Self {
        let trouble = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Trouble::Full
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Trouble::ReadOnly,
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Trouble::Gone,
            _ => Trouble::Failing,
        };
        Self::new(trouble, error.to_string())
    }
}

fn is_short_read(error: &rusqlite::Error) -> bool {
    let short = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == short)
}
