//! Compares the prediction of observe mode with the result of the cache: the same evening once in either mode.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tokio_util::task::TaskTracker;

use super::clock::DemoClock;
use super::gateway::{DemoGateway, GatewayStarter, PlaylistTool};
use super::servers::DemoServers;
use super::target::DemoTarget;
use super::workload::{ServerAddresses, Workload};
use super::{DemoPlan, ProgressFn};
use greenroom_config::CacheMode;
use greenroom_proxy::shadow::{ShadowCounts, ShadowReport};

/// Result of both evenings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObserveCheck {
    /// Requests of the apps in observe mode.
    pub asked: u64,
    /// Requests that reached the servers in observe mode: those, and events.
    pub reached_observing: u64,
    /// Predicted number of requests that reach the servers with the cache.
    pub foretold: u64,
    /// Actual number of these requests.
    pub reached: u64,
    /// Predicted percentage of saved requests.
    pub foretold_percent: f64,
    /// Actual percentage of saved requests.
    pub saved_percent: f64,
    /// Counts in observe mode.
    pub totals: ShadowCounts,
    /// Observe report of each server.
    pub reports: Vec<ShadowReport>,
}

impl ObserveCheck {
    fn new(reports: Vec<ShadowReport>, reached_observing: u64, reached: u64) -> Self {
        let mut totals = ShadowCounts::default();
        for report in &reports {
            totals += report.totals;
        }
        let events: u64 = reports.iter().map(|report| report.events).sum();
        let foretold = totals.reached + events;
        let percent = |reached: u64| (1.0 - reached as f64 / totals.asked.max(1) as f64) * 100.0;
        Self {
            asked: totals.asked,
            reached_observing,
            foretold,
            reached,
            foretold_percent: percent(foretold),
            saved_percent: percent(reached),
            totals,
            reports,
        }
    }

    /// Difference between prediction and result, in percentage points.
    pub fn difference_points(&self) -> f64 {
        (self.foretold_percent - self.saved_percent).abs()
    }

    /// The result as text for people.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for report in &self.reports {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}: {}", report.server, report.verdict);
        }
        let _ = writeln!(
            text,
            "\nforetold: {:.1} % of {} requests saved, {} reach the servers\nsaved:    {:.1} %, {} reached them: {:.1} \
             points apart\ndiffered: {} of {} answers without a rule that explains it; {} move by themselves, {} changed \
             within the allowed age",
            self.foretold_percent,
            self.asked,
            self.foretold,
            self.saved_percent,
            self.reached,
            self.difference_points(),
            self.totals.differed,
            self.totals.compared,
            self.totals.moved,
            self.totals.changed
        );
        text
    }
}

/// Plays the evening in observe mode, and against fresh servers with the cache, each with a gateway that `start`
/// starts.
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn check_observe(plan: &DemoPlan, start: &GatewayStarter, tell: ProgressFn) -> Result<ObserveCheck, String> {
    let evening = Workload::new(plan);
    tell("First Greenroom only observes:");
    let (reports, reached_observing) = play((plan, start), &evening, CacheMode::Observe, tell).await?;
    tell("Now it answers:");
    let (_, reached) = play((plan, start), &evening, CacheMode::Cache, tell).await?;
    Ok(ObserveCheck::new(reports, reached_observing, reached))
}

async fn play(
    (plan, start): (&DemoPlan, &GatewayStarter),
    evening: &Workload,
    mode: CacheMode,
    tell: ProgressFn,
) -> Result<(Vec<ShadowReport>, u64), String> {
    let tasks = TaskTracker::new();
    let servers = DemoServers::start(plan, &tasks).await?;
    let gateway = DemoGateway::start(start, &servers, plan, PlaylistTool::Apps).await?;
    gateway.set_mode(mode);
    let doors = ServerAddresses { playlist_endpoint: None, ..gateway.addresses()? };
    let way = DemoTarget::new(doors, servers);
    let run = way.play(evening, &DemoClock::start(plan.time_factor, Duration::ZERO), tell).await;
    let reports = gateway.stop().await;
    // The last holder of the servers: they end with this.
    drop(way);
    tasks.close();
    tasks.wait().await;
    Ok((reports, run.reached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_cache::Timestamp;
    use greenroom_proxy::shadow::stats::ShadowStatsRow;

    #[test]
    fn what_was_foretold_is_held_against_what_was_saved() {
        let counts = ShadowCounts { asked: 100, reached: 40, ..ShadowCounts::default() };
        let line = ShadowStatsRow { class: "lists", app: "a".into(), counts };
        let report = ShadowReport::new("plex", (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)), 5, &[line]);
        let foresight = ObserveCheck::new(vec![report], 105, 48);
        assert_eq!((foresight.asked, foresight.foretold), (100, 45));
        assert!((foresight.difference_points() - 3.0).abs() < 1e-9);
        assert!(foresight.render().contains("foretold: 55.0 % of 100 requests saved"), "{}", foresight.render());
    }
}
