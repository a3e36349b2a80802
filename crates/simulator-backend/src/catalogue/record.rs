//! An item with all its metadata, independent of a dialect.

use super::item_id::{ItemId, MediaKind, Section};

/// An item of the library. Child counts and user state are kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecord {
    /// Its id.
    pub id: ItemId,
    /// Its kind.
    pub kind: MediaKind,
    /// Its section.
    pub section: Section,
    /// Its title.
    pub title: String,
    /// Title without a leading article, for sorting.
    pub title_sort: String,
    /// A summary of one or two sentences.
    pub summary: String,
    /// Tagline.
    pub tagline: Option<String>,
    /// Release year.
    pub year: Option<u16>,
    /// Release date.
    pub released: Option<CalendarDate>,
    /// Its number within its parent, from 1.
    pub index: Option<u32>,
    /// Its parent.
    pub parent: Option<AncestorItem>,
    /// Parent of its parent.
    pub grandparent: Option<AncestorItem>,
    /// Duration, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Studio, network or label.
    pub studio: Option<String>,
    /// Age rating.
    pub content_rating: Option<String>,
    /// Critics' rating in tenths, from 0 to 100.
    pub rating: Option<u16>,
    /// Audience rating in tenths, from 0 to 100.
    pub audience_rating: Option<u16>,
    /// Genres.
    pub genres: Vec<String>,
    /// Countries.
    pub countries: Vec<String>,
    /// Directors.
    pub directors: Vec<String>,
    /// Writers.
    pub writers: Vec<String>,
    /// Actors and their roles.
    pub cast: Vec<CastRole>,
    /// Labels set by users.
    pub labels: Vec<String>,
    /// Names of its collections beyond the catalogue's own.
    pub collections: Vec<String>,
    /// 24 hexadecimal digits that identify it beyond this server.
    pub guid: String,
    /// Its external ids, such as (`imdb`, `tt0012345`).
    pub external: Vec<ProviderId>,
    /// Fields that were edited by hand and are not refreshed.
    pub locks: Vec<String>,
    /// Time of addition, in seconds since 1970.
    pub added_at: u64,
    /// Time of the last metadata change, in seconds since 1970.
    pub updated_at: u64,
    /// Its media file.
    pub file: Option<CatalogueFile>,
}

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalendarDate {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl CalendarDate {
    /// `2021-04-09`
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A parent or grandparent of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AncestorItem {
    /// Its id.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// Its number within its own parent.
    pub index: Option<u32>,
    /// Its 24 hexadecimal digits.
    pub guid: String,
    /// Release year.
    pub year: Option<u16>,
    /// Studio, network or label.
    pub studio: Option<String>,
    /// Time of its last metadata change.
    pub updated_at: u64,
}

/// A role in a film or an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastRole {
    /// Actor.
    pub actor: String,
    /// Character.
    pub character: String,
}

/// An external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderId {
    /// Provider: `imdb`, `tmdb`, `tvdb`, `mbid`.
    pub source: &'static str,
    /// Id at the provider.
    pub id: String,
}

/// A file on the server's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueFile {
    /// Its path.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Bitrate in kilobits per second.
    pub bitrate: u32,
    /// Container format: `mkv`, `mp4`, `flac`, `mp3`.
    pub container: &'static str,
    /// Video stream, if there is one.
    pub video: Option<VideoStream>,
    /// Audio codec.
    pub audio_codec: &'static str,
    /// Number of audio channels.
    pub audio_channels: u8,
}

/// Video stream of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoStream {
    /// Codec: `h264`, `hevc`.
    pub codec: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}
