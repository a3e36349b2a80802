//! Settings of a take-over.

use std::time::Duration;

use super::section::Section;
use super::source::ConfigSource;

/// Action of the old process before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeoverSettings {
    /// Connections idle for longer are closed; busy ones are closed with their next response.
    pub idle: Duration,
    /// Max time for requests in progress.
    pub drain: Duration,
}

impl TakeoverSettings {
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
        let mut own = Section::new(tree, "takeover");
        Self {
            idle: own.millis("idle_ms", 0..=60_000, Duration::from_secs(1)),
            drain: own.seconds("drain_s", 1..=3_600, Duration::from_secs(10)),
        }
    }
}

impl Default for TakeoverSettings {
    fn default() -> Self {
        Self::read(&mut ConfigSource::default())
    }
}
