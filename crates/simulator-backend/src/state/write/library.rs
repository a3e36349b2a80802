//! Changes to the library itself.

use super::StateWrite;
use crate::catalogue::{AncestorItem, ItemId, ItemRecord, MediaKind, Section, sortable};
use crate::state::StateChange;

/// Fields of an added item.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NewItem<'a> {
    kind: MediaKind,
    title: &'a str,
    parent: Option<ItemId>,
}

impl StateWrite<'_> {
    /// Adds a film.
    pub fn add_film(&mut self, title: &str, year: u16) -> ItemId {
        let id = self.add(&NewItem { kind: MediaKind::Film, title, parent: None }).unwrap_or(ItemId(0));
        self.edit_quietly(id, |record| record.year = Some(year));
        id
    }

    /// Adds an episode to a season, if there is such a season.
    pub fn add_episode(&mut self, season: ItemId, title: &str) -> Option<ItemId> {
        self.add_below(season, MediaKind::Season, title)
    }

    /// Adds a track to an album, if there is such an album.
    pub fn add_track(&mut self, album: ItemId, title: &str) -> Option<ItemId> {
        self.add_below(album, MediaKind::Album, title)
    }

    /// Creates a collection of films.
    pub fn add_collection(&mut self, title: &str, members: &[ItemId]) -> ItemId {
        let id = self.add(&NewItem { kind: MediaKind::Collection, title, parent: None }).unwrap_or(ItemId(0));
        self.inner.overlay.members.insert(id, members.to_vec());
        id
    }

    /// Sets the members of a collection.
    pub fn set_members(&mut self, collection: ItemId, members: Vec<ItemId>) {
        // A change of its members is no change of the collection itself.
        let saved_ms = self.view().saved_ms(collection);
        self.inner.overlay.members.insert(collection, members);
        if self.edit(collection, |_| {}) {
            self.inner.saved_ms.insert(collection, saved_ms);
        }
    }

    /// Edits an item. False if there is none.
    pub fn edit(&mut self, id: ItemId, change: impl FnOnce(&mut ItemRecord)) -> bool {
        if !self.edit_quietly(id, change) {
            return false;
        }
        let Some(moved) = self.moved(id) else { return false };
        self.touched(moved.section, false);
        self.changes.push(StateChange::Edited(moved));
        true
    }

    /// Deletes an item and everything below it. False if there is none.
    pub fn delete(&mut self, id: ItemId) -> bool {
        let Some(moved) = self.moved(id) else { return false };
        let mut gone = Vec::new();
        if moved.kind == MediaKind::Collection {
            gone.push(id);
        } else {
            self.with_all_below(id, &mut gone);
        }
        for item in &gone {
            self.inner.overlay.deleted.insert(*item);
        }
        for playlist in self.inner.playlists.values_mut() {
            playlist.entries.retain(|entry| !gone.contains(&entry.item));
        }
        self.inner.sessions.retain(|session| !gone.contains(&session.item));
        self.touched(moved.section, true);
        self.changes.push(StateChange::Deleted(moved));
        true
    }

    fn with_all_below(&self, id: ItemId, all: &mut Vec<ItemId>) {
        all.push(id);
        for child in self.view().children(id) {
            self.with_all_below(child, all);
        }
    }

    fn add_below(&mut self, parent: ItemId, wanted: MediaKind, title: &str) -> Option<ItemId> {
        if self.view().kind(parent) != Some(wanted) {
            return None;
        }
        self.add(&NewItem { kind: wanted.below()?, title, parent: Some(parent) })
    }

    fn add(&mut self, new: &NewItem<'_>) -> Option<ItemId> {
        let now = self.now_s();
        let id = self.inner.new_item();
        let template = self.template(new)?;
        let index = new.parent.map(|parent| u32::try_from(self.view().children(parent).len() + 1).unwrap_or(1));
        let parent = new.parent.and_then(|parent| self.view().record(parent));
        let record = ItemRecord {
            id,
            title: new.title.into(),
            title_sort: sortable(new.title),
            index: index.or(template.index),
            grandparent: parent.as_ref().and_then(|parent| parent.parent.clone()),
            parent: parent.as_ref().map(above),
            added_at: now,
            updated_at: now,
            guid: self.state.catalogue().rng().hex("added", u64::from(id.0), 24),
            external: Vec::new(),
            file: template.file.map(|mut file| {
                file.path = format!("{}/added/{id}.{}", new.kind.section().folder(), file.container);
                file
            }),
            ..template
        };
        self.inner.overlay.records.insert(id, record);
        self.inner.overlay.added.insert(id);
        self.saved(id);
        self.touched(new.kind.section(), true);
        if let Some(moved) = self.moved(id) {
            self.changes.push(StateChange::Added(moved));
        }
        Some(id)
    }

    /// An item of the same kind from which the other fields are copied: the first of the catalogue, or of one that has
    /// some.
    fn template(&self, new: &NewItem<'_>) -> Option<ItemRecord> {
        let catalogue = self.state.catalogue();
        let own = catalogue.ids(new.kind).next().and_then(|id| catalogue.record(id));
        own.or_else(|| {
            let size = crate::catalogue::CatalogueSize::tiny();
            let other = crate::catalogue::Catalogue::new(0, size, catalogue.newest_at());
            other.ids(new.kind).next().and_then(|id| other.record(id))
        })
    }

    pub(super) fn edit_quietly(&mut self, id: ItemId, change: impl FnOnce(&mut ItemRecord)) -> bool {
        let Some(mut record) = self.view().record(id) else { return false };
        let title = record.title.clone();
        change(&mut record);
        if record.title != title && record.title_sort == sortable(&title) {
            record.title_sort = sortable(&record.title);
        }
        record.updated_at = self.now_s().max(record.updated_at + 1);
        self.inner.overlay.records.insert(id, record);
        self.inner.merged.lock().clear();
        self.saved(id);
        true
    }

    /// Notes that an item or a playlist changed now.
    pub(super) fn saved(&mut self, id: ItemId) {
        let now_ms = self.state.clock().now_ms();
        self.inner.saved_ms.insert(id, now_ms);
    }

    pub(super) fn touched(&mut self, section: Section, moved: bool) {
        self.inner.merged.lock().clear();
        self.inner.counter += 1;
        let (counter, now) = (self.inner.counter, self.now_s());
        let stamps = self.inner.stamps.entry(section).or_default();
        stamps.touched = counter;
        stamps.updated_at = now;
        if moved {
            stamps.moved = counter;
            stamps.scanned_at = now;
        }
    }
}

fn above(record: &ItemRecord) -> AncestorItem {
    AncestorItem {
        id: record.id,
        title: record.title.clone(),
        index: record.index,
        guid: record.guid.clone(),
        year: record.year,
        studio: record.studio.clone(),
        updated_at: record.updated_at,
    }
}
