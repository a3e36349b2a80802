//! The race: both targets at once, in real time, with the same busy apps. It is what the demo's page shows.
//!
//! Toward its end the servers of both targets go down for some seconds. When it is over, the apps read on while a page
//! is open.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use tokio_util::task::TaskTracker;

use super::clock::DemoClock;
use super::gateway::{DemoGateway, GatewayStarter, PlaylistTool};
use super::live_view::LiveView;
use super::page::DemoPage;
use super::post_run::PostRun;
use super::servers::DemoServers;
use super::target::DemoTarget;
use super::workload::{self, ServerAddresses, Workload};
use super::{DemoPlan, ProgressFn};

/// Time in which Greenroom builds its index of the libraries before the race.
const PREPARATION: Duration = Duration::from_secs(4);
/// Length of the race.
const LENGTH: Duration = Duration::from_secs(92);
/// Time of the first printed result.
const FIRST_RESULT: Duration = Duration::from_secs(30);
/// Start and length of its own outage; by then no app writes any more.
const OUTAGE_AT: Duration = Duration::from_secs(77);
const OUTAGE: Duration = Duration::from_secs(10);
/// After this time every app that reads on has sent requests.
const APPS_ARE_AWAKE: Duration = Duration::from_secs(20);

/// Port of the demo's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagePort {
    /// The one that every demo uses, so that an open page finds the next demo; another one if it is taken.
    Usual,
    /// This one; 0 for a free one.
    Fixed(u16),
}

/// Parameters of the race.
#[derive(Debug, Clone, Copy)]
pub struct RaceOptions {
    /// Seed of libraries, latencies and choices.
    pub seed: u64,
    /// Whether Greenroom prefetches; `None` means its default.
    pub prefetch: Option<bool>,
    /// Port of the page.
    pub port: PagePort,
}

/// A race with its page, servers and gateway.
#[derive(Debug)]
pub struct DemoRace {
    page: DemoPage,
    gateway: DemoGateway,
    post_run: PostRun,
    tasks: TaskTracker,
}

impl RaceOptions {
    /// Small libraries, so that Greenroom's index of them is built within the first seconds.
    fn plan(&self) -> DemoPlan {
        let Self { seed, prefetch, .. } = *self;
        DemoPlan { minutes: 1, time_factor: 1.0, seed, films: 400, shows: 40, tracks: 2_000, prefetch }
    }
}

impl DemoRace {
    /// Opens the page and starts servers and gateway.
    ///
    /// # Errors
    /// If the page, a server or the gateway cannot be started; the message says why.
    pub async fn start(options: &RaceOptions, start: &GatewayStarter, tell: ProgressFn) -> Result<Self, String> {
        let tasks = TaskTracker::new();
        let live_view = Arc::new(LiveView::new(LENGTH));
        let page = DemoPage::open(&live_view, &tasks, options.port).await?;
        tell(&format!("Watch it, and pull the plug: http://{}/", page.address()));
        let plan = options.plan();
        let now = Clock::system().now_ms() / 1_000;
        let servers = DemoServers::start_at(&plan, now, &tasks).await?;
        let direct = DemoTarget::new(ServerAddresses::direct(&servers), servers);
        let servers = DemoServers::start_at(&plan, now, &tasks).await?;
        let gateway = DemoGateway::start(start, &servers, &plan, PlaylistTool::Gateway).await?;
        let through = DemoTarget::new(gateway.addresses()?, servers);
        live_view.set_gateway_page(gateway.page());
        let workload = Workload::race(&plan, LENGTH, now);
        let post_run = PostRun { plan, workload, live_view, direct, through };
        Ok(Self { page, gateway, post_run, tasks })
    }

    /// Plays the race, and returns its result as text for people.
    pub async fn play(&self, tell: ProgressFn) -> String {
        let PostRun { plan, workload, live_view, direct, through } = &self.post_run;
        tell(&format!(
            "For {} s the same apps ask two simulated servers directly, and two others through Greenroom, in real time.",
            LENGTH.as_secs()
        ));
        DemoClock::start(plan.time_factor, Duration::ZERO).sleep(PREPARATION).await;
        through.stats.leave_out_arrivals();
        live_view.begin_race(&direct.stats, &through.stats);
        let clock = DemoClock::start(plan.time_factor, Duration::ZERO);
        let apps = async {
            tokio::join!(
                workload::play(workload, &direct.stats, &direct.addresses, &clock, &direct.recorder),
                workload::play(workload, &through.stats, &through.addresses, &clock, &through.recorder),
            );
            // Apps that are done early do not end the race.
            std::future::pending::<()>().await;
        };
        let script = async {
            let began = live_view.begin_round();
            clock.sleep_until(APPS_ARE_AWAKE).await;
            live_view.end_round(began);
            clock.sleep_until(FIRST_RESULT).await;
            let sentence = live_view.verdict().map(|verdict| verdict.sentence()).unwrap_or_default();
            tell(&format!("After {} s: {sentence}", FIRST_RESULT.as_secs()));
            clock.sleep_until(OUTAGE_AT).await;
            tell(&format!("Now the media servers of both sides are down for {} s.", OUTAGE.as_secs()));
            live_view.begin_race_outage();
            clock.sleep(OUTAGE).await;
            live_view.end_race_outage();
            clock.sleep_until(LENGTH).await;
        };
        tokio::select! {
            () = apps => {}
            () = script => {}
        }
        let result = live_view.verdict().map(|verdict| verdict.summary()).unwrap_or_default();
        live_view.finish_race(result.clone());
        result
    }

    /// Shows the result of the scaled evening on the page.
    pub fn show_evening(&self, sentence: String) {
        self.post_run.live_view.show_evening(sentence);
    }

    /// Lets the apps of both targets read on while a page is open. Never completes.
    pub async fn repeat_reads(&self) {
        self.post_run.run().await;
    }

    /// Addresses, with commands to try.
    ///
    /// # Errors
    /// If a listener is missing.
    pub fn instructions(&self) -> Result<String, String> {
        let addresses = self.gateway.addresses()?;
        let servers = &self.post_run.through.stats.servers;
        Ok(format!(
            "The race goes on until Ctrl-C, while its page or Greenroom's is open:
  the demo's page          http://{page}/
  Greenroom's own page     http://{page}/greenroom/      its token: {token_command}
  Plex through Greenroom   http://{plex}      the server itself: {plex_url}
  Jellyfin through it      http://{jellyfin}      the server itself: {jellyfin_url}
Try:
  curl -si 'http://{plex}/library/sections?X-Plex-Token={plex_token}' | head -20
  curl -si 'http://{jellyfin}/Items/Counts?ApiKey={jellyfin_token}' | head -20
  curl -s {plex_url}/__simulator/ledger
  curl -sX PUT {plex_url}/__simulator/faults -d '{{\"fault\": {{\"slow\": 2000}}}}'
The tokens open only the simulated libraries.
",
            page = self.page.address(),
            token_command = self.gateway.page().token_command,
            plex = addresses.plex,
            jellyfin = addresses.jellyfin,
            plex_url = servers.plex.url(),
            jellyfin_url = servers.jellyfin.url(),
            plex_token = servers.own_token(ServerKind::Plex),
            jellyfin_token = servers.own_token(ServerKind::Jellyfin),
        ))
    }

    /// Stops everything.
    pub async fn stop(self) {
        let Self { page, gateway, post_run, tasks } = self;
        page.close().await;
        drop(gateway.stop().await);
        // The last holder of the servers: they end with this.
        drop(post_run);
        tasks.close();
        tasks.wait().await;
    }
}
