//! State behind the lock.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::overlay::CatalogueOverlay;
use super::play_rules::PlayRules;
use super::playlist::PlaylistRecord;
use super::watch::{PlayRecord, PlayerDevice, SimulatedSession, WatchState};
use crate::catalogue::{AncestorItem, ItemId, MediaKind, Section, SortKey, SortedIds};
use crate::users::UserId;

/// Last changes of a section, as numbers of a server-wide counter and as times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SectionTimestamps {
    /// Counter at the last addition or removal.
    pub moved: u64,
    /// Counter at the last addition, removal or edit.
    pub touched: u64,
    /// Time of the last metadata change.
    pub updated_at: u64,
    /// Time of the last scan.
    pub scanned_at: u64,
    /// Whether a scan is running.
    pub refreshing: bool,
}

#[derive(Debug)]
pub(super) struct StateData {
    pub(super) seq: u64,
    pub(super) by_user: HashMap<UserId, u64>,
    pub(super) counter: u64,
    pub(super) stamps: HashMap<Section, SectionTimestamps>,
    pub(super) watch: HashMap<UserId, HashMap<ItemId, WatchState>>,
    pub(super) playlists: BTreeMap<ItemId, PlaylistRecord>,
    pub(super) plays: Vec<PlayRecord>,
    pub(super) sessions: Vec<SimulatedSession>,
    pub(super) devices: Vec<PlayerDevice>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) overlay: CatalogueOverlay,
    /// Title and artist of tracks whose tags a running scan has not read yet.
    pub(super) unread_tags: HashMap<ItemId, (String, Option<AncestorItem>)>,
    /// Times of the last changes to items and playlists, in milliseconds.
    pub(super) saved_ms: HashMap<ItemId, u64>,
    pub(super) rules: PlayRules,
    pub(super) next_item: u32,
    pub(super) next_entry: u64,
    pub(super) next_play: u64,
    pub(super) next_session: u64,
    /// Orders with additions, edits and deletions applied; emptied by every change to the library.
    pub(super) merged: Mutex<HashMap<(MediaKind, SortKey), SortedIds>>,
}

impl StateData {
    pub(super) fn user_seq(&self, user: UserId) -> u64 {
        self.by_user.get(&user).copied().unwrap_or(0)
    }

    pub(super) fn watch_mut(&mut self, user: UserId, item: ItemId) -> &mut WatchState {
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
