//! Library changes, collected for one `LibraryChanged` frame until no more come for a while.

use serde_json::{Value, json};

use crate::catalogue::Section;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::response_context::ResponseContext;
use crate::state::{ItemChange, StateChange, StateView};
use crate::users::UserId;

/// Changes since the last frame that one user may see.
#[derive(Debug, Default)]
pub(super) struct SocketLibraryChanges {
    added: Vec<String>,
    updated: Vec<String>,
    removed: Vec<String>,
    added_to: Vec<String>,
    removed_from: Vec<String>,
    libraries: Vec<String>,
}

impl SocketLibraryChanges {
    /// Adds a change, if `user` may see it. Returns whether it did.
    pub(super) fn record(&mut self, view: &StateView<'_>, user: UserId, change: &StateChange) -> bool {
        match change {
            StateChange::Added(moved) if sees(view, user, moved.section) => {
                push_unique(&mut self.added, ResponseContext::hex(moved.item));
                push_unique(&mut self.added_to, above(moved));
                push_unique(&mut self.libraries, JellyfinLibrary::Section(moved.section).id().hex());
            }
            StateChange::Edited(moved) if sees(view, user, moved.section) => {
                push_unique(&mut self.updated, ResponseContext::hex(moved.item));
                push_unique(&mut self.libraries, JellyfinLibrary::Section(moved.section).id().hex());
            }
            StateChange::Deleted(moved) if sees(view, user, moved.section) => {
                push_unique(&mut self.removed, ResponseContext::hex(moved.item));
                push_unique(&mut self.removed_from, above(moved));
                push_unique(&mut self.libraries, JellyfinLibrary::Section(moved.section).id().hex());
            }
            StateChange::Playlist { owner, playlist, deleted, .. } => {
                let shared = view.playlist(*playlist).is_some_and(|playlist| playlist.is_visible_to(user));
                if *owner != user && !shared {
                    return false;
                }
                let list = if *deleted { &mut self.removed } else { &mut self.updated };
                push_unique(list, ResponseContext::hex(*playlist));
                push_unique(&mut self.libraries, JellyfinLibrary::Playlists.id().hex());
            }
            _ => return false,
        }
        true
    }

    /// Returns the collected changes as data of the frame, and clears them.
    pub(super) fn drain_json(&mut self) -> Value {
        let taken = std::mem::take(self);
        let empty = taken.added.is_empty() && taken.updated.is_empty() && taken.removed.is_empty();
        json!({
            "FoldersAddedTo": taken.added_to,
            "FoldersRemovedFrom": taken.removed_from,
            "ItemsAdded": taken.added,
            "ItemsRemoved": taken.removed,
            "ItemsUpdated": taken.updated,
            "CollectionFolders": taken.libraries,
            "IsEmpty": empty,
        })
    }
}

fn push_unique(list: &mut Vec<String>, id: String) {
    if !list.contains(&id) {
        list.push(id);
    }
}

fn sees(view: &StateView<'_>, user: UserId, section: Section) -> bool {
    view.user(user).is_some_and(|user| user.sees(section))
}

fn above(moved: &ItemChange) -> String {
    moved.parent.map_or_else(|| JellyfinLibrary::Section(moved.section).id().hex(), ResponseContext::hex)
}
