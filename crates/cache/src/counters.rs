//! The counters behind the statistics: plain relaxed atomics, one set per namespace and class.
//!
//! They use the standard library's atomics: no decision depends on them, so the model checker need not see them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::load_reason::LoadReason;
use crate::not_stored_reason::NotStoredReason;
use crate::stats::{CacheStats, ClassStats, LOAD_TIME_BUCKETS_MS, LoadTimes};

/// Namespace and class that count everything beyond the last set.
const OVERFLOW: &str = "*";

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one namespace and class.
#[derive(Debug, Default)]
pub(crate) struct ClassCounters {
    pub(crate) namespace: String,
    pub(crate) class: &'static str,
    pub(crate) hits: Counter,
    pub(crate) stale: Counter,
    pub(crate) stale_on_error: Counter,
    pub(crate) offline: Counter,
    pub(crate) loaded: Counter,
    pub(crate) joins: Counter,
    pub(crate) misses: [Counter; LoadReason::EVERY.len()],
    pub(crate) failed_reads: Counter,
    pub(crate) confirmed: Counter,
    pub(crate) loads_ok: Counter,
    pub(crate) loads_confirmed: Counter,
    pub(crate) loads_shared: Counter,
    pub(crate) loads_passed: Counter,
    pub(crate) loads_failed: Counter,
    pub(crate) loads_timed_out: Counter,
    pub(crate) load_times: [Counter; LOAD_TIME_BUCKETS_MS.len() + 1],
    pub(crate) load_ms: Counter,
    pub(crate) refreshes: Counter,
    pub(crate) refreshes_useful: Counter,
    pub(crate) refreshes_useless: Counter,
    pub(crate) warm_loads: Counter,
    pub(crate) warm_useful: Counter,
    pub(crate) warm_useless: Counter,
    pub(crate) prefetch_loads: Counter,
    pub(crate) prefetch_useful: Counter,
    pub(crate) prefetch_useless: Counter,
    pub(crate) evictions: Counter,
    pub(crate) eviction_misses: Counter,
    pub(crate) not_stored: [Counter; NotStoredReason::EVERY.len()],
    /// Gauges.
    pub(crate) bytes: AtomicI64,
    pub(crate) entries: AtomicI64,
}

impl ClassCounters {
    pub(crate) fn record_miss(&self, reason: LoadReason) {
        self.misses[reason as usize].one();
    }

    pub(crate) fn record_not_stored(&self, reason: NotStoredReason) {
        self.not_stored[reason as usize].one();
    }

    pub(crate) fn record_load_time(&self, ms: u64) {
        let bucket = LOAD_TIME_BUCKETS_MS.partition_point(|limit| *limit < ms);
        self.load_times[bucket].one();
        self.load_ms.add(ms);
    }

    /// Client requests so far, to detect activity.
    pub(crate) fn requests(&self) -> u64 {
        let misses: u64 = self.misses.iter().map(Counter::get).sum();
        self.hits.get() + self.stale.get() + misses + self.offline.get()
    }

    fn snapshot(&self) -> ClassStats {
        let gauge = |gauge: &AtomicI64| u64::try_from(gauge.load(Ordering::Relaxed)).unwrap_or(0);
        ClassStats {
            namespace: self.namespace.clone(),
            class: self.class,
            hits: self.hits.get(),
            stale: self.stale.get(),
            stale_on_error: self.stale_on_error.get(),
            offline: self.offline.get(),
            loaded: self.loaded.get(),
            joins: self.joins.get(),
            misses: std::array::from_fn(|i| (LoadReason::EVERY[i], self.misses[i].get())),
            failed_reads: self.failed_reads.get(),
            confirmed: self.confirmed.get(),
            loads_ok: self.loads_ok.get(),
            loads_confirmed: self.loads_confirmed.get(),
            loads_shared: self.loads_shared.get(),
            loads_passed: self.loads_passed.get(),
            loads_failed: self.loads_failed.get(),
            loads_timed_out: self.loads_timed_out.get(),
            load_times: LoadTimes {
                counts: std::array::from_fn(|i| self.load_times[i].get()),
                sum_ms: Duration::from_millis(self.load_ms.get()),
            },
            refreshes: self.refreshes.get(),
            refreshes_useful: self.refreshes_useful.get(),
            refreshes_useless: self.refreshes_useless.get(),
            warm_loads: self.warm_loads.get(),
            warm_useful: self.warm_useful.get(),
            warm_useless: self.warm_useless.get(),
            prefetch_loads: self.prefetch_loads.get(),
            prefetch_useful: self.prefetch_useful.get(),
            prefetch_useless: self.prefetch_useless.get(),
            evictions: self.evictions.get(),
            eviction_misses: self.eviction_misses.get(),
            not_stored: std::array::from_fn(|i| (NotStoredReason::EVERY[i], self.not_stored[i].get())),
            bytes: gauge(&self.bytes),
            entries: gauge(&self.entries),
        }
    }
}

