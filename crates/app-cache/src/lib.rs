//! Caches for apps: a store that any program of the house may use, over the API.
//!
//! | module | content |
//! |---|---|
//! | [`app_caches`] | all caches: what may be asked of them; `batch_calls`, `lease_calls`, `invalidation_calls`: the calls of batches, leases and invalidations; `upkeep`: the work beside the calls |
//! | [`app_cache`], [`counters`] | one cache: its settings, size and counts |
//! | [`entry`], [`lookup`], [`put`], [`lease`], [`scope`], [`batch`], [`name`] | what is stored and asked, with the decisions as pure functions |
//! | `registry`, `deferred`, `lease_waits` | the caches by name; puts that are stored later; callers that wait for a lease |
//! | `store` | the SQLite file |
//!
//! **What was answered is not lost.** The engine's disk tier may drop what it holds: it is a cache of what can be loaded
//! again, drops writes when it is slow, and sets a damaged file aside. An app that stored a value was told that it is
//! stored. So these caches have a file of their own, whose one writer answers after its commit; only an entry that was
//! deferred is answered before, with a barrier to wait for.
//!
//! **What was invalidated is not undone.** Every write has a number, and an invalidation is remembered with its own. A put
//! that says at which number its work began, or under which lease, is fenced if the key or a tag was invalidated since.

mod app_cache;
mod app_caches;
pub mod batch;
mod batch_calls;
mod called_removals;
pub mod counters;
mod deferred;
pub mod entry;
pub mod error;
mod invalidation_calls;
pub mod lease;
mod lease_calls;
mod lease_waits;
pub mod lookup;
pub mod name;
pub mod put;
mod registry;
pub mod scope;
mod store;
mod upkeep;

pub use app_cache::AppCacheReport;
pub use app_caches::AppCaches;
pub use error::AppCacheError;
pub use invalidation_calls::EntryInvalidation;
pub use lease_calls::MAX_LEASE_WAIT;
pub use name::{CacheName, EntryKey, EntryTags};
pub use store::ListedEntry;

#[cfg(test)]
mod tests;
