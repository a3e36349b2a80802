//! App traffic from the statistics.

use std::sync::Arc;

use super::stats::{TopApp, TrafficTotals};
use greenroom_statistics::Statistics;
use greenroom_statistics::report::{StatisticsGrouping, Sums, TimeSpan};

/// Days covered.
const DAYS: u64 = 30;
/// Max apps listed.
const MAX_APPS: usize = 10;

/// Traffic of all servers in thirty days, and the apps that were saved the most requests.
///
/// # Errors
/// If the stored statistics cannot be read.
pub async fn load(statistics: &Arc<Statistics>) -> Result<(TrafficTotals, Vec<TopApp>), String> {
    let month = statistics.rows(StatisticsGrouping::App, None, TimeSpan::Month).await?;
    let day = statistics.rows(StatisticsGrouping::Server, None, TimeSpan::Day).await?;
    let sum = |field: fn(&Sums) -> u64| month.rows.iter().map(|row| field(&row.sums)).sum();
    let traffic = TrafficTotals {
        days: DAYS,
        asked: sum(|sums| sums.asked),
        reached: sum(|sums| sums.reached) + month.own.reached,
        own: month.own.reached,
        saved: sum(|sums| sums.saved),
        bytes: sum(|sums| sums.bytes),
        last_day_bytes: day.rows.iter().map(|row| row.sums.bytes).sum(),
    };
    let app = |row: &greenroom_statistics::report::StatisticsRow| TopApp {
        server: row.server.clone(),
        app: row.name.clone(),
        asked: row.sums.asked,
        saved: row.sums.saved,
    };
    let mut apps: Vec<TopApp> = month.rows.iter().map(app).collect();
    apps.sort_by(|left, right| (right.saved, &left.app).cmp(&(left.saved, &right.app)));
    apps.truncate(MAX_APPS);
    Ok((traffic, apps))
}

/// A share from 0 to 1; `None` if the whole is zero.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}
