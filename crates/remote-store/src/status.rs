//! Status of a gateway's store.

use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::remote::ClusterRole;

use crate::agreement::Peer;

/// State of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreState {
    /// No connection was made yet.
    #[default]
    Connecting,
    /// Entries are read and written.
    Connected,
    /// The store cannot be used at the moment, with the reason.
    Away(String),
    /// Another gateway has the prefix for itself: this one runs without the store.
    Taken {
        /// Its name.
        by: String,
    },
    /// Another gateway that shares the prefix has another cluster key: this one runs without the store.
    OtherKey {
        /// Its name.
        of: String,
    },
}

impl StoreState {
    /// Name in the API and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Away(_) => "away",
            Self::Taken { .. } => "taken",
            Self::OtherKey { .. } => "other-key",
        }
    }
}

/// Counters of the store.
#[derive(Debug, Default)]
pub(crate) struct StoreCounters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) superseded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) full: AtomicU64,
    pub(crate) numbered: AtomicU64,
    pub(crate) heard: AtomicU64,
    pub(crate) unacknowledged: AtomicU64,
    pub(crate) claims_granted: AtomicU64,
    pub(crate) claims_followed: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Figures of the store at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreStatus {
    /// State of the connection.
    pub state: StoreState,
    /// "single" or "cluster".
    pub kind: &'static str,
    /// Name of its program: "Redis" or "Valkey".
    pub product: &'static str,
    /// Version of the store, once known.
    pub version: String,
    /// The prefix.
    pub prefix: String,
    /// Whether other gateways may use the prefix.
    pub shared: bool,
    /// Name of this gateway.
    pub gateway: String,
    /// The other gateways on the store's list.
    pub peers: Vec<Peer>,
    /// Name of the gateway that leads, if one was known to at the last heartbeat.
    pub leader: Option<String>,
    /// The role of this gateway.
    pub role: ClusterRole,
    /// Whether everything others invalidated was heard, so that the cache is served.
    pub trusted: bool,
    /// Epoch of the sequence.
    pub epoch: u64,
    /// The newest number heard.
    pub heard: u64,
    /// Keys in the store's database, as it counts them; `None` if it did not say.
    pub total_keys: Option<u64>,
    /// Keys the store evicted for lack of memory.
    pub evicted_keys: u64,
    /// Bytes the store uses, and may use; zero if unlimited.
    pub used_bytes: u64,
    /// Max bytes of the store; zero if unlimited.
    pub max_bytes: u64,
    /// Its eviction policy.
    pub eviction_policy: String,
    /// Round trip of the last heartbeat in microseconds.
    pub latency_us: u64,
    /// Whether requests pass the store over because it is slow.
    pub reads_off: bool,
    /// Entries found.
    pub hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Lookups that were passed over or had no answer in time.
    pub slow: u64,
    /// Entries that were damaged or not ours.
    pub damaged: u64,
    /// Entries written.
    pub written: u64,
    /// Entries not written because the store has a newer one.
    pub superseded: u64,
    /// Writes that failed.
    pub failed: u64,
    /// Entries not written because they are too large.
    pub too_large: u64,
    /// Writes refused because the store is full.
    pub full: u64,
    /// Entries dropped because too many waited.
    pub dropped: u64,
    /// Changes that wait.
    pub queued: u64,
    /// Own invalidations that got a number.
    pub numbered: u64,
    /// Invalidations heard from others.
    pub heard_from_others: u64,
    /// Writes answered although not every gateway was known to have heard them.
    pub unacknowledged: u64,
    /// Loads that this gateway made for all.
    pub claims_granted: u64,
    /// Loads that another gateway made.
    pub claims_followed: u64,
}
