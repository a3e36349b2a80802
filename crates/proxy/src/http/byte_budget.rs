//! Limits on the bytes of request bodies held in memory: per client address, for all tokens the server has never
//! accepted, per server, and for the whole process.
//!
//! A [`Hold`] grows while a body is read and gives its bytes back when it is dropped. Nothing waits here: a body that
//! does not fit is refused or passed on unbuffered by the caller.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::http::limits::Bound;
use greenroom_config::bodies::HeldBytes;

/// Bytes that may be held at a time.
#[derive(Debug)]
pub struct Pool {
    limit: u64,
    held: AtomicU64,
}

impl Pool {
    /// An empty pool of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, held: AtomicU64::new(0) }
    }

    /// Bytes held now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }

    fn take(&self, bytes: u64) -> bool {
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// The process holds as much as it may.
    Process,
    /// The server's clients hold as much as they may.
    Server,
    /// This address holds as much as it may.
    Peer,
    /// Tokens that were never accepted hold as much as they may.
    Unproven,
}

impl Exhausted {
    /// The word under which it is counted.
    pub fn bound(self) -> Bound {
        match self {
            Self::Process => Bound::HeldBytesOfProcess,
            Self::Server => Bound::HeldBytes,
            Self::Peer => Bound::HeldBytesPerPeer,
            Self::Unproven => Bound::HeldBytesUnproven,
        }
    }
}

/// The budget of one server, which is a part of the process's.
#[derive(Debug)]
pub struct ByteBudget {
    process: Arc<Pool>,
    server: Pool,
    unproven: Pool,
    per_peer: u64,
    peers: Mutex<HashMap<IpAddr, u64>>,
}

impl ByteBudget {
    /// A budget within `process`.
    pub fn new(process: Arc<Pool>, limits: HeldBytes) -> Self {
        Self {
            process,
            server: Pool::new(limits.server),
            unproven: Pool::new(limits.unproven),
            per_peer: limits.peer,
            peers: Mutex::default(),
        }
    }

    /// Bytes held for clients of this server now.
    pub fn held(&self) -> u64 {
        self.server.held()
    }

    /// A hold of nothing yet. `is_proven`: the server has accepted the token before.
    pub fn hold(self: &Arc<Self>, peer: IpAddr, is_proven: bool) -> Hold {
        Hold { budget: Arc::clone(self), peer, is_proven, bytes: 0 }
    }

    fn take(&self, peer: IpAddr, is_proven: bool, bytes: u64) -> Result<(), Exhausted> {
        let mut peers = self.peers.lock();
        let of_peer = peers.get(&peer).copied().unwrap_or(0);
        if of_peer.saturating_add(bytes) > self.per_peer {
            return Err(Exhausted::Peer);
        }
        if !is_proven && !self.unproven.take(bytes) {
            return Err(Exhausted::Unproven);
        }
        let above = if !self.server.take(bytes) {
            Err(Exhausted::Server)
        } else if !self.process.take(bytes) {
            self.server.give_back(bytes);
            Err(Exhausted::Process)
        } else {
            Ok(())
        };
        match above {
            Ok(()) => {
                peers.insert(peer, of_peer + bytes);
            }
            Err(_) if is_proven => {}
            Err(_) => self.unproven.give_back(bytes),
        }
        above
    }

    fn give_back(&self, peer: IpAddr, is_proven: bool, bytes: u64) {
        let mut peers = self.peers.lock();
        if let Some(of_peer) = peers.get_mut(&peer) {
            *of_peer = of_peer.saturating_sub(bytes);
            if *of_peer == 0 {
                peers.remove(&peer);
            }
        }
        if !is_proven {
            self.unproven.give_back(bytes);
        }
        self.server.give_back(bytes);
        self.process.give_back(bytes);
    }
}

/// Bytes of one body. Dropping it gives them back.
#[derive(Debug)]
pub struct Hold {
    budget: Arc<ByteBudget>,
    peer: IpAddr,
    is_proven: bool,
    bytes: u64,
}

impl Hold {
    /// Takes more bytes.
    ///
    /// # Errors
    /// If a limit is reached; what was taken before stays taken.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Exhausted> {
        self.budget.take(self.peer, self.is_proven, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// The body that this was taken for. The bytes are given back when the last copy of it is gone.
    pub fn around(self, body: Vec<u8>) -> Bytes {
        if body.is_empty() { Bytes::new() } else { Bytes::from_owner(Held { body, _hold: self }) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.peer, self.is_proven, self.bytes);
        }
    }
}

struct Held {
    body: Vec<u8>,
    _hold: Hold,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));
    const BEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 8));

    fn budget(process: u64, limits: HeldBytes) -> (Arc<Pool>, Arc<ByteBudget>) {
        let process = Arc::new(Pool::new(process));
        (Arc::clone(&process), Arc::new(ByteBudget::new(process, limits)))
    }

    #[test]
    fn every_limit_refuses_what_exceeds_it_and_keeps_nothing_of_it() {
        let (process, first) = budget(100, HeldBytes { server: 80, peer: 50, unproven: 20 });
        let second = ByteBudget::new(Arc::clone(&process), HeldBytes { server: 80, peer: 80, unproven: 80 });
        let mut ann = first.hold(ANN, true);
        assert_eq!(ann.grow(51), Err(Exhausted::Peer));
        assert_eq!(ann.grow(50), Ok(()));
        let mut stranger = first.hold(BEN, false);
        assert_eq!(stranger.grow(21), Err(Exhausted::Unproven));
        assert_eq!(stranger.grow(20), Ok(()));
        let mut ben = first.hold(BEN, true);
        assert_eq!(ben.grow(11), Err(Exhausted::Server));
        let mut other = Arc::new(second).hold(BEN, true);
        assert_eq!(other.grow(31), Err(Exhausted::Process));
        assert_eq!(other.grow(30), Ok(()));
        assert_eq!((first.held(), process.held()), (70, 100));
        drop((ann, stranger, ben, other));
        assert_eq!((first.held(), process.held(), first.unproven.held()), (0, 0, 0));
        assert!(first.peers.lock().is_empty(), "no address is remembered that holds nothing");
    }

    #[test]
    fn bytes_are_given_back_with_the_last_copy_of_the_body() {
        let (process, budget) = budget(100, HeldBytes { server: 100, peer: 100, unproven: 100 });
        let mut hold = budget.hold(ANN, true);
        hold.grow(5).expect("it fits");
        let body = hold.around(b"hello".to_vec());
        let part = body.slice(1..3);
        drop(body);
        assert_eq!((&part[..], process.held()), (&b"el"[..], 5));
        drop(part);
        assert_eq!(process.held(), 0);
    }
}
