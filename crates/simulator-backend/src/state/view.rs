//! Read access to the state at one moment.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use super::SimulatedState;
use super::inner::StateData;
use super::playlist::PlaylistRecord;
use super::watch::{PlayRecord, PlayerDevice, SimulatedSession, WatchState};
use crate::catalogue::{Catalogue, ItemId, ItemRecord, MediaKind, Section, SortKey, SortedIds};
use crate::users::{SimulatedUser, UserId};

pub use super::inner::SectionTimestamps;

/// The state at one moment.
pub struct StateView<'a> {
    state: &'a SimulatedState,
    inner: StateGuard<'a>,
}

enum StateGuard<'a> {
    Shared(RwLockReadGuard<'a, StateData>),
    Own(&'a StateData),
}

impl Deref for StateGuard<'_> {
    type Target = StateData;

    fn deref(&self) -> &StateData {
        match self {
            Self::Shared(guard) => guard,
            Self::Own(inner) => inner,
        }
    }
}

/// Sum of a user's watch states below an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Playable items below it.
    pub leaves: u32,
    /// Played items among them.
    pub viewed: u32,
    /// Sum of their play counts.
    pub views: u32,
    /// Time of the last play of any of them.
    pub last_viewed_at: Option<u64>,
}

impl<'a> StateView<'a> {
    pub(super) fn new(state: &'a SimulatedState, inner: RwLockReadGuard<'a, StateData>) -> Self {
        Self { state, inner: StateGuard::Shared(inner) }
    }

    pub(super) fn within(state: &'a SimulatedState, inner: &'a StateData) -> Self {
        Self { state, inner: StateGuard::Own(inner) }
    }

