//! The demo: shows what Greenroom saves, on this machine and without real media.
//!
//! Two simulated servers, and an evening of companion apps that is played twice: with the apps pointed at the servers,
//! and, against fresh servers with the same seed, pointed at the gateway. After the evening the apps read on, the
//! second time after a restart of the gateway; then both servers go down for a minute. Requests are counted where they
//! arrive, at the servers, and include Greenroom's own. One evening follows the other, because two at once compete for
//! this machine's CPU, and the waiting time would be scaled up.
//!
//! A page shows both targets in two columns meanwhile, and afterwards, when the apps of both read on at once for the
//! viewers. A viewer may take the servers of both down and restore them.
//!
//! Everything runs faster than real time by one factor: servers, apps, and the gateway with its TTLs. Milliseconds are
//! those of the faster time, so this machine's processing time counts that much more.
//!
//! Modules:
//! - `apps`: the companion apps. `workload`: their schedule. `restart`: the minute after the gateway's restart.
//!   `outage`: the minute without servers.
//! - `servers`: the simulated servers. `gateway`: the process in front of some of them. `target`: which of the two the
//!   apps are pointed at.
//! - `app_client`: an app's HTTP client, `connection_pool`: its connections. `clock`: its time. `recorder`, `measure`:
//!   recorded requests and their latency.
//! - `live_view`: current state of both targets, each with its `live_stats` (with `latencies`), and the `outage_switch`
//!   of their servers. `page`: shows it in a browser. `post_run`: reads for viewers after the evenings, `warmup`: when
//!   an outage may begin.
//! - [`comparison`], `table`, `upstream_requests`: the results.
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
mod recorder;
mod restart;
mod servers;
pub mod table;
mod target;
mod upstream_requests;
mod warmup;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::catalogue::CatalogueSize;
use tokio_util::task::TaskTracker;

use clock::DemoClock;
use comparison::{AppComparison, DemoComparison, OutageComparison, PlaylistComparison, RequestTotals};
use gateway::{DemoGateway, GatewayStarter, PlaylistTool};
use live_view::{GatewayPage, LiveView};
use page::DemoPage;
use phase::DemoPhase;
use post_run::PostRun;
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

/// Handle of what keeps running after the demo.
#[derive(Debug)]
pub struct DemoHandle {
    page: DemoPage,
    gateway: DemoGateway,
    post_run: PostRun,
    tasks: TaskTracker,
    writes: u64,
    leftovers: String,
}

