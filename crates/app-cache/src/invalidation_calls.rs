//! Invalidations.

use std::sync::Arc;
use std::time::Duration;

use crate::app_cache::AppCache;
use crate::app_caches::AppCaches;
use crate::counters::AppCacheEvent;
use crate::error::AppCacheError;
use crate::name::CacheName;
use crate::registry::Registry;
use crate::scope::InvalidationScope;
use crate::store::{self, RemovalStep};

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

/// Keeps the sweeper from a removal that a call continues; the sweeper continues it once the call ends.
struct RemovalGuard<'a> {
    registry: &'a Registry,
    sequence: u64,
}

impl<'a> RemovalGuard<'a> {
    fn new(registry: &'a Registry, sequence: u64) -> Self {
        registry.removals.lock().push(sequence);
        Self { registry, sequence }
    }
}

impl Drop for RemovalGuard<'_> {
    fn drop(&mut self) {
        self.registry.removals.lock().retain(|sequence| *sequence != self.sequence);
        self.registry.sweep_due.notify_one();
    }
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
        let first = self.registry.write(&cache, move |change| store::invalidate(change, &name, &scope)).await;
        let first = cache.checked(first)?;
        cache.counters.add(AppCacheEvent::Removed, first.removed);
        self.registry.waits.wake_all();
        if is_all {
            self.registry.sweep_due.notify_one();
        }
        self.remove_rest(&cache, first).await
    }

    async fn remove_rest(&self, cache: &Arc<AppCache>, first: RemovalStep) -> Result<EntryInvalidation, AppCacheError> {
        let Some(sequence) = first.continues else {
            return Ok(EntryInvalidation { removed: first.removed, is_finished: true });
        };
        let _guard = RemovalGuard::new(&self.registry, sequence);
        let clock = &self.registry.clock;
        let end_ms = clock.now_ms() + u64::try_from(MAX_REMOVAL_WAIT.as_millis()).unwrap_or_default();
        let mut removed = first.removed;
        while clock.now_ms() < end_ms {
            let next = self.registry.write(cache, move |change| store::continue_removal(change, sequence)).await;
            // The invalidation itself is on disk; a removal that fails is continued by the sweeper.
            let Ok(next) = cache.checked(next) else { break };
            cache.counters.add(AppCacheEvent::Removed, next.removed);
            removed += next.removed;
            if next.continues.is_none() {
                return Ok(EntryInvalidation { removed, is_finished: true });
            }
        }
        Ok(EntryInvalidation { removed, is_finished: false })
    }
}
