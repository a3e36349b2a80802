//! Playlists.

use crate::catalogue::ItemId;
use crate::users::UserId;

/// A playlist of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// Its id, from the same numbers as items.
    pub id: ItemId,
    /// Whose it is.
    pub owner: UserId,
    /// Who else may see it.
    pub shared_with: Vec<UserId>,
    /// Whether everybody may see it.
    pub public: bool,
    /// Its title.
    pub title: String,
    /// A text about it.
    pub summary: String,
    /// `audio` or `video`.
    pub medium: &'static str,
    /// What is in it, in order.
    pub entries: Vec<Entry>,
    /// When it was made.
    pub added_at: u64,
    /// When it last changed.
    pub updated_at: u64,
    /// A query it is made of, if it is smart.
    pub smart: Option<String>,
}

/// An item in a playlist. The same item may be in it several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The id of the entry.
    pub id: u64,
    /// The item.
    pub item: ItemId,
}

impl Playlist {
    /// Whether `user` may see it.
    pub fn seen_by(&self, user: UserId) -> bool {
        self.public || self.owner == user || self.shared_with.contains(&user)
    }
}
