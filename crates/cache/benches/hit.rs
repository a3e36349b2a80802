//! What a hit costs: ours, with judgement, markers and statistics, beside a bare lookup in the map underneath.
//!
//! Single-thread CPU time, median of five runs. `cargo bench -p greenroom-cache`.

use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use greenroom_cache::{
    Cache, Clock, Demand, Entry, Failure, Fill, Invalidation, Key, Load, LoadReason, Loader, Partition,
    Policy, Scope, Settings, Tag, Value,
};
use tokio_util::task::TaskTracker;

const KEYS: usize = 10_000;
const ROUNDS: usize = 100;
const RUNS: usize = 5;

const POLICY: Policy = Policy {
    class: "bench",
    fresh: Duration::from_hours(1),
    stale: Duration::from_hours(1),
    stale_on_error: Duration::from_hours(24),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

struct Kilobyte;

impl Loader for Kilobyte {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        let tags = (0..8).map(|tag| Tag::new(format!("item:{tag}"))).collect();
        Ok(Load::Store(Fill { value: Value::new(vec![7; 1024]), tags, policy: None }))
    }
}

/// CPU time of this process so far, from the kernel's books. The bench runs on one thread.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux keeps scheduler statistics");
    let nanos =
        stat.split(' ').next().and_then(|field| field.parse().ok()).expect("the first field is time run");
    Duration::from_nanos(nanos)
}

/// The median and the spread of nanoseconds per turn over a few runs.
fn measure(name: &str, mut run: impl FnMut()) -> f64 {
    let mut figures: Vec<f64> = (0..RUNS)
        .map(|_| {
            let before = cpu_time();
            run();
            cpu_time().saturating_sub(before).as_nanos() as f64 / (KEYS * ROUNDS) as f64
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    let median = figures[RUNS / 2];
    println!("{name:<44} {median:7.1} ns  ({:.1} to {:.1})", figures[0], figures[RUNS - 1]);
    median
}

/// A hit never waits, so one poll answers it.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a hit never waits"),
    }
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let cache = Cache::new(Settings::default(), Clock::system(), TaskTracker::new());
    let partition = Partition::new("anna");
    let keys: Vec<Key> =
        (0..KEYS).map(|item| Key::new("home", &partition, &format!("/library/metadata/{item}"))).collect();
    for key in &keys {
        runtime.block_on(cache.get_or_load(key, &POLICY, Demand::Any, || Kilobyte)).expect("it loads");
    }

    let bare = quick_cache::sync::Cache::<Key, Arc<u64>>::new(KEYS * 2);
    for key in &keys {
        bare.insert(key.clone(), Arc::new(7));
    }

    let get = |key: &Key| black_box(now(cache.get_or_load(key, &POLICY, Demand::Any, || Kilobyte)).is_ok());
    let ours = measure("a hit", || {
        for _ in 0..ROUNDS {
            for key in &keys {
                get(key);
            }
        }
    });
    measure("a hit, first after an invalidation elsewhere", || {
        for round in 0..ROUNDS {
            let elsewhere = Tag::new(format!("elsewhere:{round}"));
            let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: elsewhere };
            cache.invalidate(&scope, &Invalidation::mark());
            for key in &keys {
                get(key);
            }
        }
    });
    let clock = Clock::system();
    measure("  of which reading the clock", || {
        for _ in 0..KEYS * ROUNDS {
            black_box(clock.now_ms());
        }
    });
    let map = measure("a bare get from the map underneath", || {
        for _ in 0..ROUNDS {
            for key in &keys {
                black_box(bare.get(key));
            }
        }
    });
    println!("ratio of a hit to a bare get: {:.2}", ours / map);
    let stats = cache.stats();
    assert!(stats.classes.iter().all(|class| class.missed() == KEYS as u64), "everything else was a hit");
}
