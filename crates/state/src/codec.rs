//! Conversion of numbers for SQLite, whose integers are signed. Out-of-range numbers are clamped.

/// A number as stored.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stored number.
pub fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
