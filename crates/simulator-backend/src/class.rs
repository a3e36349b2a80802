//! Request classes, for counting and latency.

use serde::Serialize;

/// Class of a request, shared by both dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestClass {
    /// Identity of the server; answered without a token.
    Identity,
    /// Server, settings, users and devices.
    Server,
    /// The list of sections.
    Sections,
    /// A list of a section, with or without filters.
    List,
    /// One or several items, and their children.
    Metadata,
    /// A search.
    Search,
    /// Hubs, on deck, next up, latest.
    Hubs,
    /// Playlists and their items.
    Playlists,
    /// Current sessions.
    Sessions,
    /// Playback history.
    History,
    /// Activities of the server.
    Activities,
    /// Statistics of the machine.
    Statistics,
    /// An image.
    Image,
    /// A media file or a part of one.
    Media,
    /// A write.
    Write,
    /// A notification socket or an event stream.
    Socket,
    /// An unknown path.
    Other,
}
