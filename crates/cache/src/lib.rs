//! A cache engine for values that are expensive to load, belong to somebody, and may be wrong any moment.
//!
//! It answers from memory, and from disk where it was given one, loads what is missing, and keeps five promises; each has tests that fail without it:
//!
//! 1. **Never mixed.** A value is kept under (namespace, [`Partition`], key). No answer loaded for one partition is
//!    served to another, also not while loads are shared.
//! 2. **Never undone.** A load that began before an invalidation never shows after it: it is not stored, and nobody
//!    who came after the invalidation joins it.
//! 3. **Never emptied by a failure.** A failed load replaces nothing. Past its time a value still stands in for a
//!    load that fails, as long as the policy says; an invalidated one too, unless it was purged.
//! 4. **Never a crowd.** However many ask for a key, one load runs, in a task that none of them owns.
//! 5. **Never lying.** Every answer says how it came about ([`Served`]), from where ([`Tier`]), how old it can be at
//!    most, how long it is fresh yet, and why it is not ([`Reason`]).
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
//!     async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
//!         let fill = Fill { tags: vec![Tag::new("sky")], ..Fill::new(Value::new("sunny")) };
//!         Ok(Load::Store(fill))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let cache = Cache::new(Settings::default(), Clock::system(), TaskTracker::new());
//! let policy = Policy {
//!     class: "weather",
//!     fresh: Duration::from_secs(60),
//!     earlier: None,
//!     stale: Duration::from_secs(60),
//!     stale_on_error: Duration::from_secs(86_400),
//!     refresh_ahead: true,
//!     warm: false,
//!     soft_timeout: Duration::from_secs(1),
//!     hard_timeout: Duration::from_secs(30),
//! };
//! let key = Key::new("outside", &Partition::new("anna"), "/today");
//!
//! let first = cache.get_or_load(&key, &policy, Demand::Any, || Weather).await?;
//! assert_eq!(first.served(), Some(Served::Loaded));
//! let second = cache.get_or_load(&key, &policy, Demand::Any, || Weather).await?;
//! assert_eq!(second.served(), Some(Served::Hit));
//!
//! let sky = Scope::Tag { namespace: "outside".into(), partition: None, tag: Tag::new("sky") };
//! cache.invalidate(&sky, &Invalidation::mark());
//! let third = cache.get_or_load(&key, &policy, Demand::Any, || Weather).await?;
//! assert_eq!(third.served(), Some(Served::Refreshed));
//! # Ok::<(), Failure>(())
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
//! [`judge`] places a kept value on that line, markers in hand, and there are five cases:
//!
//! | what is kept | what the caller gets |
//! |---|---|
//! | fresh | it, at once; late in its time also one refresh behind |
//! | stale | it, at once, and one refresh behind |
//! | expired | a load; past the soft timeout, or if that fails, what is kept |
//! | invalidated | a load, however long (up to the hard timeout); only if it fails what is kept, if it was not purged |
//! | nothing | a load, or its failure |
//!
//! Whatever comes after its timeout is kept all the same. A caller may ask for more than that, or less: see
//! [`Demand`].
//!
//! # Words
//!
//! - **Stamp**: a place in the one order of loads and invalidations ([`Stamp`]). A load is stamped before it begins.
//! - **Flight**: a load under way. It belongs to a task on the tracker that was lent; callers wait for it, each as
//!   long as his policy says, and all are woken at once when it lands. One that never lands ages out.
//! - **Marker**: what an invalidation writes: one, whatever it covers. A value, a flight or a remembered failure is
//!   invalid if a marker that reaches it is not older. Markers meet values by hash, so two that collide can only
//!   invalidate too much; when there are too many, the older half becomes markers of whole namespaces.
//! - **Fence**: the look at the markers before a value is stored. The epoch it returns is remembered in the entry,
//!   so that a hit looks at no marker until the next one is written.
//! - **Hold**: a marker with an end, for writes of unknown outcome: until then nothing it covers is stored.
//! - **Settling**: after a confirmed write, loads that begin soon live shortly, for sources that need a moment.
//! - **Memo**: what is remembered of a key beside a value: that its load failed a moment ago, or that its value is
//!   not for keeping, in which case callers stop waiting for each other.
//! - **Warmth**: when a key is read, and in which rhythm. Keys of a policy with `warm` that are read in a rhythm are
//!   loaded just before a read that would otherwise find nothing usable: within a budget, and never at the price of
//!   a load more than their reads would cause.
//! - **Ahead**: a load that nobody asked for yet ([`Cache::load_ahead`]). Only what a read would have to load; whoever
//!   asks meanwhile joins. It is no question of a client, and useful once one reads what it brought.
//! - **Refusal**: why a value was answered, but not stored. The list is closed and counted.
//!
//! # Where to find what
//!
//! Decisions are pure and small: [`freshness`] (judge), `plan` (what to do for a caller). `desk` is where callers,
//! loads and invalidations meet, without a runtime: it owns the markers, the flights, the memory tier and the memos,
//! and it is the one place where tiers are consulted. `read` and `run` are the two halves that wait: for a flight,
//! and for a loader. `disk_tier` in `desk` and `looks` are where they meet the tier on disk, which is a house of its
//! own ([`disk`]). [`Cache`] is the handle, and `engine` is what it points to. Locks and atomics that decide anything
//! come from `sync`, so that with the feature `shuttle` a model checker runs the very same code (`cargo test --features
//! shuttle`); a build with that feature is good for nothing else. `sabotage.sh` takes out the guards one by one and
//! asserts that tests fail.
//!
//! # What is deliberately absent
//!
//! - No protocol: no status, header, method or address appears here. A value is bytes and a little opaque metadata.
//! - No `put`: a value comes from a load, because only a load has a stamp from before it was read at the source.
//! - No expiry in memory: it evicts by weight. Time is judged at every read, by our clock; only the disk is swept.
//! - No negative values: a failure is never kept in place of a value, only remembered beside it, and briefly.
//! - No probabilistic early refresh: a threshold with jitter, and one refresh at a time.
//! - No hidden tasks: everything runs on the tracker that was lent, and nothing runs that nobody asked for. The tier on
//!   disk has threads of its own (one that writes, some that read), which end with it.
//! - No secrets: keys and partitions appear in diagnosis. Loaders of warm keys may hold one, in memory, until they
//!   cool down.

