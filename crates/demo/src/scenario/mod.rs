//! The demo: shows what Greenroom saves, on this machine and without real media.
//!
//! It has two parts. The [`race`] is for people: the same busy apps ask two simulated servers directly and two others
//! through the gateway, both at once and in real time; a page shows both, with a switch that takes all servers down.
//!
//! The evening is for figures: it is played twice, with the apps pointed at the servers, and, against fresh servers with
//! the same seed, pointed at the gateway. After the evening the apps read on, the second time after a restart of the
//! gateway; then both servers go down for a minute. One evening follows the other, because two at once compete for this
//! machine's CPU, and the waiting time would be scaled up: an evening runs faster than real time by one factor, servers,
//! apps, and the gateway with its TTLs alike. Milliseconds are those of the faster time.
//!
//! Requests are counted where they arrive, at the servers, and include Greenroom's own.
//!
//! Modules:
//! - `apps`: the companion apps. `workload`: their schedule. `restart`: the minute after the gateway's restart.
//!   `outage`: the minute without servers.
//! - `servers`: the simulated servers. `gateway`: the process in front of some of them. `target`: which of the two the
//!   apps are pointed at.
//! - `app_client`: an app's HTTP client, `connection_pool`: its connections. `clock`: its time. `recorder`, `measure`:
//!   recorded requests and their latency.
//! - [`race`]: the race, its `phase` and its `race_verdict`. `live_view`: current state of both targets, each with its
//!   `live_stats` (with `latencies` and `recent_requests`), and the `outage_switch` of their servers. `page`: shows it
//!   in a browser. `post_run`: reads for viewers after the race, `warmup`: when an outage may begin.
//! - [`comparison`], `table`, `upstream_requests`: the results of the evening.
//! - [`observe_check`]: compares the prediction of observe mode with what the cache then saves.

mod app_client;
mod apps;
mod clock;
pub mod comparison;
mod connection_pool;
pub mod gateway;
mod latencies;
mod live_stats;
mod live_view;
mod measure;
pub mod observe_check;
mod outage;
mod outage_switch;
mod page;
mod phase;
mod post_run;
pub mod race;
mod race_verdict;
mod recent_requests;
mod recorder;
mod restart;
mod servers;
pub mod table;
mod target;
mod upstream_requests;
mod warmup;
mod workload;

use std::time::Duration;

use greenroom_simulator::catalogue::CatalogueSize;
use tokio_util::task::TaskTracker;

use clock::DemoClock;
use comparison::{AppComparison, DemoComparison, OutageComparison, PlaylistComparison, RequestTotals};
use gateway::{DemoGateway, GatewayStarter, PlaylistTool};
use servers::DemoServers;
use target::{DemoTarget, TargetRun};
use workload::{ServerAddresses, Workload};

/// Parameters of the demo.
#[derive(Debug, Clone)]
pub struct DemoPlan {
    /// Length of the evening, in minutes of the demo's time.
    pub minutes: u32,
    /// Ratio of the demo's time to real time.
    pub time_factor: f64,
    /// Seed of libraries, latencies and choices.
    pub seed: u64,
    /// Films in each library.
    pub films: u32,
    /// Shows in each library.
    pub shows: u32,
    /// Tracks in each library.
    pub tracks: u32,
    /// Whether Greenroom prefetches; `None` means its default.
    pub prefetch: Option<bool>,
}

impl DemoPlan {
    /// The smallest and fastest demo.
    #[cfg(test)]
    const SMALLEST: Self =
        Self { minutes: 1, time_factor: 1_000.0, seed: 1, films: 5, shows: 1, tracks: 10, prefetch: None };

    fn size(&self) -> CatalogueSize {
        CatalogueSize { films: self.films, shows: self.shows, tracks: self.tracks, ..CatalogueSize::default() }
    }
}

/// Receives progress lines.
pub type ProgressFn = fn(&str);

