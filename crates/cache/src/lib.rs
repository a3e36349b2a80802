//! A cache engine for values that are expensive to load, belong to one identity, and can become wrong at any moment.
//!
//! It answers from memory, and from disk if a disk tier is configured, loads what is missing, and keeps five promises.
//! Each promise has tests that fail without it:
//!
//! 1. **Never mixed.** A value is stored under (namespace, [`Partition`], key). A value loaded for one partition is
//!    never served to another, not even while loads are shared.
//! 2. **Never undone.** The result of a load that began before an invalidation is never used after it: it is not
//!    stored, and no read that arrived after the invalidation joins that load.
//! 3. **Never emptied by a failure.** A failed load replaces nothing. An expired value is served in place of a failed
//!    load for as long as the policy says; so is an invalidated one, unless it was purged.
//! 4. **Never a crowd.** However many reads need a key, one load runs, in a task that none of them owns.
//! 5. **Never lying.** Every response states how it was obtained ([`CacheStatus`]), from where ([`Tier`]), its maximum
//!    age, its remaining fresh time, and the reason if it is not fresh ([`CacheStatusReason`]).
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use greenroom_cache::*;
//! use tokio_util::task::TaskTracker;
//!
//! struct Weather;
//!
//! impl Loader for Weather {
//!     type Pass = ();
//!
//!     async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
//!         let loaded = LoadedValue { tags: vec![Tag::new("sky")], ..LoadedValue::new(Value::new("sunny")) };
//!         Ok(LoadResult::Store(loaded))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let cache = Cache::new(CacheSettings::default(), Clock::system(), TaskTracker::new());
//! let policy = Policy {
//!     class: "weather",
//!     fresh: Duration::from_secs(60),
//!     freshness_bound: None,
//!     stale: Duration::from_secs(60),
//!     stale_on_error: Duration::from_secs(86_400),
//!     refresh_ahead: true,
//!     warm: false,
//!     soft_timeout: Duration::from_secs(1),
//!     hard_timeout: Duration::from_secs(30),
//! };
//! let key = Key::new("outside", &Partition::new("anna"), "/today");
//!
//! let first = cache.get_or_load(&key, &policy, CacheDirective::Any, || Weather).await?;
//! assert_eq!(first.served(), Some(CacheStatus::Loaded));
//! let second = cache.get_or_load(&key, &policy, CacheDirective::Any, || Weather).await?;
//! assert_eq!(second.served(), Some(CacheStatus::Hit));
//!
//! let sky = Scope::Tag { namespace: "outside".into(), partition: None, tag: Tag::new("sky") };
//! cache.invalidate(&sky, &Invalidation::mark_stale());
//! let third = cache.get_or_load(&key, &policy, CacheDirective::Any, || Weather).await?;
//! assert_eq!(third.served(), Some(CacheStatus::Refreshed));
//! # Ok::<(), LoadError>(())
//! # }).unwrap();
//! ```
//!
//! # The life of a value
//!
//! The three windows of a [`Policy`] add up, counted from when the value was stored:
//!
//! ```text
//! |------ fresh ------|-- stale --|---- stale on error ----|
//!               ^ from 80 % on, a read refreshes behind
//! ```
//!
//! [`evaluate_freshness`] places an entry on that line, taking invalidations into account. There are six cases:
//!
//! | entry | the caller gets |
//! |---|---|
//! | fresh | the entry, at once; late in its fresh time also one background refresh |
//! | stale | the entry, at once, and one background refresh |
//! | expired | a load; the entry if the load fails or exceeds the soft timeout |
//! | unconfirmed | the entry if the loader confirms it, else a load, up to the hard timeout; the entry if that fails |
//! | invalidated | a load, up to the hard timeout; the entry only if the load fails and it was not purged |
//! | none | a load, or its error |
//!
//! An entry is unconfirmed if it was loaded before a moment that the caller's policy names, because changes since may
//! have been missed. Any load but one for an invalidated entry may confirm the entry instead of loading it
//! ([`LoadResult::Confirmed`]): it is stored again, as new as the check.
//!
//! A value that arrives after a caller's timeout is still stored. A caller can ask for more or less than this: see
//! [`CacheDirective`].
//!
//! # Terms
//!
//! - **Timestamp**: a position in the single order of loads and invalidations ([`HybridTimestamp`]). A load gets its
//!   timestamp before it begins.
//! - **Flight**: a load in progress. It belongs to a task on the caller's tracker. Each waiter waits as long as its
//!   policy says; all are woken together when the flight completes. A flight that never completes ages out.
//! - **Invalidation record**: one per invalidation, whatever it covers. An entry, a flight or a negative entry is
//!   invalid unless it is newer than every record that covers it. Records match entries by hash, so a collision can
//!   only invalidate too much. When there are too many, the older half is folded into records of whole namespaces.
//! - **Fence**: the check against the records before a value is stored. Its epoch is saved in the entry, so a hit needs
//!   no lookup until the next record is written.
//! - **Hold**: a record with an end, for writes of unknown outcome. Until it ends, nothing it covers is stored.
//! - **Grace period**: after a confirmed write, loads that begin soon get a short lifetime, because some sources need a
//!   moment to show the change.
//! - **Negative entry**: kept beside a value. It says that the last load failed recently, or that the value is not
//!   cacheable, in which case callers stop waiting for each other.
//! - **Access rhythm**: when a key is read, and at which interval. Keys whose policy has `warm` and that are read at a
//!   steady interval are loaded just before a read that would otherwise find nothing usable. This stays within a budget
//!   and never causes more loads than the reads would.
//! - **Prefetch**: a load before the first request ([`Cache::prefetch`]), only if a read would have to load. Reads that
//!   arrive meanwhile join it. It does not count as a client request, and counts as useful once a client reads the
//!   value.
//! - **Not-stored reason**: why a value was served but not stored. The list is closed and counted.
//!
//! # Where to find what
//!
//! Decisions are small pure functions: [`freshness`] (state of an entry) and `read_plan` (what a read does).
//! `coordinator` is where reads, loads and invalidations meet, without a runtime. It owns the invalidation index, the
//! flights, the memory tier and the negative cache, and is the only place that consults tiers. `read` and `load_task`
//! are the two parts that wait: for a flight, and for a loader. `disk_tier` in `coordinator` and `lookup_flights`
//! connect them to the disk tier, which is a module tree of its own ([`disk`]). [`Cache`] is the handle, and `engine`
//! is what it points to. Locks and atomics that decide anything come from `sync`, so that with the feature `shuttle` a
//! model checker runs the same code (`cargo test --features shuttle`); a build with that feature is for nothing else.
//! `crates/sabotage.sh` removes the guards one by one and asserts that tests fail.
//!
//! # Deliberately absent
//!
//! - No protocol: no status, header, method or address appears here. A value is bytes and a little opaque metadata.
//! - No `put`: a value comes from a load, because only a load has a timestamp from before it was read at the source.
//! - No expiry in memory: it evicts by weight. Age is evaluated at every read, by our clock; only the disk is swept.
//! - No negative values: a failure never replaces a value; it is remembered beside it, and briefly.
//! - No probabilistic early refresh: a threshold with jitter, and one refresh at a time.
//! - No hidden tasks: everything runs on the caller's tracker, and nothing runs without a call. The disk tier has its
//!   own threads (one writer, some readers), which end with it.
//! - No secrets: keys and partitions appear in diagnosis. Loaders of warm keys may hold one, in memory, until the keys
//!   are dropped.

