//! Playlists.

use crate::catalogue::ItemId;
use crate::users::UserId;

/// A playlist of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistRecord {
    /// Its id, from the same numbers as items.
    pub id: ItemId,
    /// Its owner.
    pub owner: UserId,
    /// Users with whom it is shared.
    pub shared_with: Vec<UserId>,
    /// Whether all users may see it.
    pub public: bool,
    /// Its title.
    pub title: String,
    /// Description.
    pub summary: String,
    /// `audio` or `video`.
    pub medium: &'static str,
    /// Its entries, in order.
    pub entries: Vec<PlaylistEntryRecord>,
    /// Time of creation.
    pub added_at: u64,
    /// Time of the last change.
    pub updated_at: u64,
    /// Its query, if it is smart.
    pub smart: Option<String>,
}

/// An item in a playlist. The same item may be in it several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaylistEntryRecord {
    /// The id of the entry.
    pub id: u64,
    /// The item.
    pub item: ItemId,
}

impl PlaylistRecord {
    /// Whether `user` may see it.
    pub fn is_visible_to(&self, user: UserId) -> bool {
        self.public || self.owner == user || self.shared_with.contains(&user)
    }
}
