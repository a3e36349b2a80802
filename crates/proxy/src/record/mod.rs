//! What one server records of its requests: how each was answered, why, and what that adds up to.
//!
//! | file | is |
//! |---|---|
//! | [`decision`] | how one request was answered |
//! | [`pass_reason`] | why a request goes past the cache |
//! | [`counts`] and `encoding` | what is counted of some requests; rows add up, and are kept |
//! | [`histogram`] | how often each size came |
//! | [`recorder`] | what one server was asked, as it happens |
//! | [`minute_bucket`] | the rows of one minute |
//! | [`time_series`] | sums by minute, hour and day |
//! | [`recent_decisions`] | the last decisions |
//! | [`reuse_sample`] | which questions came again, and when |
//!
//! Every request that a client makes counts once, under the way in which it was answered. What Greenroom asks for itself
//! (refreshes, warming, loads ahead, events, spot checks) is counted apart and is never a hit. Nothing here knows a
//! path, a query or a token; users are the beginnings of keyed hashes. What is told of all servers together, and what is
//! kept over a restart, is the business of [`crate::statistics`].

pub mod counts;
pub mod decision;
mod encoding;
pub mod histogram;
pub mod minute_bucket;
pub mod pass_reason;
pub mod recent_decisions;
pub mod recorder;
pub mod reuse_sample;
pub mod time_series;

pub use decision::{Decision, Outcome, Subject, User, Verdict, Why};
pub use pass_reason::Passage;
pub use recorder::Ledger;
