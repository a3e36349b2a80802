//! What whoever asks for a run, or for its end, is told.

use super::report::{Last, Outcome};

/// What became of asking for a run or for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It begins, or it ends.
    Heard,
    /// It runs or waits already; or nothing is there to be ended.
    Already,
    /// There is no such job.
    Unknown,
}

impl Asked {
    /// What became of it, or what others say who may know such a job.
    #[must_use]
    pub fn or_else(self, others: impl FnOnce() -> Self) -> Self {
        if self == Self::Unknown { others() } else { self }
    }
}

/// What became of asking for a run and waiting for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// It came to its end, and this is how.
    Ended(Last),
    /// It goes on, or waits for a place.
    GoesOn,
    /// It ran or waited already.
    Already,
    /// There is no such job.
    Unknown,
}

impl Awaited {
    /// Whether it came to a good end.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Ended(last) if matches!(last.outcome, Outcome::Done | Outcome::CaughtUp))
    }
}
