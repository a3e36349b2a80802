//! Changes of the library, gathered until it is quiet.

use serde_json::{Value, json};

use crate::catalogue::Section;
use crate::jellyfin::library::Library;
use crate::jellyfin::scene::Scene;
use crate::state::{Change, Moved, View};
use crate::users::UserId;

/// What changed since the last frame, as far as one user may know.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    added: Vec<String>,
    updated: Vec<String>,
    removed: Vec<String>,
    added_to: Vec<String>,
    removed_from: Vec<String>,
    libraries: Vec<String>,
}

impl Gathered {
    /// Takes a change in, if `user` may know of it. Says whether it did.
    pub(super) fn take(&mut self, view: &View<'_>, user: UserId, change: &Change) -> bool {
        match change {
            Change::Added(moved) if sees(view, user, moved.section) => {
                note(&mut self.added, Scene::hex(moved.item));
                note(&mut self.added_to, above(moved));
                note(&mut self.libraries, Library::Of(moved.section).id().hex());
            }
            Change::Edited(moved) if sees(view, user, moved.section) => {
                note(&mut self.updated, Scene::hex(moved.item));
                note(&mut self.libraries, Library::Of(moved.section).id().hex());
            }
            Change::Deleted(moved) if sees(view, user, moved.section) => {
                note(&mut self.removed, Scene::hex(moved.item));
                note(&mut self.removed_from, above(moved));
                note(&mut self.libraries, Library::Of(moved.section).id().hex());
            }
            Change::Playlist { owner, playlist, deleted, .. } => {
                let shared = view.playlist(*playlist).is_some_and(|playlist| playlist.seen_by(user));
                if *owner != user && !shared {
                    return false;
                }
                let list = if *deleted { &mut self.removed } else { &mut self.updated };
                note(list, Scene::hex(*playlist));
                note(&mut self.libraries, Library::Playlists.id().hex());
            }
            _ => return false,
        }
        true
    }

    /// The data of the frame; nothing is gathered afterwards.
    pub(super) fn written(&mut self) -> Value {
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

fn note(list: &mut Vec<String>, id: String) {
    if !list.contains(&id) {
        list.push(id);
    }
}

fn sees(view: &View<'_>, user: UserId, section: Section) -> bool {
    view.user(user).is_some_and(|user| user.sees(section))
}

fn above(moved: &Moved) -> String {
    moved.parent.map_or_else(|| Library::Of(moved.section).id().hex(), Scene::hex)
}
