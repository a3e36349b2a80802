//! What the user wants: one TOML file, the environment and the command line, read into [`Settings`].
//!
//! Every key of the file is also an environment variable: `control.listen` is `GREENROOM_CONTROL_LISTEN`, and a
//! server's `url` is `GREENROOM_SERVER_<NAME>_URL`. The command line wins over the environment, which wins over
//! the file. All problems are found in one pass and reported together, each with its place; a key nobody knows is
//! a problem too.
//!
//! Rooms: [`tree`] (where values come from), [`settings`] (what they mean), [`server`] (one media server), [`address`] and
//! `token` (what is written in many places), [`control`] (who may do what on the control plane), [`disk`] (what outlives the
//! process), [`hygiene`], [`bodies`] and [`networks`] (what of strangers is borne), [`prefetch`] (what is loaded before it is asked for),
//! [`library`] (what is kept whole), [`matching`] (what is remembered of matches), [`jobs`] (what is done by itself),
//! [`notices`] (who is told when something happens), [`playlists`] (whose playlists are kept, and which), [`statistics`]
//! (what is counted), [`takeover`] (how another process takes this one's place), [`tls`] (who is believed and what is shown), [`tracing`] (where traces go), [`template`] (`config init`).

pub mod account;
pub mod address;
pub mod bodies;
pub mod certificate_files;
pub mod control;
pub mod disk;
pub mod endpoint;
pub mod fingerprint;
pub mod hygiene;
pub mod jobs;
mod library;
pub mod matching;
pub mod mode;
pub mod networks;
pub mod notices;
pub mod notification_event;
pub mod notification_template;
pub mod playlist_mode;
pub mod playlists;
pub mod prefetch;
pub mod server;
pub mod settings;
pub mod statistics;
pub mod takeover;
pub mod target_url;
pub mod template;
pub mod tls;
mod token;
pub mod tracing;
pub mod tree;
pub mod trust;

pub use control::Control;
pub use endpoint::Place;
pub use fingerprint::Fingerprint;
pub use hygiene::Hygiene;
pub use library::{AtStart, Library};
pub use matching::Matching;
pub use mode::Mode;
pub use networks::Networks;
pub use notices::Notice;
pub use notification_event::Event;
pub use notification_template::Template;
pub use prefetch::Prefetch;
pub use server::Server;
pub use settings::{Memory, Settings};
pub use statistics::Statistics;
pub use takeover::Takeover;
pub use target_url::Address;
pub use tracing::Tracing;
pub use tree::{Problem, Tree};
pub use trust::Trust;
