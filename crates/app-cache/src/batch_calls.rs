//! Batches.

use std::sync::Arc;

use crate::app_cache::AppCache;
use crate::app_caches::AppCaches;
use crate::batch::{BatchOperation, BatchResult};
use crate::counters::AppCacheEvent;
use crate::error::AppCacheError;
use crate::lookup::EntryLookup;
use crate::name::{CacheName, EntryKey};
use crate::store;

impl AppCaches {
    /// Does several operations, the writes in one transaction, and returns a result for each. Lookups see what was there
    /// before.
    ///
    /// # Errors
    /// The store failed: no write was done.
    pub async fn batch(
        &self,
        cache: &CacheName,
        operations: Vec<BatchOperation>,
    ) -> Result<Vec<BatchResult>, AppCacheError> {
        let is_reading = |operation: &BatchOperation| matches!(operation, BatchOperation::Get(_));
        let only_reads = operations.iter().all(is_reading);
        let cache = if only_reads {
            let Some(cache) = self.registry.existing(cache).await? else {
                return Ok(operations.iter().map(|_| BatchResult::Got(None)).collect());
            };
            cache
        } else {
            self.registry.open_cache(cache).await?
        };
        let keys: Vec<EntryKey> = operations
            .iter()
            .filter_map(|operation| match operation {
                BatchOperation::Get(key) => Some(key.clone()),
                BatchOperation::Put(_) | BatchOperation::Delete(_) => None,
            })
            .collect();
        let found = self.registry.find(&cache, &keys).await;
        let found = cache.checked(found)?;
        let written = if only_reads { Vec::new() } else { self.write_batch(&cache, operations.clone()).await? };
        let (mut found, mut written) = (found.into_iter(), written.into_iter());
        let now_ms = self.registry.clock.now();
        let results = operations.iter().map(|operation| match operation {
            BatchOperation::Get(_) => {
                let Some(found) = found.next() else { return BatchResult::NotRead };
                let lookup = EntryLookup::of(found, None, now_ms);
                cache.count_lookup(&lookup);
                BatchResult::Got(lookup.into_entry().map(Box::new))
            }
            BatchOperation::Put(_) | BatchOperation::Delete(_) => written.next().unwrap_or(BatchResult::Deleted(false)),
        });
        Ok(results.collect())
    }

    async fn write_batch(
        &self,
        cache: &Arc<AppCache>,
        operations: Vec<BatchOperation>,
    ) -> Result<Vec<BatchResult>, AppCacheError> {
        let (settings, name) = (Arc::clone(&cache.settings), cache.name.clone());
        let changed: Vec<EntryKey> = operations
            .iter()
            .filter_map(|operation| match operation {
                BatchOperation::Get(_) => None,
                BatchOperation::Put(put) => Some(put.key.clone()),
                BatchOperation::Delete(key) => Some(key.clone()),
            })
            .collect();
        let written = self.registry.write(cache, move |change| {
            let mut results = Vec::new();
            let mut evicted = 0;
            for operation in &operations {
                results.push(match operation {
                    BatchOperation::Get(_) => continue,
                    BatchOperation::Put(put) if put.entry.value.len() as u64 > settings.max_value_bytes => {
                        BatchResult::ValueTooLong
                    }
                    BatchOperation::Put(put) => {
                        let (result, more) = store::put(change, &name, &settings, put)?;
                        evicted += more;
                        BatchResult::Put(result)
                    }
                    BatchOperation::Delete(key) => BatchResult::Deleted(store::pop(change, &name, key)?.is_some()),
                });
            }
            Ok((results, evicted))
        });
        let (results, evicted) = cache.checked(written.await)?;
        cache.counters.add(AppCacheEvent::Evicted, evicted);
        for result in &results {
            match result {
                BatchResult::Put(result) => cache.count_put(*result, 0),
                BatchResult::ValueTooLong => cache.counters.count(AppCacheEvent::Refused),
                BatchResult::Deleted(true) => cache.counters.count(AppCacheEvent::Removed),
                BatchResult::Got(_) | BatchResult::NotRead | BatchResult::Deleted(false) => {}
            }
        }
        for key in &changed {
            self.registry.waits.wake(&cache.name, key);
        }
        Ok(results)
    }
}
