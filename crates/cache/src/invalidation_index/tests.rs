//! The invalidation index, case by case.

use super::*;
use crate::key::{Key, Partition, Tag};
use crate::scope::InvalidationMode;
use crate::scope::{GracePeriod, Scope};
use std::time::Duration;

const MARK_STALE: Invalidation =
    Invalidation { mode: InvalidationMode::MarkStale, grace_period: None, unstorable_for: None };
const PURGE: Invalidation = Invalidation { mode: InvalidationMode::Purge, ..MARK_STALE };

fn at(ms: u64) -> HybridTimestamp {
    HybridTimestamp::end_of(Timestamp::from_millis(ms))
}

fn moment(ms: u64) -> EventTime {
    EventTime { stamp: at(ms), at: Timestamp::from_millis(ms) }
}

fn invalidate(markers: &InvalidationIndex, target: ScopeHash, ms: u64, invalidation: &Invalidation) {
    markers.invalidate(target, || at(ms), invalidation, Timestamp::from_millis(ms));
}

fn tag(namespace: &str, tag: usize) -> ScopeHash {
    let tag = Tag::new(tag.to_string());
    ScopeHash::from_scope(&Scope::Tag { namespace: namespace.into(), partition: None, tag })
}

fn tagged(namespace: &str, tag: usize) -> ScopeHashes {
    ScopeHashes::new(&Key::new(namespace, &Partition::new("anna"), "/a"), &[Tag::new(tag.to_string())])
}

#[test]
fn equal_counts_as_older() {
    let markers = InvalidationIndex::new(100);
    invalidate(&markers, tag("n", 1), 10, &MARK_STALE);
    let scope_hashes = tagged("n", 1);
    assert_eq!(markers.validity(&scope_hashes, at(10)), Validity::Invalidated);
    assert_eq!(markers.fence(&scope_hashes, moment(10)), Err(NotStoredReason::Invalidated));
    assert_eq!(markers.validity(&scope_hashes, HybridTimestamp::from_raw(at(10).raw() + 1)), Validity::Valid);
}

#[test]
fn the_epoch_grows_with_every_invalidation_and_is_returned_by_the_fence() {
    let markers = InvalidationIndex::new(100);
    let before = markers.epoch();
    invalidate(&markers, tag("n", 1), 10, &MARK_STALE);
    assert_eq!(markers.epoch(), before + 1);
    let pass = markers.fence(&tagged("n", 2), moment(5)).unwrap();
    assert_eq!(pass, StorePermit { epoch: before + 1, max_fresh: None });
}

/// An invalidation as a store returns it.
fn numbered(seq: u64, stamp: HybridTimestamp) -> crate::stored_invalidation::NumberedInvalidation {
    let invalidation = crate::stored_invalidation::PendingInvalidation {
        scope: String::new(),
        purges: false,
        stamp,
        hold_until: HybridTimestamp::ZERO,
        grace_until_ms: Timestamp::UNIX_EPOCH,
        grace_fresh_ms: Duration::ZERO,
    };
    crate::stored_invalidation::NumberedInvalidation { seq, origin: 0, invalidation }
}

#[test]
fn an_own_invalidation_is_newer_than_any_on_disk_until_it_is_stored() {
    let markers = InvalidationIndex::new(100);
    let scope_hashes = tagged("n", 1);
    let validity = |known_sequence| markers.validity_of_stored(&scope_hashes, known_sequence).0;
    invalidate(&markers, tag("n", 1), 10, &MARK_STALE);
    assert_eq!(validity(u64::MAX), Validity::Invalidated);
    markers.set_sequence(tag("n", 1), &numbered(7, at(10)), at(10), true);
    assert_eq!((validity(6), validity(7)), (Validity::Invalidated, Validity::Valid));
    invalidate(&markers, tag("n", 1), 20, &MARK_STALE);
    markers.insert_stored(tag("n", 1), || at(30), &numbered(9, at(5)), Timestamp::from_millis(30));
    assert_eq!(validity(9), Validity::Invalidated, "another's says nothing of ours");
    markers.committed(tag("n", 1), at(20));
    assert_eq!((validity(8), validity(9)), (Validity::Invalidated, Validity::Valid), "the other's took its place");
    invalidate(&markers, tag("n", 1), 40, &PURGE);
    assert_eq!(validity(u64::MAX), Validity::Purged);
}

