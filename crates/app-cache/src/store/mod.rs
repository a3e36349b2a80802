//! The store: one SQLite file for all caches, one thread that writes, and a few connections that read.
//!
//! | module | content |
//! |---|---|
//! | `file` | opening the file; a damaged one is set aside |
//! | `schema` | its tables |
//! | `writer` | the writing thread: writes that wait at the same moment share one transaction |
//! | `transaction` | numbers and sizes within a transaction |
//! | `entries`, `invalidations`, `removals`, `leases`, `sweeps` | what is done within one |
//! | `readers` | reading |
//!
//! A write is answered after its transaction is committed, so the death of the process loses none that was answered.

mod entries;
mod file;
mod invalidations;
mod leases;
mod readers;
mod removals;
mod schema;
mod sweeps;
mod transaction;
mod writer;

pub(crate) use entries::{ReadableEntry, add_integer, pop, put, retag, touch};
pub(crate) use file::{FILE, StoreFile};
pub(crate) use invalidations::{invalidate, is_invalidated};
pub(crate) use leases::{acquire, release};
pub use readers::ListedEntry;
pub(crate) use readers::{EntryListing, Readers, caches};
#[cfg(test)]
pub(crate) use removals::RemovalStep;
pub(crate) use removals::continue_removal;
#[cfg(test)]
pub(crate) use removals::{MAX_REMOVALS, ROWS_PER_REMOVAL};
pub(crate) use sweeps::{drop_cache, evict, sweep};
pub(crate) use transaction::{CacheSize, WriteTransaction};
pub(crate) use writer::{WriteJob, Writer, received};

/// A number as SQLite stores it. Times and counts stay below 2^63.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of ours that SQLite stored.
pub(crate) fn from_sql(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
