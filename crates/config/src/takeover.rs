//! How a process that takes over from another is given its place.

use std::time::Duration;

use super::tree::Tree;

/// What the process that leaves does before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// Connections that are idle for longer are closed; busy ones are told to come back with their next response.
    pub idle: Duration,
    /// How long requests under way may take.
    pub drain: Duration,
}

impl Takeover {
    pub(super) fn read(tree: &mut Tree) -> Self {
        Self {
            idle: Duration::from_millis(tree.number("takeover.idle_ms", 0, 60_000, 1_000)),
            drain: Duration::from_secs(tree.number("takeover.drain_s", 1, 3_600, 10)),
        }
    }
}

impl Default for Takeover {
    fn default() -> Self {
        Self::read(&mut Tree::default())
    }
}
