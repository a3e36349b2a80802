//! Leases and fences.

use std::time::Duration;

use crate::app_caches::AppCaches;
use crate::counters::AppCacheEvent;
use crate::error::AppCacheError;
use crate::lease::{LeaseRequest, LeaseResult};
use crate::name::{CacheName, EntryKey, EntryTags};
use crate::store;

/// Max wait for another caller's load.
pub const MAX_LEASE_WAIT: Duration = Duration::from_secs(60);

impl AppCaches {
    /// Takes the lease of a key. If another caller has it, waits for its value or its end, `wait` at the longest.
    ///
    /// # Errors
    /// The store failed.
    pub async fn acquire(
        &self,
        cache: &CacheName,
        request: &LeaseRequest,
        wait: Duration,
    ) -> Result<LeaseResult, AppCacheError> {
        let cache = self.registry.open_cache(cache).await?;
        let clock = &self.registry.clock;
        let end_ms = clock.now().saturating_add(wait.min(MAX_LEASE_WAIT));
        loop {
            // Before the question, so that no change after it is missed.
            let mut watch = self.registry.waits.subscribe(&cache.name, &request.key);
            let (name, asked) = (cache.name.clone(), request.clone());
            let result = self.registry.write(&cache, move |change| store::acquire(change, &name, &asked)).await;
            let result = cache.checked(result)?;
            let now_ms = clock.now();
            match result {
                LeaseResult::Taken { deadline_ms } if now_ms < end_ms => {
                    cache.counters.count(AppCacheEvent::Waited);
                    let left_ms = deadline_ms.min(end_ms).duration_since(now_ms).max(Duration::from_millis(1));
                    // The end of the time is no error: the question is asked again.
                    let _ = clock.timeout(left_ms, watch.changed()).await;
                }
                LeaseResult::Held { .. } => {
                    cache.counters.count(AppCacheEvent::Leased);
                    return Ok(result);
                }
                LeaseResult::Taken { .. } | LeaseResult::Unneeded(_) => return Ok(result),
            }
        }
    }

    /// Ends a lease, or at a later time, so that the key is not loaded before. Returns whether it was held.
    ///
    /// # Errors
    /// The store failed.
    pub async fn release(
        &self,
        cache: &CacheName,
        key: &EntryKey,
        lease: (u64, Option<u64>),
    ) -> Result<bool, AppCacheError> {
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(false) };
        let (name, released) = (cache.name.clone(), key.clone());
        let written = self.registry.write(&cache, move |change| store::release(change, &name, &released, lease)).await;
        let was_held = cache.checked(written)?;
        self.registry.waits.wake(&cache.name, key);
        Ok(was_held)
    }

    /// Whether a load of this key that began at a number cannot be stored any more, because the key or one of the tags
    /// was invalidated since.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_fenced(
        &self,
        cache: &CacheName,
        key: EntryKey,
        tags: EntryTags,
        begun: u64,
    ) -> Result<bool, AppCacheError> {
        // A cache that is not there may have been removed since.
        if !self.registry.has_store() {
            return Ok(false);
        }
        self.registry.store().await?.readers.is_fenced(cache.clone(), key, tags, begun).await
    }
}