pub mod ahead;
pub mod answer;
#[cfg(not(feature = "shuttle"))]
#[doc(hidden)]
pub mod bench_support;
mod cache;
pub mod clock;
mod desk;
pub mod diagnosis;
#[cfg(not(feature = "shuttle"))]
pub mod disk;
mod engine;
mod flight;
pub mod freshness;
pub mod key;
pub mod leaving;
mod load;
mod load_reason;
#[cfg(not(feature = "shuttle"))]
mod looks;
mod marker;
mod marks;
mod memo;
mod memory;
#[cfg(test)]
#[cfg(feature = "shuttle")]
mod model;
mod older_copy;
mod plan;
pub mod policy;
mod quota;
mod reach;
mod read;
pub mod refusal;
mod run;
mod sabotage;
pub mod scope;
pub mod settings;
pub mod stamp;
pub mod stats;
#[cfg(not(feature = "shuttle"))]
mod stored_marker;
mod sync;
mod tally;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
pub mod value;
mod warm;
mod warm_set;
mod warmth;

pub use ahead::Ahead;
pub use answer::{Answer, Demand, Reason, Served, Tier};
pub use cache::Cache;
pub use clock::{Clock, Noticed, Witness};
pub use diagnosis::{Cause, Diagnosis};
pub use freshness::judge;
pub use key::{Key, Partition, Tag};
pub use leaving::Leaving;
pub use load::{Failure, FailureKind, Fill, Load, Loader};
pub use load_reason::LoadReason;
pub use policy::{Earlier, Horizons, Marking, Policy, Verdict};
pub use refusal::Refusal;
pub use scope::{Invalidation, Mode, Scope, Settle};
pub use settings::Settings;
pub use stamp::Stamp;
pub use stats::{ClassStats, LOAD_TIME_BUCKETS_MS, LoadTimes, Stats};
pub use value::{Entry, Value};
pub use warmth::Rhythm;