/// Result of both evenings.
#[derive(Debug)]
pub struct DemoReport {
    /// The comparison.
    pub comparison: DemoComparison,
    /// Requests that still reached the servers, by app, as text for people.
    pub upstream_requests: String,
    writes: u64,
}

/// Plays the evening twice, the second time with a gateway that `start` starts, and stops everything it started.
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn run(plan: &DemoPlan, start: &GatewayStarter, tell: ProgressFn) -> Result<DemoReport, String> {
    let evening = Workload::new(plan);
    let tasks = TaskTracker::new();
    tell(&format!(
        "An evening of {} minutes, {} times faster than real, with {} films, {} shows and {} tracks on each server.",
        plan.minutes, plan.time_factor, plan.films, plan.shows, plan.tracks
    ));
    tell("First the apps ask the servers directly:");
    let servers = DemoServers::start(plan, &tasks).await?;
    let direct = DemoTarget::new(ServerAddresses::direct(&servers), servers);
    let direct_run = direct.play(&evening, &DemoClock::start(plan.time_factor, Duration::ZERO), tell).await;
    let direct_after = restart::play(plan, &evening, &direct).await;
    tell("  and the servers go down for a minute");
    let direct_down = outage::play(plan, &evening, &direct).await;

    tell("Now the same apps ask Greenroom, in front of servers started afresh:");
    let servers = DemoServers::start(plan, &tasks).await?;
    let gateway = DemoGateway::start(start, &servers, plan, PlaylistTool::Gateway).await?;
    let mut through = DemoTarget::new(gateway.addresses()?, servers);
    let through_run = through.play(&evening, &DemoClock::start(plan.time_factor, Duration::ZERO), tell).await;
    tell("  Greenroom is started again, and the apps read on");
    let gateway = gateway.restart().await?;
    through.addresses = gateway.addresses()?;
    let through_after = restart::play(plan, &evening, &through).await;
    tell("  and the servers go down for a minute");
    let through_down = outage::play(plan, &evening, &through).await;
    drop(gateway.stop().await);

    let restart = AppComparison { name: "right after a restart".into(), direct: direct_after, through: through_after };
    let outage = OutageComparison { direct: direct_down, through: through_down };
    let comparison = compare(plan, (&direct, direct_run), (&through, &through_run), restart, outage);
    // The last holders of the servers: they end with these.
    drop((direct, through));
    tasks.close();
    tasks.wait().await;
    let TargetRun { writes, upstream_requests, .. } = through_run;
    Ok(DemoReport { comparison, upstream_requests, writes })
}

impl DemoReport {
    /// The comparison as text for people.
    pub fn render(&self) -> String {
        table::render(&self.comparison, self.writes)
    }

    /// The comparison in one sentence.
    pub fn sentence(&self) -> String {
        table::sentence(&self.comparison)
    }
}

fn compare(
    plan: &DemoPlan,
    (direct_way, direct): (&DemoTarget, TargetRun),
    (through_way, through): (&DemoTarget, &TargetRun),
    restart: AppComparison,
    outage: OutageComparison,
) -> DemoComparison {
    let side_of = |name: &str| through.app_stats.iter().find(|(other, _)| *other == name).map(|(_, side)| *side);
    let apps: Vec<AppComparison> = direct
        .app_stats
        .into_iter()
        .filter_map(|(name, direct)| Some(AppComparison { name: name.into(), direct, through: side_of(name)? }))
        .collect();
    let with_a_token: u64 = through.app_stats.iter().map(|(_, side)| side.upstream_requests).sum();
    let totals = RequestTotals {
        direct: direct.reached,
        through: through.reached,
        own: through.reached.saturating_sub(with_a_token),
    };
    let playlist = direct_way.recorder.playlist_result().zip(through_way.recorder.playlist_result());
    let playlist = playlist.map(|(direct, through)| PlaylistComparison { wanted: workload::WANTED, direct, through });
    DemoComparison::new(apps, playlist, restart, outage, totals, plan.time_factor)
}
