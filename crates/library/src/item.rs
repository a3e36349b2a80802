//! One thing of a library as the snapshot keeps it: no more fields than something here asks for.

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    /// A film.
    Film,
    /// A show.
    Show,
    /// A season of a show.
    Season,
    /// An episode of a show.
    Episode,
    /// A track of an album.
    Track,
}

/// One file of an item, as the server names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct File {
    /// Whole path on the server, in the server's own spelling.
    pub path: Box<str>,
    /// Length in bytes, where the server says it.
    pub size_bytes: Option<u64>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The server's own id: a rating key (Plex) or 32 hexadecimal digits (Jellyfin). Servers give new ones to the same
    /// thing, and (Jellyfin aside) may give an old one to another.
    pub key: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// The album (of a track), the season (of an episode), the show (of a season).
    pub parent_key: Option<Box<str>>,
    /// Title of that.
    pub parent_title: Option<Box<str>>,
    /// The artist of the album (of a track), the show (of an episode).
    pub grandparent_key: Option<Box<str>>,
    /// Name of that; for a track this is the album's artist.
    pub grandparent_title: Option<Box<str>>,
    /// Who a track is credited to, one by one as far as the server says; empty if that is the album's artist.
    pub artists: Vec<Box<str>>,
    /// Number within its parent (track on the disc, episode of the season, season of the show).
    pub index: Option<u32>,
    /// Number of its parent (disc, season).
    pub parent_index: Option<u32>,
    /// Year of release.
    pub year: Option<u16>,
    /// Length in milliseconds.
    pub duration_ms: Option<u32>,
    /// Every name by which others know it: `plex://…`, `mbid://…`, `imdb://…`, `isrc://…`; see [`crate::guid`] for the one
    /// spelling that is compared.
    pub guids: Vec<Box<str>>,
    /// Its files; several where there are several versions or parts.
    pub files: Vec<File>,
    /// When it came into the library, in seconds since 1970.
    pub added_at_s: Option<u64>,
    /// When the server changed it last, in seconds since 1970.
    pub updated_at_s: Option<u64>,
}

impl Item {
    /// One of which nothing but this is known.
    pub fn new(kind: ItemKind, key: &str, title: &str) -> Self {
        Self {
            kind,
            key: key.into(),
            title: title.into(),
            parent_key: None,
            parent_title: None,
            grandparent_key: None,
            grandparent_title: None,
            artists: Vec::new(),
            index: None,
            parent_index: None,
            year: None,
            duration_ms: None,
            guids: Vec::new(),
            files: Vec::new(),
            added_at_s: None,
            updated_at_s: None,
        }
    }
}