/// All class counters, and the counters of the engine as a whole.
#[derive(Debug)]
pub(crate) struct CacheCounters {
    by_class: RwLock<HashMap<&'static str, Vec<Arc<ClassCounters>>>>,
    overflow: Arc<ClassCounters>,
    max_classes: usize,
    pub(crate) invalidations: Counter,
    pub(crate) flights_refused: Counter,
    pub(crate) waiters_refused: Counter,
    pub(crate) warm_over_budget: Counter,
    pub(crate) warm_keys_refused: Counter,
}

impl CacheCounters {
    pub(crate) fn new(max_classes: usize) -> Self {
        Self {
            by_class: RwLock::default(),
            overflow: Arc::new(ClassCounters {
                namespace: OVERFLOW.into(),
                class: OVERFLOW,
                ..ClassCounters::default()
            }),
            max_classes,
            invalidations: Counter::default(),
            flights_refused: Counter::default(),
            waiters_refused: Counter::default(),
            warm_over_budget: Counter::default(),
            warm_keys_refused: Counter::default(),
        }
    }

    /// The counters of this namespace and class.
    pub(crate) fn class_counters(&self, namespace: &str, class: &'static str) -> Arc<ClassCounters> {
        let find = |by_class: &HashMap<&'static str, Vec<Arc<ClassCounters>>>| {
            by_class.get(class)?.iter().find(|counters| counters.namespace == namespace).cloned()
        };
        if let Some(counters) = find(&self.by_class.read().unwrap_or_else(PoisonError::into_inner)) {
            return counters;
        }
        let mut by_class = self.by_class.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = find(&by_class) {
            return counters;
        }
        if by_class.values().map(Vec::len).sum::<usize>() >= self.max_classes {
            return Arc::clone(&self.overflow);
        }
        let counters = Arc::new(ClassCounters { namespace: namespace.into(), class, ..ClassCounters::default() });
        by_class.entry(class).or_default().push(Arc::clone(&counters));
        counters
    }

    fn for_each(&self, mut act: impl FnMut(&ClassCounters)) {
        let by_class = self.by_class.read().unwrap_or_else(PoisonError::into_inner);
        by_class.values().flatten().for_each(|counters| act(counters));
        act(&self.overflow);
    }

    /// Client requests so far.
    pub(crate) fn requests(&self) -> u64 {
        let mut requests = 0;
        self.for_each(|counters| requests += counters.requests());
        requests
    }

    /// The statistics, without those the engine adds itself.
    pub(crate) fn snapshot(&self) -> CacheStats {
        let mut classes = Vec::new();
        self.for_each(|counters| {
            if counters.class != OVERFLOW || counters.requests() > 0 {
                classes.push(counters.snapshot());
            }
        });
        classes.sort_by(|a, b| (&a.namespace, a.class).cmp(&(&b.namespace, b.class)));
        CacheStats {
            classes,
            invalidations: self.invalidations.get(),
            flights_refused: self.flights_refused.get(),
            waiters_refused: self.waiters_refused.get(),
            warm_over_budget: self.warm_over_budget.get(),
            warm_keys_refused: self.warm_keys_refused.get(),
            ..CacheStats::default()
        }
    }
}
