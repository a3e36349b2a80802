//! Settings of a take-over.

use std::time::Duration;

use super::source::ConfigSource;

/// What the old process does before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeoverSettings {
    /// Connections idle for longer are closed; busy ones are closed with their next response.
    pub idle: Duration,
    /// Max time for requests in progress.
    pub drain: Duration,
}

impl TakeoverSettings {
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
        Self {
            idle: Duration::from_millis(tree.number("takeover.idle_ms", 0, 60_000, 1_000)),
            drain: Duration::from_secs(tree.number("takeover.drain_s", 1, 3_600, 10)),
        }
    }
}

impl Default for TakeoverSettings {
    fn default() -> Self {
        Self::read(&mut ConfigSource::default())
    }
}
