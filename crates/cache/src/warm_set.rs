//! The keys that are kept warm, with the loaders that reload them and the budgets for doing so.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::key::Key;
use crate::load::{Failure, Load, Loader};
use crate::load_reason::LoadReason;
use crate::policy::Policy;
use crate::stamp::Stamp;
use crate::value::Entry;
use crate::warmth::Warmth;

const MINUTE_MS: u64 = 60_000;
/// Budgets of namespaces that spent nothing lately are forgotten when there are more than this.
const MAX_IDLE_BUDGETS: usize = 256;

type Loading = Pin<Box<dyn Future<Output = Result<Load<()>, Failure>> + Send>>;
pub(crate) type Reload = Arc<dyn Fn(LoadReason, Option<Arc<Entry>>) -> Loading + Send + Sync>;

/// The keys that are kept warm.
#[derive(Default)]
pub(crate) struct WarmSet {
    pub(crate) keys: Mutex<HashMap<Key, WarmKey>>,
    /// Wakes the warmer when there is something to keep warm again.
    pub(crate) filled: Notify,
    budgets: Mutex<HashMap<Box<str>, VecDeque<u64>>>,
    /// What is refreshed because a read was announced has a budget of its own.
    pub(crate) announced: Mutex<HashMap<Box<str>, VecDeque<u64>>>,
    /// What was asked in all when the warmer last looked, and when that last changed.
    activity: Mutex<(u64, u64)>,
    /// When the warmer last looked.
    pub(crate) looked_ms: AtomicU64,
}

/// One key that is kept warm.
#[derive(Clone)]
pub(crate) struct WarmKey {
    pub(crate) reload: Reload,
    pub(crate) policy: Policy,
    pub(crate) warmth: Arc<Warmth>,
    /// A purge after this drops it.
    pub(crate) since: Stamp,
    /// When the refresh was due that was refused last for want of budget.
    pub(crate) refused_due_ms: Arc<AtomicU64>,
}

/// The kept loader in the shape of any other.
pub(crate) struct Kept(pub(crate) Reload);

impl Loader for Kept {
    type Pass = ();

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        (self.0)(why, old).await
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loader, to be kept.
pub(crate) fn reload<L: Loader>(loader: &Arc<L>) -> Reload {
    let loader = Arc::clone(loader);
    Arc::new(move |why, old| {
        let loader = Arc::clone(&loader);
        Box::pin(async move { loader.load(why, old).await.map(without_pass) })
    })
}

impl WarmSet {
    pub(crate) fn len(&self) -> usize {
        lock(&self.keys).len()
    }

    /// When the warmer last looked, in milliseconds; zero if never.
    pub(crate) fn looked_ms(&self) -> u64 {
        self.looked_ms.load(Ordering::Relaxed)
    }

    /// Waits until there is something to keep warm.
    pub(crate) async fn filled(&self) {
        while self.len() == 0 {
            self.filled.notified().await;
        }
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        lock(&self.keys).contains_key(key)
    }

    pub(crate) fn forget(&self, key: &Key) {
        lock(&self.keys).remove(key);
    }

    pub(crate) fn clear(&self) {
        lock(&self.keys).clear();
    }

    /// Takes one load from the namespace's budget, if there is any left in the minute that ends now.
    pub(crate) fn spend(&self, namespace: &str, per_minute: u32, now_ms: u64) -> bool {
        Self::spend_of(&self.budgets, namespace, per_minute, now_ms)
    }

    pub(crate) fn spend_of(
        budgets: &Mutex<HashMap<Box<str>, VecDeque<u64>>>,
        namespace: &str,
        per_minute: u32,
        now_ms: u64,
    ) -> bool {
        let mut budgets = lock(budgets);
        if budgets.len() >= MAX_IDLE_BUDGETS {
            budgets.retain(|_, spent| spent.back().is_some_and(|at_ms| at_ms + MINUTE_MS > now_ms));
        }
        let spent = budgets.entry(namespace.into()).or_default();
        while spent.front().is_some_and(|at_ms| at_ms + MINUTE_MS <= now_ms) {
            spent.pop_front();
        }
        let within = spent.len() < usize::try_from(per_minute).unwrap_or(usize::MAX);
        if within {
            spent.push_back(now_ms);
        }
        within
    }

    /// How long no client has asked anything, given what was asked in all.
    pub(crate) fn quiet_ms(&self, asked: u64, now_ms: u64) -> u64 {
        let mut activity = lock(&self.activity);
        if activity.0 != asked || activity.1 == 0 {
            *activity = (asked, now_ms);
        }
        now_ms.saturating_sub(activity.1)
    }
}

/// A warm load has no caller: what is not for keeping is for nobody.
fn without_pass<P>(load: Load<P>) -> Load<()> {
    match load {
        Load::Store(fill) => Load::Store(fill),
        Load::Share(value) => Load::Share(value),
        Load::Gone(value) => Load::Gone(value),
        Load::Pass(_) => Load::Pass(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_in_every_minute_and_budgets_nobody_spends_are_forgotten() {
        let warm = WarmSet::default();
        let granted = (0..600).filter(|second| warm.spend("home", 5, second * 1000)).count();
        assert_eq!(granted, 50, "five a minute");
        for namespace in 0..10_000 {
            warm.spend(&namespace.to_string(), 5, 600_000 + namespace * MINUTE_MS);
        }
        assert!(lock(&warm.budgets).len() <= MAX_IDLE_BUDGETS + 1);
    }
}
