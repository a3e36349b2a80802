//! `greenroom simulate`: one simulated media server to try things against.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, ValueEnum};
use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::latency::Latency;
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::running::Running;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pace {
    Realistic,
    None,
}

/// The switches of one dialect by name.
type Named<S> = [(&'static str, fn(&mut S) -> &mut bool)];

const PLEX_SWITCHES: &Named<plex::Switches> = &[
    ("scrobble-announced", |switches| &mut switches.scrobble_announced),
    ("content-changed-by-edits", |switches| &mut switches.content_changed_by_edits),
    ("sockets-for-owner-only", |switches| &mut switches.sockets_for_owner_only),
    ("playing-every-second", |switches| &mut switches.playing_every_second),
    ("gzip", |switches| &mut switches.gzip),
    ("double-content-length", |switches| &mut switches.double_content_length),
    ("vary", |switches| &mut switches.vary),
    ("etag-on-images", |switches| &mut switches.etag_on_images),
    ("unknown-filter-refused", |switches| &mut switches.unknown_filter_refused),
    ("playlist-takes-one", |switches| &mut switches.playlist_takes_one),
    ("hubs-differ-by-client", |switches| &mut switches.hubs_differ_by_client),
    ("trusts-forwarded-for", |switches| &mut switches.trusts_forwarded_for),
    ("claimed", |switches| &mut switches.claimed),
    ("marks", |switches| &mut switches.marks),
    ("trusts-neighbours", |switches| &mut switches.trusts_neighbours),
];

const JELLYFIN_SWITCHES: &Named<jellyfin::Switches> = &[
    ("reject-legacy-auth", |switches| &mut switches.reject_legacy_auth),
    ("compress", |switches| &mut switches.compress),
    ("legacy-routes", |switches| &mut switches.legacy_routes),
    ("emby-prefix", |switches| &mut switches.emby_prefix),
    ("localized-names", |switches| &mut switches.localized_names),
    ("channel-id-null", |switches| &mut switches.channel_id_null),
    ("zero-user-data-ids", |switches| &mut switches.zero_user_data_ids),
    ("uncounted-is-page", |switches| &mut switches.uncounted_is_page),
    ("user-data-to-caller", |switches| &mut switches.user_data_to_caller),
    ("split-names-at-commas", |switches| &mut switches.split_names_at_commas),
    ("keys-may-subscribe", |switches| &mut switches.keys_may_subscribe),
    ("denied-library-is-401", |switches| &mut switches.denied_library_is_401),
    ("quick-connect", |switches| &mut switches.quick_connect),
    ("marks", |switches| &mut switches.marks),
];

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
        print!("{}", describe(&server, options.kind));
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

/// The default switches with those turned that were named.
fn turned<S: Default>(known: &Named<S>, names: &[String]) -> Result<S, String> {
    let mut switches = S::default();
    for name in names {
        let (plain, on) = name.strip_prefix("no-").map_or((name.as_str(), true), |plain| (plain, false));
        let Some((_, place)) = known.iter().find(|(known, _)| *known == plain) else {
            let all: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            return Err(format!("no such switch: {plain}; there are {}", all.join(", ")));
        };
        *place(&mut switches) = on;
    }
    Ok(switches)
}

/// What whoever started it needs to know.
fn describe(server: &Running, kind: Simulated) -> String {
    let url = server.url();
    let users = server.tokens();
    let name = match kind {
        Simulated::Plex => "Plex",
        Simulated::Jellyfin => "Jellyfin",
    };
    let mut text = format!("simulated {name}: {url}\nusers and their tokens (they open nothing else):\n");
    for token in &users.tokens {
        let user = token.user.and_then(|id| users.user(id));
        let whose = user.map_or_else(
            || "an API key, which is nobody's".to_owned(),
            |user| if user.admin { format!("{}, the owner", user.name) } else { user.name.clone() },
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16} {whose}", token.secret);
    }
    let _ = write!(
        text,
        "figures:  curl -s {url}/__simulator/ledger       latest requests: {url}/__simulator/requests
faults:   curl -sX PUT {url}/__simulator/faults -d '{{\"fault\": \"down\", \"path_prefix\": \"/\"}}'
          curl -sX DELETE {url}/__simulator/faults   all is well again
          others: hang, {{\"slow\": MS}}, start_page503, truncated, html_instead_of_json, empty_while_starting,
          encrypted_only, {{\"wrong_clock\": SECONDS}}, answer_lost; \"times\": N ends one by itself;
          down without a path_prefix takes these pages down too
login:    curl -sX POST '{url}/__simulator/link?code=CODE'   agree to a code, as the owner
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plex(names: &[&str]) -> Result<plex::Switches, String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        turned(PLEX_SWITCHES, &names)
    }

    #[test]
    fn a_switch_is_turned_by_its_name() {
        assert!(plex(&["gzip"]).expect("it exists").gzip);
        assert!(!plex(&["gzip", "no-gzip"]).expect("it exists").gzip);
        assert_eq!(plex(&[]).expect("nothing is wrong with nothing"), plex::Switches::default());
    }

    #[test]
    fn an_unknown_switch_is_refused_with_those_there_are() {
        let reason = plex(&["gzipp"]).expect_err("there is no such switch");
        assert!(reason.contains("gzipp") && reason.contains("playing-every-second"), "{reason}");
    }

    #[test]
    fn every_switch_turns_one_thing_only() {
        for (name, place) in JELLYFIN_SWITCHES {
            let (mut turned, default) = (jellyfin::Switches::default(), jellyfin::Switches::default());
            let before = *place(&mut turned);
            *place(&mut turned) = !before;
            assert_ne!(turned, default, "{name}");
            *place(&mut turned) = before;
            assert_eq!(turned, default, "{name}");
        }
    }

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
        let text = describe(&server, Simulated::Jellyfin);
        assert!(text.contains(&server.url()));
        for token in &server.tokens().tokens {
            assert!(text.contains(&token.secret), "{text}");
        }
        server.stop().await;
    }
}
