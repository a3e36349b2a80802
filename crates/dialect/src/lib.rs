//! The two dialects: what a request to Plex or Jellyfin is, under which key its answer may be kept, which tags
//! that answer carries, and what a write or an event makes stale.
//!
//! Everything here is a pure function of what came over the wire. This crate knows nothing of caching, of clocks
//! or of sockets; it says *what* things are, the gateway decides what to do about them.
//!
//! Rooms:
//! - [`ask`]: a client's request as the dialects see it, and [`ask::Kind`], the closed set of dialects.
//! - `dispatch`: what is asked of a [`ask::Kind`] about a request, handed to the dialect of that name.
//! - [`verdict`]: what a request turns out to be: a read, a write, a stream, or refused.
//! - [`class`]: the classes of reads with their default lifetimes.
//! - [`path`]: one reading of a request's path, for routing and key alike; what is odd and what is refused.
//! - `picture`: whether a picture is whole.
//! - [`open`]: what passes without a token; the closed lists are the dialects'.
//! - [`redact`]: takes secrets out of targets, headers and free text before they are shown.
//! - [`tag`]: the words by which a write or an event names the answers it makes stale.
//! - [`credential`]: who asks, found in any of the places clients put it, and how it is sent on.
//! - [`crawl`]: how a library is read whole, and what a notification says about its items.
//! - [`dashboard`]: what dashboards show of a server.
//! - [`facts`]: what an answer's body says: whether it may be kept, its rows, its further tags.
//! - [`server_identity`]: which server answers at an address, also those that are not supported;
//!   [`supported_versions`].
//! - [`change_counters`]: how often a section of a Plex changed. [`own_user`]: the user of a Jellyfin token.
//! - [`login`]: getting a token by a code or a password.
//! - [`rights`]: what a token may do.
//! - [`survey`]: reads that show what a server really has, found in its own answers.
//! - [`sequel`]: what is likely to be asked next, learnt from what a client asked before.
//! - [`signal`]: what a frame of a notification socket says.
//! - [`playlists`]: reading and writing playlists of a user's own accord.
//! - [`plex`], [`jellyfin`]: the dialects.

pub mod ask;
pub mod change_counters;
pub mod class;
pub mod crawl;
pub mod credential;
pub mod dashboard;
mod dispatch;
pub mod facts;
pub mod jellyfin;
pub mod login;
pub mod open;
pub mod own_user;
pub mod path;
mod picture;
pub mod playlists;
pub mod plex;
pub mod redact;
pub mod rights;
pub mod sequel;
pub mod server_identity;
pub mod signal;
pub mod supported_versions;
pub mod survey;
pub mod tag;
pub mod verdict;
