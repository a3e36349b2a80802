//! Limits the bytes of request bodies held in memory: per client address, for all tokens the server has never accepted
//! (and for those of one address), per server, and for the whole process.
//!
//! A [`ByteReservation`] grows while a body is read and releases its bytes when dropped. Nothing waits here: the caller
//! rejects a body that does not fit, or passes it on unbuffered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::limits::LimitKind;
use greenroom_config::body_limits::BodyMemoryLimits;

/// A pool of bytes with a limit.
#[derive(Debug)]
pub struct BytePool {
    limit: u64,
    held: AtomicU64,
}

impl BytePool {
    /// An empty pool of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, held: AtomicU64::new(0) }
    }

    /// Bytes held now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }

    fn try_acquire(&self, bytes: u64) -> bool {
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteBudgetError {
    /// Limit of the process.
    Process,
    /// Limit of the server.
    Server,
    /// Limit of the client address.
    Peer,
    /// Limit for tokens that were never accepted.
    Unproven,
    /// Limit for tokens of this address that were never accepted.
    UnprovenPeer,
}

impl ByteBudgetError {
    /// The limit's kind in the counters.
    pub fn limit_kind(self) -> LimitKind {
        match self {
            Self::Process => LimitKind::HeldBytesOfProcess,
            Self::Server => LimitKind::HeldBytes,
            Self::Peer => LimitKind::HeldBytesPerPeer,
            Self::Unproven => LimitKind::HeldBytesUnproven,
            Self::UnprovenPeer => LimitKind::HeldBytesUnprovenPerPeer,
        }
    }
}

/// Byte budget of one server, a part of the process's pool.
#[derive(Debug)]
pub struct ByteBudget {
    process: Arc<BytePool>,
    server: BytePool,
    unproven: BytePool,
    per_peer: u64,
    unproven_per_peer: u64,
    peers: Mutex<HashMap<IpAddr, PeerBytes>>,
}

/// Bytes held for one address.
#[derive(Debug, Clone, Copy, Default)]
struct PeerBytes {
    all: u64,
    /// Of those, bytes for tokens that were never accepted.
    unproven: u64,
}

impl ByteBudget {
    /// A budget within `process`.
    pub fn new(process: Arc<BytePool>, limits: BodyMemoryLimits) -> Self {
        Self {
            process,
            server: BytePool::new(limits.server),
            unproven: BytePool::new(limits.unproven),
            per_peer: limits.peer,
            unproven_per_peer: limits.unproven_peer,
            peers: Mutex::default(),
        }
    }

    /// Bytes held for clients of this server now.
    pub fn held(&self) -> u64 {
        self.server.held()
    }

    /// An empty reservation. `is_proven`: the server has accepted the token before.
    pub fn reserve(self: &Arc<Self>, peer: IpAddr, is_proven: bool) -> ByteReservation {
        ByteReservation { budget: Arc::clone(self), peer, is_proven, bytes: 0 }
    }

    fn try_acquire(&self, peer: IpAddr, is_proven: bool, bytes: u64) -> Result<(), ByteBudgetError> {
        let mut peers = self.peers.lock();
        let mut peer_bytes = peers.get(&peer).copied().unwrap_or_default();
        peer_bytes.all = peer_bytes.all.saturating_add(bytes);
        if peer_bytes.all > self.per_peer {
            return Err(ByteBudgetError::Peer);
        }
        peer_bytes.unproven = peer_bytes.unproven.saturating_add(if is_proven { 0 } else { bytes });
        if !is_proven && !self.unproven.try_acquire(bytes) {
            return Err(ByteBudgetError::Unproven);
        }
        let result = if !is_proven && peer_bytes.unproven > self.unproven_per_peer {
            Err(ByteBudgetError::UnprovenPeer)
        } else if !self.server.try_acquire(bytes) {
            Err(ByteBudgetError::Server)
        } else if !self.process.try_acquire(bytes) {
            self.server.release(bytes);
            Err(ByteBudgetError::Process)
        } else {
            Ok(())
        };
        match result {
            Ok(()) => {
                peers.insert(peer, peer_bytes);
            }
            Err(_) if is_proven => {}
            Err(_) => self.unproven.release(bytes),
        }
        result
    }

    fn release(&self, peer: IpAddr, is_proven: bool, bytes: u64) {
        let mut peers = self.peers.lock();
        if let Some(peer_bytes) = peers.get_mut(&peer) {
            peer_bytes.all = peer_bytes.all.saturating_sub(bytes);
            peer_bytes.unproven = peer_bytes.unproven.saturating_sub(if is_proven { 0 } else { bytes });
            if peer_bytes.all == 0 {
                peers.remove(&peer);
            }
        }
        if !is_proven {
            self.unproven.release(bytes);
        }
        self.server.release(bytes);
        self.process.release(bytes);
    }
}

/// Bytes reserved for one body, released on drop.
#[derive(Debug)]
pub struct ByteReservation {
    budget: Arc<ByteBudget>,
    peer: IpAddr,
    is_proven: bool,
    bytes: u64,
}

impl ByteReservation {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// If a limit is reached; earlier bytes stay reserved.
    pub fn grow(&mut self, bytes: u64) -> Result<(), ByteBudgetError> {
        self.budget.try_acquire(self.peer, self.is_proven, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Binds the reservation to its body. The bytes are released with the body's last copy.
    pub fn attach_to(self, body: Vec<u8>) -> Bytes {
        if body.is_empty() { Bytes::new() } else { Bytes::from_owner(ReservedBody { body, _reservation: self }) }
    }
}

impl Drop for ByteReservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.peer, self.is_proven, self.bytes);
        }
    }
}

