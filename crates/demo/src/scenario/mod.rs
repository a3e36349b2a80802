//! The demo: what Greenroom saves, shown on this machine and on nobody's media.
//!
//! Two simulated servers, and an evening of companion apps that is played twice: with the apps pointed at the
//! servers, and, against servers started afresh from the same seed, pointed at the gateway. After the evening the apps
//! read on, the second time with a gateway that was started again; then both servers go down for a minute. Requests are
//! counted where they arrive, at the servers, and include everything that Greenroom causes itself. One evening after the
//! other, because two at once take this machine from each other, and what is waited for that would count many times.
//!
//! A page shows both ways in two columns while that is played, and afterwards, when the apps of both read on at once for
//! whoever looks. Whoever looks may take the servers of both down and bring them back.
//!
//! Everything runs faster than the wall's clock by one factor: servers, apps, and the gateway with its lifetimes.
//! Milliseconds are those of the faster time, so what this machine needs for an answer counts that much more.
//!
//! Rooms:
//! - `apps`: the companion apps. `evening`: when they do what. `restart`: the minute after
//!   the gateway was started again. `outage`: the minute without servers.
//! - `servers`: the simulated servers. `gateway`: the process in front of some of them. `way`: which of the two the apps
//!   are pointed at.
//! - `visitor`: an app at its server's door, `lines`: its connections to it. `pace`: its time. `book`, `measure`: what is written down.
//! - `board`: both ways as they are at this moment, each in its `column` (with `latencies`), and the `plug` of their
//!   servers. `page`: where a browser sees it. `afterwards`: what goes on as long as one does,
//!   `waking`: when its plug may be pulled.
//! - [`figures`], `table`, `leftovers`: what comes out.
//! - [`foresight`]: what observing foretells, held against what the cache then saves.

mod afterwards;
mod apps;
mod board;
mod book;
mod column;
mod evening;
pub mod figures;
pub mod foresight;
pub mod gateway;
mod latencies;
mod leftovers;
mod lines;
mod measure;
mod outage;
mod pace;
mod page;
mod phase;
mod plug;
mod restart;
mod servers;
pub mod table;
mod visitor;
mod waking;
mod way;

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_simulator::catalogue::CatalogueSize;
use tokio_util::task::TaskTracker;

use afterwards::Afterwards;
use board::{Board, Greenroom};
use evening::{Doors, Evening};
use figures::{AppFigures, Comparison, Outage, Playlist, Totals};
use gateway::{Gateway, Lists, StartGateway};
use pace::Pace;
use page::Page;
use phase::Phase;
use servers::Servers;
use way::{Run, Way};

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Length of the evening, in minutes of the demo's time.
    pub minutes: u32,
    /// How much faster than the wall's the demo's time runs.
    pub time_factor: f64,
    /// Seed of libraries, latencies and choices.
    pub seed: u64,
    /// Films in each library.
    pub films: u32,
    /// Shows in each library.
    pub shows: u32,
    /// Tracks in each library.
    pub tracks: u32,
    /// Whether Greenroom loads ahead what apps are likely to ask; its default, if nothing is said.
    pub prefetch: Option<bool>,
}

impl Plan {
    /// As little as can be played, and as fast.
    #[cfg(test)]
    const SMALLEST: Self =
        Self { minutes: 1, time_factor: 1_000.0, seed: 1, films: 5, shows: 1, tracks: 10, prefetch: None };

    fn size(&self) -> CatalogueSize {
        CatalogueSize {
            films: self.films,
            shows: self.shows,
            tracks: self.tracks,
            ..CatalogueSize::default()
        }
    }
}

/// Is told, line by line, how far the demo is.
pub type Tell = fn(&str);

/// What goes on running after the demo.
#[derive(Debug)]
pub struct Scene {
    page: Page,
    gateway: Gateway,
    afterwards: Afterwards,
    tasks: TaskTracker,
    writes: u64,
    leftovers: String,
}

