//! Counters of a server, besides those of the engine.

use greenroom_cache::AtomicTimestamp;
use std::sync::atomic::AtomicU64;

/// Counters of a server, besides those of the engine.
#[derive(Debug, Default)]
pub struct ServerCounters {
    /// Requests of clients.
    pub requests: AtomicU64,
    /// Of them, those answered before they were parsed.
    pub fast_path: AtomicU64,
    /// Requests served without asking the server.
    pub saved: AtomicU64,
    /// Forwarded writes.
    pub writes: AtomicU64,
    /// Requests passed through.
    pub streams: AtomicU64,
    /// Cacheable reads that were observed or bypassed.
    pub bypassed: AtomicU64,
    /// Requests without a token where one is needed.
    pub unauthorised: AtomicU64,
    /// Rejected requests.
    pub refused: AtomicU64,
    /// Requests rejected because the server is down.
    pub offline: AtomicU64,
    /// Own requests already recorded in the statistics.
    pub own_recorded: AtomicU64,
    /// Time of the last client request, in milliseconds.
    pub last_request_ms: AtomicTimestamp,
}
