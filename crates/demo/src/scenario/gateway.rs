//! The gateway as the demo runs it: the real process, with its real defaults, in front of the simulated servers. How it
//! is wired is the business of the program, which hands in how it is started.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use greenroom_cache::Clock;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use tempfile::TempDir;

use super::Plan;
use super::apps::App;
use super::board::Greenroom;
use super::evening::Doors;
use super::servers::Servers;
use super::visitor::ListKeeper;
use greenroom_config::{Mode, Settings, Tree};
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::Report;

const ANYWHERE: &str = "127.0.0.1:0";
/// What the playlist tool's account is called here.
pub(super) const PLAYLIST_ACCOUNT: &str = "playlists";

/// Who keeps playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// The gateway, which indexes libraries for it.
    Kept,
    /// The apps themselves; the gateway asks nothing on its own.
    LeftToApps,
}

/// Starts a gateway with these settings, by this clock. What it fails with is for a person.
pub type StartGateway =
    Arc<dyn Fn(Settings, Clock) -> BoxFuture<'static, Result<StartedGateway, String>> + Send + Sync>;

/// A gateway that runs.
pub struct StartedGateway {
    /// The media servers, each with the address clients find it at.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// Address of the control plane.
    pub control: SocketAddr,
    /// What lets in there.
    pub token: Secret,
    /// Ends everything, once what is under way has ended.
    pub stop: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>,
}

/// A running gateway and the folder it keeps its secrets in.
pub(super) struct Gateway {
    running: StartedGateway,
    start: StartGateway,
    settings: Settings,
    clock: Clock,
    folder: TempDir,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Starts it in front of `servers`, with everything at its default but addresses, tokens, time, and what the plan
    /// says.
    pub(super) async fn start(
        start: &StartGateway,
        servers: &Servers,
        plan: &Plan,
        lists: Lists,
    ) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("greenroom-demo-")
            .tempdir()
            .map_err(|error| format!("no temporary folder can be had: {error}"))?;
        let settings = settings(servers, plan, lists, &folder)?;
        let clock = Clock::scaled(plan.time_factor);
        let running = start(settings.clone(), clock.clone()).await?;
        Ok(Self { running, start: Arc::clone(start), settings, clock, folder })
    }

    /// Ends it, and starts another on what it left.
    pub(super) async fn start_again(self) -> Result<Self, String> {
        let Self { running, start, settings, clock, folder } = self;
        let StartedGateway { servers, stop, .. } = running;
        // What the servers of the old process hold goes with it.
        stop().await;
        drop(servers);
        let running = start(settings.clone(), clock.clone()).await?;
        Ok(Self { running, start, settings, clock, folder })
    }

    /// Where the apps find it.
    pub(super) fn doors(&self) -> Result<Doors, String> {
        let door = |kind: Kind| {
            let found = self.running.servers.iter().find(|(server, _)| server.origin.settings.kind == kind);
            found.map(|(_, address)| *address).ok_or_else(|| format!("no listener for {}", kind.name()))
        };
        let token = self.running.token.clone();
        let list_keeper = Some(ListKeeper { address: self.running.control, token });
        Ok(Doors { plex: door(Kind::Plex)?, jellyfin: door(Kind::Jellyfin)?, list_keeper })
    }

    /// Where its page is, and what lets in there.
    pub(super) fn greenroom(&self) -> Greenroom {
        let data_dir = self.settings.data_dir.display();
        Greenroom {
            page: format!("http://{}/", self.running.control),
            token_command: format!("greenroom token show --data-dir {data_dir}"),
        }
    }

    /// Answers reads in this mode from now on.
    pub(super) fn turn_to(&self, mode: Mode) {
        for (server, _) in &self.running.servers {
            server.turn_to(mode);
        }
    }

    /// Ends it and forgets its folder. Tells what was observed, once all of it is judged.
    pub(super) async fn stop(self) -> Vec<Report> {
        let Self { running, folder, .. } = self;
        let StartedGateway { servers, stop, .. } = running;
        stop().await;
        // What cannot be removed lies in the system's folder for such things.
        drop(folder.close());
        servers.iter().filter_map(|(server, _)| server.observed()).collect()
    }
}

fn settings(servers: &Servers, plan: &Plan, lists: Lists, folder: &TempDir) -> Result<Settings, String> {
    let mut tree = Tree::default();
    let place = "demo";
    let mut set = |path: String, value: String| tree.set(&path, value, place.to_owned());
    set("data_dir".to_owned(), folder.path().join("state").display().to_string());
    set("control.listen".to_owned(), ANYWHERE.to_owned());
    match lists {
        Lists::Kept => {
            let token = servers.token(App::Playlists).to_owned();
            set(format!("server.plex.accounts.{PLAYLIST_ACCOUNT}.token"), token);
        }
        Lists::LeftToApps => set("library.enabled".to_owned(), "false".to_owned()),
    }
    for kind in [Kind::Plex, Kind::Jellyfin] {
        let name = kind.name();
        set(format!("server.{name}.kind"), name.to_owned());
        set(format!("server.{name}.url"), servers.of(kind).url());
        set(format!("server.{name}.token"), servers.own_token(kind).to_owned());
        set(format!("server.{name}.listen"), ANYWHERE.to_owned());
        if let Some(prefetch) = plan.prefetch {
            set(format!("server.{name}.prefetch.enabled"), prefetch.to_string());
        }
    }
    for kind in [Kind::Plex, Kind::Jellyfin] {
        tree.add_server(kind.name(), place);
    }
    Settings::read(tree)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
