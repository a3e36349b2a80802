//! The limits for clients: their names, and how often each was reached. `client_limits` and the timeouts enforce them.

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
    /// Concurrent notification sockets and event streams of one token.
    SocketsPerIdentity,
    /// Concurrent media streams, downloads and other long responses.
    Streams,
    /// Of them, those of one token.
    StreamsPerIdentity,
    /// Of them, those without a token that the server has accepted.
    StreamsUnproven,
    /// Time to send the request head.
    SlowHead,
    /// Time during which the client reads no byte of the response.
    SlowReader,
    /// Time to send the body of a write.
    SlowBody,
    /// Length of a write's body.
    BodyLength,
    /// Length of a body that must be read whole before the request is forwarded, if the server has never accepted the
    /// token.
    BodyLengthUnproven,
    /// Bytes of bodies held in memory, for all servers together.
    HeldBytesOfProcess,
    /// Bytes of bodies held in memory for one server.
    HeldBytes,
    /// Bytes of bodies held in memory for one client address.
    HeldBytesPerPeer,
    /// Bytes of bodies held in memory for tokens that the server has never accepted.
    HeldBytesUnproven,
    /// Bytes of bodies held in memory for such tokens of one client address.
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
    pub const EVERY: [Self; 20] = [
        Self::Connections,
        Self::ConnectionsPerPeer,
        Self::Sockets,
        Self::SocketsPerIdentity,
        Self::Streams,
        Self::StreamsPerIdentity,
        Self::StreamsUnproven,
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
            Self::Streams => "streams",
            Self::StreamsPerIdentity => "streams-per-identity",
            Self::StreamsUnproven => "streams-unproven",
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

/// Number of times that each limit was reached.
#[derive(Debug, Default)]
pub struct LimitCounters([AtomicU64; LimitKind::EVERY.len()]);

impl LimitCounters {
    /// Records that a client reached a limit.
    pub fn record(&self, limit: LimitKind) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every limit with its count.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        LimitKind::EVERY.map(|limit| (limit.name(), self.0[limit as usize].load(Ordering::Relaxed))).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_own_count() {
        let counters = LimitCounters::default();
        counters.record(LimitKind::Sockets);
        counters.record(LimitKind::SlowReader);
        counters.record(LimitKind::SlowReader);
        let reached: Vec<_> = counters.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(reached, [("sockets", 1), ("slow-reader", 2)]);
    }
}