mod access_rhythm;
#[cfg(not(feature = "shuttle"))]
#[doc(hidden)]
pub mod bench_support;
mod cache;
pub mod cache_response;
pub mod clock;
mod coordinator;
mod counters;
pub mod delivery_guard;
pub mod diagnosis;
#[cfg(not(feature = "shuttle"))]
pub mod disk;
mod engine;
mod flight;
pub mod freshness;
pub mod hybrid_timestamp;
mod invalidation_index;
pub mod key;
mod load;
#[cfg(not(feature = "shuttle"))]
mod load_claim;
mod load_reason;
mod load_task;
#[cfg(not(feature = "shuttle"))]
mod lookup_flights;
mod memory_tier;
mod negative;
pub mod not_stored_reason;
mod older_copy;
mod peer_trust;
pub mod policy;
pub mod prefetch;
mod quota;
mod read;
mod read_plan;
#[cfg(not(feature = "shuttle"))]
pub mod remote;
mod sabotage;
pub mod scope;
mod scope_hash;
mod scope_state;
pub mod settings;
#[cfg(not(feature = "shuttle"))]
mod shared_cache;
#[cfg(test)]
#[cfg(feature = "shuttle")]
mod shuttle_tests;
pub mod stats;
#[cfg(not(feature = "shuttle"))]
mod stored_invalidation;
mod sync;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
pub mod timestamp;
pub mod value;
mod warm_set;
mod warming;

pub use access_rhythm::AccessRhythmSnapshot;
pub use cache::Cache;
pub use cache_response::{CacheDirective, CacheResponse, CacheStatus, CacheStatusReason, Tier};
pub use clock::{Clock, ClockEvent, SuspendDetector};
pub use delivery_guard::DeliveryGuard;
pub use diagnosis::{Diagnosis, InvalidationCause};
pub use freshness::evaluate_freshness;
pub use hybrid_timestamp::HybridTimestamp;
pub use key::{Key, Partition, Tag};
pub use load::{AbsentValue, ConfirmedValue, LoadError, LoadErrorKind, LoadResult, LoadedValue, Loader};
pub use load_reason::LoadReason;
pub use not_stored_reason::NotStoredReason;
pub use policy::{EntryDeadlines, Freshness, FreshnessBound, Policy, Validity};
pub use prefetch::PrefetchResult;
pub use scope::{GracePeriod, Invalidation, InvalidationMode, Scope};
pub use settings::CacheSettings;
pub use stats::{CacheStats, ClassStats, LOAD_TIME_BUCKETS_MS, LoadTimes};
pub use timestamp::{AtomicTimestamp, Timestamp};
pub use value::{Entry, Value};
