//! Names of the limits for clients, and counters. `client_limits` and the timeouts enforce them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Concurrent connections.
    Connections,
    /// Concurrent connections from one address.
    ConnectionsPerPeer,
    /// Concurrent notification sockets and event streams.
    Sockets,
    /// Concurrent notification sockets and event streams of one identity.
    SocketsPerIdentity,
    /// Time to send the request head.
    SlowHead,
    /// Time without reading a byte of the response.
    SlowReader,
    /// Time to send the body of a write.
    SlowBody,
    /// Length of a write's body.
    BodyLength,
    /// Length of a body that must be read whole, with a token that the server has never accepted.
    BodyLengthUnproven,
    /// Bytes of bodies held in memory for all servers.
    HeldBytesOfProcess,
    /// Bytes of bodies held in memory for this server.
    HeldBytes,
    /// Bytes of bodies held in memory for one address.
    HeldBytesPerPeer,
    /// Bytes of bodies held in memory for tokens that the server has never accepted.
    HeldBytesUnproven,
    /// The same, for one address.
    HeldBytesUnprovenPerPeer,
    /// Concurrent streamed uploads.
    Uploads,
    /// Concurrent streamed uploads from one address.
    UploadsPerPeer,
    /// Concurrent streamed uploads with tokens that the server has never accepted.
    UploadsUnproven,
}

impl LimitKind {
    /// Every limit, in display order.
    pub const EVERY: [Self; 17] = [
        Self::Connections,
        Self::ConnectionsPerPeer,
        Self::Sockets,
        Self::SocketsPerIdentity,
        Self::SlowHead,
        Self::SlowReader,
        Self::SlowBody,
        Self::BodyLength,
        Self::BodyLengthUnproven,
        Self::HeldBytesOfProcess,
        Self::HeldBytes,
        Self::HeldBytesPerPeer,
        Self::HeldBytesUnproven,
        Self::HeldBytesUnprovenPerPeer,
        Self::Uploads,
        Self::UploadsPerPeer,
        Self::UploadsUnproven,
    ];

    /// Name in metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerPeer => "connections-per-peer",
            Self::Sockets => "sockets",
            Self::SocketsPerIdentity => "sockets-per-identity",
            Self::SlowHead => "slow-head",
            Self::SlowReader => "slow-reader",
            Self::SlowBody => "slow-body",
            Self::BodyLength => "body-length",
            Self::BodyLengthUnproven => "body-length-unproven",
            Self::HeldBytesOfProcess => "held-bytes-of-process",
            Self::HeldBytes => "held-bytes",
            Self::HeldBytesPerPeer => "held-bytes-per-peer",
            Self::HeldBytesUnproven => "held-bytes-unproven",
            Self::HeldBytesUnprovenPerPeer => "held-bytes-unproven-per-peer",
            Self::Uploads => "uploads",
            Self::UploadsPerPeer => "uploads-per-peer",
            Self::UploadsUnproven => "uploads-unproven",
        }
    }
}

/// How often each limit was reached.
#[derive(Debug, Default)]
pub struct LimitCounters([AtomicU64; LimitKind::EVERY.len()]);

impl LimitCounters {
    /// Records that a client reached a limit.
    pub fn record(&self, bound: LimitKind) {
        self.0[bound as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every limit with its count.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        LimitKind::EVERY.map(|bound| (bound.name(), self.0[bound as usize].load(Ordering::Relaxed))).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_counts_for_itself() {
        let bounds = LimitCounters::default();
        bounds.record(LimitKind::Sockets);
        bounds.record(LimitKind::SlowReader);
        bounds.record(LimitKind::SlowReader);
        let reached: Vec<_> = bounds.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(reached, [("sockets", 1), ("slow-reader", 2)]);
    }
}
