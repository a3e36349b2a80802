//! Reports the reason of a load to the request that caused it: the engine tells only the loader.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use greenroom_cache::{Entry, LoadError, LoadReason, LoadResult, Loader};

/// Reason of one request's load. Allocates only if there is one.
#[derive(Debug, Default)]
pub(super) struct MissReason(OnceLock<Arc<AtomicU8>>);

/// A loader that records its reason.
#[derive(Debug, Clone)]
pub(super) struct RecordingLoader<L> {
    inner: L,
    /// Index in [`LoadReason::EVERY`], from 1; zero before the load.
    reason: Arc<AtomicU8>,
}

impl MissReason {
    /// Wraps a loader, to record its reason.
    pub(super) fn wrap<L>(&self, inner: L) -> RecordingLoader<L> {
        RecordingLoader { inner, reason: Arc::clone(self.0.get_or_init(Arc::default)) }
    }

    /// The reason, if there was a load.
    pub(super) fn reason(&self) -> Option<LoadReason> {
        let number = usize::from(self.0.get()?.load(Ordering::Acquire));
        LoadReason::EVERY.get(number.checked_sub(1)?).copied()
    }
}

impl<L: Loader> Loader for RecordingLoader<L> {
    type Pass = L::Pass;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let number = LoadReason::EVERY.iter().position(|known| *known == reason).map_or(0, |index| index + 1);
        // The first reason counts: a warm key's loader runs again later.
        let (set, load) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.reason.compare_exchange(0, u8::try_from(number).unwrap_or(0), set, load);
        self.inner.load(reason, old).await
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::{LoadErrorKind, LoadedValue, Value};

    use super::*;

    #[derive(Clone)]
    struct StubLoader;

    impl Loader for StubLoader {
        type Pass = ();

        async fn load(&self, reason: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
            match reason {
                LoadReason::Absent => Ok(LoadResult::Store(LoadedValue::new(Value::new("x")))),
                _ => Err(LoadError::new(LoadErrorKind::Refused, "no")),
            }
        }
    }

    #[tokio::test]
    async fn the_first_reason_is_the_one() {
        let miss_reason = MissReason::default();
        assert_eq!(miss_reason.reason(), None);
        let loader = miss_reason.wrap(StubLoader);
        assert_eq!(miss_reason.reason(), None, "it has not loaded yet");
        assert!(loader.load(LoadReason::Absent, None).await.is_ok());
        assert!(loader.load(LoadReason::Warm, None).await.is_err(), "the inner loader ran");
        assert_eq!(miss_reason.reason(), Some(LoadReason::Absent));
    }
}
