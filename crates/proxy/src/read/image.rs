//! Loading an image: by each identity for itself, into bytes that all share.

use std::sync::Arc;

use greenroom_cache::{
    Ahead, Answer, Cache, Demand, Entry, Failure, FailureKind, Key, Load, LoadReason, Loader, Policy,
};

/// Loads an image on behalf of one identity, and fills with it what all share.
#[derive(Debug, Clone)]
pub struct ImageLoader<L> {
    /// Asks the server.
    pub inner: L,
    /// The engine that keeps the bytes.
    pub cache: Cache,
    /// Where they are kept for all.
    pub shared: Key,
    /// How long they live.
    pub policy: Policy,
}

impl<L: Loader + Clone> Loader for ImageLoader<L> {
    type Pass = L::Pass;

    async fn load(&self, why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<Self::Pass>, Failure> {
        let inner = || self.inner.clone();
        if why == LoadReason::Ahead {
            return match self.cache.load_ahead_alone(&self.shared, &self.policy, inner).await? {
                Ahead::Loaded(value) => Ok(Load::Share(value)),
                Ahead::Passed(response) => Ok(Load::Pass(response)),
                Ahead::Kept | Ahead::UnderWay | Ahead::Withheld => {
                    Err(Failure::new(FailureKind::Overloaded, "too many loads are under way"))
                }
            };
        }
        Ok(match self.cache.get_or_load(&self.shared, &self.policy, Demand::Own, inner).await? {
            Answer::Kept { entry, .. } => Load::Share(entry.value().clone()),
            Answer::Shared { value, .. } => Load::Share(value),
            Answer::Passed(response) => Load::Pass(response),
        })
    }
}
