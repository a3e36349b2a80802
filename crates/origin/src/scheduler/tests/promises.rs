//! The guarantees of the rules, one by one.

use greenroom_dialect::class::Class;
use std::time::Duration;

use super::{granted, limits, read, waits, write};
use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{
    Admission, CancelReason, HeldSlot, SHARE, SlotKind, SlotLimits, SlotRequest, Slots, WaiterId,
};

/// Reads of two request types hold all slots that reads may have.
fn busy_with_reads(count: usize) -> (Slots, Vec<HeldSlot>) {
    let mut slots = Slots::new(limits(count));
    let held = (0..slots.limits().reads)
        .map(|at| {
            let class = if at % 2 == 0 { Class::Item } else { Class::Lists };
            granted(&mut slots, read(Priority::Interactive, class, 1))
        })
        .collect();
    (slots, held)
}

/// Releases slots one by one; returns the order in which waiters get them.
fn served(slots: &mut Slots, mut held: Vec<HeldSlot>, grants: usize) -> Vec<WaiterId> {
    let mut order = Vec::new();
    for _ in 0..grants {
        let (waiter_id, next) = slots.release(held.remove(0), Duration::ZERO).expect("a request waits");
        order.push(waiter_id);
        held.push(next);
    }
    order
}

#[test]
fn higher_priorities_are_granted_first_whenever_they_arrived() {
    let (mut slots, held) = busy_with_reads(8);
    let ranks = [Priority::Own, Priority::Bulk, Priority::Widget, Priority::Interactive];
    let mut waiter_ids = ranks.map(|priority| waits(&mut slots, read(priority, Class::Search, 1)));
    waiter_ids.reverse();
    assert_eq!(served(&mut slots, held, 4), waiter_ids);
}

#[test]
fn reads_that_hang_leave_a_quarter_to_writes() {
    for (count, write_slots) in [(2, 1), (3, 1), (4, 1), (7, 1), (8, 2), (16, 4)] {
        let (mut slots, _held) = busy_with_reads(count);
        waits(&mut slots, read(Priority::Interactive, Class::Search, 1));
        let writes: Vec<HeldSlot> = (0..write_slots).map(|_| granted(&mut slots, write(1))).collect();
        assert_eq!(writes.len() + slots.limits().reads, count);
        waits(&mut slots, write(1));
    }
}

#[test]
fn writes_that_hang_leave_half_to_reads() {
    let mut slots = Slots::new(limits(8));
    let _writes: Vec<HeldSlot> = (0..4).map(|_| granted(&mut slots, write(1))).collect();
    waits(&mut slots, write(1));
    let reads = [Class::Item, Class::Item, Class::Lists, Class::Lists];
    let _reads = reads.map(|class| granted(&mut slots, read(Priority::Interactive, class, 2)));
}

#[test]
fn a_hanging_class_leaves_slots_to_every_other() {
    for count in 3..20 {
        let mut slots = Slots::new(limits(count));
        let most = count / 2;
        let _hung: Vec<HeldSlot> =
            (0..most).map(|_| granted(&mut slots, read(Priority::Interactive, Class::Images, 1))).collect();
        waits(&mut slots, read(Priority::Interactive, Class::Images, 1));
        for _ in 0..100 {
            let slot = granted(&mut slots, read(Priority::Bulk, Class::Item, 1));
            assert_eq!(slots.release(slot, Duration::ZERO), None, "a place of items is no place for images");
        }
    }
}

#[test]
fn a_waiter_that_fits_no_slot_does_not_block_others() {
    let mut slots = Slots::new(limits(8));
    let mut items: Vec<HeldSlot> =
        (0..4).map(|_| granted(&mut slots, read(Priority::Interactive, Class::Item, 1))).collect();
    let lists: Vec<HeldSlot> =
        (0..2).map(|_| granted(&mut slots, read(Priority::Interactive, Class::Lists, 1))).collect();
    let item = waits(&mut slots, read(Priority::Interactive, Class::Item, 1));
    let own_queue = waits(&mut slots, read(Priority::Own, Class::Search, 1));
    assert_eq!(served(&mut slots, lists, 1), [own_queue], "of items there are as many as there may be");
    let next = slots.release(items.remove(0), Duration::ZERO).map(|(waiter_id, _)| waiter_id);
    assert_eq!(next, Some(item));
}

#[test]
fn a_flooding_app_alternates_with_others() {
    let (mut slots, held) = busy_with_reads(8);
    for _ in 0..500 {
        waits(&mut slots, read(Priority::Bulk, Class::Search, 1));
    }
    let quiet: Vec<WaiterId> = (0..5).map(|_| waits(&mut slots, read(Priority::Bulk, Class::History, 2))).collect();
    let order = served(&mut slots, held, 10);
    let of_quiet: Vec<WaiterId> = order.iter().copied().filter(|waiter_id| quiet.contains(waiter_id)).collect();
    assert_eq!(of_quiet, quiet, "every second turn is the other's: {order:?}");
}

