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
        DiskStore::open(dir, usize::MAX)
            .and_then(DiskStore::with_reader_cache)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Looks keys up within one read transaction. Calls `on_result` with the length of each body, or `None` without an
    /// entry.
    pub fn lookup(&self, keys: &[Key], mut on_result: impl FnMut(Option<usize>)) -> Result<(), String> {
        let mut snapshot = self.0.read_snapshot().map_err(|error| error.to_string())?;
        for key in keys {
            match snapshot.get(key).map_err(|error| error.to_string())? {
                StoreLookup::Found(found) => on_result(Some(found.value.body.len())),
                StoreLookup::Miss | StoreLookup::Corrupt(_) => on_result(None),
            }
        }
        Ok(())
    }
}

/// Queues an entry for writing, as a load does after storing it.
pub fn enqueue_write(cache: &Cache, key: &Key, entry: &Arc<Entry>) {
    cache.0.coordinator.write_behind(key, entry, OlderCopy::Void);
}
