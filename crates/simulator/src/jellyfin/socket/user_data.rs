//! Changes of a user's state on items, collected for one frame.

use serde_json::{Value, json};

use crate::catalogue::{ItemId, MediaKind};
use crate::jellyfin::dto;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::library::JellyfinLibrary;
use crate::state::{PlayerState, StateChange, StateView, WatchChangeCause};
use crate::users::UserId;

/// Max items per frame: marking an artist must not make a frame of megabytes.
const MAX_ITEMS: usize = 500;

/// Item or folder whose user data changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChangedThing {
    Item(ItemId),
    Library(JellyfinLibrary),
}

/// Items whose user data changed.
#[derive(Debug, Default)]
pub(super) struct SocketUserDataChanges(Vec<ChangedThing>);

impl SocketUserDataChanges {
    /// Adds a change of `user`'s state that the server announces: not mere playback progress. A mark of a folder is
    /// one of each item below it. Each item comes with the folder that it is in, and nothing further up.
    pub(super) fn record(&mut self, view: &StateView<'_>, user: UserId, change: &StateChange) -> bool {
        let (item, is_mark) = match change {
            StateChange::Watched { user: whose, item, cause }
                if *whose == user && *cause != WatchChangeCause::Progress =>
            {
                (*item, matches!(cause, WatchChangeCause::Played | WatchChangeCause::Unplayed))
            }
            StateChange::Playing { user: whose, item, progress: PlayerState::Stopped, .. } if *whose == user => {
                (*item, false)
            }
            _ => return false,
        };
        let changed = if is_mark { view.leaves(item) } else { vec![item] };
        for item in changed {
            for thing in std::iter::once(ChangedThing::Item(item)).chain(folder_of(view, item)) {
                if !self.0.contains(&thing) && self.0.len() < MAX_ITEMS {
                    self.0.push(thing);
                }
            }
        }
        true
    }

    /// Data of the frame. Clears the collected changes.
    pub(super) fn drain_json(&mut self, view: &StateView<'_>, user: UserId) -> Value {
        let row = |thing: ChangedThing| match thing {
            ChangedThing::Library(library) => dto::library_user_data(view, user, library),
            ChangedThing::Item(item) => match view.record(item) {
                Some(record) => dto::user_data(view, user, &record, false),
                None => dto::plain_user_data(view, user, item),
            },
        };
        let rows: Vec<Value> = std::mem::take(&mut self.0).into_iter().map(row).collect();
        json!({"UserId": JellyfinId::new(IdNamespace::User, user.0).hex(), "UserDataList": rows})
    }
}

/// The folder that holds an item: its parent, or else the library.
fn folder_of(view: &StateView<'_>, item: ItemId) -> Option<ChangedThing> {
    if let Some(parent) = view.parent(item) {
        return Some(ChangedThing::Item(parent));
    }
    let library = match view.kind(item) {
        Some(MediaKind::Collection) => JellyfinLibrary::Collections,
        Some(kind) => JellyfinLibrary::Section(kind.section()),
        None => view.playlist(item).map(|_| JellyfinLibrary::Playlists)?,
    };
    Some(ChangedThing::Library(library))
}
