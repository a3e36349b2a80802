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
    why: Arc<AtomicU8>,
}

impl MissReason {
    /// Wraps a loader, to record its reason.
    pub(super) fn wrap<L>(&self, inner: L) -> RecordingLoader<L> {
        RecordingLoader { inner, why: Arc::clone(self.0.get_or_init(Arc::default)) }
    }

    /// The reason, if there was a load.
    pub(super) fn reason(&self) -> Option<LoadReason> {
        let place = usize::from(self.0.get()?.load(Ordering::Acquire));
        LoadReason::EVERY.get(place.checked_sub(1)?).copied()
    }
}

impl<L: Loader> Loader for RecordingLoader<L> {
    type Pass = L::Pass;

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let place = LoadReason::EVERY.iter().position(|reason| *reason == why).map_or(0, |place| place + 1);
        // The first reason counts: a warm key's loader runs again later.
        let (set, load) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.why.compare_exchange(0, u8::try_from(place).unwrap_or(0), set, load);
        self.inner.load(why, old).await
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

        async fn load(&self, why: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
            match why {
                LoadReason::Absent => Ok(LoadResult::Store(LoadedValue::new(Value::new("x")))),
                _ => Err(LoadError::new(LoadErrorKind::Refused, "no")),
            }
        }
    }

    #[tokio::test]
    async fn the_first_reason_is_the_one() {
        let cause = MissReason::default();
        assert_eq!(cause.reason(), None);
        let loader = cause.wrap(StubLoader);
        assert_eq!(cause.reason(), None, "it was not asked yet");
        assert!(loader.load(LoadReason::Absent, None).await.is_ok());
        assert!(loader.load(LoadReason::Warm, None).await.is_err(), "the inner one was asked");
        assert_eq!(cause.reason(), Some(LoadReason::Absent));
    }
}