/// Plays the whole demo with a gateway that `start` starts. What it leaves running must be stopped with
/// [`Scene::stop`].
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn run(plan: &Plan, start: &StartGateway, tell: Tell) -> Result<(Comparison, Scene), String> {
    let evening = Evening::new(plan);
    let tasks = TaskTracker::new();
    let board = Arc::new(Board::new(plan));
    let page = Page::open(&board, &tasks).await?;
    tell(&format!("Watch it, and pull the plug: http://{}/", page.address()));
    tell(&format!(
        "An evening of {} minutes, {} times faster than real, with {} films, {} shows and {} tracks on each server.",
        plan.minutes, plan.time_factor, plan.films, plan.shows, plan.tracks
    ));
    tell("First the apps ask the servers directly:");
    let servers = Servers::start(plan, &tasks).await?;
    let direct = Way::to(Doors::of(&servers), servers);
    let time = Pace::begin(plan.time_factor, Duration::ZERO);
    board.begin_direct(&direct.column, &time);
    let direct_run = direct.play(&evening, &time, tell).await;
    board.turn_to(Phase::DirectReadsOn);
    let direct_after = restart::play(plan, &evening, &direct).await;
    tell("  and the servers go down for a minute");
    let direct_down = outage::play(plan, &evening, &board, Phase::DirectOutage, &direct).await;

    tell("Now the same apps ask Greenroom, in front of servers started afresh:");
    let servers = Servers::start(plan, &tasks).await?;
    let gateway = Gateway::start(start, &servers, plan, Lists::Kept).await?;
    let mut through = Way::to(gateway.doors()?, servers);
    board.place_greenroom(Some(gateway.greenroom()));
    let time = Pace::begin(plan.time_factor, Duration::ZERO);
    board.begin_through(&through.column, &time);
    let through_run = through.play(&evening, &time, tell).await;
    tell("  Greenroom is started again, and the apps read on");
    board.turn_to(Phase::ThroughRestart);
    board.place_greenroom(None);
    let gateway = gateway.start_again().await?;
    board.place_greenroom(Some(gateway.greenroom()));
    through.doors = gateway.doors()?;
    let through_after = restart::play(plan, &evening, &through).await;
    tell("  and the servers go down for a minute");
    let through_down = outage::play(plan, &evening, &board, Phase::ThroughOutage, &through).await;

    let restart =
        AppFigures { name: "right after a restart".into(), direct: direct_after, through: through_after };
    let outage = Outage { direct: direct_down, through: through_down };
    let comparison = compare(plan, (&direct, direct_run), (&through, &through_run), restart, outage);
    board.conclude(table::sentence(&comparison));
    let afterwards = Afterwards { plan: plan.clone(), evening, board, direct, through };
    let Run { writes, leftovers, .. } = through_run;
    Ok((comparison, Scene { page, gateway, afterwards, tasks, writes, leftovers }))
}

fn compare(
    plan: &Plan,
    (direct_way, direct): (&Way, Run),
    (through_way, through): (&Way, &Run),
    restart: AppFigures,
    outage: Outage,
) -> Comparison {
    let side_of = |name: &str| through.sides.iter().find(|(other, _)| *other == name).map(|(_, side)| *side);
    let apps: Vec<AppFigures> = direct
        .sides
        .into_iter()
        .filter_map(|(name, direct)| Some(AppFigures { name: name.into(), direct, through: side_of(name)? }))
        .collect();
    let with_a_token: u64 = through.sides.iter().map(|(_, side)| side.upstream_requests).sum();
    let totals = Totals {
        direct: direct.reached,
        through: through.reached,
        own: through.reached.saturating_sub(with_a_token),
    };
    let playlist = direct_way.book.kept().zip(through_way.book.kept());
    let playlist = playlist.map(|(direct, through)| Playlist { wanted: evening::WANTED, direct, through });
    Comparison::new(apps, playlist, restart, outage, totals, plan.time_factor)
}

impl Scene {
    /// The comparison as a person reads it.
    pub fn render(&self, comparison: &Comparison) -> String {
        table::render(comparison, self.writes, self.afterwards.board.pulled_in_the_evening())
    }

    /// Which requests still reached the servers, by app.
    pub fn leftovers(&self) -> &str {
        &self.leftovers
    }

    /// Where everything is found, with lines to try.
    ///
    /// # Errors
    /// If a listener is missing.
    pub fn directions(&self) -> Result<String, String> {
        let doors = self.gateway.doors()?;
        let Greenroom { page, token_command } = self.gateway.greenroom();
        let servers = &self.afterwards.through.column.servers;
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
            plex_token = own(Kind::Plex),
            jellyfin_token = own(Kind::Jellyfin),
        ))
    }

    /// Lets the apps of both ways read on while somebody looks at the page. Never ends by itself.
    pub async fn read_on(&self) {
        self.afterwards.play().await;
    }

    /// Ends everything.
    pub async fn stop(self) {
        let Self { page, gateway, afterwards, tasks, .. } = self;
        page.close().await;
        drop(gateway.stop().await);
        // Nobody else holds the servers any more: they end with this.
        drop(afterwards);
        tasks.close();
        tasks.wait().await;
    }
}
