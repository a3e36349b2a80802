//! Records the requests of one server: result and reason of each, and their sums.
//!
//! | module | content |
//! |---|---|
//! | [`decision`] | the result of one request |
//! | [`pass_reason`] | reasons to bypass the cache |
//! | [`counts`] and `encoding` | counters that add up, and their encoding on disk |
//! | [`histogram`] | distribution of sizes |
//! | [`recorder`] | records the requests of one server |
//! | [`minute_bucket`] | the rows of one minute |
//! | [`time_series`] | sums by minute, hour and day |
//! | `pending_decisions` | decisions that are not counted yet, by thread |
//! | [`recent_decisions`] | the last decisions |
//! | [`route_name`] | names of the routes of HTTP APIs |
//! | [`reuse_sample`] | times of repeated requests, for replay |
//!
//! Every request of a client counts once, under its result. Own requests (refreshes, warming, prefetch, events, spot
//! checks) are counted apart and are never hits. Nothing here holds a path, a query or a token; users are prefixes of
//! keyed hashes. The crate `greenroom-statistics` reports all servers together and persists
//! the counts.

pub mod counts;
pub mod decision;
mod encoding;
pub mod histogram;
pub mod minute_bucket;
pub mod pass_reason;
mod pending_decisions;
pub mod recent_decisions;
pub mod recorder;
pub mod reuse_sample;
pub mod route_name;
pub mod time_series;

pub use decision::{CacheResult, Decision, DecisionOutcome, DecisionReason, RequestCategory, UserHash};
pub use pass_reason::PassReason;
pub use recorder::RequestRecorder;
pub use route_name::RouteName;
