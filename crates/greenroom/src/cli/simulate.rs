//! `greenroom simulate`: one simulated media server to try things against.

use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, ValueEnum};
use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_simulator::directions::describe;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::latency::Latency;
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::running::Running;
use greenroom_simulator::switch_names::{JELLYFIN_SWITCHES, PLEX_SWITCHES, turned};
use tokio_util::task::TaskTracker;

use super::{DONE, FAILED, MISUSED, block_on, told_to_stop};

const PLEX_PORT: u16 = 32400;
const JELLYFIN_PORT: u16 = 8096;

/// What was typed.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct Options {
    /// Which server to be
    #[arg(value_enum)]
    kind: Simulated,
    /// Where to listen [default: 127.0.0.1:32400 for Plex, 127.0.0.1:8096 for Jellyfin]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Seed of the library, of latencies and of the users' past
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Films in the library
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(..=MOST))]
    films: u32,
    /// Shows in the library
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(..=MOST))]
    shows: u32,
    /// Tracks in the library
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(..=MOST))]
    tracks: u32,
    /// How long answers take
    #[arg(long, value_enum, default_value_t = Pace::Realistic)]
    latency: Pace,
    /// Behave like another version: NAME turns a switch on, no-NAME turns it off; may be repeated
    #[arg(long = "switch", value_name = "NAME")]
    switches: Vec<String>,
}

/// Largest number of films, shows or tracks.
const MOST: i64 = 2_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Simulated {
    Plex,
    Jellyfin,
}

impl Simulated {
    fn name(self) -> &'static str {
        match self {
            Self::Plex => "Plex",
            Self::Jellyfin => "Jellyfin",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pace {
    Realistic,
    None,
}

fn after_help() -> String {
    let names = |named: Vec<&str>| named.join(", ");
    format!(
        "Switches of plex: {}\nSwitches of jellyfin: {}",
        names(PLEX_SWITCHES.iter().map(|(name, _)| *name).collect()),
        names(JELLYFIN_SWITCHES.iter().map(|(name, _)| *name).collect()),
    )
}

pub(super) fn run(options: &Options) -> u8 {
    block_on(async {
        let tasks = TaskTracker::new();
        let server = match start(options, &tasks).await {
            Ok(server) => server,
            Err((code, reason)) => {
                eprintln!("greenroom: {reason}");
                return code;
            }
        };
        print!("{}", describe(&server, options.kind.name()));
        told_to_stop().await;
        server.stop().await;
        tasks.close();
        tasks.wait().await;
        DONE
    })
}

async fn start(options: &Options, tasks: &TaskTracker) -> Result<Running, (u8, String)> {
    let size = CatalogueSize {
        films: options.films,
        shows: options.shows,
        tracks: options.tracks,
        ..CatalogueSize::default()
    };
    let latency = match options.latency {
        Pace::Realistic => Latency::default(),
        Pace::None => Latency::none(),
    };
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (address, started) = match options.kind {
        Simulated::Plex => {
            let switches = turned(PLEX_SWITCHES, &options.switches).map_err(|reason| (MISUSED, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(PLEX_PORT));
            let plex =
                plex::Options { seed: options.seed, size, latency, switches, ..plex::Options::default() };
            (address, Plex::new(plex).start(address, tasks).await)
        }
        Simulated::Jellyfin => {
            let switches =
                turned(JELLYFIN_SWITCHES, &options.switches).map_err(|reason| (MISUSED, reason))?;
            let address = options.listen.unwrap_or_else(|| loopback(JELLYFIN_PORT));
            let jellyfin = jellyfin::Options {
                seed: options.seed,
                size,
                latency,
                switches,
                ..jellyfin::Options::default()
            };
            (address, Jellyfin::new(jellyfin).start(address, tasks).await)
        }
    };
    started.map_err(|error| {
        (FAILED, format!("cannot listen on {address}: {error}; choose another with --listen"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_description_names_every_token() {
        let tasks = TaskTracker::new();
        let options = Options {
            kind: Simulated::Jellyfin,
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            seed: 1,
            films: 3,
            shows: 1,
            tracks: 3,
            latency: Pace::None,
            switches: Vec::new(),
        };
        let server = start(&options, &tasks).await.expect("it starts");
        let text = describe(&server, Simulated::Jellyfin.name());
        assert!(text.contains(&server.url()));
        for token in &server.tokens().tokens {
            assert!(text.contains(&token.secret), "{text}");
        }
        server.stop().await;
    }
}
