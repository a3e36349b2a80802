//! Columns of a table, recognised by the names that common export tools give them.

use super::duration::DurationUnit;
use super::{PlaylistRow, RowErrorKind, duration, ids};

/// Content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Title,
    Artist,
    AlbumArtist,
    Artists,
    Album,
    Length(DurationUnit),
    Isrc,
    Recording,
    Spotify,
    Ids,
    Path,
}

/// Names in lower case, letters and digits only. The first of two columns with the same content wins.
const COLUMN_NAMES: [(ColumnKind, &[&str]); 13] = [
    (
        ColumnKind::Title,
        &[
            "title",
            "trackname",
            "tracktitle",
            "songtitle",
            "songname",
            "song",
            "name",
            "track",
            "recording",
            "recordingname",
        ],
    ),
    (
        ColumnKind::Artist,
        &["artist", "artistname", "artistnames", "trackartist", "artistsnames", "creator", "performer", "artistcredit"],
    ),
    (ColumnKind::Artists, &["artists"]),
    (ColumnKind::AlbumArtist, &["albumartist", "albumartists", "albumartistname", "albumartistnames"]),
    (ColumnKind::Album, &["album", "albumname", "albumtitle", "release", "releasename", "record"]),
    (
        ColumnKind::Length(DurationUnit::Milliseconds),
        &["durationms", "trackdurationms", "lengthms", "milliseconds", "durationmilliseconds"],
    ),
    (
        ColumnKind::Length(DurationUnit::Seconds),
        &["durations", "durationsec", "durationseconds", "lengths", "lengthseconds", "seconds", "tracklengthseconds"],
    ),
    (ColumnKind::Length(DurationUnit::Unsaid), &["duration", "length", "time", "trackduration", "tracklength"]),
    (ColumnKind::Isrc, &["isrc", "isrccode", "isrcs"]),
    (
        ColumnKind::Recording,
        &["mbid", "recordingmbid", "musicbrainzid", "musicbrainzrecordingid", "musicbrainztrackid"],
    ),
    (
        ColumnKind::Spotify,
        &["spotifyid", "spotifyuri", "trackuri", "spotifytrackid", "trackid", "spotifytrackuri", "spotifyurl"],
    ),
    (ColumnKind::Ids, &["ids", "identifier", "identifiers", "uri", "url", "link"]),
    (ColumnKind::Path, &["path", "file", "filepath", "filename", "location"]),
];

/// Index of each column.
#[derive(Debug, Default)]
pub(super) struct Columns {
    held: Vec<(usize, ColumnKind)>,
}

impl Columns {
    /// Recognises the columns of a heading.
    pub(super) fn from_header(heading: &[String]) -> Self {
        let mut held: Vec<(usize, ColumnKind)> = Vec::new();
        for (at, name) in heading.iter().enumerate() {
            let plain: String =
                name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let found = COLUMN_NAMES.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(holds, _)| *holds);
            if let Some(holds) = found.filter(|holds| !held.iter().any(|(_, other)| other == holds)) {
                held.push((at, holds));
            }
        }
        Self { held }
    }

    fn has(&self, wanted: impl Fn(ColumnKind) -> bool) -> bool {
        self.held.iter().any(|(_, holds)| wanted(*holds))
    }

    /// Whether the rows can be matched with these columns.
    pub(super) fn has_required_columns(&self) -> bool {
        let names = self.has(|holds| holds == ColumnKind::Title)
            && self.has(|holds| matches!(holds, ColumnKind::Artist | ColumnKind::Artists | ColumnKind::AlbumArtist));
        names
            || self.has(|holds| {
                matches!(
                    holds,
                    ColumnKind::Isrc | ColumnKind::Recording | ColumnKind::Spotify | ColumnKind::Ids | ColumnKind::Path
                )
            })
    }

    /// Whether any column is known.
    pub(super) fn has_known_column(&self) -> bool {
        !self.held.is_empty()
    }

    /// Parses a row.
    pub(super) fn row(&self, cells: &[String]) -> Result<PlaylistRow, RowErrorKind> {
        let mut row = PlaylistRow::default();
        let mut album_artist = "";
        let has_list = self.has(|holds| holds == ColumnKind::Artists);
        let mut seen = 0;
        for (at, holds) in &self.held {
            let Some(cell) = cells.get(*at).map(|cell| cell.trim()) else { continue };
            seen += 1;
            match holds {
                ColumnKind::Title => cell.clone_into(&mut row.title),
                // With a list of artists beside it, the credit is left as it is.
                ColumnKind::Artist if has_list => cell.clone_into(&mut row.artist),
                ColumnKind::Artist | ColumnKind::Artists => credit(&mut row, cell),
                ColumnKind::AlbumArtist => album_artist = cell,
                ColumnKind::Album => cell.clone_into(&mut row.album),
                ColumnKind::Length(unit) => {
                    row.duration_s = row.duration_s.or_else(|| duration::seconds_from_text(cell, *unit));
                }
                ColumnKind::Isrc => several(cell).for_each(|id| ids::add(&mut row.ids, ids::isrc(id))),
                ColumnKind::Recording => {
                    several(cell).for_each(|id| ids::add(&mut row.ids, ids::recording(id)));
                }
                ColumnKind::Spotify => {
                    ids::add(&mut row.ids, ids::spotify(cell).or_else(|| ids::spotify_bare(cell)));
                }
                ColumnKind::Ids => several(cell).for_each(|id| ids::add(&mut row.ids, ids::parse_any(id))),
                ColumnKind::Path => row.path = Some(cell.to_owned()).filter(|path| !path.is_empty()),
            }
        }
        if row.artist.is_empty() {
            credit(&mut row, album_artist);
        }
        if row.is_empty() && seen < self.held.len() { Err(RowErrorKind::TooFewColumns) } else { Ok(row) }
    }
}

/// `A;B` are several artists, `A, B` may be one.
fn credit(row: &mut PlaylistRow, cell: &str) {
    let names: Vec<String> = several(cell).map(str::to_owned).collect();
    if names.is_empty() {
        return;
    }
    if row.artist.is_empty() {
        row.artist = names.join(", ");
    }
    if names.len() > 1 {
        row.artists = names;
    }
}

fn several(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').map(str::trim).filter(|part| !part.is_empty()).take(super::MAX_NAMES)
}
