//! The statistics match the events.

use super::fixture::{CacheFixture, LoadScript};
use crate::{CacheDirective, CacheSettings, ClassStats, LoadErrorKind, LoadReason};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_evening_of_reads_is_counted_correctly() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 30);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(110).await;
    fixture.read("/a").await.unwrap();
    fixture.advance(30).await;
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/b", LoadScript::Fail(LoadErrorKind::TimedOut));
    fixture.read("/b").await.unwrap_err();

    let class = fixture.class();
    assert_eq!((class.hits, class.stale, class.joins), (2, 1, 1));
    assert_eq!(class.misses_for(LoadReason::Absent), 3, "both who waited, and /b");
    assert_eq!(class.misses_for(LoadReason::Expired), 1);
    assert_eq!((class.misses_total(), class.requests()), (4, 7));
    assert_eq!(class.hit_rate(), Some(3.0 / 7.0));
    assert_eq!((class.stale_on_error, class.failed_reads), (1, 1));
    assert_eq!((class.loads_ok, class.loads_failed, class.loads_timed_out), (2, 1, 1));
    assert_eq!((class.load_times.count(), class.load_times.sum_ms), (4, Duration::from_millis(90)));
    assert_eq!((class.refreshes, class.refreshes_useful, class.refreshes_useless), (1, 0, 0));
    assert_eq!(class.entries, 1);
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_value_is_useful_if_it_was_read_and_useless_if_not() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    for read_between in [true, false] {
        fixture.advance_s(110).await;
        fixture.read("/a").await.unwrap();
        fixture.advance(1).await;
        if read_between {
            fixture.read("/a").await.unwrap();
        }
    }
    fixture.cache.invalidate(&crate::Scope::Key(CacheFixture::key("/a")), &crate::Invalidation::purge());
    let class = fixture.class();
    assert_eq!((class.refreshes, class.refreshes_useful, class.refreshes_useless), (2, 1, 1));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn classes_and_namespaces_are_counted_separately_up_to_a_limit() {
    let mut fixture = CacheFixture::with(CacheSettings { max_stat_classes: 3, ..CacheSettings::default() });
    for (class, text) in [("one", "/1"), ("two", "/2"), ("three", "/3"), ("four", "/4"), ("five", "/5")] {
        fixture.policy.class = class;
        fixture.read(text).await.unwrap();
    }
    let stats = fixture.cache.stats();
    let counted: Vec<_> = stats.classes.iter().map(|class| (class.class, class.misses_total())).collect();
    assert_eq!(counted, [("*", 2), ("one", 1), ("three", 1), ("two", 1)]);
    fixture.finish(5).await;
}

#[tokio::test(start_paused = true)]
async fn reads_during_an_outage_are_counted_as_requests_and_revoke_no_load() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(200).await;
    let before = fixture.class();
    assert_eq!((before.loaded, before.requests()), (1, 1));
    for _ in 0..50 {
        fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Offline).await.unwrap();
        fixture.read_with(&CacheFixture::key("/b"), CacheDirective::Offline).await.unwrap_err();
    }
    let after = fixture.class();
    assert_eq!((after.stale_on_error, after.failed_reads, after.offline), (50, 50, 100));
    assert_eq!((after.loaded, after.misses_total()), (1, 1), "nothing was loaded, and no load is taken back");
    assert_eq!((after.requests(), after.hit_rate()), (101, Some(0.0)));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn joined_failures_are_not_counted_as_saved_loads() {
    let fixture = CacheFixture::new();
    fixture.read("/b").await.unwrap();
    fixture.source.set_duration("/a", 30);
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::TimedOut));
    let mut callers = Vec::new();
    for _ in 0..10 {
        callers.push(fixture.reader("/a").await);
    }
    assert_eq!(fixture.class().loaded, 1, "who waits was not answered yet");
    for caller in callers {
        caller.await.unwrap().unwrap_err();
    }
    let ClassStats { loaded, joins, failed_reads, .. } = fixture.class();
    assert_eq!((loaded, joins, failed_reads), (1, 9, 10));
    fixture.finish(2).await;
}