/// Plays the whole demo with a gateway that `start` starts. Stop what it leaves running with [`DemoHandle::stop`].
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn run(
    plan: &DemoPlan,
    start: &GatewayStarter,
    tell: ProgressFn,
) -> Result<(DemoComparison, DemoHandle), String> {
    let evening = Workload::new(plan);
    let tasks = TaskTracker::new();
    let board = Arc::new(LiveView::new(plan));
    let page = DemoPage::open(&board, &tasks).await?;
    tell(&format!("Watch it, and pull the plug: http://{}/", page.address()));
    tell(&format!(
        "An evening of {} minutes, {} times faster than real, with {} films, {} shows and {} tracks on each server.",
        plan.minutes, plan.time_factor, plan.films, plan.shows, plan.tracks
    ));
    tell("First the apps ask the servers directly:");
    let servers = DemoServers::start(plan, &tasks).await?;
    let direct = DemoTarget::new(ServerAddresses::direct(&servers), servers);
    let time = DemoClock::start(plan.time_factor, Duration::ZERO);
    board.begin_direct(&direct.stats, &time);
    let direct_run = direct.play(&evening, &time, tell).await;
    board.set_phase(DemoPhase::DirectReadsOn);
    let direct_after = restart::play(plan, &evening, &direct).await;
    tell("  and the servers go down for a minute");
    let direct_down = outage::play(plan, &evening, &board, DemoPhase::DirectOutage, &direct).await;

    tell("Now the same apps ask Greenroom, in front of servers started afresh:");
    let servers = DemoServers::start(plan, &tasks).await?;
    let gateway = DemoGateway::start(start, &servers, plan, PlaylistTool::Gateway).await?;
    let mut through = DemoTarget::new(gateway.addresses()?, servers);
    board.set_gateway_page(Some(gateway.page()));
    let time = DemoClock::start(plan.time_factor, Duration::ZERO);
    board.begin_through(&through.stats, &time);
    let through_run = through.play(&evening, &time, tell).await;
    tell("  Greenroom is started again, and the apps read on");
    board.set_phase(DemoPhase::ThroughRestart);
    board.set_gateway_page(None);
    let gateway = gateway.restart().await?;
    board.set_gateway_page(Some(gateway.page()));
    through.addresses = gateway.addresses()?;
    let through_after = restart::play(plan, &evening, &through).await;
    tell("  and the servers go down for a minute");
    let through_down = outage::play(plan, &evening, &board, DemoPhase::ThroughOutage, &through).await;

    let restart = AppComparison { name: "right after a restart".into(), direct: direct_after, through: through_after };
    let outage = OutageComparison { direct: direct_down, through: through_down };
    let comparison = compare(plan, (&direct, direct_run), (&through, &through_run), restart, outage);
    board.finish(table::sentence(&comparison));
    let afterwards = PostRun { plan: plan.clone(), workload: evening, live_view: board, direct, through };
    let TargetRun { writes, upstream_requests: leftovers, .. } = through_run;
    Ok((comparison, DemoHandle { page, gateway, post_run: afterwards, tasks, writes, leftovers }))
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

impl DemoHandle {
    /// The comparison as text for people.
    pub fn render(&self, comparison: &DemoComparison) -> String {
        table::render(comparison, self.writes, self.post_run.live_view.manual_outages())
    }

    /// Requests that still reached the servers, by app.
    pub fn upstream_requests(&self) -> &str {
        &self.leftovers
    }

    /// Addresses, with commands to try.
    ///
    /// # Errors
    /// If a listener is missing.
    pub fn instructions(&self) -> Result<String, String> {
        let doors = self.gateway.addresses()?;
        let GatewayPage { page, token_command } = self.gateway.page();
        let servers = &self.post_run.through.stats.servers;
        let (plex, jellyfin) = (&servers.plex, &servers.jellyfin);
        let own = |kind| servers.own_token(kind);
        Ok(format!(
            "Everything goes on running until Ctrl-C, and the apps read on while somebody looks at the demo's page:
  the demo's page          http://{demo}/
  Greenroom's own page     {page}      its token: {token_command}
  Plex through Greenroom   http://{plex_door}      the server itself: {plex_url}
  Jellyfin through it      http://{jellyfin_door}      the server itself: {jellyfin_url}
Try:
  curl -si 'http://{plex_door}/library/sections?X-Plex-Token={plex_token}' | head -20
  curl -si 'http://{jellyfin_door}/Items/Counts?ApiKey={jellyfin_token}' | head -20
  curl -s {plex_url}/__simulator/ledger
  curl -sX PUT {plex_url}/__simulator/faults -d '{{\"fault\": {{\"slow\": 2000}}}}'
The tokens open only the simulated libraries. Time still runs faster, lifetimes included.
",
            demo = self.page.address(),
            plex_door = doors.plex,
            jellyfin_door = doors.jellyfin,
            plex_url = plex.url(),
            jellyfin_url = jellyfin.url(),
            plex_token = own(ServerKind::Plex),
            jellyfin_token = own(ServerKind::Jellyfin),
        ))
    }

    /// Lets the apps of both targets read on while the page has viewers. Never completes.
    pub async fn repeat_reads(&self) {
        self.post_run.run().await;
    }

    /// Stops everything.
    pub async fn stop(self) {
        let Self { page, gateway, post_run: afterwards, tasks, .. } = self;
        page.close().await;
        drop(gateway.stop().await);
        // The last holder of the servers: they end with this.
        drop(afterwards);
        tasks.close();
        tasks.wait().await;
    }
}
