//! Prefetch: after an answer has left, what its client is likely to ask next is loaded, if nothing speaks against it.
//!
//! Here is what a server knows of it: [`queue`] (what waits, boundedly), [`clients`] (what was learnt of whom), [`batch`]
//! (what is likely after one answer), [`policy`] (whether it may be loaded, and why not), [`budget`] and [`backoff`] (how
//! many, and when again), [`counters`] (what was counted). That an answer has left is noticed by
//! [`crate::read::prefetch_trigger`]; the loads are made by [`crate::prefetch_worker`].
//!
//! What is likely the dialects say: [`greenroom_dialect::sequel`]. Nothing here delays an answer or a client's load:
//! answers are looked at after their last byte, by a task of the server's own; a load starts only on a place in the
//! queue that nobody waits for, and leaves one free. It is the client's own load in every other respect: its token,
//! its partition, its proof. The credential is held for the round only.

pub mod backoff;
pub mod batch;
pub mod budget;
pub mod clients;
pub mod counters;
pub mod policy;
pub mod queue;

use std::sync::Arc;

use bytes::Bytes;
use greenroom_dialect::verdict::Read;
use parking_lot::Mutex;

use crate::request::meaning::Meaning;
use backoff::Pause;
use batch::Round;
use budget::Budget;
use clients::Guests;
use counters::Tally;
use queue::Line;

/// Answers that may wait to be looked at; beyond, the oldest is forgotten.
const MAX_HEARD: usize = 64;
/// Rounds that may wait; beyond, the oldest is dropped.
const MAX_ROUNDS: usize = 8;

/// The prefetch of one server.
#[derive(Debug)]
pub struct Prefetch {
    pub(crate) heard: Line<Heard>,
    pub(crate) rounds: Line<Round>,
    pub(crate) guests: Guests,
    pub(crate) budget: Mutex<Budget>,
    pub(crate) pause: Mutex<Pause>,
    /// What was counted.
    pub tally: Tally,
}

/// An answer that has left.
pub struct Heard {
    /// Who was answered, with which app.
    pub meaning: Arc<Meaning>,
    /// What was asked.
    pub read: Arc<Read>,
    /// The answer.
    pub body: Bytes,
    /// When it left.
    pub at_ms: u64,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heard({})", self.read.class.name())
    }
}

impl Prefetch {
    /// For a server with these settings.
    pub fn new(settings: &greenroom_config::Prefetch) -> Self {
        Self {
            heard: Line::new(MAX_HEARD),
            rounds: Line::new(MAX_ROUNDS),
            guests: Guests::default(),
            budget: Mutex::new(Budget::new(settings.budget_per_minute)),
            pause: Mutex::default(),
            tally: Tally::default(),
        }
    }

    /// Answers that wait to be looked at.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.heard.len()
    }

    /// An answer has left.
    pub fn hear(&self, heard: Heard) {
        if self.heard.push(heard).is_some() {
            self.tally.unheard();
        }
    }
}
