//! Storage errors, and what they mean for the tier.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

/// Kinds of storage failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// No space left: writes pause, reads continue.
    Full,
    /// The store is read-only: reads continue.
    ReadOnly,
    /// Another connection holds the database longer than the timeout.
    Locked,
    /// The file is corrupt or foreign: it is set aside, and a new one created.
    Damaged,
    /// A cache of another version of the program, which may be using it.
    Format,
    /// The file or its directory is missing: a new one is created where possible.
    Gone,
    /// Any other system error.
    Io,
}

impl StorageErrorKind {
    /// Every kind.
    pub const EVERY: [Self; 7] =
        [Self::Full, Self::ReadOnly, Self::Locked, Self::Damaged, Self::Format, Self::Gone, Self::Io];

    /// Name in the API and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Format => "another format",
            Self::Gone => "gone",
            Self::Io => "failing",
        }
    }

    /// The remedy, for a person.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Full => "free space on this disk or lower disk.max_bytes; only hits after a restart are lost",
            Self::ReadOnly => "make the directory writable for this user, or name another data_dir",
            Self::Locked => "end the other program that holds the file; writing is retried automatically",
            Self::Damaged => "nothing to do; check the disk's health if it happens again",
            Self::Format => "end the other version of Greenroom, or give each version its own directory",
            Self::Gone => "nothing to do if you removed it; otherwise check that the disk is mounted",
            Self::Io => "check the disk and the system log",
        }
    }
}

impl fmt::Display for StorageErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One storage failure, with the system's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageError {
    pub(crate) kind: StorageErrorKind,
    pub(crate) message: String,
}

impl StorageError {
    pub(crate) fn new(kind: StorageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StorageErrorKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StorageErrorKind::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                StorageErrorKind::Locked
            }
            Some(ErrorCode::CannotOpen) => StorageErrorKind::Gone,
            // A missing page: the file was truncated.
            Some(ErrorCode::SystemIoFailure) if is_short_read(&error) => StorageErrorKind::Damaged,
            // Inconsistent pages, a missing table, a field of another type: not as written.
            Some(
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown | ErrorCode::TypeMismatch,
            )
            | None => StorageErrorKind::Damaged,
            Some(_) => StorageErrorKind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StorageErrorKind::Full
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StorageErrorKind::ReadOnly,
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StorageErrorKind::Gone,
            _ => StorageErrorKind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

fn is_short_read(error: &rusqlite::Error) -> bool {
    let short = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == short)
}