    /// The catalogue below it.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.state.catalogue()
    }

    /// The user with this number, as long as there is one.
    pub fn user(&self, id: UserId) -> Option<Arc<SimulatedUser>> {
        self.state.user(id)
    }

    /// The current users.
    pub fn users(&self) -> Vec<Arc<SimulatedUser>> {
        self.state.current_users()
    }

    /// The number of writes so far.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    /// The number of writes by `user` so far.
    pub fn user_seq(&self, user: UserId) -> u64 {
        self.inner.user_seq(user)
    }

    /// Last changes of a section.
    pub fn stamps(&self, section: Section) -> SectionTimestamps {
        self.inner.stamps.get(&section).copied().unwrap_or_default()
    }

    /// Whether any section is being scanned.
    pub fn is_scanning(&self) -> bool {
        self.inner.stamps.values().any(|stamps| stamps.refreshing)
    }

    /// A changed setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.inner.settings.get(name).map(String::as_str)
    }

    /// Whether there is an item with this id.
    pub fn exists(&self, id: ItemId) -> bool {
        self.kind(id).is_some()
    }

    /// The kind of the item with this id.
    pub fn kind(&self, id: ItemId) -> Option<MediaKind> {
        if self.inner.overlay.deleted.contains(&id) {
            return None;
        }
        let shelved = self.inner.overlay.records.get(&id).map(|record| record.kind);
        shelved.or_else(|| self.catalogue().item_position(id).map(|place| place.kind))
    }

    /// The item with this id.
    pub fn record(&self, id: ItemId) -> Option<ItemRecord> {
        let stock = &self.inner.overlay;
        if stock.deleted.contains(&id) {
            return None;
        }
        let mut record = match stock.records.get(&id) {
            Some(record) => record.clone(),
            None => self.catalogue().record(id)?,
        };
        for above in [&mut record.parent, &mut record.grandparent].into_iter().flatten() {
            if let Some(edited) = stock.records.get(&above.id) {
                above.title.clone_from(&edited.title);
                above.updated_at = edited.updated_at;
            }
        }
        Some(record)
    }

    /// Whether an item was added or edited while the server ran.
    pub fn is_touched(&self, id: ItemId) -> bool {
        self.inner.overlay.records.contains_key(&id)
    }

    /// Items of a kind that were added or edited while the server ran, in order of id.
    pub fn touched(&self, kind: MediaKind) -> Vec<ItemId> {
        let stock = &self.inner.overlay;
        let of_kind = stock.records.values().filter(|record| record.kind == kind);
        let mut ids: Vec<ItemId> = of_kind.map(|record| record.id).filter(|id| !stock.deleted.contains(id)).collect();
        ids.sort_unstable();
        ids
    }

    /// Times of an item's addition and last metadata change: cheaper than its whole record.
    pub fn times(&self, id: ItemId) -> Option<(u64, u64)> {
        if let Some(record) = self.inner.overlay.records.get(&id) {
            return Some((record.added_at, record.updated_at));
        }
        let catalogue = self.catalogue();
        self.exists(id).then(|| (catalogue.added_at(id), catalogue.updated_at(id)))
    }

    /// Time of the last change to an item or a playlist itself, in milliseconds: not of its user state, nor of the
    /// members of a collection.
    pub fn saved_ms(&self, id: ItemId) -> u64 {
        let known = self.inner.saved_ms.get(&id).copied();
        let playlist = || self.playlist(id).map(|playlist| playlist.updated_at * 1_000);
        known.or_else(playlist).or_else(|| self.times(id).map(|(_, updated_at)| updated_at * 1_000)).unwrap_or(0)
    }

    /// The title of an item.
    pub fn title(&self, id: ItemId) -> Option<String> {
        match self.inner.overlay.records.get(&id) {
            Some(record) => Some(record.title.clone()),
            None => self.catalogue().title(id),
        }
    }

    /// Parent of an item.
    pub fn parent(&self, id: ItemId) -> Option<ItemId> {
        match self.inner.overlay.records.get(&id) {
            Some(record) => record.parent.as_ref().map(|above| above.id),
            None => self.catalogue().parent(id),
        }
    }

    /// Direct children of an item, in order.
    pub fn children(&self, id: ItemId) -> Vec<ItemId> {
        let stock = &self.inner.overlay;
        let mut ids = match stock.members.get(&id) {
            Some(members) => members.clone(),
            None => self.catalogue().children(id),
        };
        if !stock.is_empty() {
            let added = stock.added.iter().filter(|added| {
                let record = stock.records.get(*added);
                record.and_then(|record| record.parent.as_ref()).is_some_and(|above| above.id == id)
            });
            ids.extend(added);
            ids.retain(|child| !stock.deleted.contains(child));
        }
        ids
    }

    /// All playable items below an item or in a playlist; the item itself if it is playable.
    pub fn leaves(&self, id: ItemId) -> Vec<ItemId> {
        match self.kind(id) {
            None => self.playlist(id).map(PlaylistRecord::items).unwrap_or_default(),
            Some(kind) if kind.is_playable() => vec![id],
            Some(_) => self.children(id).into_iter().flat_map(|child| self.leaves(child)).collect(),
        }
    }

    /// All items of a kind in ascending order of `key`, equal ones in order of id.
    pub fn list(&self, kind: MediaKind, key: SortKey) -> SortedIds {
        let base = self.state.orders.get(self.catalogue(), kind, key);
        if self.inner.overlay.is_empty() {
            return base;
        }
        if let Some(order) = self.inner.merged.lock().get(&(kind, key)) {
            return Arc::clone(order);
        }
        let order = Arc::new(self.merge(&base, kind, key));
        self.inner.merged.lock().insert((kind, key), Arc::clone(&order));
        order
    }

    /// `base` without deleted and edited items, with added and edited ones inserted in order.
    fn merge(&self, base: &[ItemId], kind: MediaKind, key: SortKey) -> Vec<ItemId> {
        let stock = &self.inner.overlay;
        let touched = |id: &ItemId| stock.deleted.contains(id) || stock.records.contains_key(id);
        let order: Vec<ItemId> = base.iter().copied().filter(|id| !touched(id)).collect();
        let mut changed: Vec<_> = stock
            .records
            .values()
            .filter(|record| record.kind == kind && !stock.deleted.contains(&record.id))
            .map(|record| (key.value(record), record.id))
            .collect();
        changed.sort_unstable();
        let mut merged = Vec::with_capacity(order.len() + changed.len());
        let mut from = 0;
        for (value, id) in changed {
            let at = order.partition_point(|other| {
                self.record(*other).is_some_and(|record| (key.value(&record), *other) < (value.clone(), id))
            });
            merged.extend_from_slice(&order[from..at]);
            merged.push(id);
            from = at;
        }
        merged.extend_from_slice(&order[from..]);
        merged
    }

    /// Number of items of a kind.
    pub fn count(&self, kind: MediaKind) -> usize {
        let stock = &self.inner.overlay;
        if stock.is_empty() { self.catalogue().count(kind) as usize } else { self.list(kind, SortKey::Added).len() }
    }

    /// The state of a user on an item.
    pub fn watch(&self, user: UserId, item: ItemId) -> WatchState {
        self.inner.watch.get(&user).and_then(|of_user| of_user.get(&item)).copied().unwrap_or_default()
    }

    /// Every item with a state of this user, in order of id.
    pub fn watches(&self, user: UserId) -> Vec<(ItemId, WatchState)> {
        let mut all: Vec<(ItemId, WatchState)> = self
            .inner
            .watch
            .get(&user)
            .map(|of_user: &HashMap<ItemId, WatchState>| of_user.iter().map(|(item, watch)| (*item, *watch)).collect())
            .unwrap_or_default();
        all.retain(|(item, _)| self.exists(*item));
        all.sort_unstable_by_key(|(item, _)| *item);
        all
    }

    /// Sum of a user's watch states below an item.
    pub fn watched(&self, user: UserId, item: ItemId) -> WatchSummary {
        let mut sum = WatchSummary::default();
        for leaf in self.leaves(item) {
            let watch = self.watch(user, leaf);
            sum.leaves += 1;
            sum.viewed += u32::from(watch.played());
            sum.views += watch.views;
            sum.last_viewed_at = sum.last_viewed_at.max(watch.last_viewed_at);
        }
        sum
    }

    /// The playlists a user may see, in order of id.
    pub fn playlists(&self, user: UserId) -> Vec<&PlaylistRecord> {
        self.inner.playlists.values().filter(|playlist| playlist.is_visible_to(user)).collect()
    }

    /// Number of playlists, of all owners.
    pub fn playlist_count(&self) -> usize {
        self.inner.playlists.len()
    }

    /// A playlist of any owner.
    pub fn playlist(&self, id: ItemId) -> Option<&PlaylistRecord> {
        self.inner.playlists.get(&id)
    }

    /// Current sessions.
    pub fn sessions(&self) -> &[SimulatedSession] {
        &self.inner.sessions
    }

    /// Playback history, oldest first.
    pub fn plays(&self) -> &[PlayRecord] {
        &self.inner.plays
    }

    /// Every known device.
    pub fn devices(&self) -> &[PlayerDevice] {
        &self.inner.devices
    }

    /// Whether `user` may see an item.
    pub fn may_see(&self, user: UserId, item: ItemId) -> bool {
        let section = self.kind(item).map(MediaKind::section);
        section.is_some_and(|section| self.user(user).is_some_and(|user| user.sees(section)))
    }
}
