//! Index of the external ids of all items of a library.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::canonical;
use crate::item::{Item, ItemKind};
use crate::row_changes::RowChanges;
use crate::sorted_hashes::SortedHashes;

/// Collects the external ids of items.
#[derive(Debug, Default)]
pub struct IdIndexBuilder {
    entries: Vec<(u64, u32)>,
    /// Ids of shows, from which those of their episodes are derived.
    shows: HashMap<Box<str>, Vec<String>>,
    placed: Vec<(u32, Box<str>, String)>,
}

/// Finds items by external id. It stores only hashes, so results must be checked with [`has_id_of`].
#[derive(Debug, Default)]
pub struct IdIndex {
    hashes: SortedHashes,
    rows: Vec<u32>,
}

impl IdIndexBuilder {
    /// Adds all ids of an item.
    pub fn push(&mut self, row: u32, item: &Item) {
        let names = names(item, None);
        self.entries.extend(names.iter().map(|name| (xxh3_64(name.as_bytes()), row)));
        if item.kind == ItemKind::Show {
            self.shows.insert(item.key.clone(), names);
        } else if let (Some(show), Some(place)) = (show_key(item), place(item)) {
            self.placed.push((row, show.into(), place));
        }
    }

    /// Builds the index.
    pub fn build(mut self) -> IdIndex {
        for (row, show, place) in &self.placed {
            for name in self.shows.get(show).into_iter().flatten().filter(|name| is_numbered(name)) {
                self.entries.push((xxh3_64(format!("{name}{place}").as_bytes()), *row));
            }
        }
        self.entries.sort_unstable();
        self.entries.dedup();
        let rows = self.entries.iter().map(|(_, row)| *row).collect();
        let hashes = SortedHashes::new(self.entries.into_iter().map(|(hash, _)| hash).collect());
        IdIndex { hashes, rows }
    }
}

impl IdIndex {
    /// Rows of the items that seem to have this canonical id. Hash collisions are extremely rare.
    pub fn rows(&self, canonical: &str) -> &[u32] {
        &self.rows[self.hashes.range(xxh3_64(canonical.as_bytes()))]
    }

    /// The index of the next snapshot: ids keep their items under the rows that the changes give, those of removed rows are
    /// left out, and those of `added` come in, each with its show. Only if no show was changed, because the ids of its
    /// episodes are derived from it.
    #[must_use]
    pub fn patched<'i>(
        &self,
        changes: &RowChanges,
        added: impl IntoIterator<Item = (u32, &'i Item, Option<&'i Item>)>,
    ) -> Self {
        let old = self.hashes.iter().zip(&self.rows).filter_map(|(hash, row)| Some((hash, changes.row(*row)?)));
        let mut entries: Vec<(u64, u32)> = old.collect();
        for (row, item, show) in added {
            entries.extend(names(item, show).iter().map(|name| (xxh3_64(name.as_bytes()), row)));
        }
        // Stable, because that is fast for a long sorted part and a short one.
        entries.sort_by_key(|entry| *entry);
        entries.dedup();
        let rows = entries.iter().map(|(_, row)| *row).collect();
        Self { hashes: SortedHashes::new(entries.into_iter().map(|(hash, _)| hash).collect()), rows }
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Every canonical id of an item; for an episode or season also those derived from its number in `show`.
pub fn names(item: &Item, show: Option<&Item>) -> Vec<String> {
    let mut names: Vec<String> = item.guids.iter().filter_map(|guid| canonical(guid)).collect();
    if let (Some(show), Some(place)) = (show, place(item)) {
        let of_show = show.guids.iter().filter_map(|guid| canonical(guid)).filter(|name| is_numbered(name));
        names.extend(of_show.map(|name| format!("{name}{place}")));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether an item has this canonical id.
pub fn has_id_of(item: &Item, show: Option<&Item>, canonical: &str) -> bool {
    names(item, show).iter().any(|name| name == canonical)
}

/// The key of an episode's or season's show.
pub fn show_key(item: &Item) -> Option<&str> {
    match item.kind {
        ItemKind::Episode => item.grandparent_key.as_deref(),
        ItemKind::Season => item.parent_key.as_deref(),
        ItemKind::Film | ItemKind::Show | ItemKind::Track => None,
    }
}

/// Season and episode number within the show: `/1/2`, `/1`.
fn place(item: &Item) -> Option<String> {
    match (item.kind, item.parent_index, item.index) {
        (ItemKind::Episode, Some(season), Some(episode)) => Some(format!("/{season}/{episode}")),
        (ItemKind::Season, _, Some(season)) => Some(format!("/{season}")),
        _ => None,
    }
}

/// Whether the registry numbers episodes below their show.
fn is_numbered(name: &str) -> bool {
    let scheme = name.split("://").next().unwrap_or_default();
    matches!(scheme, "tvdb" | "tmdb" | "imdb" | "anidb") && name.matches('/').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: ItemKind, key: &str, guids: &[&str]) -> Item {
        let mut item = Item::new(kind, key, "t");
        item.guids = guids.iter().map(|guid| (*guid).into()).collect();
        item
    }

    #[test]
    fn an_item_is_found_by_every_spelling_of_each_of_its_names() {
        let film = item(ItemKind::Film, "1", &["plex://movie/5d77", "imdb://tt0133093", "local://9"]);
        let other = item(ItemKind::Film, "2", &["com.plexapp.agents.imdb://tt0111161?lang=en", "local://9"]);
        let mut index = IdIndexBuilder::default();
        index.push(0, &film);
        index.push(1, &other);
        let index = index.build();
        assert_eq!(index.rows(&canonical("tt0133093").expect("a name")), [0]);
        assert_eq!(index.rows(&canonical("imdb://tt0111161").expect("a name")), [1]);
        assert_eq!(index.rows("imdb://tt9999999"), [0; 0]);
        assert_eq!(index.rows("local://9"), [0; 0], "it names nothing");
        assert!(has_id_of(&film, None, "imdb://tt0133093") && !has_id_of(&film, None, "imdb://tt0111161"));
    }

    #[test]
    fn an_episode_is_found_by_its_place_in_its_show() {
        let show = item(ItemKind::Show, "10", &["tvdb://121361", "plex://show/5d77"]);
        let mut season = item(ItemKind::Season, "11", &["plex://season/5d77"]);
        (season.parent_key, season.index) = (Some("10".into()), Some(1));
        let mut episode = item(ItemKind::Episode, "12", &["tvdb://3254641"]);
        (episode.grandparent_key, episode.parent_index, episode.index) = (Some("10".into()), Some(1), Some(2));
        let mut index = IdIndexBuilder::default();
        for (row, item) in [&episode, &season, &show].into_iter().enumerate() {
            index.push(u32::try_from(row).expect("few"), item);
        }
        let index = index.build();
        let legacy = |guid: &str| canonical(guid).expect("a name");
        assert_eq!(index.rows(&legacy("com.plexapp.agents.thetvdb://121361/1/2?lang=en")), [0]);
        assert_eq!(index.rows(&legacy("com.plexapp.agents.thetvdb://121361/1?lang=en")), [1]);
        assert_eq!(index.rows(&legacy("com.plexapp.agents.thetvdb://121361?lang=en")), [2]);
        assert!(has_id_of(&episode, Some(&show), "tvdb://121361/1/2"));
        assert!(!has_id_of(&episode, None, "tvdb://121361/1/2"));
        assert_eq!(show_key(&episode), Some("10"));
    }
}
