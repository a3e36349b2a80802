//! The items whose pictures people know a library by: for a track its album, for an episode its show.

use std::collections::HashSet;

use greenroom_dialect::request::ServerKind;
use greenroom_library::item::{Item, ItemKind};

use super::Generation;

/// Rows read for each sample: neighbours are often of one album or show.
const ROWS_PER_SAMPLE: usize = 4;

/// An item with a picture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PicturedItem {
    /// Its key on the server.
    pub key: Box<str>,
    /// Its title.
    pub title: Box<str>,
}

impl PicturedItem {
    /// The item whose picture is shown for this one.
    fn of(item: Item) -> Self {
        let above = match item.kind {
            ItemKind::Track | ItemKind::Season => (item.parent_key, item.parent_title),
            ItemKind::Episode => (item.grandparent_key, item.grandparent_title),
            ItemKind::Film | ItemKind::Show => (None, None),
        };
        match above {
            (Some(key), title) => Self { key, title: title.unwrap_or(item.title) },
            (None, _) => Self { key: item.key, title: item.title },
        }
    }

    /// Path of its poster or cover on a server of this kind; `None` if its key is none of such a server.
    pub fn poster_path(&self, kind: ServerKind) -> Option<String> {
        let key = &self.key;
        let path = match kind {
            ServerKind::Plex => format!("/library/metadata/{key}/thumb"),
            ServerKind::Jellyfin => format!("/Items/{key}/Images/Primary"),
        };
        kind.is_item_picture(&path).then_some(path)
    }
}

impl Generation {
    /// The item whose picture is shown for the item of this key; `None` if the library has no such item.
    pub fn pictured_item(&self, key: &str) -> Option<PicturedItem> {
        let row = self.snapshot.row_of(key)?;
        self.snapshot.item(row).map(PicturedItem::of)
    }

    /// At most so many pictured items from all over the library, always the same ones of one generation.
    pub fn sample_pictures(&self, max: usize) -> Vec<PicturedItem> {
        let rows = spread(self.snapshot.len(), max * ROWS_PER_SAMPLE);
        let rows: Vec<u32> = rows.into_iter().filter_map(|row| u32::try_from(row).ok()).collect();
        let mut known = HashSet::new();
        let mut found = Vec::new();
        self.snapshot.items_at(&rows, |_, item| {
            let pictured = PicturedItem::of(item);
            if known.insert(pictured.key.clone()) {
                found.push(pictured);
            }
        });
        spread(found.len(), max).into_iter().map(|at| found[at].clone()).collect()
    }
}

/// At most `max` positions below `length`, at equal distances, ascending.
fn spread(length: usize, max: usize) -> Vec<usize> {
    let number = length.min(max);
    (0..number).map(|at| at * length / number).collect()
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Timestamp;
    use greenroom_library::snapshot::SnapshotBuilder;

    use super::*;

    fn track(album: u32, number: u32) -> Item {
        let mut item = Item::new(ItemKind::Track, &(album * 100 + number).to_string(), "a track");
        item.parent_key = Some(format!("{}", 900_000 + album).into());
        item.parent_title = Some(format!("album {album}").into());
        item
    }

    fn generation(items: impl IntoIterator<Item = Item>) -> Generation {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item);
        }
        Generation { number: 1, taken_at_ms: Timestamp::UNIX_EPOCH, snapshot: builder.build() }
    }

    #[test]
    fn a_track_is_shown_by_its_album_and_an_episode_by_its_show() {
        let mut episode = Item::new(ItemKind::Episode, "1", "Pilot");
        episode.parent_key = Some("2".into());
        episode.grandparent_key = Some("3".into());
        episode.grandparent_title = Some("The Show".into());
        let all = generation([track(7, 1), episode, Item::new(ItemKind::Film, "4", "A Film")]);
        let shown = |key: &str| all.pictured_item(key).map(|item| (item.key.to_string(), item.title.to_string()));
        assert_eq!(shown("701"), Some(("900007".into(), "album 7".into())));
        assert_eq!(shown("1"), Some(("3".into(), "The Show".into())));
        assert_eq!(shown("4"), Some(("4".into(), "A Film".into())));
        assert_eq!(shown("5"), None);
    }

    #[test]
    fn samples_come_from_all_over_a_library_and_none_comes_twice() {
        let all = generation((1..=40).flat_map(|album| (1..=12).map(move |number| track(album, number))));
        let samples = all.sample_pictures(6);
        let keys: HashSet<_> = samples.iter().map(|item| item.key.clone()).collect();
        assert_eq!((samples.len(), keys.len()), (6, 6));
        assert!(keys.contains("900001") && keys.iter().any(|key| &**key > "900030"), "{keys:?}");
        assert_eq!(samples, all.sample_pictures(6), "they stay the same");
        assert_eq!(generation([track(1, 1), track(1, 2)]).sample_pictures(6).len(), 1);
        assert_eq!(generation([]).sample_pictures(6), []);
    }

    #[test]
    fn the_poster_of_a_key_is_a_picture_and_of_anything_else_there_is_none() {
        let path = |key: &str, kind| PicturedItem { key: key.into(), title: "a title".into() }.poster_path(kind);
        assert_eq!(path("7", ServerKind::Plex).as_deref(), Some("/library/metadata/7/thumb"));
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(path(id, ServerKind::Jellyfin), Some(format!("/Items/{id}/Images/Primary")));
        for key in ["", "7/thumb/1?x=", "../7", "7?url=http://evil", "plex://track/7"] {
            assert_eq!((path(key, ServerKind::Plex), path(key, ServerKind::Jellyfin)), (None, None), "{key}");
        }
    }

    #[test]
    fn positions_are_spread_without_repetition() {
        assert_eq!(spread(100, 4), [0, 25, 50, 75]);
        assert_eq!(spread(3, 4), [0, 1, 2]);
        assert!(spread(0, 4).is_empty() && spread(4, 0).is_empty());
    }
}
