//! A cache engine.

pub mod answer;
mod cache;
pub mod clock;
mod desk;
mod flight;
pub mod key;
pub mod load;
mod marker;
mod memo;
mod memory;
#[cfg(test)]
#[cfg(feature = "shuttle")]
mod model;
mod plan;
pub mod policy;
mod quota;
mod reach;
mod read;
pub mod refusal;
mod run;
pub mod scope;
pub mod settings;
pub mod stamp;
pub mod stats;
mod sync;
mod tally;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
pub mod value;
mod warm;
mod warmth;

pub use answer::{Answer, Demand, Reason, Served, Tier};
pub use cache::Cache;
pub use clock::Clock;
pub use key::{Key, Partition, Tag};
pub use load::{Failure, FailureKind, Fill, Load, LoadReason, Loader};
pub use policy::{Horizons, Marking, Policy, Verdict, judge};
pub use refusal::Refusal;
pub use scope::{Invalidation, Mode, Scope, Settle};
pub use settings::Settings;
pub use stamp::Stamp;
pub use stats::{ClassStats, LOAD_TIME_BUCKETS_MS, LoadTimes, Stats};
pub use value::{Entry, Value};
