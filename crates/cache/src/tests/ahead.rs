//! What is likely to be asked is loaded ahead: only what is missing, for nobody, and counted by what becomes of it.

use super::stage::{FromSource, POLICY, Says, Stage, kind, said, settle};
use crate::Served::{Hit, Joined};
use crate::{Ahead, Demand, Failure, FailureKind, LoadReason, Settings};

async fn load(stage: &Stage, text: &str) -> Result<Ahead<String>, Failure> {
    let key = Stage::key(text);
    stage.cache.load_ahead(&key, &stage.policy, || FromSource::new(stage, &key)).await
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_ahead_is_a_hit_and_useful_once_it_is_read() {
    let stage = Stage::new();
    assert!(!stage.cache.is_kept(&Stage::key("/a"), &POLICY).await);
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Loaded(_))));
    assert!(stage.cache.is_kept(&Stage::key("/a"), &POLICY).await);
    let class = stage.class();
    assert_eq!((class.ahead_loads, class.ahead_useful, class.asked()), (1, 0, 0), "nobody asked");
    for _ in 0..3 {
        assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    }
    let class = stage.class();
    assert_eq!((class.ahead_loads, class.ahead_useful, class.ahead_useless), (1, 1, 0));
    assert_eq!((class.hits, class.missed()), (3, 0));
    assert_eq!(stage.source.reasons("/a"), [LoadReason::Ahead]);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_read_would_find_is_not_loaded_ahead_and_what_it_would_not_is() {
    let stage = Stage::new();
    stage.source.tags("/a", &["t"]);
    stage.read("/a").await.unwrap();
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Kept)), "fresh");
    stage.pass_s(120).await;
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Kept)), "stale is answered at once as well");
    stage.pass_s(60).await;
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Loaded(_))), "expired");
    stage.mark_tag("t");
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Loaded(_))), "invalidated");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_read_is_useless_once_it_is_gone() {
    let stage = Stage::with(Settings { max_partition_bytes: 4096, ..Settings::default() });
    for index in 0..8 {
        stage.source.weighs(&format!("/{index}"), 1500);
        load(&stage, &format!("/{index}")).await.unwrap();
    }
    stage.read("/7").await.unwrap();
    let class = stage.class();
    assert_eq!((class.ahead_loads, class.ahead_useful), (8, 1));
    assert!(class.ahead_useless >= 5, "{} had to make room", class.ahead_useless);
    stage.strike(8).await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_meanwhile_joins_and_that_is_a_read() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    let other = stage.clone();
    let ahead = stage.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::UnderWay)), "it is not loaded twice");
    let reader = stage.reader("/a").await;
    stage.pass(500).await;
    assert_eq!(said(&reader.await.unwrap()), (Joined, "anna v0".into()));
    assert!(matches!(ahead.await, Ok(Ok(Ahead::Loaded(_)))));
    assert_eq!(stage.class().ahead_useful, 1);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_and_replaces_nothing() {
    let stage = Stage::new();
    stage.source.tags("/a", &["t"]);
    stage.read("/a").await.unwrap();
    stage.mark_tag("t");
    stage.source.says("/a", Says::Fail(FailureKind::ServerError));
    let failed = load(&stage, "/a").await.expect_err("the source failed");
    assert_eq!(failed.kind, FailureKind::ServerError);
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Withheld)), "not tried again at once");
    let answer = stage.read("/a").await;
    assert_eq!(said(&answer).1, "anna v0");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_keeping_is_told_and_not_loaded_ahead_again() {
    let stage = Stage::new();
    stage.source.says("/a", Says::Pass);
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Passed(_))));
    assert!(matches!(load(&stage, "/a").await, Ok(Ahead::Withheld)));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_ahead_never_shows_after_an_invalidation() {
    let stage = Stage::new();
    stage.source.tags("/a", &["t"]);
    stage.source.takes("/a", 500);
    let other = stage.clone();
    let ahead = stage.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    stage.source.write("/a");
    stage.mark_tag("t");
    stage.pass(500).await;
    drop(ahead.await);
    assert!(!stage.cache.is_kept(&Stage::key("/a"), &POLICY).await, "it began before the write");
    assert_eq!(said(&stage.read("/a").await).1, "anna v1");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_given_it_by_another_way_has_read_it() {
    let stage = Stage::new();
    load(&stage, "/a").await.unwrap();
    stage.cache.note_read(&Stage::key("/b"));
    assert_eq!(stage.class().ahead_useful, 0);
    stage.cache.note_read(&Stage::key("/a"));
    stage.cache.note_read(&Stage::key("/a"));
    assert_eq!((stage.class().ahead_useful, stage.class().hits), (1, 0));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_of_ones_own_is_joined_by_nobody() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    let (other, key) = (stage.clone(), Stage::key("/a"));
    let ahead = stage.tasks.spawn(async move {
        let key = Stage::key("/a");
        other.cache.load_ahead_alone(&key, &POLICY, || FromSource::new(&other, &key)).await
    });
    settle().await;
    let asked = stage.ask(&key, Demand::OnlyIfCached).await;
    assert_eq!(kind(&asked), FailureKind::NotCached);
    let reader = stage.reader("/a").await;
    stage.pass(500).await;
    reader.await.unwrap().unwrap();
    assert!(matches!(ahead.await, Ok(Ok(Ahead::Loaded(_)))));
    stage.strike(2).await;
}
