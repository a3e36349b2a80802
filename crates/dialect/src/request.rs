//! A client's request as the dialects see it, and the closed set of dialects.

use http::{HeaderMap, Method};

/// The dialects. A closed set: every difference between servers is a `match` on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKind {
    /// Plex Media Server.
    Plex,
    /// Jellyfin 10.10 and later.
    Jellyfin,
}

/// Max bytes of a write's body that are parsed for its invalidations. A longer body may name more items.
pub const MAX_BODY_READ: usize = 64 * 1024;

/// A request as received, before classification.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// Raw path and query, as sent, without scheme and authority; the configured base path is already
    /// removed.
    pub target: &'a str,
    /// The headers, as sent.
    pub headers: &'a HeaderMap,
    /// The first bytes of the body of a write (at most [`MAX_BODY_READ`]), empty for reads: playback reports
    /// name the item there.
    pub body: &'a [u8],
}

impl ServerKind {
    /// Name used in configuration, metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plex => "plex",
            Self::Jellyfin => "jellyfin",
        }
    }

    /// A cheap path that shows whether the server is alive, without a token.
    pub fn probe_path(self) -> &'static str {
        match self {
            Self::Plex => "/identity",
            Self::Jellyfin => "/System/Ping",
        }
    }
}

/// Whether the invalidations of a write depend on its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyUse {
    /// Method, target and headers suffice: `RequestView::body` may be empty.
    Unread,
    /// With the whole body the invalidations are fewer; without it they are safe.
    Helpful,
    /// The first bytes of the body name the items.
    Read,
}
