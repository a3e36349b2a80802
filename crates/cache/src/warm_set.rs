//! The warm set: its keys, the loaders that reload them, and the budgets for doing so.

use crate::timestamp::{AtomicTimestamp, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::access_rhythm::AccessRhythm;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::Key;
use crate::load::{LoadError, LoadResult, Loader};
use crate::load_reason::LoadReason;
use crate::policy::Policy;
use crate::value::Entry;

const MINUTE: Duration = Duration::from_secs(60);
/// Above this number, budgets of namespaces without recent loads are dropped.
const MAX_IDLE_BUDGETS: usize = 256;

type LoadFuture = Pin<Box<dyn Future<Output = Result<LoadResult<()>, LoadError>> + Send>>;
pub(crate) type ReloadFn = Arc<dyn Fn(LoadReason, Option<Arc<Entry>>) -> LoadFuture + Send + Sync>;

/// The warm keys.
#[derive(Default)]
pub(crate) struct WarmSet {
    pub(crate) keys: Mutex<HashMap<Key, WarmKey>>,
    /// Wakes the warmer when the set is no longer empty.
    pub(crate) filled: Notify,
    budgets: Mutex<HashMap<Box<str>, VecDeque<Timestamp>>>,
    /// Separate budget for refreshes of announced reads.
    pub(crate) predicted: Mutex<HashMap<Box<str>, VecDeque<Timestamp>>>,
    /// Total requests at the warmer's last round, and when that number last changed.
    activity: Mutex<(u64, Timestamp)>,
    /// When the warmer last ran a round.
    pub(crate) checked_ms: AtomicTimestamp,
}

/// One warm key.
#[derive(Clone)]
pub(crate) struct WarmKey {
    pub(crate) reload: ReloadFn,
    pub(crate) policy: Policy,
    pub(crate) access_rhythm: Arc<AccessRhythm>,
    /// A later purge drops the key.
    pub(crate) since: HybridTimestamp,
    /// Due time of the last refresh that exceeded the budget.
    pub(crate) refused_due_ms: Arc<AtomicTimestamp>,
}

/// A stored loader as a [`Loader`].
pub(crate) struct ReloadLoader(pub(crate) ReloadFn);

impl Loader for ReloadLoader {
    type Pass = ();

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        (self.0)(reason, old).await
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wraps a loader for reuse.
pub(crate) fn reload<L: Loader>(loader: &Arc<L>) -> ReloadFn {
    let loader = Arc::clone(loader);
    Arc::new(move |reason, old| {
        let loader = Arc::clone(&loader);
        Box::pin(async move { loader.load(reason, old).await.map(without_pass) })
    })
}

impl WarmSet {
    pub(crate) fn len(&self) -> usize {
        lock(&self.keys).len()
    }

    /// Time of the warmer's last round, in milliseconds; zero if there was none.
    pub(crate) fn checked_ms(&self) -> Timestamp {
        self.checked_ms.load(Ordering::Relaxed)
    }

    /// Waits until there is a warm key.
    pub(crate) async fn filled(&self) {
        while self.len() == 0 {
            self.filled.notified().await;
        }
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        lock(&self.keys).contains_key(key)
    }

    pub(crate) fn forget(&self, key: &Key) {
        lock(&self.keys).remove(key);
    }

    pub(crate) fn clear(&self) {
        lock(&self.keys).clear();
    }

    /// Takes one load from the namespace's budget, if any is left in the minute that ends now.
    pub(crate) fn spend(&self, namespace: &str, per_minute: u32, now_ms: Timestamp) -> bool {
        Self::spend_from(&self.budgets, namespace, per_minute, now_ms)
    }

    pub(crate) fn spend_from(
        budgets: &Mutex<HashMap<Box<str>, VecDeque<Timestamp>>>,
        namespace: &str,
        per_minute: u32,
        now_ms: Timestamp,
    ) -> bool {
        let mut budgets = lock(budgets);
        if budgets.len() >= MAX_IDLE_BUDGETS {
            budgets.retain(|_, spent| spent.back().is_some_and(|at_ms| *at_ms + MINUTE > now_ms));
        }
        let spent = budgets.entry(namespace.into()).or_default();
        while spent.front().is_some_and(|at_ms| *at_ms + MINUTE <= now_ms) {
            spent.pop_front();
        }
        let is_within = spent.len() < usize::try_from(per_minute).unwrap_or(usize::MAX);
        if is_within {
            spent.push_back(now_ms);
        }
        is_within
    }

    /// Time since the last client request, given the total number of requests.
    pub(crate) fn quiet_ms(&self, requests: u64, now_ms: Timestamp) -> Duration {
        let mut activity = lock(&self.activity);
        if activity.0 != requests || activity.1 == Timestamp::UNIX_EPOCH {
            *activity = (requests, now_ms);
        }
        now_ms.duration_since(activity.1)
    }
}

/// A warm load has no caller, so an uncacheable result is dropped.
fn without_pass<P>(result: LoadResult<P>) -> LoadResult<()> {
    match result {
        LoadResult::Store(loaded) => LoadResult::Store(loaded),
        LoadResult::Confirmed(confirmed) => LoadResult::Confirmed(confirmed),
        LoadResult::Share(value) => LoadResult::Share(value),
        LoadResult::NotFound(value) => LoadResult::NotFound(value),
        LoadResult::Absent(absent) => LoadResult::Absent(absent),
        LoadResult::Pass(_) => LoadResult::Pass(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_in_every_minute_and_unused_budgets_are_dropped() {
        let warm = WarmSet::default();
        let granted = (0..600).filter(|second| warm.spend("home", 5, Timestamp::from_millis(second * 1000))).count();
        assert_eq!(granted, 50, "five a minute");
        for namespace in 0..10_000 {
            warm.spend(&namespace.to_string(), 5, Timestamp::from_millis(600_000 + namespace * 60_000));
        }
        assert!(lock(&warm.budgets).len() <= MAX_IDLE_BUDGETS + 1);
    }
}
