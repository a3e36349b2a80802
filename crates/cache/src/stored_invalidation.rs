//! Invalidations in a store, or on their way there.

use crate::hybrid_timestamp::HybridTimestamp;
use crate::timestamp::Timestamp;
use std::time::Duration;

/// An invalidation to be written to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingInvalidation {
    /// The scope, encoded.
    pub(crate) scope: String,
    pub(crate) purges: bool,
    pub(crate) stamp: HybridTimestamp,
    /// Nothing covered may be stored until the end of this clock millisecond; zero without a hold.
    pub(crate) hold_until: HybridTimestamp,
    /// Loads of covered values until then are fresh for `grace_fresh_ms` at most; zero without a grace period.
    pub(crate) grace_until_ms: Timestamp,
    pub(crate) grace_fresh_ms: Duration,
}

/// An invalidation with its sequence number, in an order that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberedInvalidation {
    pub(crate) seq: u64,
    pub(crate) origin: i64,
    pub(crate) invalidation: PendingInvalidation,
}
