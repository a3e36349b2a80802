//! Metrics of each app.

use std::fmt;

use crate::metrics::encoder::MetricsEncoder;
use greenroom_control::apps::AppStats;

impl MetricsEncoder<'_> {
    /// Metrics of authenticated apps only: unauthenticated ones choose any name and would create unbounded series.
    pub(super) fn apps(&mut self, apps: &[AppStats]) -> fmt::Result {
        type Getter = fn(&AppStats) -> u64;
        let apps: Vec<&AppStats> = apps.iter().filter(|app| !app.is_stranger).collect();
        let counters: [(&str, &str, Getter); 4] = [
            ("app_requests", "Requests of the app", |app| app.asked),
            ("app_requests_reached", "Requests to the server caused by the app", |app| app.reached),
            ("app_requests_saved", "Requests of the app answered without asking the server", |app| app.saved),
            ("app_requests_failed", "Requests of the app that ended in an error", |app| app.failed),
        ];
        for (name, help, get) in counters {
            self.counters(name, help, apps.iter().map(|app| (labels(app), get(app))))?;
        }
        let help = "Requests of the app waiting in the request queue";
        self.gauges("app_requests_waiting", help, apps.iter().map(|app| (labels(app), app.waiting as u64)))?;
        let help = "Total time requests of the app waited in the request queue";
        self.seconds("app_waited_seconds", help, apps.iter().map(|app| (labels(app), app.waited_ms)))
    }
}

fn labels(app: &AppStats) -> [(&'static str, &str); 2] {
    [("server", app.server.as_str()), ("app", app.name.as_str())]
}
