//! The demo's gateway: the real process, with its real defaults, in front of the simulated servers. The program hands
//! in a function that starts it.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::request::ServerKind;
use tempfile::TempDir;

use super::DemoPlan;
use super::app_client::PlaylistEndpoint;
use super::apps::DemoApp;
use super::clock::clock_of;
use super::live_view::GatewayPage;
use super::servers::DemoServers;
use super::workload::ServerAddresses;
use greenroom_config::{CacheMode, ConfigSource, Settings};
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::ShadowReport;

const ANYWHERE: &str = "127.0.0.1:0";
/// Configured name of the playlist tool's account.
pub(super) const PLAYLIST_ACCOUNT: &str = "playlists";

/// Program that syncs playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaylistTool {
    /// The gateway, which indexes libraries for it.
    Gateway,
    /// The apps themselves; the gateway indexes nothing.
    Apps,
}

/// Starts a gateway with these settings and this clock. Its error is a text for people.
pub type GatewayStarter =
    Arc<dyn Fn(Settings, Clock) -> BoxFuture<'static, Result<RunningGateway, String>> + Send + Sync>;

/// A running gateway.
pub struct RunningGateway {
    /// Media servers, each with the address that clients connect to.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// Address of the control plane.
    pub control: SocketAddr,
    /// Control token.
    pub token: Secret,
    /// Shuts down gracefully.
    pub stop: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>,
}

/// A running gateway and its data directory.
pub(super) struct DemoGateway {
    running: RunningGateway,
    start: GatewayStarter,
    settings: Settings,
    clock: Clock,
    folder: TempDir,
}

impl std::fmt::Debug for DemoGateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl DemoGateway {
    /// Starts a gateway in front of `servers`, with defaults but for addresses, tokens, time, and the plan's options.
    pub(super) async fn start(
        start: &GatewayStarter,
        servers: &DemoServers,
        plan: &DemoPlan,
        lists: PlaylistTool,
    ) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("greenroom-demo-")
            .tempdir()
            .map_err(|error| format!("no temporary folder can be had: {error}"))?;
        let settings = settings(servers, plan, lists, &folder)?;
        let clock = clock_of(plan.time_factor);
        let running = start(settings.clone(), clock.clone()).await?;
        Ok(Self { running, start: Arc::clone(start), settings, clock, folder })
    }

    /// Stops the gateway and starts another on the same data directory.
    pub(super) async fn restart(self) -> Result<Self, String> {
        let Self { running, start, settings, clock, folder } = self;
        let RunningGateway { servers, stop, .. } = running;
        // The old process's hold on the servers ends with it.
        stop().await;
        drop(servers);
        let running = start(settings.clone(), clock.clone()).await?;
        Ok(Self { running, start, settings, clock, folder })
    }

    /// Addresses that apps connect to.
    pub(super) fn addresses(&self) -> Result<ServerAddresses, String> {
        let door = |kind: ServerKind| {
            let found = self.running.servers.iter().find(|(server, _)| server.origin.settings.kind == kind);
            found.map(|(_, address)| *address).ok_or_else(|| format!("no listener for {}", kind.name()))
        };
        let token = self.running.token.clone();
        let list_keeper = Some(PlaylistEndpoint { address: self.running.control, token });
        Ok(ServerAddresses {
            plex: door(ServerKind::Plex)?,
            jellyfin: door(ServerKind::Jellyfin)?,
            playlist_endpoint: list_keeper,
        })
    }

    /// Address and token command of its page.
    pub(super) fn page(&self) -> GatewayPage {
        let data_dir = self.settings.data_dir.display();
        GatewayPage {
            address: self.running.control,
            token_command: format!("greenroom token show --data-dir {data_dir}"),
        }
    }

    /// Sets the mode in which reads are answered.
    pub(super) fn set_mode(&self, mode: CacheMode) {
        for (server, _) in &self.running.servers {
            server.set_mode(mode);
        }
    }

    /// Stops it and removes its folder. Returns the observe reports, once all comparisons are done.
    pub(super) async fn stop(self) -> Vec<ShadowReport> {
        let Self { running, folder, .. } = self;
        let RunningGateway { servers, stop, .. } = running;
        stop().await;
        // On an error the remainder stays in the system's temporary folder.
        let _ = folder.close();
        servers.iter().filter_map(|(server, _)| server.shadow_report()).collect()
    }
}

fn settings(servers: &DemoServers, plan: &DemoPlan, lists: PlaylistTool, folder: &TempDir) -> Result<Settings, String> {
    let mut tree = ConfigSource::default();
    let place = "demo";
    let mut set = |path: String, value: String| tree.set(&path, value, place.to_owned());
    set("data_dir".to_owned(), folder.path().join("state").display().to_string());
    set("control.listen".to_owned(), ANYWHERE.to_owned());
    match lists {
        PlaylistTool::Gateway => {
            let token = servers.token(DemoApp::Playlists).to_owned();
            set(format!("server.plex.accounts.{PLAYLIST_ACCOUNT}.token"), token);
        }
        PlaylistTool::Apps => set("library.enabled".to_owned(), "false".to_owned()),
    }
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let name = kind.name();
        set(format!("server.{name}.kind"), name.to_owned());
        set(format!("server.{name}.url"), servers.get(kind).url());
        set(format!("server.{name}.token"), servers.own_token(kind).to_owned());
        set(format!("server.{name}.listen"), ANYWHERE.to_owned());
        if let Some(prefetch) = plan.prefetch {
            set(format!("server.{name}.prefetch.enabled"), prefetch.to_string());
        }
    }
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        tree.add_server(kind.name(), place);
    }
    Settings::read(tree).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
