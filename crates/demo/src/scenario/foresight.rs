//! What observing foretells, held against what the cache then does: the same evening once in either mode.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tokio_util::task::TaskTracker;

use super::evening::{Doors, Evening};
use super::gateway::{Gateway, Lists, StartGateway};
use super::pace::Pace;
use super::servers::Servers;
use super::way::Way;
use super::{Plan, Tell};
use greenroom_config::Mode;
use greenroom_proxy::shadow::{Counts, Report};

/// The outcome of both evenings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foresight {
    /// Requests the apps made while observing.
    pub asked: u64,
    /// Requests that reached the servers while observing: those, and events.
    pub reached_observing: u64,
    /// Requests that were foretold to reach the servers with the cache.
    pub foretold: u64,
    /// Requests that did.
    pub reached: u64,
    /// Percentage of requests that was foretold to be saved.
    pub foretold_percent: f64,
    /// Percentage that was saved.
    pub saved_percent: f64,
    /// What was counted while observing.
    pub totals: Counts,
    /// What was told of each server.
    pub reports: Vec<Report>,
}

impl Foresight {
    fn new(reports: Vec<Report>, reached_observing: u64, reached: u64) -> Self {
        let mut totals = Counts::default();
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

    /// How many points lie between what was foretold and what was saved.
    pub fn apart(&self) -> f64 {
        (self.foretold_percent - self.saved_percent).abs()
    }

    /// The outcome as a person reads it.
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
            self.apart(),
            self.totals.differed,
            self.totals.compared,
            self.totals.moved,
            self.totals.changed
        );
        text
    }
}

/// Plays the evening observing, and against servers started afresh with the cache, each with a gateway that `start`
/// starts.
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn foresee(plan: &Plan, start: &StartGateway, tell: Tell) -> Result<Foresight, String> {
    let evening = Evening::new(plan);
    tell("First Greenroom only observes:");
    let (reports, reached_observing) = play((plan, start), &evening, Mode::Observe, tell).await?;
    tell("Now it answers:");
    let (_, reached) = play((plan, start), &evening, Mode::Cache, tell).await?;
    Ok(Foresight::new(reports, reached_observing, reached))
}

async fn play(
    (plan, start): (&Plan, &StartGateway),
    evening: &Evening,
    mode: Mode,
    tell: Tell,
) -> Result<(Vec<Report>, u64), String> {
    let tasks = TaskTracker::new();
    let servers = Servers::start(plan, &tasks).await?;
    let gateway = Gateway::start(start, &servers, plan, Lists::LeftToApps).await?;
    gateway.turn_to(mode);
    let doors = Doors { list_keeper: None, ..gateway.doors()? };
    let way = Way::to(doors, servers);
    let run = way.play(evening, &Pace::begin(plan.time_factor, Duration::ZERO), tell).await;
    let reports = gateway.stop().await;
    // Nobody else holds the servers: they end with this.
    drop(way);
    tasks.close();
    tasks.wait().await;
    Ok((reports, run.reached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_proxy::shadow::tally::Line;

    #[test]
    fn what_was_foretold_is_held_against_what_was_saved() {
        let counts = Counts { asked: 100, reached: 40, ..Counts::default() };
        let line = Line { class: "lists", app: "a".into(), counts };
        let report = Report::new("plex", (0, 1), 5, &[line]);
        let foresight = Foresight::new(vec![report], 105, 48);
        assert_eq!((foresight.asked, foresight.foretold), (100, 45));
        assert!((foresight.apart() - 3.0).abs() < 1e-9);
        assert!(
            foresight.render().contains("foretold: 55.0 % of 100 requests saved"),
            "{}",
            foresight.render()
        );
    }
}
