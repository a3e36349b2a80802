//! The prefetch of a server as it is shown: how much was loaded ahead, and why the rest was not.

use serde::Serialize;
use utoipa::ToSchema;

use greenroom_proxy::server::Server;

/// The prefetch of one server. Which of it was useful is counted per class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct PrefetchFigures {
    /// Whether there is any.
    pub(super) enabled: bool,
    /// Loads that were started.
    pub(super) started: u64,
    /// Loads that failed.
    pub(super) failed: u64,
    /// Answers that were not looked at because too many left at once.
    pub(super) unheard: u64,
    /// Likely requests that were not loaded, by reason.
    pub(super) skipped: Vec<Skipped>,
}

/// Likely requests that were not loaded for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PrefetchSkipped)]
pub(super) struct Skipped {
    pub(super) reason: &'static str,
    pub(super) count: u64,
}

impl PrefetchFigures {
    /// Reads what was counted since start.
    pub(super) fn read(server: &Server) -> Self {
        let counted = server.prefetch.tally.counted();
        Self {
            enabled: server.origin.settings.prefetch.enabled,
            started: counted.started,
            failed: counted.failed,
            unheard: counted.unheard,
            skipped: counted.skipped.into_iter().map(|(reason, count)| Skipped { reason, count }).collect(),
        }
    }

    /// The same without what was counted until `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let skipped = self.skipped.iter().zip(&before.skipped).map(|(now, before)| Skipped {
            reason: now.reason,
            count: now.count.saturating_sub(before.count),
        });
        Self {
            enabled: self.enabled,
            started: self.started.saturating_sub(before.started),
            failed: self.failed.saturating_sub(before.failed),
            unheard: self.unheard.saturating_sub(before.unheard),
            skipped: skipped.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_clearing_it_counts_from_nothing() {
        let of = |count| PrefetchFigures {
            enabled: true,
            started: count,
            failed: count,
            unheard: count,
            skipped: vec![Skipped { reason: "kept", count }],
        };
        assert_eq!(of(7).since(&of(5)), of(2));
    }
}
