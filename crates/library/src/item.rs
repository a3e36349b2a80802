//! One item of a library, as stored in a snapshot, with only the fields Greenroom uses.

/// Kind of an item.
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

/// One file of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaFile {
    /// Absolute path on the server, in the server's spelling.
    pub path: Box<str>,
    /// Size in bytes, if known.
    pub size_bytes: Option<u64>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its kind.
    pub kind: ItemKind,
    /// The server's own id: a rating key (Plex) or 32 hexadecimal digits (Jellyfin). Servers may assign a new
    /// one to the same item, and (except Jellyfin) reuse an old one for another item.
    pub key: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// The album (of a track), the season (of an episode), the show (of a season).
    pub parent_key: Option<Box<str>>,
    /// Title of the parent.
    pub parent_title: Option<Box<str>>,
    /// The artist of the album (of a track), the show (of an episode).
    pub grandparent_key: Option<Box<str>>,
    /// Title of the grandparent; for a track this is the album's artist.
    pub grandparent_title: Option<Box<str>>,
    /// Credited artists of a track, one by one as far as the server separates them; empty if the same as the
    /// album's artist.
    pub artists: Vec<Box<str>>,
    /// Number within the parent (track on the disc, episode of the season, season of the show).
    pub index: Option<u32>,
    /// Number of the parent (disc, season).
    pub parent_index: Option<u32>,
    /// Release year.
    pub year: Option<u16>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u32>,
    /// External ids as the server writes them: `plex://…`, `mbid://…`, `imdb://…`, `isrc://…`; see
    /// [`crate::external_id`] for the canonical form.
    pub guids: Vec<Box<str>>,
    /// Its files; several for several versions or parts.
    pub files: Vec<MediaFile>,
    /// Time at which it was added to the library, in seconds since 1970.
    pub added_at_s: Option<u64>,
    /// Time of the server's last change to it, in seconds since 1970.
    pub updated_at_s: Option<u64>,
}

impl Item {
    /// An item with these fields only.
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
