//! Definition of a job, and the status of one with its own schedule.

use std::time::Duration;

/// Definition of a job.
#[derive(Debug, Clone, Copy)]
pub struct JobDefinition {
    /// Identifier.
    pub id: &'static str,
    /// Display name.
    pub title: &'static str,
    /// One sentence on what it does.
    pub description: &'static str,
    /// Interval; `None` if it runs on request only.
    pub every: Option<Duration>,
    /// True if a run missed while the process was off or the machine suspended runs at once. A job that never ran then
    /// runs at start.
    pub catches_up: bool,
}
