//! The demo: what Greenroom saves, shown on this machine and on nobody's media.
//!
//! Two simulated servers, and an evening of companion apps that is played twice: with the apps pointed at the
//! servers, and, against servers started afresh from the same seed, pointed at the gateway. Then the gateway is
//! started again, and the apps read on; then both servers go down for a minute, in both runs. Requests are counted where they arrive, at the servers, and include everything
//! that Greenroom causes itself.
//!
//! Everything runs faster than the wall's clock by one factor: servers, apps, and the gateway with its lifetimes.
//! Milliseconds are those of the faster time, so what this machine needs for an answer counts that much more.
//!
//! Rooms:
//! - `apps`: the companion apps. `evening`: when they do what. `restart`: the minute after
//!   the gateway was started again. `outage`: the minute without servers.
//! - `servers`: the simulated servers. `gateway`: the process in front of them.
//! - `visitor`: an app's way to its server. `pace`: its time. `book`, `measure`: what is written down.
//! - [`figures`], `table`, `leftovers`: what comes out.
//! - [`foresight`]: what observing foretells, held against what the cache then saves.

mod apps;
mod book;
mod evening;
pub mod figures;
pub mod foresight;
mod gateway;
mod leftovers;
mod measure;
mod outage;
mod pace;
mod restart;
mod servers;
pub(crate) mod table;
mod visitor;

use std::sync::Arc;

use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_upstream::ask::Kind;
use tokio_util::task::TaskTracker;

use book::Book;
use evening::{Doors, Evening};
use figures::{AppFigures, Comparison, Outage, Playlist, Side, Totals};
use gateway::{Gateway, Lists};
use servers::Servers;

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
    servers: Arc<Servers>,
    gateway: Gateway,
    tasks: TaskTracker,
    writes: u64,
    leftovers: String,
}

/// One evening in one run.
struct Run {
    sides: Vec<(&'static str, Side)>,
    reached: u64,
    writes: u64,
    leftovers: String,
    book: Arc<Book>,
}

/// Plays the whole demo. What it leaves running must be stopped with [`Scene::stop`].
///
/// # Errors
/// If a server or the gateway cannot be started; the message says why.
pub async fn run(plan: &Plan, tell: Tell) -> Result<(Comparison, Scene), String> {
    let evening = Evening::new(plan);
    let tasks = TaskTracker::new();
    tell(&format!(
        "An evening of {} minutes, {} times faster than real, with {} films, {} shows and {} tracks on each server.",
        plan.minutes, plan.time_factor, plan.films, plan.shows, plan.tracks
    ));
    tell("First the apps ask the servers directly:");
    let servers = Servers::start(plan, &tasks).await?;
    let doors = Doors::of(&servers);
    let direct = play(plan, &evening, &servers, doors.clone(), tell).await;
    let direct_after = restart::play(plan, &evening, &servers, doors.clone(), &direct.book).await;
    tell("  and the servers go down for a minute");
    let direct_down = outage::play(plan, &evening, &servers, doors, &direct.book).await;
    servers.stop().await;
    tell("Now the same apps ask Greenroom, in front of servers started afresh:");
    let servers = Servers::start(plan, &tasks).await?;
    let gateway = Gateway::start(&servers, plan, Lists::Kept).await?;
    let through = play(plan, &evening, &servers, gateway.doors()?, tell).await;
    tell("  Greenroom is started again, and the apps read on");
    let gateway = gateway.start_again().await?;
    let doors = gateway.doors()?;
    let through_after = restart::play(plan, &evening, &servers, doors.clone(), &through.book).await;
    tell("  and the servers go down for a minute");
    let through_down = outage::play(plan, &evening, &servers, doors, &through.book).await;
    let restart =
        AppFigures { name: "right after a restart".into(), direct: direct_after, through: through_after };
    let outage = Outage { direct: direct_down, through: through_down };
    let comparison = compare(plan, direct, &through, restart, outage);
    Ok((comparison, Scene { servers, gateway, tasks, writes: through.writes, leftovers: through.leftovers }))
}

async fn play(plan: &Plan, evening: &Evening, servers: &Arc<Servers>, doors: Doors, tell: Tell) -> Run {
    let book: Arc<Book> = evening::play(plan, evening, servers, doors, tell).await;
    // Read before the restart and the outage, which do not belong to the evening.
    let (sides, reached, writes) = (book.figures(), servers.reached(), servers.written());
    let leftovers = leftovers::render(servers);
    Run { sides, reached, writes, leftovers, book }
}

fn compare(plan: &Plan, direct: Run, through: &Run, restart: AppFigures, outage: Outage) -> Comparison {
    let side_of = |name: &str| through.sides.iter().find(|(other, _)| *other == name).map(|(_, side)| *side);
    let direct_kept = direct.book.kept();
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
    let playlist = direct_kept.zip(through.book.kept());
    let playlist = playlist.map(|(direct, through)| Playlist { wanted: evening::WANTED, direct, through });
    Comparison::new(apps, playlist, restart, outage, totals, plan.time_factor)
}

impl Scene {
    /// The comparison as a person reads it.
    pub fn render(&self, comparison: &Comparison) -> String {
        table::render(comparison, self.writes)
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
        let page = self.gateway.page();
        let (plex, jellyfin) = (&self.servers.plex, &self.servers.jellyfin);
        let own = |kind| self.servers.own_token(kind);
        Ok(format!(
            "Everything goes on running until Ctrl-C:
  page                     http://{page}/
  Plex through Greenroom   http://{plex_door}      the server itself: {plex_url}
  Jellyfin through it      http://{jellyfin_door}      the server itself: {jellyfin_url}
Try:
  curl -si 'http://{plex_door}/library/sections?X-Plex-Token={plex_token}' | head -20
  curl -si 'http://{jellyfin_door}/Items/Counts?ApiKey={jellyfin_token}' | head -20
  curl -s {plex_url}/__simulator/ledger
  curl -sX PUT {plex_url}/__simulator/faults -d '{{\"fault\": {{\"slow\": 2000}}}}'
The tokens open only the simulated libraries. Time still runs faster, lifetimes included.
",
            plex_door = doors.plex,
            jellyfin_door = doors.jellyfin,
            plex_url = plex.url(),
            jellyfin_url = jellyfin.url(),
            plex_token = own(Kind::Plex),
            jellyfin_token = own(Kind::Jellyfin),
        ))
    }

    /// Ends everything.
    pub async fn stop(self) {
        drop(self.gateway.stop().await);
        self.servers.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}
