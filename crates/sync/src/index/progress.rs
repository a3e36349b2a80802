//! How far a build is.

use serde::Serialize;
use utoipa::ToSchema;

/// What a library's keeper is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BuildPhase)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// A build waits until the server is there.
    Waiting,
    /// Pages are read.
    Crawling,
    /// What changed while pages were read is read again.
    CatchingUp,
    /// The indexes are built.
    Indexing,
    /// What was built is written to disk.
    Saving,
}

/// How far a build is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BuildProgress)]
pub struct Progress {
    /// What is done now.
    #[serde(skip)]
    pub phase: Phase,
    /// Items read so far.
    pub items: u64,
    /// Items there will be, as far as that is known.
    pub expected: u64,
    /// Requests this build made so far.
    pub requests: u64,
    /// Pages that failed and were asked for again.
    pub failures: u64,
    /// For so long it has been running, in milliseconds.
    pub elapsed_ms: u64,
    /// So long the pages will still take, in milliseconds; `None` while that cannot be said.
    pub left_ms: Option<u64>,
    /// Counts up with whatever becomes of the library.
    #[serde(skip)]
    pub(super) turns: u64,
}

impl Progress {
    /// Whether a build is under way.
    pub fn is_building(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// How much of the pages is read.
    pub fn percent(&self) -> Option<u64> {
        (self.expected > 0).then(|| (self.items.saturating_mul(100) / self.expected).min(100))
    }
}

/// How long the rest takes if it comes as fast as what came.
pub(super) fn left_ms(items: u64, expected: u64, elapsed_ms: u64) -> Option<u64> {
    let left = expected.saturating_sub(items);
    (items > 0 && expected > 0).then(|| {
        let left_ms = u128::from(elapsed_ms) * u128::from(left) / u128::from(items);
        u64::try_from(left_ms).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_came() {
        assert_eq!(left_ms(0, 100, 5_000), None, "nothing came yet");
        assert_eq!(left_ms(25, 100, 5_000), Some(15_000));
        assert_eq!(left_ms(100, 100, 5_000), Some(0));
        assert_eq!(left_ms(120, 100, 5_000), Some(0), "more came than was said");
        assert_eq!(left_ms(1, u64::MAX, u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn a_percentage_never_passes_a_hundred() {
        let at = |items, expected| Progress { items, expected, ..Progress::default() }.percent();
        assert_eq!((at(0, 0), at(1, 3), at(7, 5)), (None, Some(33), Some(100)));
    }
}
