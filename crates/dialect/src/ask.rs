//! A client's request as the dialects see it, and the closed set of dialects.

use http::{HeaderMap, Method};

/// The dialects. A closed set: every difference between servers is a `match` on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Plex Media Server.
    Plex,
    /// Jellyfin 10.10 and later.
    Jellyfin,
}

/// A request as it came in, before anything was decided.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// Raw path and query, as sent, without scheme and authority, the configured base path already taken off.
    pub target: &'a str,
    /// The headers, as sent.
    pub headers: &'a HeaderMap,
    /// The first bytes of the body of a write (at most 64 KiB), empty for reads: playback reports carry the item
    /// there.
    pub body: &'a [u8],
}

impl Kind {
    /// The word used in configuration, metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plex => "plex",
            Self::Jellyfin => "jellyfin",
        }
    }

    /// A cheap path that says whether the server is alive, without a token.
    pub fn probe_path(self) -> &'static str {
        match self {
            Self::Plex => "/identity",
            Self::Jellyfin => "/System/Ping",
        }
    }
}

/// Whether the body of a write has a say in what it makes stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyUse {
    /// Method, target and headers say it all: `Ask::body` may be empty.
    Unread,
    /// The first bytes of the body name what is concerned.
    Read,
}
