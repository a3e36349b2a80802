//! Why a load was made, for the one whose request caused it: the engine tells the loader, and nobody else.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use greenroom_cache::{Entry, Failure, Load, LoadReason, Loader};

/// Why the load of one request was made. Takes memory only if there is one.
#[derive(Debug, Default)]
pub(super) struct Cause(OnceLock<Arc<AtomicU8>>);

/// A loader that notes why it is asked.
#[derive(Debug, Clone)]
pub(super) struct Noting<L> {
    inner: L,
    /// The place in [`LoadReason::EVERY`], from 1; zero before it was asked.
    why: Arc<AtomicU8>,
}

impl Cause {
    /// The loader, so that it is known why it was asked.
    pub(super) fn noting<L>(&self, inner: L) -> Noting<L> {
        Noting { inner, why: Arc::clone(self.0.get_or_init(Arc::default)) }
    }

    /// Why it was asked, if it was.
    pub(super) fn why(&self) -> Option<LoadReason> {
        let place = usize::from(self.0.get()?.load(Ordering::Acquire));
        LoadReason::EVERY.get(place.checked_sub(1)?).copied()
    }
}

impl<L: Loader> Loader for Noting<L> {
    type Pass = L::Pass;

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<Self::Pass>, Failure> {
        let place = LoadReason::EVERY.iter().position(|reason| *reason == why).map_or(0, |place| place + 1);
        // The first word counts: a warm key's loader is asked again later.
        let (set, load) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.why.compare_exchange(0, u8::try_from(place).unwrap_or(0), set, load);
        self.inner.load(why, old).await
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::{FailureKind, Fill, Value};

    use super::*;

    #[derive(Clone)]
    struct Source;

    impl Loader for Source {
        type Pass = ();

        async fn load(&self, why: LoadReason, _: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
            match why {
                LoadReason::Absent => Ok(Load::Store(Fill::new(Value::new("x")))),
                _ => Err(Failure::new(FailureKind::Refused, "no")),
            }
        }
    }

    #[tokio::test]
    async fn the_first_reason_is_the_one() {
        let cause = Cause::default();
        assert_eq!(cause.why(), None);
        let loader = cause.noting(Source);
        assert_eq!(cause.why(), None, "it was not asked yet");
        assert!(loader.load(LoadReason::Absent, None).await.is_ok());
        assert!(loader.load(LoadReason::Warm, None).await.is_err(), "the inner one was asked");
        assert_eq!(cause.why(), Some(LoadReason::Absent));
    }
}
