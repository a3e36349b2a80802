//! Loads an image for one identity, and stores its bytes for all.

use std::sync::Arc;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, Entry, Key, LoadError, LoadErrorKind, LoadReason, LoadResult, Loader, Policy,
    PrefetchResult,
};

/// Loads an image for one identity, and fills the shared entry.
#[derive(Debug, Clone)]
pub struct ImageLoader<L> {
    /// Loads from the server.
    pub inner: L,
    /// The engine with the shared entry.
    pub cache: Cache,
    /// Key of the shared entry.
    pub shared: Key,
    /// TTL policy of the shared entry.
    pub policy: Policy,
}

impl<L: Loader + Clone> Loader for ImageLoader<L> {
    type Pass = L::Pass;

    async fn load(&self, reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let inner = || self.inner.clone();
        if reason == LoadReason::Prefetch {
            return match self.cache.prefetch_unshared(&self.shared, &self.policy, inner).await? {
                PrefetchResult::Loaded(value) => Ok(LoadResult::Share(value)),
                PrefetchResult::Passed(response) => Ok(LoadResult::Pass(response)),
                PrefetchResult::AlreadyCached | PrefetchResult::InFlight | PrefetchResult::Skipped => {
                    Err(LoadError::new(LoadErrorKind::Overloaded, "too many loads are in flight"))
                }
            };
        }
        Ok(match self.cache.get_or_load(&self.shared, &self.policy, CacheDirective::LoadUnshared, inner).await? {
            CacheResponse::Cached { entry, .. } => LoadResult::Share(entry.value().clone()),
            CacheResponse::Shared { value, .. } => LoadResult::Share(value),
            CacheResponse::Passed(response) => LoadResult::Pass(response),
        })
    }
}
