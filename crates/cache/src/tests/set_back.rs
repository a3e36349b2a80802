//! Timestamps ahead of a clock that was set back: the order holds, and durations follow the clock.

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
fn desk() -> Coordinator {
    let desk = Coordinator::new(CacheSettings::default());
    desk.hybrid_clock().observe(HybridTimestamp::end_of(NOW_MS + 10_000_000));
    desk
}

/// Loads at that time: returns how long the value is fresh, or why it is not stored.
fn load(desk: &Coordinator, now_ms: u64) -> Result<u64, NotStoredReason> {
    let (why, cell) = (LoadReason::Absent, Arc::new(ClassCounters::default()));
    let booking = LoadContext { key: key(), policy: POLICY, load_reason: why, counters: cell, access_rhythm: None };
    let lead = desk.start_unshared(now_ms).expect("there is room");
    let (entry, refusal, _) = desk.store(&booking, &lead.flight, LoadedValue::new(Value::new("value")), now_ms);
    refusal.map_or(Ok(entry.deadlines().fresh_until_ms - now_ms), Err)
}

#[test]
fn a_source_settles_for_as_long_as_it_takes_by_the_clock() {
    let desk = desk();
    let settle = GracePeriod { duration: Duration::from_secs(3), max_fresh: Duration::from_millis(700) };
    desk.invalidate(&Scope::All, &Invalidation { grace_period: Some(settle), ..Invalidation::mark_stale() }, NOW_MS);
    assert_eq!(load(&desk, NOW_MS + 2999), Ok(700));
    assert!(load(&desk, NOW_MS + 3000).is_ok_and(|fresh_ms| fresh_ms > 40_000));
}

#[test]
fn a_write_nobody_knows_of_holds_for_as_long_as_it_says_by_the_clock() {
    let desk = desk();
    let held = Invalidation { unstorable_for: Some(Duration::from_secs(3)), ..Invalidation::mark_stale() };
    desk.invalidate(&Scope::All, &held, NOW_MS);
    assert_eq!(load(&desk, NOW_MS + 3000), Err(NotStoredReason::WriteInDoubt));
    assert!(load(&desk, NOW_MS + 3001).is_ok());
}

#[test]
fn nobody_joins_a_load_that_an_invalidation_overtook() {
    let (desk, reach) = (desk(), ScopeHashes::from_key(&key()));
    let JoinOutcome::Lead(lead) = desk.join_or_start(&key(), &reach, None, NOW_MS) else { panic!("the first leads") };
    assert!(matches!(desk.join_or_start(&key(), &reach, None, NOW_MS), JoinOutcome::Follow(_)));
    let tag = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("unknown") };
    desk.invalidate(&tag, &Invalidation::mark_stale(), NOW_MS);
    assert!(matches!(desk.join_or_start(&key(), &reach, None, NOW_MS), JoinOutcome::Lead(_)));
    drop(lead);
}