struct ReservedBody {
    body: Vec<u8>,
    _reservation: ByteReservation,
}

impl AsRef<[u8]> for ReservedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));
    const BEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 8));

    fn budget(process: u64, limits: BodyMemoryLimits) -> (Arc<BytePool>, Arc<ByteBudget>) {
        let process = Arc::new(BytePool::new(process));
        (Arc::clone(&process), Arc::new(ByteBudget::new(process, limits)))
    }

    #[test]
    fn every_limit_rejects_what_exceeds_it_and_reserves_nothing_for_it() {
        let (process, first) = budget(100, BodyMemoryLimits { server: 80, peer: 50, unproven: 20, unproven_peer: 20 });
        let second = ByteBudget::new(
            Arc::clone(&process),
            BodyMemoryLimits { server: 80, peer: 80, unproven: 80, unproven_peer: 80 },
        );
        let mut ann = first.reserve(ANN, true);
        assert_eq!(ann.grow(51), Err(ByteBudgetError::Peer));
        assert_eq!(ann.grow(50), Ok(()));
        let mut stranger = first.reserve(BEN, false);
        assert_eq!(stranger.grow(21), Err(ByteBudgetError::Unproven));
        assert_eq!(stranger.grow(20), Ok(()));
        let mut ben = first.reserve(BEN, true);
        assert_eq!(ben.grow(11), Err(ByteBudgetError::Server));
        let mut other = Arc::new(second).reserve(BEN, true);
        assert_eq!(other.grow(31), Err(ByteBudgetError::Process));
        assert_eq!(other.grow(30), Ok(()));
        assert_eq!((first.held(), process.held()), (70, 100));
        drop((ann, stranger, ben, other));
        assert_eq!((first.held(), process.held(), first.unproven.held()), (0, 0, 0));
        assert!(first.peers.lock().is_empty(), "addresses without bytes are dropped");
    }

    #[test]
    fn unproven_tokens_of_one_address_cannot_take_the_budget_of_others() {
        let limits = BodyMemoryLimits { server: 100, peer: 100, unproven: 40, unproven_peer: 10 };
        let (process, budget) = budget(100, limits);
        let mut stranger = budget.reserve(ANN, false);
        assert_eq!(stranger.grow(10), Ok(()));
        assert_eq!(budget.reserve(ANN, false).grow(1), Err(ByteBudgetError::UnprovenPeer));
        let mut known = budget.reserve(ANN, true);
        assert_eq!(known.grow(50), Ok(()), "an accepted token of the same address has its own budget");
        assert_eq!(budget.reserve(BEN, false).grow(10), Ok(()), "and so have other addresses");
        drop(stranger);
        assert_eq!(budget.reserve(ANN, false).grow(10), Ok(()));
        drop(known);
        assert_eq!((process.held(), budget.unproven.held()), (0, 0));
        assert!(budget.peers.lock().is_empty());
    }

    #[test]
    fn bytes_are_released_with_the_last_copy_of_the_body() {
        let (process, budget) =
            budget(100, BodyMemoryLimits { server: 100, peer: 100, unproven: 100, unproven_peer: 100 });
        let mut reservation = budget.reserve(ANN, true);
        reservation.grow(5).expect("it fits");
        let body = reservation.attach_to(b"hello".to_vec());
        let part = body.slice(1..3);
        drop(body);
        assert_eq!((&part[..], process.held()), (&b"el"[..], 5));
        drop(part);
        assert_eq!(process.held(), 0);
    }
}
