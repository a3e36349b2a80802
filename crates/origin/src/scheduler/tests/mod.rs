//! The queue against a naive model, by its promises, and with people who leave at every moment.

mod leaving;
mod naive;
mod promises;
mod sparing;

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Rank;
use crate::scheduler::slots::{Claim, Entrance, Held, Limits, Places, Ticket};

fn read(rank: Rank, class: Class, app: usize) -> Claim {
    Claim { rank, class: Some(class), app }
}

fn write(app: usize) -> Claim {
    Claim { rank: Rank::Write, class: None, app }
}

fn placed(places: &mut Places, claim: Claim) -> Held {
    match places.enter(claim, 0) {
        Entrance::Placed(held) => held,
        other => panic!("no place for {claim:?}: {other:?}"),
    }
}

fn waits(places: &mut Places, claim: Claim) -> Ticket {
    match places.enter(claim, 0) {
        Entrance::Waits { ticket, instead_of: None } => ticket,
        other => panic!("{claim:?} does not wait: {other:?}"),
    }
}

fn limits(places: usize) -> Limits {
    Limits::new(places, 1000)
}
