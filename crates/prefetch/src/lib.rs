//! Prefetch, without requests: predicts what a client is likely to request next, and decides whether that may be loaded.
//!
//! | module | content |
//! |---|---|
//! | [`prediction`] | likely next requests of a client, from its earlier ones |
//! | [`policy`] | whether a prediction may be loaded, and why not |
//! | [`budget`], [`backoff`] | loads per minute, and pauses after failures |
//! | [`queue`] | a bounded queue |
//! | [`counters`] | loads, failures, and predictions that were not loaded |
//!
//! The proxy notices that a response was sent, and makes the loads.

pub mod backoff;
pub mod budget;
pub mod counters;
pub mod policy;
pub mod prediction;
pub mod queue;
