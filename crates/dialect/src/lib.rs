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
//! - [`reach`]: extends invalidations by what is known of items.
//! - `tag_group`: what tags of lists are narrowed by.
//! - [`credential`]: the token and the client's name, found in every place clients put them, and how they are
//!   forwarded.
//! - [`crawl`]: reads a whole library, and reads change hints out of notifications.
//! - [`dashboard`]: the data dashboards show of a server.
//! - [`response_facts`]: facts from a response body: whether it is cacheable, its rows, its further tags.
//! - [`server_identity`]: identifies the server at an address, including unsupported ones;
//!   [`supported_versions`].
//! - [`changed_since`]: what changed since a moment, and counters that move when something does.
//! - [`fingerprint`]: counts and dates that move when an account's user state does.
//! - [`own_user`]: the user of a Jellyfin token.
//! - [`session_list`]: Jellyfin's sessions as its socket tells them. [`user_list`]: its users, and which changed.
//! - [`login`]: gets a token by a code or a password.
//! - [`permissions`]: the permissions of a token.
//! - [`video_listing`]: recognises the listing of a whole video library.
//! - [`server_event`]: events parsed from the frames of a notification socket.
//! - [`playback_stage`]: what a position makes of an item.
//! - `sabotage`: takes out rules, in a build of their own.
//! - [`playlists`]: reads and writes playlists on a user's behalf.
//! - [`plex`], [`jellyfin`]: the dialects.

mod absence;
pub mod anonymous_access;
pub mod changed_since;
pub mod class;
pub mod classification;
pub mod crawl;
pub mod credential;
pub mod dashboard;
mod dispatch;
pub mod fingerprint;
mod image_integrity;
pub mod jellyfin;
pub mod login;
pub mod own_user;
pub mod path;
pub mod permissions;
pub mod playback_stage;
pub mod playlists;
pub mod plex;
pub mod reach;
pub mod redact;
pub mod request;
pub mod response_facts;
mod sabotage;
pub mod server_event;
pub mod server_identity;
pub mod session_list;
pub mod supported_versions;
pub mod tag;
mod tag_group;
pub mod token_shape;
pub mod user_list;
pub mod video_listing;
