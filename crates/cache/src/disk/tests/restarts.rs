//! Negative entries, and the grace periods and holds of invalidations, survive a restart until they expire.

use super::*;
use std::time::Duration;

/// A source that fails with this kind of error, or without one gives an uncacheable response. Counts its loads.
struct FailingLoader(Arc<AtomicU64>, Option<LoadErrorKind>);

impl Loader for FailingLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let response = Some(Value { body: "no".into(), meta: "403".into() });
        match self.1 {
            Some(kind) => Err(LoadError { kind, message: "said no".into(), response }),
            None => Ok(LoadResult::Pass(())),
        }
    }
}

async fn load(cache: &Cache, text: &str, loads: &Arc<AtomicU64>, kind: Option<LoadErrorKind>) -> Option<LoadError> {
    let loader = || FailingLoader(Arc::clone(loads), kind);
    cache.get_or_load(&key(text), &POLICY, CacheDirective::Any, loader).await.err()
}

/// A cache whose negative entries outlive a slow test.
fn open_with_long_ttl(dir: &Path) -> Cache {
    let long = Duration::from_mins(1);
    let memory = CacheSettings { error_ttl: long, denied_ttl: long, uncacheable_for: long, ..CacheSettings::default() };
    Cache::with_disk(memory, settings(dir), Clock::system(), TaskTracker::new()).expect("it opens")
}

#[tokio::test]
async fn responses_with_failures_are_stored_over_a_restart_and_missing_responses_are_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let loads = Arc::default();
    let kinds =
        [LoadErrorKind::Denied, LoadErrorKind::ServerError, LoadErrorKind::Unreachable, LoadErrorKind::TimedOut];
    let cache = open_with_long_ttl(dir.path());
    for kind in kinds {
        load(&cache, kind.name(), &loads, Some(kind)).await.expect("it fails");
    }
    cache.close_disk().await;
    let cache = open_with_long_ttl(dir.path());
    for (kind, is_cached) in kinds.into_iter().zip([true, true, false, false]) {
        let before = loads.load(Ordering::Relaxed);
        let failure = load(&cache, kind.name(), &loads, Some(kind)).await.expect("it fails");
        assert_eq!(loads.load(Ordering::Relaxed) == before, is_cached, "{kind:?}");
        assert_eq!((failure.kind, &*failure.message), (kind, "said no"));
        assert_eq!(failure.response, Some(Value { body: "no".into(), meta: "403".into() }));
    }
}

#[tokio::test]
async fn a_failure_stored_over_a_restart_ends_with_an_invalidation_before_or_after_it() {
    for is_before in [true, false] {
        let dir = tempfile::tempdir().expect("a folder");
        let loads = Arc::default();
        let cache = open_with_long_ttl(dir.path());
        load(&cache, "/x", &loads, Some(LoadErrorKind::Denied)).await.expect("it fails");
        if is_before {
            cache.invalidate(&tag("any"), &Invalidation::mark_stale());
        }
        cache.close_disk().await;
        let cache = open_with_long_ttl(dir.path());
        if !is_before {
            cache.invalidate(&tag("any"), &Invalidation::mark_stale());
        }
        load(&cache, "/x", &loads, Some(LoadErrorKind::Denied)).await.expect("it fails");
        assert_eq!(loads.load(Ordering::Relaxed), 2, "asked again");
    }
}

#[tokio::test]
async fn that_a_key_is_uncacheable_is_stored_over_a_restart_unless_it_was_cached_since() {
    let dir = tempfile::tempdir().expect("a folder");
    let loads = Arc::default();
    let cache = open_with_long_ttl(dir.path());
    load(&cache, "/never", &loads, None).await;
    load(&cache, "/once", &loads, None).await;
    served(&cache, "/once", &CountingLoader::new("value")).await;
    cache.invalidate(&Scope::Key(key("/once")), &Invalidation::mark_stale());
    cache.close_disk().await;
    let cache = open_with_long_ttl(dir.path());
    assert!(cache.diagnose(&key("/never")).uncacheable);
    assert!(!cache.diagnose(&key("/once")).uncacheable);
}

#[tokio::test]
async fn negative_entries_live_no_longer_after_a_clock_set_back_and_are_swept_when_expired() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open_with_long_ttl(dir.path());
    load(&cache, "/x", &Arc::default(), None).await;
    cache.close_disk().await;
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    let (_, negative) = store.negative_entries(Timestamp::from_millis(1000)).expect("read").pop().expect("it is there");
    assert_eq!(negative.until_ms(), Timestamp::from_millis(61_000));
    let now_ms = Clock::system().now_ms() + 120_000;
    assert!(store.negative_entries(Timestamp::from_millis(now_ms)).expect("read").is_empty());
    store.evict(Timestamp::from_millis(now_ms), u64::MAX).expect("swept");
    assert!(store.negative_entries(Timestamp::UNIX_EPOCH).expect("read").is_empty());
}

#[tokio::test]
async fn grace_periods_and_holds_apply_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let grace_period = GracePeriod { duration: Duration::from_hours(1), max_fresh: Duration::from_millis(700) };
    let with_grace_period = Invalidation { grace_period: Some(grace_period), ..Invalidation::mark_stale() };
    let with_hold = Invalidation { unstorable_for: Some(Duration::from_hours(1)), ..Invalidation::mark_stale() };
    let cache = open(dir.path());
    cache.invalidate(&tag("grace"), &with_grace_period);
    cache.invalidate(&tag("held"), &with_hold);
    // A later invalidation without a grace period or a hold ends neither.
    cache.invalidate(&tag("grace"), &Invalidation::mark_stale());
    cache.invalidate(&tag("held"), &Invalidation::mark_stale());
    assert!(cache.flush_invalidations().await);
    cache.crash_disk().await;
    let cache = open(dir.path());
    served(&cache, "/grace", &CountingLoader::tagged("value", "grace")).await;
    let entry = cache.peek(&key("/grace")).expect("a cached entry");
    assert_eq!(entry.deadlines().fresh_until_ms - entry.stored_ms(), Duration::from_millis(700));
    served(&cache, "/held", &CountingLoader::tagged("value", "held")).await;
    assert!(cache.peek(&key("/held")).is_none());
}
