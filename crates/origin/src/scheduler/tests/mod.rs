//! The queue against a naive model, by its guarantees, and with cancellation at every moment.

mod leaving;
mod naive;
mod promises;
mod sparing;

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, HeldSlot, SlotLimits, SlotRequest, Slots, WaiterId};

fn read(rank: Priority, class: Class, app: usize) -> SlotRequest {
    SlotRequest { rank, class: Some(class), app }
}

fn write(app: usize) -> SlotRequest {
    SlotRequest { rank: Priority::Write, class: None, app }
}

fn placed(places: &mut Slots, claim: SlotRequest) -> HeldSlot {
    match places.request(claim, 0) {
        Admission::Granted(held) => held,
        other => panic!("no place for {claim:?}: {other:?}"),
    }
}

fn waits(places: &mut Slots, claim: SlotRequest) -> WaiterId {
    match places.request(claim, 0) {
        Admission::Waits { ticket, instead_of: None } => ticket,
        other => panic!("{claim:?} does not wait: {other:?}"),
    }
}

fn limits(places: usize) -> SlotLimits {
    SlotLimits::new(places, 1000)
}