#[test]
fn an_app_with_single_requests_does_not_overtake_one_with_many() {
    let (mut slots, mut held) = busy_with_reads(8);
    let mut interactive_waiters: Vec<WaiterId> =
        (0..50).map(|_| waits(&mut slots, read(Priority::Interactive, Class::Search, 1))).collect();
    let mut of_interactive = 0;
    for _ in 0..40 {
        waits(&mut slots, read(Priority::Interactive, Class::History, 2));
        let (waiter_id, next) = slots.release(held.remove(0), Duration::ZERO).expect("a request waits");
        held.push(next);
        of_interactive += usize::from(interactive_waiters.contains(&waiter_id));
        interactive_waiters.retain(|other| *other != waiter_id);
    }
    assert_eq!(of_interactive, 20);
}

#[test]
fn no_priority_starves() {
    let (mut slots, mut held) = busy_with_reads(8);
    let own_queue = waits(&mut slots, read(Priority::Own, Class::Search, 1));
    let bulk = waits(&mut slots, read(Priority::Bulk, Class::Search, 1));
    let widget = waits(&mut slots, read(Priority::Widget, Class::Search, 1));
    let mut served = Vec::new();
    let ranks = u32::try_from(Priority::EVERY.len()).expect("there are few");
    for turn in 0..SHARE * ranks {
        let class = if turn % 2 == 0 { Class::History } else { Class::Recent };
        waits(&mut slots, read(Priority::Interactive, class, 1));
        let (waiter_id, next) = slots.release(held.remove(0), Duration::ZERO).expect("a request waits");
        held.push(next);
        served.push(waiter_id);
    }
    for waiter_id in [own_queue, bulk, widget] {
        assert!(served.contains(&waiter_id), "{waiter_id:?}");
    }
    let lower = served.iter().filter(|waiter_id| [own_queue, bulk, widget].contains(waiter_id)).count();
    assert_eq!(lower, 3, "and the urgent have all other turns");
}

#[test]
fn the_newest_of_the_least_urgent_waiters_is_displaced() {
    let mut slots = Slots::new(SlotLimits::new(2, 3));
    let _held = granted(&mut slots, read(Priority::Interactive, Class::Item, 1));
    let first = waits(&mut slots, read(Priority::Own, Class::Item, 1));
    let second = waits(&mut slots, read(Priority::Own, Class::Item, 1));
    waits(&mut slots, read(Priority::Bulk, Class::Item, 1));
    assert_eq!(
        slots.request(read(Priority::Own, Class::Item, 1), Duration::ZERO),
        Admission::Refused,
        "it is the newest"
    );
    for cancelled in [second, first] {
        let admission = slots.request(read(Priority::Interactive, Class::Item, 1), Duration::ZERO);
        assert!(
            matches!(admission, Admission::Waits { displaced: Some(waiter_id), .. } if waiter_id == cancelled),
            "{admission:?}"
        );
    }
    assert_eq!(slots.counters()[Priority::Own as usize].refused, 3);
    assert_eq!(slots.counters()[Priority::Own as usize].waiting, 0);
}

#[test]
fn a_flood_that_fills_the_queue_does_not_shut_out_another_app() {
    let mut slots = Slots::new(SlotLimits::new(2, 10));
    let _held = granted(&mut slots, read(Priority::Bulk, Class::Item, 1));
    let flood: Vec<WaiterId> = (0..10).map(|_| waits(&mut slots, read(Priority::Bulk, Class::Item, 1))).collect();
    let admission = slots.request(read(Priority::Bulk, Class::Item, 2), Duration::ZERO);
    assert!(
        matches!(admission, Admission::Waits { displaced: Some(waiter_id), .. } if waiter_id == flood[9]),
        "{admission:?}"
    );
}

#[test]
fn waiting_is_counted_however_it_ends() {
    let mut slots = Slots::new(limits(2));
    let slot = granted(&mut slots, read(Priority::Bulk, Class::Item, 1));
    let waiter_ids: Vec<WaiterId> = (0..3).map(|_| waits(&mut slots, read(Priority::Bulk, Class::Item, 1))).collect();
    slots.cancel(waiter_ids[2], CancelReason::TimedOut, Duration::from_millis(50));
    slots.cancel(waiter_ids[1], CancelReason::Dropped, Duration::from_millis(30));
    let (_, slot) = slots.release(slot, Duration::from_millis(20)).expect("one waits");
    let counters = slots.counters()[Priority::Bulk as usize];
    assert_eq!((counters.waited, counters.wait_time, counters.timed_out), (3, Duration::from_millis(100), 1));
    assert_eq!((counters.waiting, counters.in_flight), (0, 1));
    slots.cancel(waiter_ids[0], CancelReason::TimedOut, Duration::from_millis(90));
    assert_eq!(slots.counters()[Priority::Bulk as usize], counters, "he has a place: he does not wait");
    assert_eq!(slots.release(slot, Duration::from_millis(90)), None);
}

