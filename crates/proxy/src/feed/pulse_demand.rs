//! Whether reads are answered from the cache: only then the server is asked what changed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_dialect::credential::Credential;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::identity::Identity;

/// Records reads that were answered from the cache. Holds the credential of one of them until the next pulse takes it,
/// in memory only.
#[derive(Debug, Default)]
pub struct PulseDemand {
    is_wanted: AtomicBool,
    reader: Mutex<Option<PulseReader>>,
    wanted: Notify,
}

/// A client that is active now. Its `Debug` shows nothing of its credential.
#[derive(Clone)]
pub struct PulseReader {
    /// Its credential.
    pub credential: Arc<Credential>,
    /// Its identity.
    pub identity: Arc<Identity>,
}

impl fmt::Debug for PulseReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PulseReader(…)")
    }
}

impl PulseDemand {
    /// Records a read that was answered from the cache.
    #[inline]
    pub fn record_read(&self, credential: &Arc<Credential>, identity: &Arc<Identity>) {
        // Nearly every read finds that another one was first.
        if self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut reader = self.reader.lock();
        if identity.was_authorized() {
            *reader = Some(PulseReader { credential: Arc::clone(credential), identity: Arc::clone(identity) });
        }
        self.is_wanted.store(true, Ordering::Release);
        drop(reader);
        self.wanted.notify_one();
    }

    /// Waits for a read, and takes the client that made it, if its token is known to be valid.
    pub async fn wait(&self) -> Option<PulseReader> {
        while !self.is_wanted.load(Ordering::Acquire) {
            self.wanted.notified().await;
        }
        let mut reader = self.reader.lock();
        self.is_wanted.store(false, Ordering::Release);
        reader.take()
    }
}
