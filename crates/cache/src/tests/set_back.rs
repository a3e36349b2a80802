//! Timestamps ahead of a clock that was set back: the order holds, and durations follow the clock.

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::{Coordinator, LoadContext};
use crate::counters::ClassCounters;
use crate::flight::JoinOutcome;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::not_stored_reason::NotStoredReason;
use crate::scope_hash::ScopeHashes;
use crate::*;

const NOW_MS: u64 = 1_000_000;
const POLICY: Policy = Policy {
    class: "test",
    fresh: Duration::from_mins(1),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(10),
};

fn key() -> Key {
    Key::new("home", &Partition::new("anna"), "/a")
}

/// A coordinator whose timestamps are hours ahead of the clock.
fn coordinator() -> Coordinator {
    let coordinator = Coordinator::new(CacheSettings::default());
    coordinator.hybrid_clock().observe(HybridTimestamp::end_of(Timestamp::from_millis(NOW_MS + 10_000_000)));
    coordinator
}

/// Loads at that time: returns how long the value is fresh, or why it is not stored.
fn load(coordinator: &Coordinator, now_ms: Timestamp) -> Result<u64, NotStoredReason> {
    let (load_reason, counters) = (LoadReason::Absent, Arc::new(ClassCounters::default()));
    let context = LoadContext { key: key(), policy: POLICY, load_reason, counters, access_rhythm: None };
    let leader = coordinator.start_unshared(now_ms).expect("there is room");
    let (entry, refusal, _) =
        coordinator.store(&context, &leader.flight, LoadedValue::new(Value::new("value")), now_ms);
    refusal.map_or(Ok(entry.deadlines().fresh_until_ms.millis_since(now_ms)), Err)
}

#[test]
fn a_grace_period_lasts_as_long_as_it_says_by_the_clock() {
    let coordinator = coordinator();
    let grace_period = GracePeriod { duration: Duration::from_secs(3), max_fresh: Duration::from_millis(700) };
    coordinator.invalidate(
        &Scope::All,
        &Invalidation { grace_period: Some(grace_period), ..Invalidation::mark_stale() },
        Timestamp::from_millis(NOW_MS),
    );
    assert_eq!(load(&coordinator, Timestamp::from_millis(NOW_MS + 2999)), Ok(700));
    assert!(load(&coordinator, Timestamp::from_millis(NOW_MS + 3000)).is_ok_and(|fresh_ms| fresh_ms > 40_000));
}

#[test]
fn a_hold_lasts_as_long_as_it_says_by_the_clock() {
    let coordinator = coordinator();
    let held = Invalidation { unstorable_for: Some(Duration::from_secs(3)), ..Invalidation::mark_stale() };
    coordinator.invalidate(&Scope::All, &held, Timestamp::from_millis(NOW_MS));
    assert_eq!(load(&coordinator, Timestamp::from_millis(NOW_MS + 3000)), Err(NotStoredReason::WriteInDoubt));
    assert!(load(&coordinator, Timestamp::from_millis(NOW_MS + 3001)).is_ok());
}

#[test]
fn a_load_overtaken_by_an_invalidation_is_not_joined() {
    let (coordinator, reach) = (coordinator(), ScopeHashes::from_key(&key()));
    let JoinOutcome::Lead(leader) = coordinator.join_or_start(&key(), &reach, None, Timestamp::from_millis(NOW_MS))
    else {
        panic!("the first leads")
    };
    assert!(matches!(
        coordinator.join_or_start(&key(), &reach, None, Timestamp::from_millis(NOW_MS)),
        JoinOutcome::Follow(_)
    ));
    let tag = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("unknown") };
    coordinator.invalidate(&tag, &Invalidation::mark_stale(), Timestamp::from_millis(NOW_MS));
    assert!(matches!(
        coordinator.join_or_start(&key(), &reach, None, Timestamp::from_millis(NOW_MS)),
        JoinOutcome::Lead(_)
    ));
    drop(leader);
}
