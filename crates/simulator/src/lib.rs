//! A simulated Jellyfin, and beside it the simulated Plex of `greenroom-plex-simulator` as [`plex`].
//!
//! Both implement enough of their API for real clients to work unmodified. They share one backend, whose modules are
//! re-exported here for callers that set up a server: a library computed from a seed ([`catalogue`]), the state of its
//! users ([`state`]), fault injection ([`faults`]), response latency ([`latency`]) and a log of every request
//! ([`request_log`]). A dialect only maps requests to views and writes of that state, and those to its own shapes.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use greenroom_simulator::plex::{Plex, PlexOptions};
//! use tokio_util::task::TaskTracker;
//!
//! let tracker = TaskTracker::new();
//! let running = Plex::new(PlexOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tracker).await?;
//! println!("{} with token {}", running.url(), running.tokens().owner_a());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Every body of a media server contains its user and the number of writes it includes (`greenroomUser`, `greenroomSeq`,
//! `greenroomUserSeq`), so that a mixed-up or outdated response shows in its content.
//!
//! Under `/__simulator/` each server shows its request log and accepts faults; these requests are not counted.
//!
//! Deliberately absent: any crate of the gateway, storage, media worth watching, and the parts of the protocols
//! that only players use.

pub mod jellyfin;
pub mod switch_names;

pub use greenroom_plex_simulator as plex;
pub use greenroom_simulator_backend::{
    catalogue, class, clock, faults, latency, media, options, picture, request_log, rng, serve, simulated_server,
    startup_text, state, timestamp, users,
};
