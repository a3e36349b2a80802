//! The bounds that clients run into, and how often each was reached.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bound on what clients may take of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Connections at a time.
    Connections,
    /// Connections at a time from one address.
    ConnectionsPerPeer,
    /// Notification sockets and event streams at a time.
    Sockets,
    /// Notification sockets and event streams of one identity at a time.
    SocketsPerIdentity,
    /// Time to send the head of a request.
    SlowHead,
    /// Time without taking a byte of an answer.
    SlowReader,
    /// Time to send the body of a write.
    SlowBody,
    /// Bytes of the body of a write.
    BodyLength,
    /// Bytes of a body that has to be read whole, with a token that the server has never accepted.
    BodyLengthUnproven,
    /// Bytes of bodies held in memory for all servers.
    HeldBytesOfProcess,
    /// Bytes of bodies held in memory.
    HeldBytes,
    /// Bytes of bodies held in memory for one address.
    HeldBytesPerPeer,
    /// Bytes of bodies held in memory for tokens that the server has never accepted.
    HeldBytesUnproven,
    /// Bodies passed on while they arrive at a time.
    Uploads,
    /// Bodies passed on while they arrive at a time from one address.
    UploadsPerPeer,
    /// Bodies passed on while they arrive at a time with tokens that the server has never accepted.
    UploadsUnproven,
}

impl Bound {
    /// Every bound, in the order they are shown.
    pub const EVERY: [Self; 16] = [
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
        Self::Uploads,
        Self::UploadsPerPeer,
        Self::UploadsUnproven,
    ];

    /// The word for it in metrics and on the page.
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
            Self::Uploads => "uploads",
            Self::UploadsPerPeer => "uploads-per-peer",
            Self::UploadsUnproven => "uploads-unproven",
        }
    }
}

/// How often each bound was reached.
#[derive(Debug, Default)]
pub struct Bounds([AtomicU64; Bound::EVERY.len()]);

impl Bounds {
    /// A client ran into one.
    pub fn note(&self, bound: Bound) {
        self.0[bound as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every bound with how often it was reached.
    pub fn reached(&self) -> Vec<(&'static str, u64)> {
        Bound::EVERY.map(|bound| (bound.name(), self.0[bound as usize].load(Ordering::Relaxed))).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_counts_for_itself() {
        let bounds = Bounds::default();
        bounds.note(Bound::Sockets);
        bounds.note(Bound::SlowReader);
        bounds.note(Bound::SlowReader);
        let reached: Vec<_> = bounds.reached().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(reached, [("sockets", 1), ("slow-reader", 2)]);
    }
}
