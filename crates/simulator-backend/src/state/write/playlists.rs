//! Changes to playlists.

use super::StateWrite;
use crate::catalogue::ItemId;
use crate::state::{PlaylistAudience, PlaylistChangeCause, PlaylistEntryRecord, PlaylistRecord, StateChange};

impl StateWrite<'_> {
    /// Creates a playlist that only this write's user sees. `medium` is `audio` or `video`.
    pub fn create_playlist(&mut self, title: &str, medium: &'static str, items: &[ItemId]) -> ItemId {
        self.create_shared_playlist(title, medium, items, PlaylistAudience::Users(Vec::new()))
    }

    /// Creates a playlist of this write's user that these users see, too.
    pub fn create_shared_playlist(
        &mut self,
        title: &str,
        medium: &'static str,
        items: &[ItemId],
        audience: PlaylistAudience,
    ) -> ItemId {
        let now = self.now_s();
        let id = self.inner.new_item();
        let entries =
            items.iter().map(|item| PlaylistEntryRecord { id: self.inner.new_entry(), item: *item }).collect();
        let playlist = PlaylistRecord {
            id,
            owner: self.user,
            public: audience == PlaylistAudience::Everybody,
            shared_with: match audience {
                PlaylistAudience::Users(users) => users,
                PlaylistAudience::Everybody => Vec::new(),
            },
            title: title.into(),
            summary: String::new(),
            medium,
            entries,
            added_at: now,
            updated_at: now,
            smart: None,
        };
        self.inner.playlists.insert(id, playlist);
        self.playlist_changed(id, items.to_vec(), PlaylistChangeCause::Created);
        id
    }

    /// Appends items to a playlist. False if there is none.
    pub fn append_to_playlist(&mut self, id: ItemId, items: &[ItemId]) -> bool {
        let end = self.inner.playlists.get(&id).map_or(0, |playlist| playlist.entries.len());
        self.insert_into_playlist(id, end, items)
    }

    /// Inserts items into a playlist before the entry at `at`. False if there is none.
    pub fn insert_into_playlist(&mut self, id: ItemId, at: usize, items: &[ItemId]) -> bool {
        let entries: Vec<PlaylistEntryRecord> =
            items.iter().map(|item| PlaylistEntryRecord { id: self.inner.new_entry(), item: *item }).collect();
        self.change_playlist(id, items.to_vec(), |playlist| {
            let at = at.min(playlist.entries.len());
            playlist.entries.splice(at..at, entries);
            true
        })
    }

    /// Removes entries from a playlist. False if none was in it.
    pub fn remove_from_playlist(&mut self, id: ItemId, entries: &[u64]) -> bool {
        self.change_playlist(id, Vec::new(), |playlist| {
            let before = playlist.entries.len();
            playlist.entries.retain(|entry| !entries.contains(&entry.id));
            playlist.entries.len() != before
        })
    }

    /// Removes all entries of a playlist. False if there is none.
    pub fn empty_playlist(&mut self, id: ItemId) -> bool {
        self.change_playlist(id, Vec::new(), |playlist| {
            playlist.entries.clear();
            true
        })
    }

    /// Moves an entry to position `to`, counted without it. False if it is not in the playlist.
    pub fn move_in_playlist(&mut self, id: ItemId, entry: u64, to: usize) -> bool {
        self.change_playlist(id, Vec::new(), |playlist| {
            let Some(at) = playlist.entries.iter().position(|held| held.id == entry) else { return false };
            let moved = playlist.entries.remove(at);
            playlist.entries.insert(to.min(playlist.entries.len()), moved);
            true
        })
    }

    /// Changes title, description or sharing of a playlist. False if there is none.
    pub fn edit_playlist(&mut self, id: ItemId, change: impl FnOnce(&mut PlaylistRecord)) -> bool {
        self.change_playlist(id, Vec::new(), |playlist| {
            change(playlist);
            true
        })
    }

    /// Deletes a playlist. False if there is none.
    pub fn delete_playlist(&mut self, id: ItemId) -> bool {
        let Some(playlist) = self.inner.playlists.remove(&id) else { return false };
        self.inner.saved_ms.remove(&id);
        self.changes.push(StateChange::Playlist {
            owner: playlist.owner,
            playlist: id,
            audience: playlist.audience(),
            title: playlist.title,
            cause: PlaylistChangeCause::Deleted,
            added: Vec::new(),
        });
        true
    }

    fn change_playlist(
        &mut self,
        id: ItemId,
        added: Vec<ItemId>,
        change: impl FnOnce(&mut PlaylistRecord) -> bool,
    ) -> bool {
        let now = self.now_s();
        let Some(playlist) = self.inner.playlists.get_mut(&id) else { return false };
        if !change(playlist) {
            return false;
        }
        playlist.updated_at = now.max(playlist.updated_at + 1);
        self.playlist_changed(id, added, PlaylistChangeCause::Changed);
        true
    }

    /// Changes the picture of a playlist. False if there is none.
    pub fn change_playlist_picture(&mut self, id: ItemId) -> bool {
        self.change_playlist(id, Vec::new(), |_| true)
    }

    fn playlist_changed(&mut self, id: ItemId, added: Vec<ItemId>, cause: PlaylistChangeCause) {
        self.saved(id);
        if let Some(playlist) = self.inner.playlists.get(&id) {
            self.changes.push(StateChange::Playlist {
                owner: playlist.owner,
                playlist: id,
                audience: playlist.audience(),
                title: playlist.title.clone(),
                cause,
                added,
            });
        }
    }
}
