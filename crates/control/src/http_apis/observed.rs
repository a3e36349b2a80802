//! Results of observe mode of an HTTP API, in the form of those of media servers.

use greenroom_cache::Timestamp;
use greenroom_http_api::ApiServer;
use greenroom_http_api::observation::{ObservedCounts, ObservedRow};
use greenroom_proxy::shadow::ShadowReport;
use greenroom_proxy::shadow::stats::{ShadowCounts, ShadowStatsRow};

/// The report of the current observation, or of the last one.
pub(super) fn report(server: &ApiServer, now_ms: Timestamp) -> Option<ShadowReport> {
    let observation = server.observation()?;
    let rows: Vec<ShadowStatsRow> = observation.rows().into_iter().map(row).collect();
    let span = (observation.since_ms, observation.until_ms().unwrap_or(now_ms));
    Some(ShadowReport::new(server.name(), span, 0, &rows))
}

fn row(row: ObservedRow) -> ShadowStatsRow {
    ShadowStatsRow { class: row.route.text(), app: row.app, counts: counts(row.counts) }
}

fn counts(observed: ObservedCounts) -> ShadowCounts {
    ShadowCounts {
        asked: observed.asked,
        // A stale response would have been refreshed by one request for which no app waits.
        reached: observed.missed + observed.uncacheable + observed.failed + observed.stale,
        own: observed.stale,
        hits: observed.hits,
        stale: observed.stale,
        missed: observed.missed,
        uncacheable: observed.uncacheable,
        failed: observed.failed,
        compared: observed.compared,
        differed: observed.differed,
        ..ShadowCounts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_alone_would_not_have_reached_the_server() {
        let observed = ObservedCounts {
            asked: 6,
            hits: 2,
            stale: 1,
            missed: 1,
            uncacheable: 1,
            failed: 1,
            compared: 3,
            differed: 1,
        };
        let counted = counts(observed);
        assert_eq!((counted.asked, counted.reached, counted.own, counted.hits), (6, 4, 1, 2));
        assert_eq!((counted.compared, counted.differed), (3, 1));
    }
}
