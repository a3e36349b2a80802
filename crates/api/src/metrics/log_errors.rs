//! Lines of the log that were dropped. The log belongs to the whole process, and so does its counter.

use std::sync::OnceLock;

use tracing_appender::non_blocking::ErrorCounter;

static COUNTER: OnceLock<ErrorCounter> = OnceLock::new();

/// Sets the counter of the process's log. Only the first call counts.
pub fn set_log_error_counter(counter: ErrorCounter) {
    let _ = COUNTER.set(counter); // The log was initialised before.
}

/// Number of lines dropped since start.
pub(super) fn dropped_lines() -> u64 {
    COUNTER.get().map_or(0, |counter| counter.dropped_lines() as u64)
}
