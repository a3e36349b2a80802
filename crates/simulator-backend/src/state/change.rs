//! Change notifications to followers.

use super::playlist::PlaylistAudience;
use super::watch::PlayerState;
use crate::catalogue::{ItemId, MediaKind, Section};
use crate::users::UserId;

/// A change, sent to every follower in order.
#[derive(Debug, Clone, PartialEq)]
pub enum StateChange {
    /// An item was added.
    Added(ItemChange),
    /// An item's metadata was edited or refreshed.
    Edited(ItemChange),
    /// An item was deleted.
    Deleted(ItemChange),
    /// The state of a user on an item changed.
    Watched {
        /// User whose state changed.
        user: UserId,
        /// Item.
        item: ItemId,
        /// Cause of the change.
        cause: WatchChangeCause,
    },
    /// A playlist was made, changed or deleted.
    Playlist {
        /// Its owner.
        owner: UserId,
        /// Its id.
        playlist: ItemId,
        /// Its title.
        title: String,
        /// Cause of the change.
        cause: PlaylistChangeCause,
        /// The users who see it, or saw it.
        audience: PlaylistAudience,
        /// Added items.
        added: Vec<ItemId>,
    },
    /// A player's state changed.
    Playing {
        /// Key of the session.
        session: String,
        /// User.
        user: UserId,
        /// Played item.
        item: ItemId,
        /// State of the player.
        progress: PlayerState,
        /// Position in milliseconds.
        offset_ms: u64,
        /// Identifier of the device.
        client: String,
    },
    /// An activity of the server started, continued or ended.
    Activity(SimulatedActivity),
    /// A scan of a section ended.
    Scanned(Section),
    /// The server's settings, users or devices changed.
    Server,
    /// Users were added, limited or removed. No client is told.
    UsersChanged,
    /// The server is about to shut down.
    ShuttingDown,
}

/// Cause of a change of a user's state on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchChangeCause {
    /// It was marked as played.
    Played,
    /// It was marked as unplayed.
    Unplayed,
    /// It was rated.
    Rated,
    /// It was added to the favourites, or removed.
    Favourite,
    /// The position advanced during playback.
    Progress,
    /// A playback started, where that changes the state.
    Started,
}

/// Cause of a playlist's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaylistChangeCause {
    /// It was created.
    Created,
    /// Its entries, its title or its sharing changed.
    Changed,
    /// It was deleted.
    Deleted,
}

/// An added, changed or deleted item, with its parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemChange {
    /// The item.
    pub item: ItemId,
    /// Its kind.
    pub kind: MediaKind,
    /// Its section.
    pub section: Section,
    /// Its title.
    pub title: String,
    /// Its parent.
    pub parent: Option<ItemId>,
    /// Parent of its parent.
    pub grandparent: Option<ItemId>,
    /// Time of the change.
    pub at: u64,
}

/// An activity of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedActivity {
    /// Its identifier.
    pub uuid: String,
    /// Its type, in Plex's words: `library.update.section`, `library.refresh.items`.
    pub kind: String,
    /// `started`, `updated`, `ended`.
    pub event: &'static str,
    /// Title for people.
    pub title: String,
    /// Subtitle for people.
    pub subtitle: String,
    /// Progress in percent.
    pub progress: u8,
    /// Section it concerns.
    pub section: Option<Section>,
    /// Item it concerns.
    pub item: Option<ItemId>,
    /// Whether it changed anything.
    pub refreshed: bool,
}

impl SimulatedActivity {
    /// The section whose scan this is.
    pub fn scanned_section(&self) -> Option<Section> {
        self.section.filter(|_| self.kind == "library.update.section")
    }
}
