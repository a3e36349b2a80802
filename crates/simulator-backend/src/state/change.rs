//! What followers are told when something changes.

use super::watch::Progress;
use crate::catalogue::{ItemId, Kind, Section};
use crate::users::UserId;

/// A change, told to every follower in the order it was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An item was added.
    Added(Moved),
    /// An item's metadata was edited or refreshed.
    Edited(Moved),
    /// An item was deleted.
    Deleted(Moved),
    /// The state of a user on an item changed.
    Watched {
        /// Whose state.
        user: UserId,
        /// On what.
        item: ItemId,
        /// By what.
        cause: Cause,
    },
    /// A playlist was made, changed or deleted.
    Playlist {
        /// Whose it is.
        owner: UserId,
        /// Its id.
        playlist: ItemId,
        /// Its title.
        title: String,
        /// Whether it is gone.
        deleted: bool,
        /// What came to it.
        added: Vec<ItemId>,
    },
    /// A player did something.
    Playing {
        /// Which session.
        session: String,
        /// Who plays.
        user: UserId,
        /// What plays.
        item: ItemId,
        /// What the player does.
        progress: Progress,
        /// Where it is.
        offset_ms: u64,
        /// Identifier of the device.
        client: String,
    },
    /// The server started, continued or ended to do something.
    Activity(Activity),
    /// A scan of a section ended.
    Scanned(Section),
    /// The server's settings, users or devices changed.
    Server,
    /// The server is about to go away.
    ShuttingDown,
}

/// What made a user's state on an item change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was marked as played.
    Played,
    /// It was marked as unplayed.
    Unplayed,
    /// It was rated.
    Rated,
    /// It became or ceased to be a favourite.
    Favourite,
    /// The position moved while it played.
    Progress,
}

/// An item that came, changed or went, with what stands above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The item.
    pub item: ItemId,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub section: Section,
    /// Its title.
    pub title: String,
    /// What it lies in.
    pub parent: Option<ItemId>,
    /// What that lies in.
    pub grandparent: Option<ItemId>,
    /// When.
    pub at: u64,
}

/// Something the server is busy with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its identifier.
    pub uuid: String,
    /// What it is, in the words of the dialect's own follower: `library.update.section`, `library.refresh.items`.
    pub kind: String,
    /// `started`, `updated`, `ended`.
    pub event: &'static str,
    /// What people read.
    pub title: String,
    /// More of it.
    pub subtitle: String,
    /// Percent.
    pub progress: u8,
    /// The section it is about.
    pub section: Option<Section>,
    /// The item it is about.
    pub item: Option<ItemId>,
    /// Whether it changed anything.
    pub refreshed: bool,
}
