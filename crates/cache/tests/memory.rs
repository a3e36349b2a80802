//! Real memory use, in a process of its own: resident memory under a long scan stays within the configured limit, so
//! the weights are honest. Needs the kernel's counters, so Linux only.
#![cfg(target_os = "linux")]
#![cfg(not(feature = "shuttle"))]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheSettings, Clock, Entry, Invalidation, Key, LoadError, LoadErrorKind, LoadReason,
    LoadResult, LoadedValue, Loader, Partition, Policy, Scope, Tag, Value,
};
use tokio_util::task::TaskTracker;

const MIB: u64 = 1024 * 1024;
const SCANNED: usize = if cfg!(debug_assertions) { 250_000 } else { 1_000_000 };

const POLICY: Policy = Policy {
    class: "scan",
    fresh: Duration::from_mins(5),
    freshness_bound: None,
    stale: Duration::from_mins(5),
    stale_on_error: Duration::from_hours(24),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

/// A small value with three tags; every fourth fails, every ninth is uncacheable.
struct Item(usize);

impl Loader for Item {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        match self.0 {
            item if item.is_multiple_of(4) => Err(LoadError::new(LoadErrorKind::Denied, "not for you")),
            item if item.is_multiple_of(9) => Ok(LoadResult::Pass(())),
            item => {
                let tags = ["item", "section", "list"].map(|kind| Tag::new(format!("{kind}:{item}")));
                let value = Value::new(vec![7; 100 + item % 200]);
                Ok(LoadResult::Store(LoadedValue { value, tags: tags.to_vec(), policy: None, stored_under: None }))
            }
        }
    }
}

/// Resident anonymous memory of this process.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let caller = status.lines().find(|caller| caller.starts_with("RssAnon:")).expect("a line of that name");
    caller.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

#[tokio::test]
async fn a_scan_of_a_million_keys_stays_within_the_limits() {
    let settings = CacheSettings {
        max_bytes: 64 * MIB,
        max_partition_bytes: 48 * MIB,
        max_negative_bytes: 4 * MIB,
        max_markers: 10_000,
        ..CacheSettings::default()
    };
    let before = resident();
    let cache = Cache::new(settings.clone(), Clock::system(), TaskTracker::new());
    let partitions = ["anna", "bert"].map(Partition::new);
    let mut most = 0;
    for item in 0..SCANNED {
        let key = Key::new("home", &partitions[item % 2], &format!("/library/metadata/{item}?children=1"));
        let response = cache.get_or_load(&key, &POLICY, CacheDirective::Any, || Item(item)).await;
        assert_eq!(response.is_err(), item.is_multiple_of(4));
        if item.is_multiple_of(10) {
            let tag = Tag::new(format!("item:{item}"));
            let scope = Scope::Tag { namespace: "home".into(), partition: None, tag };
            cache.invalidate(&scope, &Invalidation::mark_stale());
        }
        if item.is_multiple_of(50_000) {
            most = most.max(resident());
        }
    }
    let stats = cache.stats();
    let grown = most.max(resident()).saturating_sub(before);
    assert!(stats.bytes <= settings.max_bytes);
    assert!(stats.bytes > settings.max_bytes / 2, "the tier is used: {stats:?}");
    let allowed = settings.max_bytes + settings.max_negative_bytes + 8 * MIB;
    assert!(grown <= allowed, "{} MiB resident, {} MiB counted", grown / MIB, stats.bytes / MIB);
    println!("{} MiB resident, {} MiB counted, {} entries", grown / MIB, stats.bytes / MIB, stats.entries);
}
