//! What is counted of a server beside what the engine counts.

use std::sync::atomic::AtomicU64;

/// What is counted per server beside what the engine counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests that clients made.
    pub asked: AtomicU64,
    /// Requests that were answered from the cache without asking the server.
    pub saved: AtomicU64,
    /// Writes forwarded.
    pub writes: AtomicU64,
    /// Requests passed through.
    pub streams: AtomicU64,
    /// Reads passed through although their answers could be kept: observed or bypassed.
    pub bypassed: AtomicU64,
    /// Requests without a token where one is needed.
    pub unauthorised: AtomicU64,
    /// Requests refused for what they are.
    pub refused: AtomicU64,
    /// Requests refused because the server is down.
    pub offline: AtomicU64,
    /// Requests of our own that stand in the ledger.
    pub own_settled: AtomicU64,
    /// When a client last asked anything, in milliseconds.
    pub last_asked_ms: AtomicU64,
}
