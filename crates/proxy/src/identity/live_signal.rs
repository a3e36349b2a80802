//! The live signal of an identity: open sockets that report changes.

use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;

use super::Identity;

impl Identity {
    /// Whether a live signal reports changes for this identity.
    pub fn has_signal(&self) -> bool {
        self.signal_since_ms().is_some()
    }

    /// Since when a live signal reports changes for this identity. Entries loaded earlier may have missed one, if only
    /// while the process was not running.
    pub fn signal_since_ms(&self) -> Option<Timestamp> {
        let is_open = self.sockets.load(Ordering::Acquire) > 0;
        is_open.then(|| self.signal_since_ms.load(Ordering::Acquire))
    }

    /// A socket of this identity was opened through the gateway.
    pub fn socket_opened(&self, now_ms: Timestamp) {
        if self.sockets.load(Ordering::Acquire) == 0 {
            self.signal_since_ms.store(now_ms, Ordering::Release);
        }
        self.sockets.fetch_add(1, Ordering::AcqRel);
    }

    /// A socket was closed. Returns whether it was the last one.
    pub fn socket_closed(&self) -> bool {
        self.sockets.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