#[test]
fn an_invalidation_after_a_caller_arrived_does_not_hide_an_earlier_one() {
    let markers = InvalidationIndex::new(100);
    let scope_hashes = tagged("n", 1);
    let began = moment(10);
    invalidate(&markers, tag("n", 1), 20, &MARK_STALE);
    assert!(!markers.invalidated_between(&scope_hashes, false, began, moment(15)), "he came before it");
    assert!(markers.invalidated_between(&scope_hashes, false, began, moment(25)), "he came after it");
    invalidate(&markers, tag("n", 1), 30, &MARK_STALE);
    assert!(markers.invalidated_between(&scope_hashes, false, began, moment(25)), "the later one changes nothing");
    assert!(!markers.invalidated_between(&scope_hashes, false, moment(35), moment(40)));
}

#[test]
fn a_load_with_unknown_tags_may_carry_any_tag_of_its_own_namespace_only() {
    let markers = InvalidationIndex::new(100);
    let invalidation = Invalidation { unstorable_for: Some(Duration::from_millis(50)), ..MARK_STALE };
    invalidate(&markers, tag("n", 1), 20, &invalidation);
    let unknown = ScopeHashes::from_key(&Key::new("n", &Partition::new("anna"), "/a"));
    assert!(!markers.invalidated_between(&unknown, false, moment(10), moment(30)));
    assert!(markers.invalidated_between(&unknown, true, moment(10), moment(30)));
    assert!(
        !markers.invalidated_between(&unknown, true, moment(40), moment(60)),
        "begun during the hold, come during the hold"
    );
    assert!(
        markers.invalidated_between(&unknown, true, moment(40), moment(80)),
        "begun during the hold, come after it"
    );
    let elsewhere = ScopeHashes::from_key(&Key::new("other", &Partition::new("anna"), "/a"));
    assert!(!markers.invalidated_between(&elsewhere, true, moment(10), moment(30)));
}

#[test]
fn the_end_of_one_hold_is_not_hidden_by_another() {
    let markers = InvalidationIndex::new(100);
    let invalidation = Invalidation { unstorable_for: Some(Duration::from_millis(100)), ..MARK_STALE };
    let scope_hashes = tagged("n", 1);
    invalidate(&markers, tag("n", 1), 0, &invalidation);
    invalidate(&markers, tag("n", 1), 50, &invalidation);
    assert!(!markers.invalidated_between(&scope_hashes, false, moment(60), moment(90)), "both still run");
    assert!(
        markers.invalidated_between(&scope_hashes, false, moment(60), moment(120)),
        "the first has ended in between"
    );
    assert!(
        !markers.invalidated_between(&scope_hashes, false, moment(110), moment(120)),
        "begun after the first, within the second"
    );
    invalidate(&markers, tag("n", 1), 500, &invalidation);
    assert!(markers.invalidated_between(&scope_hashes, false, moment(140), moment(520)), "the second ended long ago");
    for overlapping in 0..100 {
        invalidate(&markers, tag("n", 1), 510 + overlapping, &invalidation);
    }
    assert!(markers.invalidated_between(&scope_hashes, false, moment(610), moment(700)), "of many, none is forgotten");
    assert_eq!(markers.fence(&scope_hashes, moment(709)), Err(NotStoredReason::WriteInDoubt));
    assert!(markers.fence(&scope_hashes, moment(710)).is_ok());
}

