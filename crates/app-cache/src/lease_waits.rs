//! Callers that wait until a key is stored or its lease ends.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::watch;

use crate::name::{CacheName, EntryKey};

/// Keys share this many watches; a caller may be woken for another key, and looks again.
const WATCHES: usize = 64;

/// Watches on keys.
#[derive(Debug)]
pub(crate) struct LeaseWaits {
    watches: [watch::Sender<()>; WATCHES],
    hasher: RandomState,
}

impl Default for LeaseWaits {
    fn default() -> Self {
        Self { watches: std::array::from_fn(|_| watch::channel(()).0), hasher: RandomState::new() }
    }
}

impl LeaseWaits {
    /// A watch that changes when the key may be stored or its lease ended, from now on.
    pub(crate) fn subscribe(&self, cache: &CacheName, key: &EntryKey) -> watch::Receiver<()> {
        self.watch(cache, key).subscribe()
    }

    /// Wakes callers that wait for a key.
    pub(crate) fn wake(&self, cache: &CacheName, key: &EntryKey) {
        self.watch(cache, key).send_replace(());
    }

    /// Wakes all callers.
    pub(crate) fn wake_all(&self) {
        self.watches.iter().for_each(|watch| {
            watch.send_replace(());
        });
    }

    fn watch(&self, cache: &CacheName, key: &EntryKey) -> &watch::Sender<()> {
        let hash = self.hasher.hash_one((cache.as_str(), key.as_str()));
        &self.watches[usize::try_from(hash % WATCHES as u64).unwrap_or_default()]
    }
}
