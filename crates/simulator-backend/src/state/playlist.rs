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

/// The users who may see a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaylistAudience {
    /// All users.
    Everybody,
    /// These.
    Users(Vec<UserId>),
}

impl PlaylistAudience {
    /// Whether `user` is one of them.
    pub fn includes(&self, user: UserId) -> bool {
        match self {
            Self::Everybody => true,
            Self::Users(users) => users.contains(&user),
        }
    }
}

impl PlaylistRecord {
    /// Its items, each once.
    pub fn items(&self) -> Vec<ItemId> {
        let mut items: Vec<ItemId> = Vec::new();
        for entry in &self.entries {
            if !items.contains(&entry.item) {
                items.push(entry.item);
            }
        }
        items
    }

    /// Whether `user` may see it.
    pub fn is_visible_to(&self, user: UserId) -> bool {
        self.audience().includes(user)
    }

    /// The users who may see it.
    pub fn audience(&self) -> PlaylistAudience {
        if self.public {
            return PlaylistAudience::Everybody;
        }
        PlaylistAudience::Users(std::iter::once(self.owner).chain(self.shared_with.iter().copied()).collect())
    }
}
