//! The classes requests are counted in and slowed down by.

use serde::Serialize;

/// What a request asks of the server. Both dialects sort their requests into these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Who the server is; answered without a token.
    Identity,
    /// The server, its settings, users and devices.
    Server,
    /// The list of sections.
    Sections,
    /// A list of a section, with or without filters.
    List,
    /// One or several items, and what lies below them.
    Metadata,
    /// A search.
    Search,
    /// Hubs, on deck, next up, latest.
    Hubs,
    /// Playlists and their items.
    Playlists,
    /// Who plays what now.
    Sessions,
    /// What was played.
    History,
    /// What the server is busy with.
    Activities,
    /// Figures about the machine.
    Statistics,
    /// An image.
    Image,
    /// A media file or a part of one.
    Media,
    /// Anything that changes something.
    Write,
    /// A notification socket or an event stream.
    Socket,
    /// What the server does not know.
    Other,
}
