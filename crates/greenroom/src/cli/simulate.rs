//! `greenroom simulate`: runs one simulated server for experiments.

use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, ValueEnum};
use greenroom_graphql_simulator::{GraphQl, GraphQlOptions, SWITCH_NAMES as GRAPHQL_SWITCHES};
use greenroom_http_simulator::{HTTP_API_SWITCHES, HttpApi, HttpApiOptions};
use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::latency::LatencyProfile;
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::startup_text::describe;
use greenroom_simulator::switch_names::{JELLYFIN_SWITCHES, PLEX_SWITCHES, turned};
use tokio_util::task::TaskTracker;

use super::output::print_error;
use super::{FAILURE, SUCCESS, USAGE_ERROR, block_on, stop_signal};

const PLEX_PORT: u16 = 32400;
const JELLYFIN_PORT: u16 = 8096;
const GRAPHQL_PORT: u16 = 8480;
const HTTP_API_PORT: u16 = 8481;

/// Arguments.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct SimulateArgs {
    /// Kind of server
    #[arg(value_enum)]
    kind: SimulatedServerKind,
    /// Address and port [default: 127.0.0.1:32400 for Plex, 127.0.0.1:8096 for Jellyfin, 127.0.0.1:8480 for GraphQL,
    /// 127.0.0.1:8481 for HTTP]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Seed of the random library, latencies and history
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Films in the library
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(..=MAX_ITEMS))]
    films: u32,
    /// Shows in the library
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(..=MAX_ITEMS))]
    shows: u32,
    /// Tracks in the library
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(..=MAX_ITEMS))]
    tracks: u32,
    /// Response times
    #[arg(long, value_enum, default_value_t = LatencyMode::Realistic)]
    latency: LatencyMode,
    /// Behave like another version: NAME turns a switch on, no-NAME turns it off; may be repeated
    #[arg(long = "switch", value_name = "NAME")]
    switches: Vec<String>,
}

/// Maximum number of films, shows or tracks.
const MAX_ITEMS: i64 = 2_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SimulatedServerKind {
    Plex,
    Jellyfin,
    /// A streaming service that is neither: projects, seasons, episodes, resume watching
    Graphql,
    /// HTTP APIs of metadata services: TMDB, MusicBrainz, Sonarr and Radarr
    Http,
}

impl SimulatedServerKind {
    fn name(self) -> &'static str {
        match self {
            Self::Plex => "Plex",
            Self::Jellyfin => "Jellyfin",
            Self::Graphql => "GraphQL API",
            Self::Http => "HTTP APIs",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LatencyMode {
    Realistic,
    None,
}

fn after_help() -> String {
    let names = |names: Vec<&str>| names.join(", ");
    format!(
        "Switches of plex: {}\nSwitches of jellyfin: {}\nSwitches of graphql: {}\nSwitches of http: {}",
        names(PLEX_SWITCHES.iter().map(|(name, _)| *name).collect()),
        names(JELLYFIN_SWITCHES.iter().map(|(name, _)| *name).collect()),
        names(GRAPHQL_SWITCHES.iter().map(|(name, _)| *name).collect()),
        names(HTTP_API_SWITCHES.iter().map(|(name, _)| *name).collect()),
    )
}

pub(super) fn run(options: &SimulateArgs) -> u8 {
    block_on(async {
        let tasks = TaskTracker::new();
        let server = match start(options, &tasks).await {
            Ok(server) => server,
            Err((code, reason)) => {
                return print_error(&reason, code);
            }
        };
        print!("{}", describe(&server, options.kind.name()));
        stop_signal().await;
        server.stop().await;
        tasks.close();
        tasks.wait().await;
        SUCCESS
    })
}

async fn start(options: &SimulateArgs, tasks: &TaskTracker) -> Result<SimulatedServer, (u8, String)> {
    let size = CatalogueSize {
        films: options.films,
        shows: options.shows,
        tracks: options.tracks,
        ..CatalogueSize::default()
    };
    let latency = match options.latency {
        LatencyMode::Realistic => LatencyProfile::default(),
        LatencyMode::None => LatencyProfile::none(),
    };
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (address, result) = match options.kind {
        SimulatedServerKind::Plex => {
            let switches = turned(PLEX_SWITCHES, &options.switches).map_err(|reason| (USAGE_ERROR, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(PLEX_PORT));
            let plex =
                plex::PlexOptions { seed: options.seed, size, latency, switches, ..plex::PlexOptions::default() };
            (address, Plex::new(plex).start(address, tasks).await)
        }
        SimulatedServerKind::Jellyfin => {
            let switches = turned(JELLYFIN_SWITCHES, &options.switches).map_err(|reason| (USAGE_ERROR, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(JELLYFIN_PORT));
            let jellyfin = jellyfin::JellyfinOptions {
                seed: options.seed,
                size,
                latency,
                switches,
                ..jellyfin::JellyfinOptions::default()
            };
            (address, Jellyfin::new(jellyfin).start(address, tasks).await)
        }
        SimulatedServerKind::Graphql => {
            let switches = turned(GRAPHQL_SWITCHES, &options.switches).map_err(|reason| (USAGE_ERROR, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(GRAPHQL_PORT));
            let graphql = GraphQlOptions { seed: options.seed, size, latency, switches, ..Default::default() };
            (address, GraphQl::new(graphql).start(address, tasks).await)
        }
        SimulatedServerKind::Http => {
            let switches = turned(HTTP_API_SWITCHES, &options.switches).map_err(|reason| (USAGE_ERROR, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(HTTP_API_PORT));
            let http_api = HttpApiOptions { seed: options.seed, size, latency, switches, ..Default::default() };
            (address, HttpApi::new(http_api).start(address, tasks).await)
        }
    };
    result.map_err(|error| (FAILURE, format!("cannot listen on {address}: {error}; choose another with --listen")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_description_names_every_token() {
        let tasks = TaskTracker::new();
        let options = SimulateArgs {
            kind: SimulatedServerKind::Jellyfin,
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            seed: 1,
            films: 3,
            shows: 1,
            tracks: 3,
            latency: LatencyMode::None,
            switches: Vec::new(),
        };
        let server = start(&options, &tasks).await.expect("start the server");
        let text = describe(&server, SimulatedServerKind::Jellyfin.name());
        assert!(text.contains(&server.url()));
        for token in &server.tokens().tokens {
            assert!(text.contains(&token.secret), "{text}");
        }
        server.stop().await;
    }
}
