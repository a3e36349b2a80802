//! The gateway as the demo runs it: the real process, with its real defaults, in front of the simulated servers.

use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_upstream::ask::Kind;
use tempfile::TempDir;

use super::Plan;
use super::apps::App;
use super::board::Greenroom;
use super::evening::Doors;
use super::servers::Servers;
use super::visitor::ListKeeper;
use crate::config::{Settings, Tree};
use crate::mode::Mode;
use crate::observe::Report;
use crate::process::Process;

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

/// A process and the folder it keeps its secrets in.
#[derive(Debug)]
pub(super) struct Gateway {
    process: Process,
    settings: Settings,
    folder: TempDir,
}

impl Gateway {
    /// Starts the process in front of `servers`, with everything at its default but addresses, tokens, time, and what
    /// the plan says.
    pub(super) async fn start(servers: &Servers, plan: &Plan, lists: Lists) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("greenroom-demo-")
            .tempdir()
            .map_err(|error| format!("no temporary folder can be had: {error}"))?;
        let settings = settings(servers, plan, lists, &folder)?;
        let process = Process::start(settings.clone(), Clock::scaled(plan.time_factor)).await?;
        Ok(Self { process, settings, folder })
    }

    /// Ends the process, and starts another on what it left.
    pub(super) async fn start_again(self) -> Result<Self, String> {
        let Self { process, settings, folder } = self;
        let clock = process.clock.clone();
        process.stop().await;
        let process = Process::start(settings.clone(), clock).await?;
        Ok(Self { process, settings, folder })
    }

    /// Where the apps find it.
    pub(super) fn doors(&self) -> Result<Doors, String> {
        let door = |kind: Kind| {
            let found = self.process.servers.iter().find(|(server, _)| server.settings.kind == kind);
            found.map(|(_, address)| *address).ok_or_else(|| format!("no listener for {}", kind.name()))
        };
        let token = self.process.token.secret.clone();
        let list_keeper = Some(ListKeeper { address: self.process.control, token });
        Ok(Doors { plex: door(Kind::Plex)?, jellyfin: door(Kind::Jellyfin)?, list_keeper })
    }

    /// Where its page is, and what lets in there.
    pub(super) fn greenroom(&self) -> Greenroom {
        let data_dir = self.settings.data_dir.display();
        Greenroom {
            page: format!("http://{}/", self.process.control),
            token_command: format!("greenroom token show --data-dir {data_dir}"),
        }
    }

    /// Answers reads in this mode from now on.
    pub(super) fn turn_to(&self, mode: Mode) {
        for (server, _) in &self.process.servers {
            server.turn_to(mode);
        }
    }

    /// Ends it and forgets its folder. Tells what was observed, once all of it is judged.
    pub(super) async fn stop(self) -> Vec<Report> {
        let Self { process, folder, .. } = self;
        let servers: Vec<_> = process.servers.iter().map(|(server, _)| Arc::clone(server)).collect();
        process.stop().await;
        // What cannot be removed lies in the system's folder for such things.
        drop(folder.close());
        servers.iter().filter_map(|server| server.observed()).collect()
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
