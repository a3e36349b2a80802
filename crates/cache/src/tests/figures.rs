//! The statistics match the events.

use super::fixture::{CacheFixture, LoadScript};
use crate::{CacheDirective, CacheSettings, ClassStats, LoadErrorKind, LoadReason};

#[tokio::test(start_paused = true)]
async fn an_evening_is_counted_right() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 30);
    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    stage.read("/a").await.unwrap();
    stage.pass_s(110).await;
    stage.read("/a").await.unwrap();
    stage.pass(30).await;
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    stage.read("/a").await.unwrap();
    stage.source.says("/b", LoadScript::Fail(LoadErrorKind::TimedOut));
    stage.read("/b").await.unwrap_err();

    let class = stage.class();
    assert_eq!((class.hits, class.stale, class.joins), (2, 1, 1));
    assert_eq!(class.misses_for(LoadReason::Absent), 3, "both who waited, and /b");
    assert_eq!(class.misses_for(LoadReason::Expired), 1);
    assert_eq!((class.misses_total(), class.requests()), (4, 7));
    assert_eq!(class.hit_rate(), Some(3.0 / 7.0));
    assert_eq!((class.stale_on_error, class.failed_answers), (1, 1));
    assert_eq!((class.loads_ok, class.loads_failed, class.loads_timed_out), (2, 1, 1));
    assert_eq!((class.load_times.count(), class.load_times.sum_ms), (4, 90));
    assert_eq!((class.refreshes, class.refreshes_useful, class.refreshes_useless), (1, 0, 0));
    assert_eq!(class.entries, 1);
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_value_is_useful_if_it_was_read_and_useless_if_not() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    for read_between in [true, false] {
        stage.pass_s(110).await;
        stage.read("/a").await.unwrap();
        stage.pass(1).await;
        if read_between {
            stage.read("/a").await.unwrap();
        }
    }
    stage.cache.invalidate(&crate::Scope::Key(CacheFixture::key("/a")), &crate::Invalidation::purge());
    let class = stage.class();
    assert_eq!((class.refreshes, class.refreshes_useful, class.refreshes_useless), (2, 1, 1));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn classes_and_namespaces_are_counted_apart_and_in_bounded_number() {
    let mut stage = CacheFixture::with(CacheSettings { max_stat_classes: 3, ..CacheSettings::default() });
    for (class, text) in [("one", "/1"), ("two", "/2"), ("three", "/3"), ("four", "/4"), ("five", "/5")] {
        stage.policy.class = class;
        stage.read(text).await.unwrap();
    }
    let stats = stage.cache.stats();
    let counted: Vec<_> = stats.classes.iter().map(|class| (class.class, class.misses_total())).collect();
    assert_eq!(counted, [("*", 2), ("one", 1), ("three", 1), ("two", 1)]);
    stage.strike(5).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_forgets_counts_but_not_what_is_there() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.ask(&CacheFixture::key("/a"), CacheDirective::Any).await.unwrap();
    let before = stage.class();
    stage.cache.reset_stats();
    let after = stage.class();
    assert_eq!((after.hits, after.misses_total(), after.loads_ok, after.load_times.count()), (0, 0, 0, 0));
    assert_eq!((after.bytes, after.entries), (before.bytes, before.entries));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn reads_while_the_source_is_known_to_be_down_are_questions_and_take_nothing_back() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(200).await;
    let before = stage.class();
    assert_eq!((before.loaded, before.requests()), (1, 1));
    for _ in 0..50 {
        stage.ask(&CacheFixture::key("/a"), CacheDirective::Offline).await.unwrap();
        stage.ask(&CacheFixture::key("/b"), CacheDirective::Offline).await.unwrap_err();
    }
    let after = stage.class();
    assert_eq!((after.stale_on_error, after.failed_answers, after.offline), (50, 50, 100));
    assert_eq!((after.loaded, after.misses_total()), (1, 1), "nothing was loaded, and no load is taken back");
    assert_eq!((after.requests(), after.hit_rate()), (101, Some(0.0)));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_fails_together_takes_no_load_back() {
    let stage = CacheFixture::new();
    stage.read("/b").await.unwrap();
    stage.source.takes("/a", 30);
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::TimedOut));
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(stage.reader("/a").await);
    }
    assert_eq!(stage.class().loaded, 1, "who waits was not answered yet");
    for caller in crowd {
        caller.await.unwrap().unwrap_err();
    }
    let ClassStats { loaded, joins, failed_answers, .. } = stage.class();
    assert_eq!((loaded, joins, failed_answers), (1, 9, 10));
    stage.strike(2).await;
}
