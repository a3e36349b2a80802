//! Markers as they lie in a store, or are on their way there.

use crate::stamp::Stamp;

/// A marker on its way to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The scope as it is spelled.
    pub(crate) scope: String,
    pub(crate) purges: bool,
    pub(crate) stamp: Stamp,
    /// Until the end of which millisecond of the clock nothing it covers may be stored; zero if it may.
    pub(crate) hold_until: Stamp,
    /// Until when loads of what it covers live for `settle_fresh_ms` at most; zero if as long as ever.
    pub(crate) settle_until_ms: u64,
    pub(crate) settle_fresh_ms: u64,
}

/// A marker with its place in the order of all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) seq: u64,
    pub(crate) origin: i64,
    pub(crate) mark: Mark,
}
