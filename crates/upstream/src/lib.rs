//! The two dialects: what a request to Plex or Jellyfin is, under which key its answer may be kept, which tags
//! that answer carries, and what a write or an event makes stale.
//!
//! Everything here is a pure function of what came over the wire. This crate knows nothing of caching, of clocks
//! or of sockets; it says *what* things are, the gateway decides what to do about them.
//!
//! Rooms:
//! - [`ask`]: a client's request as the dialects see it, and [`ask::Kind`], the closed set of dialects.
//! - [`verdict`]: what a request turns out to be: a read, a write, a stream, or refused.
//! - [`class`]: the classes of reads with their default lifetimes.
//! - [`path`]: one reading of a request's path, for routing and key alike; what is odd and what is refused.
//! - `picture`: whether a picture is whole.
//! - [`open`]: the closed lists of what passes without a token.
//! - [`redact`]: takes secrets out of targets, headers and free text before they are shown.
//! - [`tag`]: the words by which a write or an event names the answers it makes stale.
//! - [`credential`]: who asks, found in any of the places clients put it, and how it is sent on.
//! - [`crawl`]: how a library is read whole, and what a notification says about its items.
//! - [`dashboard`]: what dashboards show of a server.
//! - [`facts`]: what an answer's body says: whether it may be kept, its rows, its further tags.
//! - [`greeting`]: what a server says of itself, and its change counters.
//! - [`introduction`]: who answers at an address, also those who are not served.
//! - [`login`]: getting a token by a code or a password.
//! - [`rights`]: what a token may do.
//! - [`survey`]: reads that show what a server really has, found in its own answers.
//! - [`sequel`]: what is likely to be asked next, learnt from what a client asked before.
//! - [`signal`]: what a frame of a notification socket says.
//! - [`playlists`]: reading and writing playlists of a user's own accord.
//! - [`plex`], [`jellyfin`]: the dialects.

pub mod ask;
pub mod class;
pub mod crawl;
pub mod credential;
pub mod dashboard;
pub mod facts;
pub mod greeting;
pub mod introduction;
pub mod jellyfin;
pub mod login;
pub mod open;
pub mod path;
mod picture;
pub mod playlists;
pub mod plex;
pub mod redact;
pub mod rights;
pub mod sequel;
pub mod signal;
pub mod survey;
pub mod tag;
pub mod verdict;
