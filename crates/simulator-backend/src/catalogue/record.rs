//! One item with everything a server tells about it, in no dialect.

use super::place::{ItemId, Kind, Section};

/// An item as the library knows it. Counts of what lies below and the state of users are asked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: ItemId,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub section: Section,
    /// Its title.
    pub title: String,
    /// The title without a leading article: what lists are ordered by.
    pub title_sort: String,
    /// A sentence or two.
    pub summary: String,
    /// One line that advertises it.
    pub tagline: Option<String>,
    /// The year it came out.
    pub year: Option<u16>,
    /// The day it came out.
    pub released: Option<Day>,
    /// Its number within its parent, from 1.
    pub index: Option<u32>,
    /// What it lies in.
    pub parent: Option<Above>,
    /// What that lies in.
    pub grandparent: Option<Above>,
    /// How long it plays.
    pub duration_ms: Option<u64>,
    /// Studio, network or label.
    pub studio: Option<String>,
    /// The age rating.
    pub content_rating: Option<String>,
    /// The critics' rating in tenths, from 0 to 100.
    pub rating: Option<u16>,
    /// The audience's rating in tenths, from 0 to 100.
    pub audience_rating: Option<u16>,
    /// Genres.
    pub genres: Vec<String>,
    /// Countries.
    pub countries: Vec<String>,
    /// Directors.
    pub directors: Vec<String>,
    /// Writers.
    pub writers: Vec<String>,
    /// Who acts in it, and as whom.
    pub cast: Vec<Role>,
    /// Labels somebody put on it.
    pub labels: Vec<String>,
    /// Names of the collections it is in beyond the catalogue's own.
    pub collections: Vec<String>,
    /// 24 hexadecimal digits that identify it beyond this server.
    pub guid: String,
    /// Its ids elsewhere, such as (`imdb`, `tt0012345`).
    pub external: Vec<External>,
    /// Fields that were edited by hand and are kept as they are.
    pub locks: Vec<String>,
    /// When it was added, in seconds since 1970.
    pub added_at: u64,
    /// When its metadata last changed, in seconds since 1970.
    pub updated_at: u64,
    /// The file it plays from.
    pub file: Option<File>,
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl Day {
    /// `2021-04-09`
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// An item above another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    /// Its id.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// Its number within its own parent.
    pub index: Option<u32>,
    /// Its 24 hexadecimal digits.
    pub guid: String,
    /// The year it came out.
    pub year: Option<u16>,
    /// Studio, network or label.
    pub studio: Option<String>,
    /// When its metadata last changed.
    pub updated_at: u64,
}

/// A part in a film or an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Who acts.
    pub actor: String,
    /// As whom.
    pub character: String,
}

/// An id elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Where: `imdb`, `tmdb`, `tvdb`, `mbid`.
    pub source: &'static str,
    /// The id there.
    pub id: String,
}

/// A file on the server's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Kilobits per second.
    pub bitrate: u32,
    /// `mkv`, `mp4`, `flac`, `mp3`.
    pub container: &'static str,
    /// Codec and measures of the picture, if there is one.
    pub video: Option<Video>,
    /// Codec of the sound.
    pub audio_codec: &'static str,
    /// Channels of the sound.
    pub audio_channels: u8,
}

/// The picture of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Video {
    /// `h264`, `hevc`.
    pub codec: &'static str,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}
