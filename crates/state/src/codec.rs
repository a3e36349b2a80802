//! Numbers as SQLite keeps them: signed. What does not fit is the nearest that does.

/// A number as it is kept.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was kept.
pub fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
