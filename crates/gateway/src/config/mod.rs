//! What the user wants: one TOML file, the environment and the command line, read into [`Settings`].
//!
//! Every key of the file is also an environment variable: `control.listen` is `GREENROOM_CONTROL_LISTEN`, and a
//! server's `url` is `GREENROOM_SERVER_<NAME>_URL`. The command line wins over the environment, which wins over
//! the file. All problems are found in one pass and reported together, each with its place; a key nobody knows is
//! a problem too.
//!
//! Rooms: [`tree`] (where values come from), [`settings`] (what they mean), [`server`] (one media server), [`address`] and
//! `token` (what is written in many places), [`control`] (who may do what on the control plane), [`disk`] (what outlives the
//! process), [`hygiene`] and [`networks`] (what of strangers is borne), [`prefetch`] (what is loaded before it is asked for),
//! [`library`] (what is kept whole), [`matching`] (what is remembered of matches), [`jobs`] (what is done by itself),
//! [`notices`] (who is told when something happens), [`playlists`] (whose playlists are kept, and which), [`statistics`]
//! (what is counted), [`tls`] (who is believed and what is shown), [`tracing`] (where traces go), [`template`] (`config init`).

pub mod address;
pub mod control;
pub mod disk;
pub mod hygiene;
pub mod jobs;
mod library;
pub mod matching;
pub mod networks;
pub mod notices;
pub mod playlists;
pub mod prefetch;
pub mod server;
pub mod settings;
pub mod statistics;
pub mod template;
pub mod tls;
mod token;
pub mod tracing;
pub mod tree;

pub use control::Control;
pub use hygiene::Hygiene;
pub use library::{AtStart, Library};
pub use matching::Matching;
pub use networks::Networks;
pub use notices::Notice;
pub use prefetch::Prefetch;
pub use server::Server;
pub use settings::{Memory, Settings};
pub use statistics::Statistics;
pub use tracing::Tracing;
pub use tree::{Problem, Tree};
