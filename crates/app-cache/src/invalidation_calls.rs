//! Invalidations.

use std::sync::Arc;
use std::time::Duration;

use crate::app_cache::AppCache;
use crate::app_caches::AppCaches;
use crate::called_removals::RemovalGuard;
use crate::counters::AppCacheEvent;
use crate::error::AppCacheError;
use crate::name::CacheName;
use crate::scope::InvalidationScope;
use crate::store;

/// Max time for which an invalidation is answered later because its rows are still being removed.
const MAX_REMOVAL_WAIT: Duration = Duration::from_secs(5);

/// Result of an invalidation. Nothing that it covers is found any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryInvalidation {
    /// Entries removed, with those that an earlier invalidation had hidden and not removed yet.
    pub removed: u64,
    /// Whether all are removed; the others are removed in the background.
    pub is_finished: bool,
}

impl AppCaches {
    /// Invalidates everything that a scope covers. It is not found any more, and loads of it that are under way are not
    /// stored. Rows of a large scope are removed in many transactions, between which other writes are done.
    ///
    /// # Errors
    /// The store failed, or too many large invalidations of this cache are not finished.
    pub async fn invalidate(
        &self,
        cache: &CacheName,
        scope: InvalidationScope,
    ) -> Result<EntryInvalidation, AppCacheError> {
        // A cache that is not there is made, so that a load under way is fenced.
        let cache = self.registry.open_cache(cache).await?;
        let name = cache.name.clone();
        let is_all = matches!(&scope, InvalidationScope::All)
            || matches!(&scope, InvalidationScope::Prefix(prefix) if prefix.is_empty());
        let removals = Arc::clone(&self.registry.removals);
        // The guard is made within the transaction: the sweeper's may be the next one.
        let first = self.registry.write(&cache, move |change| {
            let first = store::invalidate(change, &name, &scope)?;
            Ok((first, first.continues.map(|sequence| RemovalGuard::new(removals, sequence))))
        });
        let (first, guard) = cache.checked(first.await)?;
        cache.counters.add(AppCacheEvent::Removed, first.removed);
        self.registry.waits.wake_all();
        if is_all {
            self.registry.removals.sweep_due.notify_one();
        }
        let Some(guard) = guard else {
            return Ok(EntryInvalidation { removed: first.removed, is_finished: true });
        };
        Ok(self.remove_rest(&cache, first.removed, guard).await)
    }

    async fn remove_rest(&self, cache: &Arc<AppCache>, mut removed: u64, guard: RemovalGuard) -> EntryInvalidation {
        let sequence = guard.sequence();
        let clock = &self.registry.clock;
        let end_ms =
            clock.now() + Duration::from_millis(u64::try_from(MAX_REMOVAL_WAIT.as_millis()).unwrap_or_default());
        while clock.now() < end_ms {
            let next = self.registry.write(cache, move |change| store::continue_removal(change, sequence)).await;
            // The invalidation itself is on disk; a removal that fails is continued by the sweeper.
            let Ok(next) = cache.checked(next) else { break };
            cache.counters.add(AppCacheEvent::Removed, next.removed);
            removed += next.removed;
            if next.continues.is_none() {
                return EntryInvalidation { removed, is_finished: true };
            }
        }
        EntryInvalidation { removed, is_finished: false }
    }
}
