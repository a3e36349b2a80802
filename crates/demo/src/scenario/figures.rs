//! The outcome of the demo: per app, for the outage, and in all, directly and through Greenroom.

use serde::Serialize;

/// The outcome. Its JSON form is the last line of `greenroom demo --once --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Every app, the one that gains least first.
    pub apps: Vec<AppFigures>,
    /// The playlist from elsewhere, if the evening was long enough for it.
    pub playlist: Option<Playlist>,
    /// The minute after Greenroom was started again, all apps together.
    pub restart: AppFigures,
    /// The minute in which the servers were down.
    pub outage: Outage,
    /// Requests that reached the servers.
    pub totals: Totals,
    /// How much faster than the wall's the demo's time ran.
    pub time_factor: f64,
}

/// One app in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppFigures {
    /// Its name.
    pub name: String,
    /// Pointed at the server.
    pub direct: Side,
    /// Pointed at Greenroom.
    pub through: Side,
}

/// One app in one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Side {
    /// Requests it made.
    pub requests: u64,
    /// Requests with its token that reached the server.
    pub upstream_requests: u64,
    /// Half of its requests took no longer, in milliseconds of the demo's time.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
    /// Requests that got no answer, or one that says it failed.
    pub failed: u64,
}

/// The playlist from elsewhere, in both runs: how it was kept the first time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Playlist {
    /// Tracks that were wanted.
    pub wanted: u64,
    /// By a tool that searches the server for every title.
    pub direct: Kept,
    /// Handed to Greenroom.
    pub through: Kept,
}

/// A playlist that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kept {
    /// Tracks that are in it.
    pub tracks: u64,
    /// How long it took, in seconds of the demo's time.
    pub took_s: f64,
}

/// The minute in which the servers were down, in both runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// Pointed at the servers.
    pub direct: Reads,
    /// Pointed at Greenroom.
    pub through: Reads,
}

/// Reads while the servers were down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// All of them.
    pub reads: u64,
    /// Those that failed.
    pub failed: u64,
}

/// Requests that reached the servers during the evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// With the apps pointed at them.
    pub direct: u64,
    /// With the apps pointed at Greenroom: everything, `own` included.
    pub through: u64,
    /// Of these, the ones that carried no app's token: events, what is everybody's, probes.
    pub own: u64,
}

impl Comparison {
    /// Puts both runs together. What gains least comes first.
    pub(super) fn new(
        mut apps: Vec<AppFigures>,
        playlist: Option<Playlist>,
        restart: AppFigures,
        outage: Outage,
        totals: Totals,
        time_factor: f64,
    ) -> Self {
        apps.sort_by(|one, other| one.saved().total_cmp(&other.saved()));
        Self { apps, playlist, restart, outage, totals, time_factor }
    }

    /// Percentage of requests that did not reach the servers any more in the whole evening.
    pub fn saved(&self) -> f64 {
        saved(self.totals.direct, self.totals.through)
    }
}

impl AppFigures {
    /// Percentage of this app's requests that did not reach its server any more; negative if there were more.
    pub fn saved(&self) -> f64 {
        saved(self.direct.upstream_requests, self.through.upstream_requests)
    }
}

/// A tenth of a millisecond is as fine as anybody needs it.
pub(super) fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

fn saved(direct: u64, through: u64) -> f64 {
    if direct == 0 { 0.0 } else { (1.0 - through as f64 / direct as f64) * 100.0 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn app(name: &str, direct: u64, through: u64) -> AppFigures {
        let side = |upstream_requests| Side {
            requests: direct,
            upstream_requests,
            p50_ms: 12.5,
            p95_ms: 40.0,
            failed: 0,
        };
        AppFigures { name: name.into(), direct: side(direct), through: side(through) }
    }

    pub(in super::super) fn comparison(apps: Vec<AppFigures>) -> Comparison {
        let outage = Outage { direct: Reads { reads: 9, failed: 9 }, through: Reads { reads: 9, failed: 0 } };
        Comparison::new(
            apps,
            Some(Playlist {
                wanted: 238,
                direct: Kept { tracks: 200, took_s: 900.5 },
                through: Kept { tracks: 201, took_s: 12.0 },
            }),
            app("right after a restart", 40, 3),
            outage,
            Totals { direct: 200, through: 50, own: 3 },
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
