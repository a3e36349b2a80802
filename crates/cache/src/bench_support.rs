//! For benchmarks: the work of a reading thread without the thread and the request around it, and the cost of queueing
//! a write without the load before it.

use std::path::Path;
use std::sync::Arc;

use crate::cache::Cache;
use crate::disk::lookup::StoreLookup;
use crate::disk::store::DiskStore;
use crate::key::Key;
use crate::older_copy::OlderCopy;
use crate::value::Entry;

/// A connection to a store, as a reading thread has it.
#[derive(Debug)]
pub struct ReaderBench(DiskStore);

impl ReaderBench {
    /// Opens the store in `dir`.
    pub fn open(dir: &Path) -> Result<Self, String> {
        DiskStore::open(dir, usize::MAX).and_then(DiskStore::only_read).map(Self).map_err(|failing| failing.to_string())
    }

    /// Looks keys up within one read transaction. Calls `told` with each body's length, or `None` without an entry.
    pub fn lookup(&self, keys: &[Key], mut told: impl FnMut(Option<usize>)) -> Result<(), String> {
        let mut looks = self.0.read_snapshot().map_err(|failing| failing.to_string())?;
        for key in keys {
            match looks.get(key).map_err(|failing| failing.to_string())? {
                StoreLookup::Found(found) => told(Some(found.value.body.len())),
                StoreLookup::Miss | StoreLookup::Corrupt(_) => told(None),
            }
        }
        Ok(())
    }
}

/// Queues an entry for writing, as a load does after storing it.
pub fn enqueue_write(cache: &Cache, key: &Key, entry: &Arc<Entry>) {
    cache.0.coordinator.write_behind(key, entry, OlderCopy::Void);
}
