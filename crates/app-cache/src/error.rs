//! Failures of an operation.

use std::fmt;

/// Reasons why an operation failed. None of them leaves a part of it done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppCacheError {
    /// The store's file cannot be used: it could not be opened, or its disk fails.
    Unavailable,
    /// The disk is full.
    DiskFull,
    /// The store's file is damaged.
    Damaged,
    /// Too many operations wait for the writer.
    Busy,
    /// There are as many caches as may be.
    TooManyCaches,
    /// The cache has as many leases as may be.
    TooManyLeases,
    /// The cache is full, and evicts nothing or not fast enough.
    Full,
    /// The value is longer than the cache allows.
    ValueTooLong,
    /// The entry to be added to holds no integer.
    NotAnInteger,
    /// The sum has more than 64 bits.
    Overflow,
    /// The process ends.
    ShuttingDown,
}

impl AppCacheError {
    /// All failures.
    pub const EVERY: [Self; 11] = [
        Self::Unavailable,
        Self::DiskFull,
        Self::Damaged,
        Self::Busy,
        Self::TooManyCaches,
        Self::TooManyLeases,
        Self::Full,
        Self::ValueTooLong,
        Self::NotAnInteger,
        Self::Overflow,
        Self::ShuttingDown,
    ];

    /// Name in metrics and problems.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "store-unavailable",
            Self::DiskFull => "disk-full",
            Self::Damaged => "store-damaged",
            Self::Busy => "store-busy",
            Self::TooManyCaches => "too-many-caches",
            Self::TooManyLeases => "too-many-leases",
            Self::Full => "cache-full",
            Self::ValueTooLong => "value-too-long",
            Self::NotAnInteger => "not-an-integer",
            Self::Overflow => "overflow",
            Self::ShuttingDown => "shutting-down",
        }
    }
}

impl fmt::Display for AppCacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for AppCacheError {}

impl From<rusqlite::Error> for AppCacheError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Unavailable,
        }
    }
}
