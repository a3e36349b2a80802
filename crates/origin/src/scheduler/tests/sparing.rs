//! A spare slot is one that no other request needs.

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, HeldSlot, SlotLimits, SlotRequest, Slots};

fn claim(rank: Priority, class: Class) -> SlotRequest {
    SlotRequest { rank, class: Some(class), app: 1 }
}

fn spared(places: &mut Slots, class: Class) -> Option<HeldSlot> {
    places.try_request_spare(claim(Priority::Own, class))
}

#[test]
fn after_it_there_is_another_for_whoever_comes_next_of_the_same_class_too() {
    let mut places = Slots::new(SlotLimits::new(8, 100));
    let mut held: Vec<HeldSlot> = std::iter::from_fn(|| spared(&mut places, Class::Item)).collect();
    assert_eq!(held.len(), 3, "a class may hold four");
    held.extend(std::iter::from_fn(|| spared(&mut places, Class::Lists)));
    assert_eq!(held.len(), 5, "reads may hold six");
    let entrance = places.request(claim(Priority::Interactive, Class::Item), 1);
    assert!(matches!(entrance, Admission::Granted(_)), "{entrance:?}");
}

#[test]
fn none_is_spared_while_anybody_waits() {
    let mut places = Slots::new(SlotLimits::new(8, 100));
    for _ in 0..4 {
        assert!(matches!(places.request(claim(Priority::Widget, Class::Sessions), 1), Admission::Granted(_)));
    }
    assert!(spared(&mut places, Class::Item).is_some());
    let waits = places.request(claim(Priority::Widget, Class::Sessions), 1);
    assert!(matches!(waits, Admission::Waits { .. }), "{waits:?}");
    assert!(spared(&mut places, Class::Item).is_none());
}

#[test]
fn where_there_is_only_one_none_is_spared() {
    assert!(spared(&mut Slots::new(SlotLimits::new(2, 100)), Class::Item).is_none());
}
