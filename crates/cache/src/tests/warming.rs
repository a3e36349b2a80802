//! Warm keys are refreshed without a read, but never where a read does it anyway, and never without readers.

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, said};
use crate::CacheStatus::{Hit, Stale};
use crate::{CacheDirective, CacheSettings, Invalidation, LoadErrorKind, LoadReason, Partition, Policy, Scope};

/// Fresh for 100 s, warm.
fn warm_stage(settings: CacheSettings) -> CacheFixture {
    let mut stage = CacheFixture::with(settings);
    stage.policy = Policy { warm: true, ..POLICY };
    stage.cache.run_warmer();
    stage
}

/// Three reads, one every 200 s: longer than an entry is usable (150 s), so each loads; then the time just before the
/// fourth.
async fn find_rhythm(stage: &CacheFixture, keys: &[&str]) {
    for _ in 0..3 {
        for key in keys {
            stage.read(key).await.unwrap();
        }
        stage.pass_s(100).await;
        stage.pass_s(100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_read_in_a_rhythm_is_loaded_just_before_its_next_read() {
    let stage = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        stage.read("/a").await.unwrap();
        stage.pass_s(200).await;
    }
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.pass_s(120).await;
    assert_eq!(stage.source.asked(), 3, "the next read is not near yet");
    stage.pass_s(79).await;
    assert_eq!(stage.source.reasons("/a").last(), Some(&LoadReason::Warm));
    stage.pass_s(1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    let class = stage.class();
    assert_eq!((class.warm_loads, class.refreshes, class.misses_total(), class.hits), (1, 0, 3, 1));
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn the_warmer_sleeps_while_there_is_nothing_to_keep_warm() {
    let stage = warm_stage(CacheSettings::default());
    stage.pass_s(3).await;
    let looked_ms = stage.cache.stats().warm_checked_ms;
    assert!(looked_ms > 0, "it has looked once");
    stage.pass_s(3_600).await;
    assert_eq!(stage.cache.stats().warm_checked_ms, looked_ms);
    stage.read("/a").await.unwrap();
    stage.pass_s(10).await;
    assert!(stage.clock.now_ms() - stage.cache.stats().warm_checked_ms <= 2_000, "it looks again");
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn warming_never_costs_more_loads_than_reads() {
    let stage = warm_stage(CacheSettings::default());
    for reads in 1..40 {
        stage.read("/a").await.unwrap();
        stage.pass_s(200).await;
        assert!(stage.source.asked() <= reads + 1, "{} loads for {reads} reads", stage.source.asked());
    }
    assert!(stage.class().hits > 30, "and almost every read finds a fresh value");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_visitor_without_a_rhythm_costs_nothing_extra() {
    let stage = warm_stage(CacheSettings::default());
    for gap in [20, 400, 170, 550, 30, 200] {
        stage.read("/a").await.unwrap();
        stage.pass_s(gap).await;
    }
    let reasons = stage.source.reasons("/a");
    assert!(!reasons.contains(&LoadReason::Warm), "{reasons:?}");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_does_not_come_again_costs_one_load_at_most() {
    let stage = warm_stage(CacheSettings::default());
    find_rhythm(&stage, &["/a"]).await;
    assert_eq!(stage.source.asked(), 4);
    stage.pass_s(500).await;
    assert_eq!(stage.cache.stats().warm_keys, 0, "its loader is forgotten");
    stage.pass_s(10_000).await;
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn with_no_client_about_nothing_is_warmed_however_long_keys_stay_warm() {
    let day = Duration::from_hours(24);
    let mut stage = warm_stage(CacheSettings { warm_idle_limit: day, ..CacheSettings::default() });
    stage.policy.fresh = Duration::from_secs(300);
    for _ in 0..3 {
        stage.read("/a").await.unwrap();
        stage.pass_s(900).await;
    }
    assert!(!stage.source.reasons("/a").contains(&LoadReason::Warm), "ten minutes of silence came first");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_on_while_the_source_is_down_is_about() {
    let stage = warm_stage(CacheSettings::default());
    stage.read("/a").await.unwrap();
    let before = stage.cache.0.counters.requests();
    stage.pass_s(200).await;
    stage.ask(&CacheFixture::key("/a"), CacheDirective::Offline).await.unwrap();
    assert_eq!(stage.cache.0.counters.requests(), before + 1);
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_widget_that_polls_costs_nothing_extra() {
    let stage = warm_stage(CacheSettings::default());
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
async fn warming_keeps_to_its_budget_and_counts_what_waits() {
    let stage = warm_stage(CacheSettings { warm_budget_per_minute: 5, ..CacheSettings::default() });
    let names: Vec<String> = (0..20).map(|item| format!("/{item}")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    find_rhythm(&stage, &keys).await;
    assert!((5..=10).contains(&(stage.source.asked() - 60)), "{} loads", stage.source.asked());
    assert!(stage.cache.stats().warm_over_budget > 0);
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_warm_load_backs_off() {
    let stage = warm_stage(CacheSettings { warm_budget_per_minute: 1000, ..CacheSettings::default() });
    for _ in 0..2 {
        stage.read("/a").await.unwrap();
        stage.pass_s(200).await;
    }
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    stage.pass_s(200).await;
    let tried = stage.source.asked() - 3;
    assert!((2..=8).contains(&tried), "{tried} tries");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_denied_or_purged_identity_is_not_warmed_again() {
    let stage = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        stage.read("/a").await.unwrap();
        stage.pass_s(200).await;
    }
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Denied));
    stage.pass_s(200).await;
    assert_eq!((stage.source.asked(), stage.cache.stats().warm_keys), (4, 0));

    stage.read("/b").await.unwrap();
    let anna = Scope::Partition { namespace: "home".into(), partition: Partition::new("anna") };
    stage.cache.invalidate(&anna, &Invalidation::purge());
    stage.pass_s(3).await;
    assert_eq!(stage.cache.stats().warm_keys, 0, "her loader is forgotten");
    stage.pass_s(200).await;
    stage.strike(5).await;
}

#[tokio::test(start_paused = true)]
async fn warming_now_asks_for_every_warm_key_of_the_namespace() {
    let mut stage = warm_stage(CacheSettings::default());
    for item in 0..20 {
        stage.source.takes(&format!("/{item}"), 100);
        stage.read(&format!("/{item}")).await.unwrap();
    }
    stage.policy.warm = false;
    stage.read("/cold").await.unwrap();
    for item in 0..20 {
        stage.source.write(&format!("/{item}"));
    }
    assert_eq!(stage.cache.refresh_warm_keys(Some("elsewhere")).await, 0);
    let before = stage.clock.now_ms();
    assert_eq!(stage.cache.refresh_warm_keys(Some("home")).await, 20);
    assert_eq!(stage.clock.now_ms() - before, 300, "a few at a time");
    assert_eq!(said(&stage.read("/7").await), (Hit, "anna v1".into()));
    assert_eq!(stage.cache.refresh_warm_keys(None).await, 20);
    stage.strike(61).await;
}

#[tokio::test(start_paused = true)]
async fn the_warm_set_is_bounded() {
    let stage = warm_stage(CacheSettings { max_warm_keys: 3, ..CacheSettings::default() });
    for item in 0..5 {
        stage.read(&format!("/{item}")).await.unwrap();
    }
    let stats = stage.cache.stats();
    assert_eq!((stats.warm_keys, stats.warm_keys_refused), (3, 2));
    stage.strike(5).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_joins_a_warm_load_under_way() {
    let stage = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        stage.read("/a").await.unwrap();
        stage.pass_s(200).await;
    }
    stage.read("/a").await.unwrap();
    stage.pass_s(110).await;
    stage.source.takes("/a", 25_000);
    stage.pass_s(25).await;
    assert_eq!(stage.source.reasons("/a").last(), Some(&LoadReason::Warm));
    assert_eq!(said(&stage.read("/a").await).0, Stale, "and starts no refresh of its own");
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_scarce_budget_goes_to_what_lives_longest() {
    let mut stage = warm_stage(CacheSettings { warm_budget_per_minute: 1, ..CacheSettings::default() });
    for visit in 0..3 {
        for (text, fresh_s) in [("/short", 50), ("/long", 100), ("/middling", 70)] {
            stage.policy.fresh = Duration::from_secs(fresh_s);
            stage.read(text).await.unwrap();
        }
        stage.pass_s(if visit < 2 { 200 } else { 199 }).await;
    }
    let warmed = |text| stage.source.reasons(text).contains(&LoadReason::Warm);
    assert!(warmed("/long"), "the first due takes what there is");
    assert!(warmed("/middling"), "when the next load is granted, two are due");
    assert!(!warmed("/short"));
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn who_says_that_a_read_is_to_be_expected_has_it_refreshed_when_that_is_due() {
    let stage = warm_stage(CacheSettings::default());
    let key = CacheFixture::key("/a");
    assert!(!stage.cache.refresh_due(&key), "nobody ever read it");
    stage.read("/a").await.unwrap();
    stage.pass_s(70).await;
    assert!(!stage.cache.refresh_due(&key), "it is fresh for long yet");
    stage.source.write("/a");
    stage.pass_s(20).await;
    assert!(stage.cache.refresh_due(&key));
    assert!(!stage.cache.refresh_due(&key), "once is enough");
    stage.pass_s(60).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    let class = stage.class();
    assert_eq!((class.warm_loads, class.misses_total(), class.hits), (1, 1, 1), "nobody asked but the reader");
    stage.strike(2).await;
}
