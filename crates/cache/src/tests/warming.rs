//! Warm keys are refreshed without a read, but never where a read does it anyway, and never for nobody.

use std::time::Duration;

use super::stage::{POLICY, Says, Stage, said};
use crate::Served::{Hit, Stale};
use crate::{Demand, FailureKind, Invalidation, LoadReason, Partition, Policy, Scope, Settings};

/// Fresh for 100 s, warm.
fn warm_stage(settings: Settings) -> Stage {
    let mut stage = Stage::with(settings);
    stage.policy = Policy { warm: true, ..POLICY };
    stage.cache.run_warmer();
    stage
}

#[tokio::test(start_paused = true)]
async fn a_warm_key_is_refreshed_before_it_goes_stale_without_a_read() {
    let stage = warm_stage(Settings::default());
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.pass_s(90).await;
    assert_eq!(stage.source.reasons("/a"), [LoadReason::Absent, LoadReason::Warm]);
    stage.pass_s(20).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    let class = stage.class();
    assert_eq!((class.warm_loads, class.refreshes, class.missed(), class.hits), (1, 0, 1, 1));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_nobody_reads_any_more_cools_down() {
    let stage = warm_stage(Settings::default());
    stage.read("/a").await.unwrap();
    stage.pass_s(700).await;
    let asked = stage.source.asked();
    assert!((7..=9).contains(&asked), "{asked} loads in ten minutes");
    assert_eq!(stage.cache.stats().warm_keys, 0, "and its loader is forgotten");
    stage.pass_s(1000).await;
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn with_no_client_about_nothing_is_warmed_however_long_keys_stay_warm() {
    let day = Duration::from_hours(24);
    let stage = warm_stage(Settings { warm_idle_limit: day, ..Settings::default() });
    stage.read("/a").await.unwrap();
    stage.pass_s(650).await;
    let asked = stage.source.asked();
    stage.pass_s(10_000).await;
    assert_eq!(stage.source.asked(), asked);
    stage.ask(&Stage::key("/b"), Demand::Any).await.unwrap();
    stage.pass_s(10).await;
    assert_eq!(stage.source.asked(), asked + 2, "a client is there again: /b for him, /a for warmth");
    stage.strike(asked + 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_widget_that_polls_costs_nothing_extra() {
    let stage = warm_stage(Settings::default());
    for _ in 0..60 {
        stage.read("/a").await.unwrap();
        stage.pass_s(30).await;
    }
    let reasons = stage.source.reasons("/a");
    assert!(!reasons.contains(&LoadReason::Warm), "{reasons:?}");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_widget_that_stops_polling_is_kept_warm_for_a_while() {
    let stage = warm_stage(Settings::default());
    for _ in 0..10 {
        stage.read("/a").await.unwrap();
        stage.pass_s(30).await;
    }
    stage.pass_s(400).await;
    assert!(stage.source.reasons("/a").contains(&LoadReason::Warm));
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn warming_keeps_to_its_budget_and_counts_what_waits() {
    let stage = warm_stage(Settings { warm_budget_per_minute: 5, ..Settings::default() });
    for item in 0..20 {
        stage.read(&format!("/{item}")).await.unwrap();
    }
    stage.pass_s(95).await;
    assert_eq!(stage.source.asked() - 20, 5);
    assert!(stage.cache.stats().warm_over_budget > 0);
    stage.pass_s(60).await;
    assert_eq!(stage.source.asked() - 20, 10);
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_warm_load_backs_off() {
    let stage = warm_stage(Settings { warm_budget_per_minute: 1000, ..Settings::default() });
    stage.read("/a").await.unwrap();
    stage.source.says("/a", Says::Fail(FailureKind::Unreachable));
    stage.pass_s(300).await;
    let tried = stage.source.asked() - 1;
    assert!((6..=11).contains(&tried), "{tried} tries");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_denied_or_purged_identity_is_not_warmed_again() {
    let stage = warm_stage(Settings::default());
    stage.read("/a").await.unwrap();
    stage.source.says("/a", Says::Fail(FailureKind::Denied));
    stage.pass_s(95).await;
    assert_eq!((stage.source.asked(), stage.cache.stats().warm_keys), (2, 0));

    stage.read("/b").await.unwrap();
    let anna = Scope::Partition { namespace: "home".into(), partition: Partition::new("anna") };
    stage.cache.invalidate(&anna, &Invalidation::purge());
    stage.pass_s(3).await;
    assert_eq!(stage.cache.stats().warm_keys, 0, "her loader is forgotten");
    stage.pass_s(200).await;
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn warming_now_asks_for_every_warm_key_of_the_namespace() {
    let mut stage = warm_stage(Settings::default());
    for item in 0..20 {
        stage.source.takes(&format!("/{item}"), 100);
        stage.read(&format!("/{item}")).await.unwrap();
    }
    stage.policy.warm = false;
    stage.read("/cold").await.unwrap();
    for item in 0..20 {
        stage.source.write(&format!("/{item}"));
    }
    assert_eq!(stage.cache.warm_now(Some("elsewhere")).await, 0);
    let before = stage.clock.now_ms();
    assert_eq!(stage.cache.warm_now(Some("home")).await, 20);
    assert_eq!(stage.clock.now_ms() - before, 300, "a few at a time");
    assert_eq!(said(&stage.read("/7").await), (Hit, "anna v1".into()));
    assert_eq!(stage.cache.warm_now(None).await, 20);
    stage.strike(61).await;
}

#[tokio::test(start_paused = true)]
async fn the_warm_set_is_bounded() {
    let stage = warm_stage(Settings { max_warm_keys: 3, ..Settings::default() });
    for item in 0..5 {
        stage.read(&format!("/{item}")).await.unwrap();
    }
    let stats = stage.cache.stats();
    assert_eq!((stats.warm_keys, stats.warm_keys_refused), (3, 2));
    stage.strike(5).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_joins_a_warm_load_under_way() {
    let stage = warm_stage(Settings::default());
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 60_000);
    stage.pass_s(110).await;
    assert_eq!(said(&stage.read("/a").await).0, Stale, "and starts no refresh of its own");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_scarce_budget_goes_to_what_lives_longest() {
    let mut stage = warm_stage(Settings { warm_budget_per_minute: 1, ..Settings::default() });
    stage.policy.fresh = Duration::from_secs(50);
    for item in 0..10 {
        stage.read(&format!("/short/{item}")).await.unwrap();
    }
    stage.policy.fresh = Duration::from_secs(100);
    stage.read("/long").await.unwrap();
    stage.pass_s(59).await;
    assert_eq!(stage.source.asked(), 12, "the first due takes what there is");
    // When the next load is granted, all are due.
    stage.pass_s(46).await;
    assert_eq!(stage.source.reasons("/long"), [LoadReason::Absent, LoadReason::Warm]);
    let asked = stage.source.asked();
    stage.strike(asked).await;
}
