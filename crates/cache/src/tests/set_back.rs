//! Stamps that run ahead of the clock, because it was set back: the order holds, and times are those of the clock.

use std::sync::Arc;
use std::time::Duration;

use crate::desk::{Booking, Desk};
use crate::flight::Boarding;
use crate::reach::Reach;
use crate::refusal::Refusal;
use crate::stamp::Stamp;
use crate::tally::Cell;
use crate::*;

const NOW_MS: u64 = 1_000_000;
const POLICY: Policy = Policy {
    class: "test",
    fresh: Duration::from_mins(1),
    earlier: None,
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

/// A desk whose stamps are hours ahead of the clock.
fn desk() -> Desk {
    let desk = Desk::new(Settings::default());
    desk.sequence().observe(Stamp::end_of(NOW_MS + 10_000_000));
    desk
}

/// Loads at that time: for how long it is fresh, or why it is not kept.
fn load(desk: &Desk, now_ms: u64) -> Result<u64, Refusal> {
    let (why, cell) = (LoadReason::Absent, Arc::new(Cell::default()));
    let booking = Booking { key: key(), policy: POLICY, why, cell, warmth: None };
    let lead = desk.solo(now_ms).expect("there is room");
    let (entry, refusal, _) = desk.keep(&booking, &lead.flight, Fill::new(Value::new("value")), now_ms);
    refusal.map_or(Ok(entry.horizons().fresh_until_ms - now_ms), Err)
}

#[test]
fn a_source_settles_for_as_long_as_it_takes_by_the_clock() {
    let desk = desk();
    let settle = Settle { lasting: Duration::from_secs(3), max_fresh: Duration::from_millis(700) };
    desk.invalidate(&Scope::All, &Invalidation { settle: Some(settle), ..Invalidation::mark() }, NOW_MS);
    assert_eq!(load(&desk, NOW_MS + 2999), Ok(700));
    assert!(load(&desk, NOW_MS + 3000).is_ok_and(|fresh_ms| fresh_ms > 40_000));
}

#[test]
fn a_write_nobody_knows_of_holds_for_as_long_as_it_says_by_the_clock() {
    let desk = desk();
    let held = Invalidation { unstorable_for: Some(Duration::from_secs(3)), ..Invalidation::mark() };
    desk.invalidate(&Scope::All, &held, NOW_MS);
    assert_eq!(load(&desk, NOW_MS + 3000), Err(Refusal::Unsettled));
    assert!(load(&desk, NOW_MS + 3001).is_ok());
}

#[test]
fn nobody_joins_a_load_that_an_invalidation_overtook() {
    let (desk, reach) = (desk(), Reach::of_key(&key()));
    let Boarding::Lead(lead) = desk.board(&key(), &reach, None, NOW_MS) else { panic!("the first leads") };
    assert!(matches!(desk.board(&key(), &reach, None, NOW_MS), Boarding::Follow(_)));
    let tag = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("unknown") };
    desk.invalidate(&tag, &Invalidation::mark(), NOW_MS);
    assert!(matches!(desk.board(&key(), &reach, None, NOW_MS), Boarding::Lead(_)));
    drop(lead);
}
