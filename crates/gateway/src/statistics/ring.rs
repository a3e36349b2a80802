//! The last decisions, for whoever watches. Bounded: the oldest goes for each that comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::Decision;

/// Decisions kept of each server, and shown of all together.
pub const MAX_DECISIONS: usize = 500;

/// Decisions of all servers are numbered in one row, so that whoever watches knows what is new.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// A decision with its number.
#[derive(Debug, Clone)]
pub struct Told {
    /// Greater than that of every earlier one of this process.
    pub number: u64,
    /// What was decided.
    pub decision: Decision,
}

/// The last decisions of one server.
#[derive(Debug, Default)]
pub(super) struct Ring(VecDeque<Told>);

impl Ring {
    pub(super) fn push(&mut self, decision: Decision) {
        if self.0.len() >= MAX_DECISIONS {
            self.0.pop_front();
        }
        let number = NUMBERED.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.push_back(Told { number, decision });
    }

    /// Those with a greater number, the newest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Told> {
        self.0.iter().rev().take_while(move |told| told.number > number)
    }
}
