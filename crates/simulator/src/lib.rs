//! A Plex and a Jellyfin to run against.
//!
//! Both speak enough of their protocol for real clients to work unmodified. They stand on the same backend, whose rooms
//! are shown here as well, for whoever sets up a server needs its words: a library that is computed from a seed
//! ([`catalogue`]), the state of its users ([`state`]), what can be made to go wrong ([`faults`]), how long answers
//! take ([`latency`]) and a count of every request ([`ledger`]). A dialect only turns requests into views and writes of
//! that state, and those into its own shapes.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use greenroom_simulator::plex::{Options, Plex};
//! use tokio_util::task::TaskTracker;
//!
//! let tracker = TaskTracker::new();
//! let running = Plex::new(Options::quick()).start("127.0.0.1:0".parse().expect("an address"), &tracker).await?;
//! println!("{} with token {}", running.url(), running.tokens().owner_a());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Every body says for whom it was made and after how many writes (`greenroomUser`, `greenroomSeq`,
//! `greenroomUserSeq`), so that a mixed-up or outdated answer shows in its content.
//!
//! Under `/__simulator/` each server shows its own ledger and takes faults; these requests are not counted.
//!
//! What is deliberately absent: any other crate of this project, storage, media worth watching, and the parts of the
//! protocols that only players use.

pub mod directions;
pub mod jellyfin;
pub mod plex;
pub mod switch_names;

pub use greenroom_simulator_backend::{
    catalogue, chance, class, clock, faults, latency, ledger, media, options, running, serve, state,
    timestamp, users,
};
