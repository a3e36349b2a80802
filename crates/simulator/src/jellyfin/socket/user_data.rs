//! Changes of a user's state on items, collected for one frame.

use serde_json::{Value, json};

use crate::catalogue::ItemId;
use crate::jellyfin::dto;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::state::{PlayerState, StateChange, StateView, WatchChangeCause};
use crate::users::UserId;

/// Max items per frame: marking an artist must not make a frame of megabytes.
const MAX_ITEMS: usize = 500;

/// Items whose user data changed.
#[derive(Debug, Default)]
pub(super) struct SocketUserDataChanges(Vec<ItemId>);

impl SocketUserDataChanges {
    /// Adds a change of `user`'s state that the server announces: not mere playback progress.
    pub(super) fn record(&mut self, view: &StateView<'_>, user: UserId, change: &StateChange) -> bool {
        let item = match change {
            StateChange::Watched { user: whose, item, cause }
                if *whose == user && *cause != WatchChangeCause::Progress =>
            {
                *item
            }
            StateChange::Playing { user: whose, item, progress: PlayerState::Stopped, .. } if *whose == user => *item,
            _ => return false,
        };
        let leaves = view.leaves(item).into_iter().filter(|leaf| *leaf != item);
        for told in leaves.chain([item]).chain(view.parent(item)) {
            if !self.0.contains(&told) && self.0.len() < MAX_ITEMS {
                self.0.push(told);
            }
        }
        true
    }

    /// Data of the frame: the items and their direct parents. Clears the collected changes.
    pub(super) fn drain_json(&mut self, view: &StateView<'_>, user: UserId) -> Value {
        let row = |item: ItemId| match view.record(item) {
            Some(record) => dto::user_data(view, user, &record, false),
            None => dto::plain_user_data(view, user, item),
        };
        let rows: Vec<Value> = std::mem::take(&mut self.0).into_iter().map(row).collect();
        json!({"UserId": JellyfinId::new(IdNamespace::User, user.0).hex(), "UserDataList": rows})
    }
}
