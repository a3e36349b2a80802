//! Jobs for dashboards: their statistics and the playback history.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dashboard::Dashboard;
use greenroom_sync::history::{PlaybackHistory, SyncObserver};

use super::{JobDefinition, Jobs};

const DASHBOARD: JobDefinition = JobDefinition {
    id: "dashboard",
    title: "Dashboard statistics",
    description: "Computes the dashboard statistics in advance, while dashboards request them.",
    // A setting.
    every: None,
    catches_up: true,
};

const HISTORY: JobDefinition = JobDefinition {
    id: "history",
    title: "Playback history",
    description: "Syncs new playbacks from the servers; once a day a full comparison finds deleted ones.",
    every: Some(Duration::from_secs(900)),
    catches_up: true,
};

/// Adds both jobs.
pub fn add(jobs: &Jobs, dashboard: &Arc<Dashboard>, history: &Arc<PlaybackHistory>) {
    let dashboard = Arc::clone(dashboard);
    jobs.add(JobDefinition { every: Some(dashboard.interval()), ..DASHBOARD }, move |_| {
        let dashboard = Arc::clone(&dashboard);
        async move { dashboard.recompute().await }
    });
    let history = Arc::clone(history);
    jobs.add(HISTORY, move |context| {
        let history = Arc::clone(&history);
        async move {
            let (is_cancelled, progress) =
                (|| context.is_cancelled(), |done, total| context.report_progress(done, total));
            history.sync(SyncObserver { is_cancelled: &is_cancelled, progress: &progress }).await
        }
    });
}
