//! Warm keys are refreshed without a read, but never where a read does it anyway, and never without readers.

use crate::timestamp::Timestamp;
use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, status_and_text};
use crate::CacheStatus::{Hit, Stale};
use crate::{CacheDirective, CacheSettings, Invalidation, LoadErrorKind, LoadReason, Partition, Policy, Scope};

/// Fresh for 100 s, warm.
fn warm_stage(settings: CacheSettings) -> CacheFixture {
    let mut fixture = CacheFixture::with(settings);
    fixture.policy = Policy { warm: true, ..POLICY };
    fixture.cache.run_warmer();
    fixture
}

/// Three reads, one every 200 s: longer than an entry is usable (150 s), so each loads; then the time just before the
/// fourth.
async fn establish_rhythm(fixture: &CacheFixture, keys: &[&str]) {
    for _ in 0..3 {
        for key in keys {
            fixture.read(key).await.unwrap();
        }
        fixture.advance_s(100).await;
        fixture.advance_s(100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_read_at_a_steady_interval_is_loaded_just_before_its_next_read() {
    let fixture = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(200).await;
    }
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    fixture.advance_s(120).await;
    assert_eq!(fixture.source.load_count(), 3, "the next read is not near yet");
    fixture.advance_s(79).await;
    assert_eq!(fixture.source.reasons("/a").last(), Some(&LoadReason::Warm));
    fixture.advance_s(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    let class = fixture.class();
    assert_eq!((class.warm_loads, class.refreshes, class.misses_total(), class.hits), (1, 0, 3, 1));
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn the_warmer_sleeps_while_there_is_nothing_to_keep_warm() {
    let fixture = warm_stage(CacheSettings::default());
    fixture.advance_s(3).await;
    let checked_ms = fixture.cache.stats().warm_checked_ms;
    assert!(checked_ms > Timestamp::UNIX_EPOCH, "it has looked once");
    fixture.advance_s(3_600).await;
    assert_eq!(fixture.cache.stats().warm_checked_ms, checked_ms);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(10).await;
    assert!(
        fixture.clock.now() - fixture.cache.stats().warm_checked_ms <= Duration::from_millis(2_000),
        "it looks again"
    );
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn warming_never_costs_more_loads_than_reads() {
    let fixture = warm_stage(CacheSettings::default());
    for reads in 1..40 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(200).await;
        assert!(fixture.source.load_count() <= reads + 1, "{} loads for {reads} reads", fixture.source.load_count());
    }
    assert!(fixture.class().hits > 30, "and almost every read finds a fresh value");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn reads_without_a_rhythm_cause_no_warm_loads() {
    let fixture = warm_stage(CacheSettings::default());
    for gap in [20, 400, 170, 550, 30, 200] {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(gap).await;
    }
    let reasons = fixture.source.reasons("/a");
    assert!(!reasons.contains(&LoadReason::Warm), "{reasons:?}");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_no_longer_read_costs_one_load_at_most() {
    let fixture = warm_stage(CacheSettings::default());
    establish_rhythm(&fixture, &["/a"]).await;
    assert_eq!(fixture.source.load_count(), 4);
    fixture.advance_s(500).await;
    assert_eq!(fixture.cache.stats().warm_keys, 0, "its loader is forgotten");
    fixture.advance_s(10_000).await;
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn without_activity_nothing_is_warmed() {
    let day = Duration::from_hours(24);
    let mut fixture = warm_stage(CacheSettings { warm_idle_limit: day, ..CacheSettings::default() });
    fixture.policy.fresh = Duration::from_secs(300);
    for _ in 0..3 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(900).await;
    }
    assert!(!fixture.source.reasons("/a").contains(&LoadReason::Warm), "ten minutes of silence came first");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn reads_during_an_outage_count_as_activity_for_warming() {
    let fixture = warm_stage(CacheSettings::default());
    fixture.read("/a").await.unwrap();
    let before = fixture.cache.0.counters.requests();
    fixture.advance_s(200).await;
    fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Offline).await.unwrap();
    assert_eq!(fixture.cache.0.counters.requests(), before + 1);
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn polling_causes_no_warm_loads() {
    let fixture = warm_stage(CacheSettings::default());
    for _ in 0..60 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(30).await;
    }
    let reasons = fixture.source.reasons("/a");
    assert!(!reasons.contains(&LoadReason::Warm), "{reasons:?}");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn warming_stays_within_its_budget_and_counts_the_rest() {
    let fixture = warm_stage(CacheSettings { warm_budget_per_minute: 5, ..CacheSettings::default() });
    let names: Vec<String> = (0..20).map(|item| format!("/{item}")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    establish_rhythm(&fixture, &keys).await;
    assert!((5..=10).contains(&(fixture.source.load_count() - 60)), "{} loads", fixture.source.load_count());
    assert!(fixture.cache.stats().warm_over_budget > 0);
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_warm_load_backs_off() {
    let fixture = warm_stage(CacheSettings { warm_budget_per_minute: 1000, ..CacheSettings::default() });
    for _ in 0..2 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(200).await;
    }
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    fixture.advance_s(200).await;
    let attempts = fixture.source.load_count() - 3;
    assert!((2..=8).contains(&attempts), "{attempts} tries");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_denied_or_purged_partition_are_not_warmed() {
    let fixture = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(200).await;
    }
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Denied));
    fixture.advance_s(200).await;
    assert_eq!((fixture.source.load_count(), fixture.cache.stats().warm_keys), (4, 0));

    fixture.read("/b").await.unwrap();
    let anna = Scope::Partition { namespace: "home".into(), partition: Partition::new("anna") };
    fixture.cache.invalidate(&anna, &Invalidation::purge());
    fixture.advance_s(3).await;
    assert_eq!(fixture.cache.stats().warm_keys, 0, "her loader is forgotten");
    fixture.advance_s(200).await;
    fixture.finish(5).await;
}

#[tokio::test(start_paused = true)]
async fn refreshing_now_loads_every_warm_key_of_the_namespace() {
    let mut fixture = warm_stage(CacheSettings::default());
    for item in 0..20 {
        fixture.source.set_duration(&format!("/{item}"), 100);
        fixture.read(&format!("/{item}")).await.unwrap();
    }
    fixture.policy.warm = false;
    fixture.read("/cold").await.unwrap();
    for item in 0..20 {
        fixture.source.write(&format!("/{item}"));
    }
    assert_eq!(fixture.cache.refresh_warm_keys(Some("elsewhere")).await, 0);
    let before = fixture.clock.now();
    assert_eq!(fixture.cache.refresh_warm_keys(Some("home")).await, 20);
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(300), "a few at a time");
    assert_eq!(status_and_text(&fixture.read("/7").await), (Hit, "anna v1".into()));
    assert_eq!(fixture.cache.refresh_warm_keys(None).await, 20);
    fixture.finish(61).await;
}

#[tokio::test(start_paused = true)]
async fn the_warm_set_is_bounded() {
    let fixture = warm_stage(CacheSettings { max_warm_keys: 3, ..CacheSettings::default() });
    for item in 0..5 {
        fixture.read(&format!("/{item}")).await.unwrap();
    }
    let stats = fixture.cache.stats();
    assert_eq!((stats.warm_keys, stats.warm_keys_refused), (3, 2));
    fixture.finish(5).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_joins_a_warm_load_under_way() {
    let fixture = warm_stage(CacheSettings::default());
    for _ in 0..2 {
        fixture.read("/a").await.unwrap();
        fixture.advance_s(200).await;
    }
    fixture.read("/a").await.unwrap();
    fixture.advance_s(110).await;
    fixture.source.set_duration("/a", 25_000);
    fixture.advance_s(25).await;
    assert_eq!(fixture.source.reasons("/a").last(), Some(&LoadReason::Warm));
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale, "and starts no refresh of its own");
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_scarce_budget_goes_to_the_longest_lived_entries() {
    let mut fixture = warm_stage(CacheSettings { warm_budget_per_minute: 1, ..CacheSettings::default() });
    for read_at_intervals in 0..3 {
        for (text, fresh_s) in [("/short", 50), ("/long", 100), ("/middling", 70)] {
            fixture.policy.fresh = Duration::from_secs(fresh_s);
            fixture.read(text).await.unwrap();
        }
        fixture.advance_s(if read_at_intervals < 2 { 200 } else { 199 }).await;
    }
    let refreshed = |text| fixture.source.reasons(text).contains(&LoadReason::Warm);
    assert!(refreshed("/long"), "the first due takes what there is");
    assert!(refreshed("/middling"), "when the next load is granted, two are due");
    assert!(!refreshed("/short"));
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn an_announced_read_is_refreshed_when_due() {
    let fixture = warm_stage(CacheSettings::default());
    let key = CacheFixture::key("/a");
    assert!(!fixture.cache.refresh_due(&key), "no client ever read it");
    fixture.read("/a").await.unwrap();
    fixture.advance_s(70).await;
    assert!(!fixture.cache.refresh_due(&key), "it is fresh for long yet");
    fixture.source.write("/a");
    fixture.advance_s(20).await;
    assert!(fixture.cache.refresh_due(&key));
    assert!(!fixture.cache.refresh_due(&key), "once is enough");
    fixture.advance_s(60).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    let class = fixture.class();
    assert_eq!((class.warm_loads, class.misses_total(), class.hits), (1, 1, 1), "the reader's is the only request");
    fixture.finish(2).await;
}
