//! What lies behind the lock.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::playlist::Playlist;
use super::shelf::Shelf;
use super::watch::{Device, Play, Session, Watch};
use crate::catalogue::{ItemId, Kind, Order, Section, SortKey};
use crate::users::UserId;

/// When a section last changed, as numbers of a server-wide counter and as times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The counter when something was last added or removed.
    pub moved: u64,
    /// The counter when something was last added, removed or edited.
    pub touched: u64,
    /// When the section's metadata last changed.
    pub updated_at: u64,
    /// When it was last scanned.
    pub scanned_at: u64,
    /// Whether it is being scanned.
    pub refreshing: bool,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) seq: u64,
    pub(super) by_user: HashMap<UserId, u64>,
    pub(super) counter: u64,
    pub(super) stamps: HashMap<Section, Stamps>,
    pub(super) watch: HashMap<UserId, HashMap<ItemId, Watch>>,
    pub(super) playlists: BTreeMap<ItemId, Playlist>,
    pub(super) plays: Vec<Play>,
    pub(super) sessions: Vec<Session>,
    pub(super) devices: Vec<Device>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) shelf: Shelf,
    pub(super) next_item: u32,
    pub(super) next_entry: u64,
    pub(super) next_play: u64,
    pub(super) next_session: u64,
    /// Orders with what was added, edited and deleted worked in; emptied by every change to the library.
    pub(super) merged: Mutex<HashMap<(Kind, SortKey), Order>>,
}

impl Inner {
    pub(super) fn user_seq(&self, user: UserId) -> u64 {
        self.by_user.get(&user).copied().unwrap_or(0)
    }

    pub(super) fn watch_mut(&mut self, user: UserId, item: ItemId) -> &mut Watch {
        self.watch.entry(user).or_default().entry(item).or_default()
    }

    pub(super) fn new_item(&mut self) -> ItemId {
        let id = ItemId(self.next_item);
        self.next_item += 1;
        id
    }

    pub(super) fn new_entry(&mut self) -> u64 {
        self.next_entry += 1;
        self.next_entry
    }
}
