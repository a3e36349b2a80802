//! The guarantees of the rules, one by one.

use greenroom_dialect::class::Class;

use super::{limits, placed, read, waits, write};
use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, CancelReason, HeldSlot, SHARE, SlotLimits, Slots, WaiterId};

/// Reads of two request types hold all slots that reads may have.
fn busy_with_reads(count: usize) -> (Slots, Vec<HeldSlot>) {
    let mut places = Slots::new(limits(count));
    let held = (0..places.limits().reads)
        .map(|at| {
            let class = if at % 2 == 0 { Class::Item } else { Class::Lists };
            placed(&mut places, read(Priority::Interactive, class, 1))
        })
        .collect();
    (places, held)
}

/// Releases slots one by one; returns the order in which waiters get them.
fn served(places: &mut Slots, mut held: Vec<HeldSlot>, turns: usize) -> Vec<WaiterId> {
    let mut order = Vec::new();
    for _ in 0..turns {
        let (ticket, next) = places.release(held.remove(0), 0).expect("somebody waits");
        order.push(ticket);
        held.push(next);
    }
    order
}

#[test]
fn the_urgent_go_first_whenever_they_came() {
    let (mut places, held) = busy_with_reads(8);
    let ranks = [Priority::Own, Priority::Bulk, Priority::Widget, Priority::Interactive];
    let mut tickets = ranks.map(|rank| waits(&mut places, read(rank, Class::Search, 1)));
    tickets.reverse();
    assert_eq!(served(&mut places, held, 4), tickets);
}

#[test]
fn reads_that_hang_leave_a_quarter_to_writes() {
    for (count, for_writes) in [(2, 1), (3, 1), (4, 1), (7, 1), (8, 2), (16, 4)] {
        let (mut places, _held) = busy_with_reads(count);
        waits(&mut places, read(Priority::Interactive, Class::Search, 1));
        let writes: Vec<HeldSlot> = (0..for_writes).map(|_| placed(&mut places, write(1))).collect();
        assert_eq!(writes.len() + places.limits().reads, count);
        waits(&mut places, write(1));
    }
}

#[test]
fn writes_that_hang_leave_half_to_reads() {
    let mut places = Slots::new(limits(8));
    let _writes: Vec<HeldSlot> = (0..4).map(|_| placed(&mut places, write(1))).collect();
    waits(&mut places, write(1));
    let reads = [Class::Item, Class::Item, Class::Lists, Class::Lists];
    let _reads = reads.map(|class| placed(&mut places, read(Priority::Interactive, class, 2)));
}

#[test]
fn a_class_that_hangs_leaves_places_to_every_other() {
    for count in 3..20 {
        let mut places = Slots::new(limits(count));
        let most = count / 2;
        let _hung: Vec<HeldSlot> =
            (0..most).map(|_| placed(&mut places, read(Priority::Interactive, Class::Images, 1))).collect();
        waits(&mut places, read(Priority::Interactive, Class::Images, 1));
        for _ in 0..100 {
            let held = placed(&mut places, read(Priority::Bulk, Class::Item, 1));
            assert_eq!(places.release(held, 0), None, "a place of items is no place for images");
        }
    }
}

#[test]
fn who_cannot_have_a_place_does_not_hold_up_who_can() {
    let mut places = Slots::new(limits(8));
    let mut items: Vec<HeldSlot> =
        (0..4).map(|_| placed(&mut places, read(Priority::Interactive, Class::Item, 1))).collect();
    let lists: Vec<HeldSlot> =
        (0..2).map(|_| placed(&mut places, read(Priority::Interactive, Class::Lists, 1))).collect();
    let item = waits(&mut places, read(Priority::Interactive, Class::Item, 1));
    let own = waits(&mut places, read(Priority::Own, Class::Search, 1));
    assert_eq!(served(&mut places, lists, 1), [own], "of items there are as many as there may be");
    let next = places.release(items.remove(0), 0).map(|(ticket, _)| ticket);
    assert_eq!(next, Some(item));
}

#[test]
fn an_app_that_floods_takes_turns_with_an_app_that_does_not() {
    let (mut places, held) = busy_with_reads(8);
    for _ in 0..500 {
        waits(&mut places, read(Priority::Bulk, Class::Search, 1));
    }
    let quiet: Vec<WaiterId> = (0..5).map(|_| waits(&mut places, read(Priority::Bulk, Class::History, 2))).collect();
    let order = served(&mut places, held, 10);
    let of_quiet: Vec<WaiterId> = order.iter().copied().filter(|ticket| quiet.contains(ticket)).collect();
    assert_eq!(of_quiet, quiet, "every second turn is the other's: {order:?}");
}

