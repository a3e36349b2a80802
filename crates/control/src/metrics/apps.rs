//! Metrics of each app.

use std::fmt;

use prometheus_client::metrics::MetricType;

use crate::apps::AppStats;
use crate::metrics::encoder::MetricsEncoder;

impl MetricsEncoder<'_> {
    /// Metrics of authenticated apps only: unauthenticated ones choose any name and would create unbounded series.
    pub(super) fn apps(&mut self, apps: &[AppStats]) -> fmt::Result {
        type Pick = fn(&AppStats) -> u64;
        let apps: Vec<&AppStats> = apps.iter().filter(|app| !app.is_stranger).collect();
        let counters: [(&str, &str, Pick); 4] = [
            ("app_requests", "Requests the app made", |app| app.asked),
            ("app_requests_reached", "Requests to the server the app caused", |app| app.reached),
            ("app_requests_saved", "Requests of the app answered without asking the server", |app| app.saved),
            ("app_requests_failed", "Requests of the app that ended in an error", |app| app.failed),
        ];
        for (name, help, pick) in counters {
            self.counters(name, help, apps.iter().map(|app| (named(app), pick(app))))?;
        }
        let mut family =
            self.begin("app_requests_waiting", "Requests of the app that wait for a place", MetricType::Gauge)?;
        for app in &apps {
            family.encode_family(&named(app))?.encode_gauge(&(app.waiting as u64))?;
        }
        let help = "How long requests of the app waited for a place, all together";
        self.seconds("app_waited_seconds", help, apps.iter().map(|app| (named(app), app.waited_ms)))
    }
}

fn named(app: &AppStats) -> [(&'static str, &str); 2] {
    [("server", app.server.as_str()), ("app", app.name.as_str())]
}
