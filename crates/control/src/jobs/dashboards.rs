//! What dashboards show, as jobs: their figures, and the mirror of what was played.

use std::sync::Arc;
use std::time::Duration;

use crate::dashboard::{self, Dashboard};
use crate::history::{History, Watch};

use super::{Jobs, Plan};

const FIGURES: Plan = Plan {
    id: "dashboard",
    title: "Dashboard figures",
    what: "Computes what dashboards show, so that it is ready when they ask.",
    every: Some(dashboard::EVERY),
    catches_up: true,
};

const HISTORY: Plan = Plan {
    id: "history",
    title: "Watch history",
    what: "Mirrors what was played since the last time; once a day it looks for what the servers forgot.",
    every: Some(Duration::from_secs(900)),
    catches_up: true,
};

/// Adds both.
pub fn add(jobs: &Jobs, dashboard: &Arc<Dashboard>, history: &Arc<History>) {
    let dashboard = Arc::clone(dashboard);
    jobs.add(FIGURES, move |_| {
        let dashboard = Arc::clone(&dashboard);
        async move { dashboard.recompute().await }
    });
    let history = Arc::clone(history);
    jobs.add(HISTORY, move |turn| {
        let history = Arc::clone(&history);
        async move {
            let (is_cancelled, progress) = (|| turn.is_cancelled(), |done, total| turn.progress(done, total));
            history.sync(Watch { is_cancelled: &is_cancelled, progress: &progress }).await
        }
    });
}
