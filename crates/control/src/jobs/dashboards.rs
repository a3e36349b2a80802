//! Jobs for dashboards: their statistics and the playback history.

use std::sync::Arc;
use std::time::Duration;

use crate::dashboard::{self, Dashboard};
use crate::history::{PlaybackHistory, SyncObserver};

use super::{JobDefinition, Jobs};

const FIGURES: JobDefinition = JobDefinition {
    id: "dashboard",
    title: "Dashboard figures",
    description: "Computes what dashboards show, so that it is ready when they ask.",
    every: Some(dashboard::EVERY),
    catches_up: true,
};

const HISTORY: JobDefinition = JobDefinition {
    id: "history",
    title: "Watch history",
    description: "Mirrors what was played since the last time; once a day it looks for what the servers forgot.",
    every: Some(Duration::from_secs(900)),
    catches_up: true,
};

/// Adds both jobs.
pub fn add(jobs: &Jobs, dashboard: &Arc<Dashboard>, history: &Arc<PlaybackHistory>) {
    let dashboard = Arc::clone(dashboard);
    jobs.add(FIGURES, move |_| {
        let dashboard = Arc::clone(&dashboard);
        async move { dashboard.recompute().await }
    });
    let history = Arc::clone(history);
    jobs.add(HISTORY, move |turn| {
        let history = Arc::clone(&history);
        async move {
            let (is_cancelled, progress) = (|| turn.is_cancelled(), |done, total| turn.report_progress(done, total));
            history.sync(SyncObserver { is_cancelled: &is_cancelled, progress: &progress }).await
        }
    });
}
