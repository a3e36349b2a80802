//! What apps asked, as the statistics have it.

use std::sync::Arc;

use super::figures::{TopApp, Traffic};
use greenroom_proxy::statistics::Statistics;
use greenroom_proxy::statistics::report::{Grouping, Span, Sums};

/// So far back it is counted.
const DAYS: u64 = 30;
/// Apps that are listed.
const MAX_APPS: usize = 10;

/// What was asked of all servers in thirty days, and by whom most of it was spared.
///
/// # Errors
/// If what is kept cannot be read.
pub async fn of(statistics: &Arc<Statistics>) -> Result<(Traffic, Vec<TopApp>), String> {
    let month = statistics.rows(Grouping::App, None, Span::Month).await?;
    let day = statistics.rows(Grouping::Server, None, Span::Day).await?;
    let sum = |pick: fn(&Sums) -> u64| month.rows.iter().map(|row| pick(&row.sums)).sum();
    let traffic = Traffic {
        days: DAYS,
        asked: sum(|sums| sums.asked),
        reached: sum(|sums| sums.reached) + month.own.reached,
        own: month.own.reached,
        saved: sum(|sums| sums.saved),
        bytes: sum(|sums| sums.bytes),
        last_day_bytes: day.rows.iter().map(|row| row.sums.bytes).sum(),
    };
    let app = |row: &greenroom_proxy::statistics::report::Line| TopApp {
        server: row.server.clone(),
        app: row.name.clone(),
        asked: row.sums.asked,
        saved: row.sums.saved,
    };
    let mut apps: Vec<TopApp> = month.rows.iter().map(app).collect();
    apps.sort_by(|one, other| (other.saved, &one.app).cmp(&(one.saved, &other.app)));
    apps.truncate(MAX_APPS);
    Ok((traffic, apps))
}

/// A share, from 0 to 1; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}