fn uncached(priority: Priority) -> SlotRequest {
    SlotRequest { priority, kind: SlotKind::Uncached, app: 1 }
}

#[test]
fn uncached_requests_that_hang_leave_slots_to_reads_and_writes() {
    let mut slots = Slots::new(limits(8));
    let _hung: Vec<HeldSlot> = (0..4).map(|_| granted(&mut slots, uncached(Priority::Interactive))).collect();
    waits(&mut slots, uncached(Priority::Interactive));
    let _reads = [Class::Item, Class::Lists].map(|class| granted(&mut slots, read(Priority::Interactive, class, 2)));
    let _writes = [1, 2].map(|app| granted(&mut slots, write(app)));
}

#[test]
fn strangers_that_hang_leave_slots_to_everyone_else() {
    for count in 3..20 {
        let mut slots = Slots::new(limits(count));
        let classes = [Class::Item, Class::Lists, Class::Search];
        let of_strangers = classes.into_iter().cycle().map(|class| read(Priority::Stranger, class, 1));
        let _hung: Vec<HeldSlot> = of_strangers
            .take(3 * count)
            .filter_map(|request| match slots.request(request, Duration::ZERO) {
                Admission::Granted(slot) => Some(slot),
                _ => None,
            })
            .collect();
        if slots.limits().reads > 1 {
            let _read = granted(&mut slots, read(Priority::Own, Class::Recent, 1));
        }
        let _write = granted(&mut slots, write(2));
    }
}

#[test]
fn strangers_that_hang_leave_a_slot_of_their_type_to_everyone_else() {
    for count in 4..20 {
        let mut slots = Slots::new(limits(count));
        let _hung: Vec<HeldSlot> = (0..2 * count)
            .filter_map(|_| match slots.request(read(Priority::Stranger, Class::Item, 1), Duration::ZERO) {
                Admission::Granted(slot) => Some(slot),
                _ => None,
            })
            .collect();
        let _same_type = granted(&mut slots, read(Priority::Own, Class::Item, 2));
    }
}

#[test]
fn strangers_are_served_after_everyone_else_and_refused_first() {
    let mut slots = Slots::new(SlotLimits::new(8, 4));
    let held: Vec<HeldSlot> = (0..6)
        .map(|at| if at % 2 == 0 { Class::Item } else { Class::Lists })
        .map(|class| granted(&mut slots, read(Priority::Interactive, class, 1)))
        .collect();
    let strangers = [1, 2].map(|app| waits(&mut slots, read(Priority::Stranger, Class::Recent, app)));
    let own = [1, 2].map(|app| waits(&mut slots, read(Priority::Own, Class::Search, app)));
    let admission = slots.request(read(Priority::Own, Class::Search, 3), Duration::ZERO);
    let Admission::Waits { waiter_id, displaced: Some(displaced) } = admission else { panic!("{admission:?}") };
    assert_eq!(displaced, strangers[1]);
    assert_eq!(served(&mut slots, held, 4), [own[0], own[1], waiter_id, strangers[0]]);
}

#[test]
fn the_slot_of_a_stranger_goes_to_everyone_else_first() {
    let mut slots = Slots::new(limits(8));
    let mut items: Vec<HeldSlot> =
        (0..3).map(|_| granted(&mut slots, read(Priority::Stranger, Class::Item, 1))).collect();
    let _item = granted(&mut slots, read(Priority::Interactive, Class::Item, 2));
    let _lists = [1, 2].map(|app| granted(&mut slots, read(Priority::Stranger, Class::Lists, app)));
    let stranger = waits(&mut slots, read(Priority::Stranger, Class::Lists, 1));
    let item = waits(&mut slots, read(Priority::Interactive, Class::Item, 2));
    let (first, _held) = slots.release(items.remove(0), Duration::ZERO).expect("there is room for an item");
    assert_eq!(first, item);
    assert!(slots.grant_next(Duration::ZERO).is_none());
    let (second, _held) = slots.release(items.remove(0), Duration::ZERO).expect("there is room for a stranger");
    assert_eq!(second, stranger);
}

#[test]
fn one_slot_of_a_stranger_may_make_room_for_two() {
    let mut slots = Slots::new(limits(3));
    let held = granted(&mut slots, read(Priority::Stranger, Class::Item, 1));
    let stranger = waits(&mut slots, read(Priority::Stranger, Class::Lists, 1));
    let item = waits(&mut slots, read(Priority::Interactive, Class::Item, 2));
    let first = slots.release(held, Duration::ZERO).expect("there is room for an item");
    let second = slots.grant_next(Duration::ZERO).expect("there is room for a stranger");
    assert_eq!((first.0, second.0), (item, stranger));
    assert!(slots.grant_next(Duration::ZERO).is_none());
}
