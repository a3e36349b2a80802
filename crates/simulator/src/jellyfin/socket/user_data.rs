//! Changes of what a user did with items, gathered for one frame.

use serde_json::{Value, json};

use crate::catalogue::ItemId;
use crate::jellyfin::dto;
use crate::jellyfin::ident::{Ident, Space};
use crate::state::{Cause, Change, Progress, View};
use crate::users::UserId;

/// Items in one frame at the most: marking an artist must not make a frame of megabytes.
const MAX_ITEMS: usize = 500;

/// The items whose user data changed.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<ItemId>);

impl Gathered {
    /// Takes a change in, if it is one of `user`'s that the server tells of: not while something merely plays on.
    pub(super) fn take(&mut self, view: &View<'_>, user: UserId, change: &Change) -> bool {
        let item = match change {
            Change::Watched { user: whose, item, cause } if *whose == user && *cause != Cause::Progress => {
                *item
            }
            Change::Playing { user: whose, item, progress: Progress::Stopped, .. } if *whose == user => *item,
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

    /// The data of the frame: the items and what each lies in, nothing further up. Nothing is gathered afterwards.
    pub(super) fn written(&mut self, view: &View<'_>, user: UserId) -> Value {
        let row = |item: ItemId| match view.record(item) {
            Some(record) => dto::user_data(view, user, &record, false),
            None => dto::plain_user_data(view, user, item),
        };
        let rows: Vec<Value> = std::mem::take(&mut self.0).into_iter().map(row).collect();
        json!({"UserId": Ident::new(Space::User, user.0).hex(), "UserDataList": rows})
    }
}
