//! Loads an image for one identity, and stores its bytes for all.

use std::marker::PhantomData;
use std::sync::Arc;

use greenroom_cache::{
    AbsentValue, Cache, CacheDirective, CacheResponse, Entry, Key, LoadError, LoadErrorKind, LoadReason, LoadResult,
    Loader, Policy, PrefetchResult, Tag, Value,
};

/// Fails as the load before it did, so that the engine serves its own entry instead, where it may. Under a key of
/// several identities the failure must not hold the server's response, because callers of others may join.
#[derive(Debug)]
pub struct FailedLoader<P> {
    /// The failure.
    pub failure: LoadError,
    /// No response is ever passed.
    pub pass: PhantomData<fn() -> P>,
}

impl<P: Send + 'static> Loader for FailedLoader<P> {
    type Pass = P;

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<P>, LoadError> {
        Err(self.failure.clone())
    }
}

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
    /// Tags by which the memory is invalidated that this identity is not shown such an image.
    pub absence_tags: Option<Vec<Tag>>,
}

impl<L: Loader + Clone> Loader for ImageLoader<L> {
    type Pass = L::Pass;

    /// Nothing is stored under an identity's own key.
    fn is_replaceable(&self) -> bool {
        false
    }

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
            CacheResponse::Shared { value, is_absent: true, .. } => self.absent(value),
            CacheResponse::Shared { value, .. } => LoadResult::Share(value),
            CacheResponse::Passed(response) => LoadResult::Pass(response),
        })
    }
}

impl<L> ImageLoader<L> {
    /// A 404, remembered for this identity.
    fn absent<P>(&self, value: Value) -> LoadResult<P> {
        match &self.absence_tags {
            Some(tags) => LoadResult::Absent(AbsentValue { value, tags: tags.clone() }),
            None => LoadResult::Share(value),
        }
    }
}
