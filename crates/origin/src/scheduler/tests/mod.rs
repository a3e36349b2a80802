//! The queue against a naive model, by its guarantees, and with cancellation at every moment.

mod cancellation;
mod naive;
mod promises;
mod sparing;

use greenroom_dialect::class::Class;
use std::time::Duration;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, HeldSlot, SlotKind, SlotLimits, SlotRequest, Slots, WaiterId};

fn read(priority: Priority, class: Class, app: usize) -> SlotRequest {
    SlotRequest { priority, kind: SlotKind::Read(class), app }
}

fn write(app: usize) -> SlotRequest {
    SlotRequest { priority: Priority::Write, kind: SlotKind::Write, app }
}

fn granted(slots: &mut Slots, request: SlotRequest) -> HeldSlot {
    match slots.request(request, Duration::ZERO) {
        Admission::Granted(slot) => slot,
        other => panic!("no place for {request:?}: {other:?}"),
    }
}

fn waits(slots: &mut Slots, request: SlotRequest) -> WaiterId {
    match slots.request(request, Duration::ZERO) {
        Admission::Waits { waiter_id, displaced: None } => waiter_id,
        other => panic!("{request:?} does not wait: {other:?}"),
    }
}

fn limits(slots: usize) -> SlotLimits {
    SlotLimits::new(slots, 1000)
}
