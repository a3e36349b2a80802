//! A spare slot is one that no other request needs.

use greenroom_dialect::class::Class;
use std::time::Duration;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, HeldSlot, SlotKind, SlotLimits, SlotRequest, Slots};

fn request(priority: Priority, class: Class) -> SlotRequest {
    SlotRequest { priority, kind: SlotKind::Read(class), app: 1 }
}

fn spared(slots: &mut Slots, class: Class) -> Option<HeldSlot> {
    slots.try_request_spare(request(Priority::Own, class))
}

#[test]
fn a_spare_slot_leaves_one_for_the_next_request_of_the_same_class() {
    let mut slots = Slots::new(SlotLimits::new(8, 100));
    let mut held: Vec<HeldSlot> = std::iter::from_fn(|| spared(&mut slots, Class::Item)).collect();
    assert_eq!(held.len(), 3, "a class may hold four");
    held.extend(std::iter::from_fn(|| spared(&mut slots, Class::Lists)));
    assert_eq!(held.len(), 5, "reads may hold six");
    let admission = slots.request(request(Priority::Interactive, Class::Item), Duration::from_millis(1));
    assert!(matches!(admission, Admission::Granted(_)), "{admission:?}");
}

#[test]
fn no_slot_is_spare_while_requests_wait() {
    let mut slots = Slots::new(SlotLimits::new(8, 100));
    for _ in 0..4 {
        assert!(matches!(
            slots.request(request(Priority::Widget, Class::Sessions), Duration::from_millis(1)),
            Admission::Granted(_)
        ));
    }
    assert!(spared(&mut slots, Class::Item).is_some());
    let waits = slots.request(request(Priority::Widget, Class::Sessions), Duration::from_millis(1));
    assert!(matches!(waits, Admission::Waits { .. }), "{waits:?}");
    assert!(spared(&mut slots, Class::Item).is_none());
}

#[test]
fn a_single_slot_is_never_spare() {
    assert!(spared(&mut Slots::new(SlotLimits::new(2, 100)), Class::Item).is_none());
}
