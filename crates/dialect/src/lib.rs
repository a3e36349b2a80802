//! The two dialects: parses requests to Plex and Jellyfin, derives the cache key and the tags of a response,
//! and maps writes and events to the tags they invalidate.
//!
//! Everything here is a pure function of bytes from the wire. This crate knows nothing of caching, clocks or
//! sockets; it describes requests and responses, and the gateway acts on them.
//!
//! Modules:
//! - [`request`]: a client's request as the dialects see it, and [`request::ServerKind`], the closed set of
//!   dialects.
//! - `dispatch`: methods of [`request::ServerKind`] that hand a request to the matching dialect.
//! - [`classification`]: a request is a read, a write, a pass-through, or rejected.
//! - [`class`]: request types and their default lifetimes.
//! - [`path`]: one parser of request paths, for routing and key alike; rejects or restricts odd paths.
//! - `image_integrity`: detects truncated images.
//! - [`anonymous_access`]: requests allowed without a token; each dialect has its closed list.
//! - [`redact`]: removes secrets from targets, headers and free text before they are shown.
//! - [`token_shape`]: recognises tokens in places where names are expected.
//! - [`tag`]: tags of responses, by which a write or an event invalidates them.
//! - [`credential`]: the token and the client's name, found in every place clients put them, and how they are
//!   forwarded.
//! - [`crawl`]: reads a whole library, and reads change hints out of notifications.
//! - [`dashboard`]: the data dashboards show of a server.
//! - [`response_facts`]: facts from a response body: whether it is cacheable, its rows, its further tags.
//! - [`response_comparison`]: compares two responses to the same request.
//! - [`server_identity`]: identifies the server at an address, including unsupported ones;
//!   [`supported_versions`].
//! - [`change_counters`]: change counters of the sections of a Plex server. [`own_user`]: the user of a
//!   Jellyfin token.
//! - [`login`]: gets a token by a code or a password.
//! - [`permissions`]: the permissions of a token.
//! - [`probe_set`]: reads that match what a server really has, built from its own responses.
//! - [`prediction`]: predicts likely next requests from a client's earlier ones.
//! - [`video_listing`]: recognises the listing of a whole video library.
//! - [`server_event`]: events parsed from the frames of a notification socket.
//! - [`playlists`]: reads and writes playlists on a user's behalf.
//! - [`plex`], [`jellyfin`]: the dialects.

mod absence;
pub mod anonymous_access;
pub mod change_counters;
pub mod class;
pub mod classification;
pub mod crawl;
pub mod credential;
pub mod dashboard;
mod dispatch;
mod image_integrity;
pub mod jellyfin;
pub mod login;
pub mod own_user;
pub mod path;
pub mod permissions;
pub mod playlists;
pub mod plex;
pub mod prediction;
pub mod probe_set;
pub mod redact;
pub mod request;
pub mod response_comparison;
pub mod response_facts;
pub mod server_event;
pub mod server_identity;
pub mod supported_versions;
pub mod tag;
pub mod token_shape;
pub mod video_listing;
