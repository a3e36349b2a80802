//! Library changes, collected for one `LibraryChanged` frame until no more come for a while.

use serde_json::{Value, json};

use crate::catalogue::Section;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::response_context::ResponseContext;
use crate::state::{ItemChange, PlaylistChangeCause, StateChange, StateView};
use crate::users::UserId;

/// Changes since the last frame that one user may see. Libraries are named for additions and removals only.
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
            }
            StateChange::Deleted(moved) if sees(view, user, moved.section) => {
                push_unique(&mut self.removed, ResponseContext::hex(moved.item));
                push_unique(&mut self.removed_from, above(moved));
                push_unique(&mut self.libraries, JellyfinLibrary::Section(moved.section).id().hex());
            }
            StateChange::Playlist { playlist, cause, audience, .. } if audience.includes(user) => {
                let id = ResponseContext::hex(*playlist);
                let (list, folders) = match cause {
                    PlaylistChangeCause::Created => (&mut self.added, Some(&mut self.added_to)),
                    PlaylistChangeCause::Changed => (&mut self.updated, None),
                    PlaylistChangeCause::Deleted => (&mut self.removed, Some(&mut self.removed_from)),
                };
                push_unique(list, id);
                if let Some(folders) = folders {
                    push_unique(folders, JellyfinLibrary::Playlists.id().hex());
                    self.name_every_library(view, user);
                }
            }
            _ => return false,
        }
        true
    }

    /// The folder of playlists is part of no library, so that all are named.
    fn name_every_library(&mut self, view: &StateView<'_>, user: UserId) {
        let all = Section::EVERY.iter().all(|section| sees(view, user, *section));
        let seen = |library: &JellyfinLibrary| match library {
            JellyfinLibrary::Section(section) => sees(view, user, *section),
            JellyfinLibrary::Collections => all,
            JellyfinLibrary::Playlists => true,
        };
        for library in JellyfinLibrary::EVERY.into_iter().filter(seen) {
            push_unique(&mut self.libraries, library.id().hex());
        }
    }

    /// Returns the collected changes as data of the frame, and clears them. What was added is not named as updated.
    pub(super) fn drain_json(&mut self) -> Value {
        let mut taken = std::mem::take(self);
        taken.updated.retain(|id| !taken.added.contains(id) && !taken.removed.contains(id));
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
