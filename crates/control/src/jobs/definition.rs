//! What a job is, and what is known of one that runs in a rhythm of its own.

use std::time::Duration;

use super::report::Last;

/// What a job is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The word for it.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// How often it runs by itself; `None` if only when it is asked to.
    pub every: Option<Duration>,
    /// A run that fell due while the process was off or the machine slept is made up for at once. A job that never ran
    /// runs at the start.
    pub catches_up: bool,
}

/// What is known of a job that runs in a rhythm of its own.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When it runs next, in milliseconds.
    pub next_ms: Option<u64>,
    /// How it ran last.
    pub last: Option<Last>,
}
