//! Changes that clients must detect by themselves: files move, items get new keys, keys get new items.

use super::StateWrite;
use crate::catalogue::{ItemId, Section, sortable};
use crate::state::{SimulatedActivity, StateChange};

impl StateWrite<'_> {
    /// Moves the file of an item to another path. False if it has none.
    pub fn move_file(&mut self, id: ItemId, path: &str) -> bool {
        let has_file = self.view().record(id).is_some_and(|record| record.file.is_some());
        has_file
            && self.edit(id, |record| {
                if let Some(file) = &mut record.file {
                    path.clone_into(&mut file.path);
                }
            })
    }

    /// Gives a playable item a new key, as servers do that matched it again or found its file again: the old key is
    /// gone, file and names stay.
    pub fn rekey(&mut self, id: ItemId) -> Option<ItemId> {
        let mut record = self.view().record(id).filter(|record| record.kind.is_playable())?;
        self.delete(id);
        let now = self.now_s();
        record.id = self.inner.new_item();
        (record.added_at, record.updated_at) = (now, now);
        let (id, section) = (record.id, record.section);
        self.inner.overlay.records.insert(id, record);
        self.inner.overlay.added.insert(id);
        self.saved(id);
        self.touched(section, true);
        let moved = self.moved(id)?;
        self.changes.push(StateChange::Added(moved));
        Some(id)
    }

    /// Puts another item of the same kind, with a file and names of its own, under a key that was in use. False if it
    /// was not, or if the item is not playable.
    pub fn replace(&mut self, id: ItemId, title: &str) -> bool {
        let Some(gone) = self.moved(id).filter(|moved| moved.kind.is_playable()) else { return false };
        let (now, chance) = (self.now_s(), self.state.catalogue().rng());
        let draw = u64::from(id.0) ^ (self.inner.counter << 32);
        self.edit_quietly(id, |record| {
            title.clone_into(&mut record.title);
            record.title_sort = sortable(title);
            record.guid = chance.hex("replaced", draw, 24);
            record.external.clear();
            record.duration_ms = Some(chance.between("replaced/ms", draw, 95_000, 420_000));
            record.added_at = now;
            if let Some(file) = &mut record.file {
                file.path = format!("{}/replaced/{draw:x}.{}", record.section.folder(), file.container);
                file.bytes = chance.between("replaced/bytes", draw, 1_000_000, 90_000_000);
            }
        });
        self.touched(gone.section, true);
        self.changes.push(StateChange::Deleted(gone));
        if let Some(moved) = self.moved(id) {
            self.changes.push(StateChange::Added(moved));
        }
        true
    }

    /// Makes tracks look as a scan has them that found their files and has not read their tags: the file's name is the
    /// title, and they have no artist. The end of the section's scan reads them.
    pub fn forget_tags(&mut self, tracks: &[ItemId]) {
        for id in tracks {
            let Some(record) = self.view().record(*id) else { continue };
            let title = format!("{:02} - {}", record.index.unwrap_or(1), record.title.replace(' ', "_").to_lowercase());
            self.inner.unread_tags.entry(*id).or_insert((record.title, record.grandparent));
            self.edit(*id, |record| {
                record.title = title;
                record.grandparent = None;
            });
        }
    }

    /// Gives the tracks of a section the titles and artists that are in their tags.
    fn read_tags(&mut self, section: Section) {
        let unread: Vec<ItemId> = self.inner.unread_tags.keys().copied().collect();
        for id in unread {
            if self.view().record(id).is_none_or(|record| record.section != section) {
                continue;
            }
            if let Some((title, artist)) = self.inner.unread_tags.remove(&id) {
                self.edit(id, |record| {
                    record.title = title;
                    record.grandparent = artist;
                });
            }
        }
    }

    /// Begins a scan of a section, or ends it, and reports it in the server's activities.
    pub fn scan_with_activity(&mut self, section: Section, running: bool) {
        if !running {
            self.read_tags(section);
        }
        self.set_scanning(section, running);
        let number = u64::from(section.number());
        let activity = SimulatedActivity {
            uuid: self.state.catalogue().rng().uuid("scan told", number),
            kind: "library.update.section".into(),
            event: if running { "started" } else { "ended" },
            title: format!("Scanning {}", section.title()),
            subtitle: section.folder().into(),
            progress: if running { 0 } else { 100 },
            section: Some(section),
            item: None,
            refreshed: true,
        };
        self.changes.push(StateChange::Activity(activity));
    }
}
