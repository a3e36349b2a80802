//! Result of the demo: per app, for the outage, and in total, directly and through Greenroom.

use serde::Serialize;

/// Result of the demo. Its JSON form is the last line of `greenroom demo --once --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DemoComparison {
    /// All apps, the one that gains least first.
    pub apps: Vec<AppComparison>,
    /// The playlist sync, if the evening was long enough for it.
    pub playlist: Option<PlaylistComparison>,
    /// The minute after Greenroom's restart, all apps together.
    pub restart: AppComparison,
    /// The minute in which the servers were down.
    pub outage: OutageComparison,
    /// Requests that reached the servers.
    pub totals: RequestTotals,
    /// Ratio of the demo's time to real time.
    pub time_factor: f64,
}

/// One app in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppComparison {
    /// Its name.
    pub name: String,
    /// With the app pointed at the server.
    pub direct: RunStats,
    /// With the app pointed at Greenroom.
    pub through: RunStats,
}

/// One app in one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RunStats {
    /// Requests it made.
    pub requests: u64,
    /// Requests with its token that reached the server.
    pub upstream_requests: u64,
    /// Median latency, in milliseconds of the demo's time.
    pub p50_ms: f64,
    /// 95th percentile of the latency, in milliseconds of the demo's time.
    pub p95_ms: f64,
    /// Requests without a response, or with an error status.
    pub failed: u64,
}

/// The first playlist sync of both runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlaylistComparison {
    /// Requested tracks.
    pub wanted: u64,
    /// By a tool that searches the server for every title.
    pub direct: PlaylistResult,
    /// By Greenroom.
    pub through: PlaylistResult,
}

/// Result of a playlist sync.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlaylistResult {
    /// Tracks in the playlist.
    pub tracks: u64,
    /// Duration, in seconds of the demo's time.
    pub took_s: f64,
}

/// The minute in which the servers were down, in both runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutageComparison {
    /// With the apps pointed at the servers.
    pub direct: ReadCounts,
    /// With the apps pointed at Greenroom.
    pub through: ReadCounts,
}

/// Reads while the servers were down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReadCounts {
    /// All reads.
    pub reads: u64,
    /// Failed reads.
    pub failed: u64,
}

/// Requests that reached the servers during the evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RequestTotals {
    /// With the apps pointed at the servers.
    pub direct: u64,
    /// With the apps pointed at Greenroom: everything, `own` included.
    pub through: u64,
    /// Those without an app's token: events, public responses, probes.
    pub own: u64,
}

impl DemoComparison {
    /// Combines both runs, the app that gains least first.
    pub(super) fn new(
        mut apps: Vec<AppComparison>,
        playlist: Option<PlaylistComparison>,
        restart: AppComparison,
        outage: OutageComparison,
        totals: RequestTotals,
        time_factor: f64,
    ) -> Self {
        apps.sort_by(|one, other| one.saved().total_cmp(&other.saved()));
        Self { apps, playlist, restart, outage, totals, time_factor }
    }

    /// Percentage of requests that no longer reached the servers in the whole evening.
    pub fn saved(&self) -> f64 {
        saved(self.totals.direct, self.totals.through)
    }
}

impl AppComparison {
    /// Percentage of this app's requests that no longer reached its server; negative if there were more.
    pub fn saved(&self) -> f64 {
        saved(self.direct.upstream_requests, self.through.upstream_requests)
    }
}

/// Rounds to tenths, because a finer resolution is of no use.
pub(super) fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

fn saved(direct: u64, through: u64) -> f64 {
    if direct == 0 { 0.0 } else { (1.0 - through as f64 / direct as f64) * 100.0 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn app(name: &str, direct: u64, through: u64) -> AppComparison {
        let side =
            |upstream_requests| RunStats { requests: direct, upstream_requests, p50_ms: 12.5, p95_ms: 40.0, failed: 0 };
        AppComparison { name: name.into(), direct: side(direct), through: side(through) }
    }

    pub(in super::super) fn comparison(apps: Vec<AppComparison>) -> DemoComparison {
        let outage = OutageComparison {
            direct: ReadCounts { reads: 9, failed: 9 },
            through: ReadCounts { reads: 9, failed: 0 },
        };
        DemoComparison::new(
            apps,
            Some(PlaylistComparison {
                wanted: 238,
                direct: PlaylistResult { tracks: 200, took_s: 900.5 },
                through: PlaylistResult { tracks: 201, took_s: 12.0 },
            }),
            app("right after a restart", 40, 3),
            outage,
            RequestTotals { direct: 200, through: 50, own: 3 },
            30.0,
        )
    }

    #[test]
    fn the_app_that_gains_least_comes_first() {
        let comparison = comparison(vec![app("all", 50, 0), app("worse", 50, 60), app("half", 100, 50)]);
        let names: Vec<&str> = comparison.apps.iter().map(|app| app.name.as_str()).collect();
        assert_eq!(names, ["worse", "half", "all"]);
        assert!((comparison.saved() - 75.0).abs() < 1e-9);
    }

    #[test]
    fn an_app_that_asked_nothing_saved_nothing() {
        assert!(app("silent", 0, 0).saved().abs() < 1e-9);
    }

    #[test]
    fn the_json_form_has_exactly_the_promised_fields() {
        let json = serde_json::to_value(comparison(vec![app("a", 4, 1)])).expect("it is plain data");
        assert_eq!(
            json,
            serde_json::json!({
                "apps": [{
                    "name": "a",
                    "direct": {"requests": 4, "upstream_requests": 4, "p50_ms": 12.5, "p95_ms": 40.0, "failed": 0},
                    "through": {"requests": 4, "upstream_requests": 1, "p50_ms": 12.5, "p95_ms": 40.0, "failed": 0},
                }],
                "playlist": {
                    "wanted": 238,
                    "direct": {"tracks": 200, "took_s": 900.5},
                    "through": {"tracks": 201, "took_s": 12.0},
                },
                "restart": {
                    "name": "right after a restart",
                    "direct": {"requests": 40, "upstream_requests": 40, "p50_ms": 12.5, "p95_ms": 40.0, "failed": 0},
                    "through": {"requests": 40, "upstream_requests": 3, "p50_ms": 12.5, "p95_ms": 40.0, "failed": 0},
                },
                "outage": {"direct": {"reads": 9, "failed": 9}, "through": {"reads": 9, "failed": 0}},
                "totals": {"direct": 200, "through": 50, "own": 3},
                "time_factor": 30.0,
            })
        );
    }
}
