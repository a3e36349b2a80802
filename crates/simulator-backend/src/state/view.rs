//! One moment of the state, to make an answer from.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use super::State;
use super::inner::Inner;
use super::playlist::Playlist;
use super::watch::{Device, Play, Session, Watch};
use crate::catalogue::{Catalogue, ItemId, Kind, Order, Record, Section, SortKey};
use crate::users::{User, UserId};

pub use super::inner::Stamps;

/// One moment of the state.
pub struct View<'a> {
    state: &'a State,
    inner: Hold<'a>,
}

enum Hold<'a> {
    Shared(RwLockReadGuard<'a, Inner>),
    Own(&'a Inner),
}

impl Deref for Hold<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        match self {
            Self::Shared(guard) => guard,
            Self::Own(inner) => inner,
        }
    }
}

/// What a user watched of everything below an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// How much there is to play below it.
    pub leaves: u32,
    /// How much of it was played.
    pub viewed: u32,
    /// How often all of it was played together.
    pub views: u32,
    /// When some of it was last played.
    pub last_viewed_at: Option<u64>,
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a State, inner: RwLockReadGuard<'a, Inner>) -> Self {
        Self { state, inner: Hold::Shared(inner) }
    }

    pub(super) fn within(state: &'a State, inner: &'a Inner) -> Self {
        Self { state, inner: Hold::Own(inner) }
    }

    /// The catalogue below it.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.state.catalogue()
    }

    /// The user with this number.
    pub fn user(&self, id: UserId) -> Option<&'a User> {
        self.state.users().user(id)
    }

    /// Every user.
    pub fn users(&self) -> &'a [User] {
        &self.state.users().users
    }

    /// The number of writes so far.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    /// The number of writes by `user` so far.
    pub fn user_seq(&self, user: UserId) -> u64 {
        self.inner.user_seq(user)
    }

    /// When a section last changed.
    pub fn stamps(&self, section: Section) -> Stamps {
        self.inner.stamps.get(&section).copied().unwrap_or_default()
    }

    /// Settings that were changed.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.inner.settings.get(name).map(String::as_str)
    }

    /// Whether there is an item with this id.
    pub fn exists(&self, id: ItemId) -> bool {
        self.kind(id).is_some()
    }

    /// What the item with this id is.
    pub fn kind(&self, id: ItemId) -> Option<Kind> {
        if self.inner.shelf.deleted.contains(&id) {
            return None;
        }
        let shelved = self.inner.shelf.records.get(&id).map(|record| record.kind);
        shelved.or_else(|| self.catalogue().place(id).map(|place| place.kind))
    }

    /// The item with this id.
    pub fn record(&self, id: ItemId) -> Option<Record> {
        let stock = &self.inner.shelf;
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
        self.inner.shelf.records.contains_key(&id)
    }

    /// What was added or edited of a kind while the server ran, in order of id.
    pub fn touched(&self, kind: Kind) -> Vec<ItemId> {
        let stock = &self.inner.shelf;
        let of_kind = stock.records.values().filter(|record| record.kind == kind);
        let mut ids: Vec<ItemId> =
            of_kind.map(|record| record.id).filter(|id| !stock.deleted.contains(id)).collect();
        ids.sort_unstable();
        ids
    }

    /// When an item was added and when its metadata last changed: cheaper than its whole record.
    pub fn times(&self, id: ItemId) -> Option<(u64, u64)> {
        if let Some(record) = self.inner.shelf.records.get(&id) {
            return Some((record.added_at, record.updated_at));
        }
        let catalogue = self.catalogue();
        self.exists(id).then(|| (catalogue.added_at(id), catalogue.updated_at(id)))
    }

    /// The title of an item.
    pub fn title(&self, id: ItemId) -> Option<String> {
        match self.inner.shelf.records.get(&id) {
            Some(record) => Some(record.title.clone()),
            None => self.catalogue().title(id),
        }
    }

    /// What an item lies in.
    pub fn parent(&self, id: ItemId) -> Option<ItemId> {
        match self.inner.shelf.records.get(&id) {
            Some(record) => record.parent.as_ref().map(|above| above.id),
            None => self.catalogue().parent(id),
        }
    }

    /// What lies directly in an item, in its order.
    pub fn children(&self, id: ItemId) -> Vec<ItemId> {
        let stock = &self.inner.shelf;
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

    /// Everything below an item that can be played; the item itself if it can.
    pub fn leaves(&self, id: ItemId) -> Vec<ItemId> {
        match self.kind(id) {
            None => Vec::new(),
            Some(kind) if kind.plays() => vec![id],
            Some(_) => self.children(id).into_iter().flat_map(|child| self.leaves(child)).collect(),
        }
    }

    /// All items of a kind in ascending order of `key`, equal ones in order of id.
    pub fn list(&self, kind: Kind, key: SortKey) -> Order {
        let base = self.state.orders.of(self.catalogue(), kind, key);
        if self.inner.shelf.is_empty() {
            return base;
        }
        if let Some(order) = self.inner.merged.lock().get(&(kind, key)) {
            return Arc::clone(order);
        }
        let order = Arc::new(self.merge(&base, kind, key));
        self.inner.merged.lock().insert((kind, key), Arc::clone(&order));
        order
    }

    /// `base` without what was deleted or edited, with what was added or edited put in its place.
    fn merge(&self, base: &[ItemId], kind: Kind, key: SortKey) -> Vec<ItemId> {
        let stock = &self.inner.shelf;
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

    /// How many items of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        let stock = &self.inner.shelf;
        if stock.is_empty() {
            self.catalogue().count(kind) as usize
        } else {
            self.list(kind, SortKey::Added).len()
        }
    }

    /// The state of a user on an item.
    pub fn watch(&self, user: UserId, item: ItemId) -> Watch {
        self.inner.watch.get(&user).and_then(|of_user| of_user.get(&item)).copied().unwrap_or_default()
    }

    /// Every item a user has some state on, in order of id.
    pub fn watches(&self, user: UserId) -> Vec<(ItemId, Watch)> {
        let mut all: Vec<(ItemId, Watch)> = self
            .inner
            .watch
            .get(&user)
            .map(|of_user: &HashMap<ItemId, Watch>| {
                of_user.iter().map(|(item, watch)| (*item, *watch)).collect()
            })
            .unwrap_or_default();
        all.retain(|(item, _)| self.exists(*item));
        all.sort_unstable_by_key(|(item, _)| *item);
        all
    }

    /// What a user watched of everything below an item.
    pub fn watched(&self, user: UserId, item: ItemId) -> Watched {
        let mut sum = Watched::default();
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
    pub fn playlists(&self, user: UserId) -> Vec<&Playlist> {
        self.inner.playlists.values().filter(|playlist| playlist.seen_by(user)).collect()
    }

    /// A playlist, whoever's it is.
    pub fn playlist(&self, id: ItemId) -> Option<&Playlist> {
        self.inner.playlists.get(&id)
    }

    /// What is being played.
    pub fn sessions(&self) -> &[Session] {
        &self.inner.sessions
    }

    /// What was played, oldest first.
    pub fn plays(&self) -> &[Play] {
        &self.inner.plays
    }

    /// Every device that was seen.
    pub fn devices(&self) -> &[Device] {
        &self.inner.devices
    }

    /// Whether `user` may see an item.
    pub fn may_see(&self, user: UserId, item: ItemId) -> bool {
        let section = self.kind(item).map(Kind::section);
        section.is_some_and(|section| self.user(user).is_some_and(|user| user.sees(section)))
    }
}
