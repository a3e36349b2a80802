//! Revocations of tokens on their way to disk. They must not be lost: after a crash the earlier grants would be valid
//! again.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greenroom_cache::Cache;
use parking_lot::Mutex;

use crate::flush_signal::FlushSignal;

/// Max pending revocations; beyond, all tokens count as revoked.
const MAX_WAITING: usize = 16_384;

/// Pending revocations of one server.
#[derive(Debug, Default)]
pub struct Revocations {
    pending: Mutex<RevokedPartitions>,
    attended: OnceLock<RevocationWriter>,
}

/// The writer, and the cache that it purges.
#[derive(Debug)]
struct RevocationWriter {
    bell: Arc<FlushSignal>,
    cache: Cache,
    settle: Duration,
}

/// Partitions whose grants are revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedPartitions {
    /// By partition.
    pub partitions: HashSet<String>,
    /// All partitions: too many to name, or not all known.
    pub all: bool,
}

impl Revocations {
    /// Connects the writer that this signal wakes. Callers wait for it at most `settle`.
    pub fn connect_writer(&self, bell: &Arc<FlushSignal>, cache: &Cache, settle: Duration) {
        // The first writer stays: there is one per process.
        let _ = self.attended.set(RevocationWriter { bell: Arc::clone(bell), cache: cache.clone(), settle });
    }

    /// Revokes a token's grants.
    pub fn record(&self, partition: &str) {
        self.pending.lock().add(partition);
        self.request_flush();
    }

    /// Revokes the grants of all tokens, also of those known only on disk.
    pub fn record_all(&self) {
        self.pending.lock().all = true;
        self.request_flush();
    }

    /// Whether a revocation of this token is not written yet.
    pub fn is_pending(&self, partition: &str) -> bool {
        let waiting = self.pending.lock();
        waiting.all || waiting.partitions.contains(partition)
    }

    /// Requests an immediate flush.
    pub fn request_flush(&self) {
        if let Some(attended) = self.attended.get() {
            attended.bell.request_flush();
        }
    }

    /// Marks other changes that can wait.
    pub fn mark_dirty(&self) {
        if let Some(attended) = self.attended.get() {
            attended.bell.mark_dirty();
        }
    }

    /// Whether some of it is not durable yet.
    pub fn has_pending(&self) -> bool {
        self.attended.get().is_some_and(|attended| attended.bell.has_pending())
    }

    /// Waits until all revocations so far and their purges are durable; at most `SETTLE` unless configured.
    pub async fn flush(&self) {
        if let Some(RevocationWriter { bell, cache, settle }) = self.attended.get() {
            let written = cache.clock().timeout(*settle, bell.wait_done(bell.last_ticket()));
            drop(tokio::join!(written, cache.flush_invalidations()));
        }
    }

    /// Waits until all revocations so far are durable, as long as [`Self::flush`] does, but for no purge.
    pub async fn flush_grants(&self) {
        if let Some(RevocationWriter { bell, cache, settle }) = self.attended.get() {
            let written = cache.clock().timeout(*settle, bell.wait_done(bell.last_ticket()));
            drop(written.await);
        }
    }

    /// Takes all pending revocations.
    pub fn drain(&self) -> RevokedPartitions {
        mem::take(&mut *self.pending.lock())
    }

    /// Puts revocations back that could not be written.
    pub fn put_back(&self, refused: &RevokedPartitions) {
        let mut waiting = self.pending.lock();
        refused.partitions.iter().for_each(|partition| waiting.add(partition));
        waiting.all |= refused.all;
    }
}

impl RevokedPartitions {
    fn add(&mut self, partition: &str) {
        if self.partitions.len() < MAX_WAITING {
            self.partitions.insert(partition.to_owned());
        } else {
            self.all = true;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && !self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_refusals_none_is_lost() {
        let refusals = Revocations::default();
        for index in 0..=MAX_WAITING {
            refusals.record(&index.to_string());
        }
        let taken = refusals.drain();
        assert!(taken.all && taken.partitions.len() == MAX_WAITING);
        assert!(refusals.drain().is_empty());
        refusals.put_back(&taken);
        assert_eq!(refusals.drain(), taken);
    }
}
