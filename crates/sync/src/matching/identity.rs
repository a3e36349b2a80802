//! Identity of an item beyond its key: external ids and files. Servers may give an item a new key, and its old key to
//! another item; these stay.

use greenroom_library::external_id;
use greenroom_library::files::is_same_path;
use greenroom_library::item::{Item, ItemKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Max ids and max files stored per item.
const MAX_IDS: usize = 16;
const MAX_FILES: usize = 8;

/// Identity of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DecisionItem)]
pub struct ItemIdentity {
    /// Name of its kind.
    pub kind: String,
    /// External ids, normalised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guids: Vec<String>,
    /// Paths of its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Title, artist, album and duration: used only if the server gives neither ids nor files.
    pub title: String,
    /// See [`ItemIdentity::title`].
    #[serde(default)]
    pub artist: String,
    /// See [`ItemIdentity::title`].
    #[serde(default)]
    pub album: String,
    /// See [`ItemIdentity::title`].
    #[serde(default)]
    pub duration_ms: Option<u32>,
}

impl ItemIdentity {
    /// The identity of an item.
    pub fn from_item(item: &Item) -> Self {
        let guids = item.guids.iter().filter_map(|guid| external_id::canonical(guid)).take(MAX_IDS).collect();
        let paths = item.files.iter().map(|file| file.path.to_string()).take(MAX_FILES).collect();
        Self {
            kind: kind_name(item.kind).to_owned(),
            guids,
            paths,
            title: item.title.to_string(),
            artist: item.grandparent_title.as_deref().unwrap_or_default().to_owned(),
            album: item.parent_title.as_deref().unwrap_or_default().to_owned(),
            duration_ms: item.duration_ms,
        }
    }

    /// Whether the item has this identity: a common file, or a common id. Only without both, title, artist, album and
    /// duration must be equal.
    pub fn matches(&self, item: &Item) -> bool {
        if self.kind != kind_name(item.kind) {
            return false;
        }
        if self.has_file_of(item) {
            return true;
        }
        if self.guids.is_empty() && self.paths.is_empty() {
            let other = Self::from_item(item);
            return other.guids.is_empty() && other.paths.is_empty() && self.is_called_like(&other);
        }
        item.guids.iter().filter_map(|guid| external_id::canonical(guid)).any(|guid| self.guids.contains(&guid))
    }

    /// Whether the item has one of the files.
    pub fn has_file_of(&self, item: &Item) -> bool {
        let is_known = |path: &str| self.paths.iter().any(|known| is_same_path(known, path));
        item.files.iter().any(|file| is_known(&file.path))
    }

    /// Whether two identities are of the same item.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_file = self.paths.iter().any(|path| other.paths.iter().any(|other| is_same_path(path, other)));
        let same_name = self.guids.iter().any(|guid| other.guids.contains(guid));
        let has_neither = |one: &Self| one.guids.is_empty() && one.paths.is_empty();
        self.kind == other.kind
            && (same_file || same_name || (has_neither(self) && has_neither(other) && self.is_called_like(other)))
    }

    fn is_called_like(&self, other: &Self) -> bool {
        (&self.title, &self.artist, &self.album, self.duration_ms)
            == (&other.title, &other.artist, &other.album, other.duration_ms)
    }
}

/// Name of a kind.
pub fn kind_name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "film",
        ItemKind::Show => "show",
        ItemKind::Season => "season",
        ItemKind::Episode => "episode",
        ItemKind::Track => "track",
    }
}

#[cfg(test)]
mod tests {
    use greenroom_library::item::MediaFile;

    use super::*;

    fn track(key: &str, guids: &[&str], paths: &[&str]) -> Item {
        let mut item = Item::new(ItemKind::Track, key, "Song");
        item.guids = guids.iter().map(|guid| (*guid).into()).collect();
        item.files = paths.iter().map(|path| MediaFile { path: (*path).into(), size_bytes: None }).collect();
        item
    }

    #[test]
    fn a_file_or_an_id_identifies_an_item_and_a_key_does_not() {
        let identity = ItemIdentity::from_item(&track("1", &["plex://track/a", "local://1"], &["/m/a.flac"]));
        assert_eq!(identity.guids, ["plex://track/a"]);
        assert!(identity.matches(&track("2", &["plex://track/a"], &["/m/moved.flac"])));
        assert!(identity.matches(&track("3", &["plex://track/other"], &["/m/a.flac"])));
        assert!(!identity.matches(&track("1", &["plex://track/b"], &["/m/b.flac"])), "the key was reused");
        assert!(!identity.matches(&track("1", &["local://1"], &[])), "a local id identifies nothing");
        assert!(!identity.matches(&Item::new(ItemKind::Track, "1", "Song")), "only the title is the same");
    }

    #[test]
    fn without_files_and_ids_all_texts_must_be_equal() {
        let bare = Item::new(ItemKind::Track, "1", "Song");
        let identity = ItemIdentity::from_item(&bare);
        assert!(identity.matches(&Item { key: "9".into(), ..bare.clone() }));
        assert!(!identity.matches(&Item { duration_ms: Some(1), ..bare.clone() }));
        assert!(!identity.matches(&Item { kind: ItemKind::Film, ..bare.clone() }));
        assert!(!identity.matches(&track("1", &[], &["/m/a.flac"])));
    }
}
