//! Prefetch statistics of a server: loads, and why other candidates were skipped.

use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::since;
use greenroom_http_api::ApiServer;
use greenroom_proxy::server::Server;

/// Prefetch of one server. Usefulness is counted per request type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ServerPrefetchStats {
    /// True if prefetch is enabled.
    pub enabled: bool,
    /// Loads that were started.
    pub started: u64,
    /// Loads that failed.
    pub failed: u64,
    /// Responses not examined because too many were sent at once.
    pub unheard: u64,
    /// Likely requests not loaded, by reason.
    pub skipped: Vec<PrefetchSkipCount>,
}

/// Likely requests not loaded for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PrefetchSkipped)]
pub struct PrefetchSkipCount {
    /// Reason for which they were not requested ahead.
    pub reason: &'static str,
    /// Number of requests.
    pub count: u64,
}

impl ServerPrefetchStats {
    /// Counters since start.
    pub fn from_server(server: &Server) -> Self {
        let counted = server.prefetch.counters.snapshot();
        let loads = (counted.started, counted.failed, counted.overflowed);
        Self::from_counts(server.origin.settings.prefetch.enabled, loads, counted.skipped)
    }

    /// The same of a server of any HTTP API. It prefetches if a route has a rule.
    pub fn from_api(server: &ApiServer) -> Self {
        let counted = server.prefetch_counters().snapshot();
        let loads = (counted.started, counted.failed, counted.overflowed);
        Self::from_counts(server.has_prefetch_rules(), loads, counted.skipped)
    }

    fn from_counts(
        enabled: bool,
        (started, failed, unheard): (u64, u64, u64),
        skipped: Vec<(&'static str, u64)>,
    ) -> Self {
        Self {
            enabled,
            started,
            failed,
            unheard,
            skipped: skipped.into_iter().map(|(reason, count)| PrefetchSkipCount { reason, count }).collect(),
        }
    }

    /// The difference from an earlier snapshot.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let skipped = self.skipped.iter().zip(&before.skipped).map(|(now, before)| PrefetchSkipCount {
            reason: now.reason,
            count: now.count.saturating_sub(before.count),
        });
        Self { skipped: skipped.collect(), ..since!(self, before; started failed unheard) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_clearing_it_counts_from_nothing() {
        let of = |count| ServerPrefetchStats {
            enabled: true,
            started: count,
            failed: count,
            unheard: count,
            skipped: vec![PrefetchSkipCount { reason: "kept", count }],
        };
        assert_eq!(of(7).since(&of(5)), of(2));
    }
}
