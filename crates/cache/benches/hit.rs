//! Cost of a hit: ours, with freshness, invalidations and statistics, beside other caches with the same keys and
//! weights.
//!
//! CPU time per hit, median of five alternating runs: of one thread, and of two that read the same keys at once. `cargo
//! bench -p greenroom-cache`.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheSettings, Clock, Entry, Invalidation, Key, LoadError, LoadReason, LoadResult,
    LoadedValue, Loader, Partition, Policy, Scope, Tag, Value,
};
use tokio_util::task::TaskTracker;

const KEYS: usize = 10_000;
const ROUNDS: usize = 100;
const RUNS: usize = 5;
/// Max bytes of each cache: enough for everything.
const CAPACITY: u64 = 256 * 1024 * 1024;

const POLICY: Policy = Policy {
    class: "bench",
    fresh: Duration::from_hours(1),
    freshness_bound: None,
    stale: Duration::from_hours(1),
    stale_on_error: Duration::from_hours(24),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

struct KilobyteLoader;

/// Bytes of a key and its value.
#[derive(Clone)]
struct BodyWeighter;

impl BodyWeighter {
    fn weight_of(key: &Key, body: &Arc<[u8]>) -> usize {
        key.encoded().len() + body.len()
    }
}

impl quick_cache::Weighter<Key, Arc<[u8]>> for BodyWeighter {
    fn weight(&self, key: &Key, body: &Arc<[u8]>) -> u64 {
        Self::weight_of(key, body) as u64
    }
}

impl Loader for KilobyteLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let tags = (0..8).map(|tag| Tag::new(format!("item:{tag}"))).collect();
        Ok(LoadResult::Store(LoadedValue { value: Value::new(vec![7; 1024]), tags, policy: None, stored_under: None }))
    }
}

/// CPU time of this thread so far, from the kernel.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps scheduler statistics");
    let nanos = stat.split(' ').next().and_then(|field| field.parse().ok()).expect("the first field is time run");
    Duration::from_nanos(nanos)
}

/// CPU time of `run` per loop iteration.
fn nanos(run: impl FnOnce()) -> f64 {
    let before = cpu_time();
    run();
    cpu_time().saturating_sub(before).as_nanos() as f64 / (KEYS * ROUNDS) as f64
}

/// The median and the range.
fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    format!("{:.0} ({:.0} to {:.0})", figures[RUNS / 2], figures[0], figures[RUNS - 1])
}

fn measure(name: &str, mut run: impl FnMut()) {
    println!("| {name} | {} | |", spread((0..RUNS).map(|_| nanos(&mut run)).collect()));
}

/// One way to look up an entry.
type LookupFn<'a> = Box<dyn Fn(&Key) -> bool + Sync + 'a>;

fn read_all(keys: &[Key], get: &LookupFn<'_>) {
    for _ in 0..ROUNDS {
        for key in keys {
            assert!(black_box(get(key)), "everything is kept");
        }
    }
}

/// Measures all of them, alternating.
fn compare(keys: &[Key], engines: &[(&str, LookupFn<'_>)]) {
    let mut figures = vec![(Vec::new(), Vec::new()); engines.len()];
    for _ in 0..RUNS {
        for ((_, get), (alone, together)) in engines.iter().zip(&mut figures) {
            alone.push(nanos(|| read_all(keys, get)));
            together.push(thread::scope(|scope| {
                let other = scope.spawn(|| nanos(|| read_all(keys, get)));
                let own = nanos(|| read_all(keys, get));
                f64::midpoint(own, other.join().expect("it ends"))
            }));
        }
    }
    for ((name, _), (alone, together)) in engines.iter().zip(figures) {
        println!("| {name} | {} | {} |", spread(alone), spread(together));
    }
}

/// A hit never waits, so one poll completes it.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a hit never waits"),
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let cache = Cache::new(CacheSettings::default(), Clock::system(), TaskTracker::new());
    let partition = Partition::new("anna");
    let keys: Vec<Key> =
        (0..KEYS).map(|item| Key::new("home", &partition, &format!("/library/metadata/{item}"))).collect();
    for key in &keys {
        runtime.block_on(cache.get_or_load(key, &POLICY, CacheDirective::Any, || KilobyteLoader)).expect("it loads");
    }

    let quick_cache = quick_cache::sync::Cache::with_weighter(KEYS, CAPACITY, BodyWeighter);
    let moka = moka::sync::Cache::builder()
        .max_capacity(CAPACITY)
        .weigher(|key, body| u32::try_from(BodyWeighter::weight_of(key, body)).unwrap_or(u32::MAX))
        .time_to_live(POLICY.fresh)
        .build();
    let mut plain: HashMap<Key, Arc<[u8]>> = HashMap::new();
    let body = || Arc::<[u8]>::from(vec![7; 1024]);
    for key in &keys {
        quick_cache.insert(key.clone(), body());
        moka.insert(key.clone(), body());
        plain.insert(key.clone(), body());
    }
    moka.run_pending_tasks();
    let plain = Mutex::new(plain);

    let greenroom = |key: &Key| now(cache.get_or_load(key, &POLICY, CacheDirective::Any, || KilobyteLoader)).is_ok();
    println!("| a hit | ns, one thread | ns, each of two threads |");
    println!("| --- | ---: | ---: |");
    compare(
        &keys,
        &[
            ("greenroom-cache: judgement, markers, statistics", Box::new(greenroom)),
            ("moka: time to live", Box::new(|key| moka.get(key).is_some())),
            ("quick_cache", Box::new(|key| quick_cache.get(key).is_some())),
            ("a map behind a lock", Box::new(|key| plain.lock().expect("it holds").get(key).cloned().is_some())),
        ],
    );
    measure("greenroom-cache, first after an invalidation elsewhere", || {
        for round in 0..ROUNDS {
            let elsewhere = Tag::new(format!("elsewhere:{round}"));
            let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: elsewhere };
            cache.invalidate(&scope, &Invalidation::mark_stale());
            for key in &keys {
                black_box(greenroom(key));
            }
        }
    });
    let clock = Clock::system();
    measure("of which reading the clock", || {
        for _ in 0..KEYS * ROUNDS {
            black_box(clock.now());
        }
    });
    let stats = cache.stats();
    assert!(stats.classes.iter().all(|class| class.misses_total() == KEYS as u64), "everything else was a hit");
}