#[test]
fn an_app_that_asks_one_by_one_does_not_overtake_one_that_asks_all_at_once() {
    let (mut places, mut held) = busy_with_reads(8);
    let mut crowd: Vec<WaiterId> =
        (0..50).map(|_| waits(&mut places, read(Priority::Interactive, Class::Search, 1))).collect();
    let mut of_crowd = 0;
    for _ in 0..40 {
        waits(&mut places, read(Priority::Interactive, Class::History, 2));
        let (ticket, next) = places.release(held.remove(0), 0).expect("somebody waits");
        held.push(next);
        of_crowd += usize::from(crowd.contains(&ticket));
        crowd.retain(|other| *other != ticket);
    }
    assert_eq!(of_crowd, 20);
}

#[test]
fn no_rank_starves_however_much_the_urgent_want() {
    let (mut places, mut held) = busy_with_reads(8);
    let own = waits(&mut places, read(Priority::Own, Class::Search, 1));
    let bulk = waits(&mut places, read(Priority::Bulk, Class::Search, 1));
    let widget = waits(&mut places, read(Priority::Widget, Class::Search, 1));
    let mut served = Vec::new();
    let ranks = u32::try_from(Priority::EVERY.len()).expect("there are few");
    for turn in 0..SHARE * ranks {
        let class = if turn % 2 == 0 { Class::History } else { Class::Recent };
        waits(&mut places, read(Priority::Interactive, class, 1));
        let (ticket, next) = places.release(held.remove(0), 0).expect("somebody waits");
        held.push(next);
        served.push(ticket);
    }
    for ticket in [own, bulk, widget] {
        assert!(served.contains(&ticket), "{ticket:?}");
    }
    let lower = served.iter().filter(|ticket| [own, bulk, widget].contains(ticket)).count();
    assert_eq!(lower, 3, "and the urgent have all other turns");
}

#[test]
fn if_too_many_wait_the_newest_of_the_least_urgent_goes() {
    let mut places = Slots::new(SlotLimits::new(2, 3));
    let _held = placed(&mut places, read(Priority::Interactive, Class::Item, 1));
    let first = waits(&mut places, read(Priority::Own, Class::Item, 1));
    let second = waits(&mut places, read(Priority::Own, Class::Item, 1));
    waits(&mut places, read(Priority::Bulk, Class::Item, 1));
    assert_eq!(places.request(read(Priority::Own, Class::Item, 1), 0), Admission::Refused, "it is the newest");
    for gone in [second, first] {
        let entrance = places.request(read(Priority::Interactive, Class::Item, 1), 0);
        assert!(
            matches!(entrance, Admission::Waits { instead_of: Some(ticket), .. } if ticket == gone),
            "{entrance:?}"
        );
    }
    assert_eq!(places.tallies()[Priority::Own as usize].refused, 3);
    assert_eq!(places.tallies()[Priority::Own as usize].waiting, 0);
}

#[test]
fn a_flood_that_fills_the_queue_does_not_shut_out_another_app() {
    let mut places = Slots::new(SlotLimits::new(2, 10));
    let _held = placed(&mut places, read(Priority::Bulk, Class::Item, 1));
    let flood: Vec<WaiterId> = (0..10).map(|_| waits(&mut places, read(Priority::Bulk, Class::Item, 1))).collect();
    let entrance = places.request(read(Priority::Bulk, Class::Item, 2), 0);
    assert!(
        matches!(entrance, Admission::Waits { instead_of: Some(ticket), .. } if ticket == flood[9]),
        "{entrance:?}"
    );
}

#[test]
fn waiting_is_counted_until_it_ends_in_whatever_way() {
    let mut places = Slots::new(limits(2));
    let held = placed(&mut places, read(Priority::Bulk, Class::Item, 1));
    let tickets: Vec<WaiterId> = (0..3).map(|_| waits(&mut places, read(Priority::Bulk, Class::Item, 1))).collect();
    places.cancel(tickets[2], CancelReason::TimedOut, 50);
    places.cancel(tickets[1], CancelReason::Dropped, 30);
    let (_, held) = places.release(held, 20).expect("one waits");
    let tally = places.tallies()[Priority::Bulk as usize];
    assert_eq!((tally.waited, tally.waited_ms, tally.timed_out), (3, 100, 1));
    assert_eq!((tally.waiting, tally.in_flight), (0, 1));
    places.cancel(tickets[0], CancelReason::TimedOut, 90);
    assert_eq!(places.tallies()[Priority::Bulk as usize], tally, "he has a place: he does not wait");
    assert_eq!(places.release(held, 90), None);
}