#[test]
fn of_overlapping_grace_periods_the_longer_time_and_the_shorter_freshness_apply() {
    let settle = |lasting, fresh| Invalidation {
        grace_period: Some(GracePeriod {
            duration: Duration::from_millis(lasting),
            max_fresh: Duration::from_millis(fresh),
        }),
        ..MARK_STALE
    };
    let markers = InvalidationIndex::new(100);
    let scope_hashes = tagged("n", 1);
    let max_fresh = |created| {
        let pass = markers.fence(&scope_hashes, created).unwrap();
        pass.max_fresh.map(|fresh| fresh.as_millis())
    };
    invalidate(&markers, tag("n", 1), 100, &settle(3000, 10));
    invalidate(&markers, tag("n", 1), 200, &settle(1000, 500));
    assert_eq!(max_fresh(moment(3000)), Some(10));
    assert_eq!(max_fresh(moment(3100)), None);
    invalidate(&markers, tag("n", 1), 5000, &settle(1000, 500));
    assert_eq!(max_fresh(moment(5500)), Some(500), "what is over does not count");
}

#[test]
fn stored_times_follow_the_clock_and_end_soon_if_it_was_set_back() {
    let (now_ms, hour_ms) = (1_000_000, 3_600_000);
    let ends = |stamp_ms, end_ms| {
        let markers = InvalidationIndex::new(100);
        let mut numbered = numbered(1, at(stamp_ms));
        (numbered.invalidation.hold_until, numbered.invalidation.grace_until_ms) =
            (at(end_ms), Timestamp::from_millis(end_ms));
        markers.insert_stored(tag("n", 1), || at(stamp_ms), &numbered, Timestamp::from_millis(now_ms));
        // Timestamps continue after the invalidation's.
        let loads =
            |ms| markers.fence(&tagged("n", 1), EventTime { stamp: at(stamp_ms + 1), at: Timestamp::from_millis(ms) });
        let is_held = |ms| loads(ms) == Err(NotStoredReason::WriteInDoubt);
        let settles = |ms| loads(ms).is_ok_and(|pass| pass.max_fresh.is_some());
        (now_ms..now_ms + 3 * hour_ms).step_by(1000).find(|ms| !is_held(*ms) && !settles(*ms))
    };
    assert_eq!(ends(now_ms, now_ms + 2 * hour_ms), Some(now_ms + 2 * hour_ms + 1000), "as long as it says");
    assert_eq!(ends(now_ms + hour_ms, now_ms + 5000), Some(now_ms + 6000), "stamps ahead say nothing of it");
    let back = ends(now_ms + hour_ms, now_ms + hour_ms + 5000);
    assert_eq!(back, Some(now_ms + 601_000), "the age is unknown");
}

#[test]
fn folding_loses_no_invalidation() {
    let markers = InvalidationIndex::new(16);
    let hold = Invalidation { unstorable_for: Some(Duration::from_secs(1000)), ..MARK_STALE };
    invalidate(&markers, tag("held", 1), 10, &hold);
    invalidate(&markers, tag("purged", 1), 11, &PURGE);
    for (order, other) in (0..200).enumerate() {
        invalidate(&markers, tag("other", other), 20 + order as u64, &MARK_STALE);
    }
    assert!(markers.count().0 <= 17 && markers.count().1 > 150);
    assert_eq!(markers.validity(&tagged("purged", 1), at(11)), Validity::Purged);
    assert_eq!(markers.fence(&tagged("held", 1), moment(15_000)), Err(NotStoredReason::WriteInDoubt));
    for other in 0..200 {
        assert_eq!(markers.validity(&tagged("other", other), at(20)), Validity::Invalidated);
    }
    assert_eq!(markers.validity(&tagged("other", 7), at(1000)), Validity::Valid);
}

#[test]
fn too_many_namespaces_are_folded_into_one_invalidation_of_everything() {
    let markers = InvalidationIndex::new(16);
    for namespace in 0..100 {
        let namespace = Scope::Namespace(namespace.to_string());
        invalidate(&markers, ScopeHash::from_scope(&namespace), 10, &PURGE);
    }
    assert!(markers.count().0 <= 16, "{:?}", markers.count());
    assert_eq!(markers.validity(&tagged("3", 1), at(10)), Validity::Purged);
    assert_eq!(markers.validity(&tagged("3", 1), at(11)), Validity::Valid);
}
