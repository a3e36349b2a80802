//! Many threads, real time, the whole engine: writers read their own writes, whatever else is read and loaded
//! meanwhile.
#![cfg(not(feature = "shuttle"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheSettings, Clock, Entry, Invalidation, Key, LoadError, LoadReason,
    LoadResult, LoadedValue, Loader, Partition, Policy, Scope, Tag, Value,
};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

const KEYS: usize = 8;
const CALLERS: usize = 8;
const ROUNDS: u64 = 2_000;

const POLICY: Policy = Policy {
    class: "stress",
    fresh: Duration::from_millis(5),
    freshness_bound: None,
    stale: Duration::from_millis(5),
    stale_on_error: Duration::from_mins(1),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(10),
    hard_timeout: Duration::from_secs(30),
};

#[derive(Clone, Default)]
struct FakeOrigin(Arc<[AtomicU64; KEYS]>);

struct FakeOriginLoader(FakeOrigin, usize);

impl Loader for FakeOriginLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let version = self.0.0[self.1].load(Ordering::SeqCst);
        for _ in 0..version % 5 {
            tokio::task::yield_now().await;
        }
        let tags = vec![Tag::new(format!("item:{}", self.1))];
        Ok(LoadResult::Store(LoadedValue {
            value: Value::new(version.to_string()),
            tags,
            policy: None,
            stored_under: None,
        }))
    }
}

async fn read(cache: &Cache, source: &FakeOrigin, item: usize) -> u64 {
    let key = Key::new("home", &Partition::new("anna"), &format!("/{item}"));
    let loader = || FakeOriginLoader(source.clone(), item);
    let response = cache.get_or_load(&key, &POLICY, CacheDirective::Any, loader).await.expect("the source never fails");
    let CacheResponse::Cached { entry, .. } = response else { panic!("every value here is for keeping") };
    std::str::from_utf8(entry.body()).expect("a number").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_reads_its_own_write_whatever_others_read() {
    let tasks = TaskTracker::new();
    let cache = Cache::new(CacheSettings::default(), Clock::system(), tasks.clone());
    let source = FakeOrigin::default();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (cache, source) = (cache.clone(), source.clone());
        callers.spawn(async move {
            for round in 0..ROUNDS {
                let item = (caller + usize::try_from(round).unwrap_or(0)) % KEYS;
                if !round.is_multiple_of(3) {
                    read(&cache, &source, item).await;
                    continue;
                }
                let written = source.0[item].fetch_add(1, Ordering::SeqCst) + 1;
                let tag = Tag::new(format!("item:{item}"));
                let scope = Scope::Tag { namespace: "home".into(), partition: None, tag };
                cache.invalidate(&scope, &Invalidation::mark_stale());
                assert!(read(&cache, &source, item).await >= written, "an older value came back");
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller read a value older than its own write");
    }
    tasks.close();
    tasks.wait().await;
    assert_eq!(cache.stats().flights, 0);
}
