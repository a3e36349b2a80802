//! Progress of a build.

use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Phase of a library's worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BuildPhase)]
pub enum BuildPhase {
    /// Idle.
    #[default]
    Idle,
    /// A build waits for the server.
    Waiting,
    /// Fetching pages.
    Crawling,
    /// Reading what changed while pages were fetched.
    CatchingUp,
    /// Building the indexes.
    Indexing,
    /// Writing the snapshot to disk.
    Saving,
}

/// Progress of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BuildProgress)]
pub struct BuildProgress {
    /// Current phase.
    #[serde(skip)]
    pub phase: BuildPhase,
    /// Items read so far.
    pub items: u64,
    /// Items expected, as far as known.
    pub expected: u64,
    /// Requests of this build so far.
    pub requests: u64,
    /// Failed pages that were requested again.
    pub failures: u64,
    /// Time since its start, in milliseconds.
    pub elapsed_ms: u64,
    /// Estimated time for the remaining pages, in milliseconds; `None` while unknown.
    pub left_ms: Option<u64>,
    /// Increases with every change of the library.
    #[serde(skip)]
    pub(super) turns: u64,
}

impl BuildProgress {
    /// Whether a build is in progress.
    pub fn is_building(&self) -> bool {
        self.phase != BuildPhase::Idle
    }

    /// Percentage of items read.
    pub fn percent(&self) -> Option<u64> {
        (self.expected > 0).then(|| (self.items.saturating_mul(100) / self.expected).min(100))
    }
}

/// Remaining time at the rate so far.
pub(super) fn left_ms(items: u64, expected: u64, elapsed_ms: Duration) -> Option<Duration> {
    let left = expected.saturating_sub(items);
    (items > 0 && expected > 0)
        .then(|| {
            let left_ms = elapsed_ms.as_millis().saturating_mul(u128::from(left)) / u128::from(items);
            u64::try_from(left_ms).unwrap_or(u64::MAX)
        })
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_extrapolated_from_the_elapsed_time() {
        assert_eq!(left_ms(0, 100, Duration::from_millis(5_000)), None, "no item came yet");
        assert_eq!(left_ms(25, 100, Duration::from_millis(5_000)), Some(Duration::from_millis(15_000)));
        assert_eq!(left_ms(100, 100, Duration::from_millis(5_000)), Some(Duration::from_millis(0)));
        assert_eq!(
            left_ms(120, 100, Duration::from_millis(5_000)),
            Some(Duration::from_millis(0)),
            "more items came than expected"
        );
        assert_eq!(left_ms(1, u64::MAX, Duration::MAX), Some(Duration::from_millis(u64::MAX)));
    }

    #[test]
    fn a_percentage_never_exceeds_a_hundred() {
        let at = |items, expected| BuildProgress { items, expected, ..BuildProgress::default() }.percent();
        assert_eq!((at(0, 0), at(1, 3), at(7, 5)), (None, Some(33), Some(100)));
    }
}
