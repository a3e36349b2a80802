//! The columns of a table, recognised by what they are called in the tables people export.

use super::length::Unit;
use super::{Fault, Row, ids, length};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Title,
    Artist,
    AlbumArtist,
    Artists,
    Album,
    Length(Unit),
    Isrc,
    Recording,
    Spotify,
    Ids,
    Path,
}

/// Names in small letters, without anything but letters and digits. The earlier of two columns that hold the same wins.
const NAMES: [(Holds, &[&str]); 13] = [
    (
        Holds::Title,
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
        Holds::Artist,
        &[
            "artist",
            "artistname",
            "artistnames",
            "trackartist",
            "artistsnames",
            "creator",
            "performer",
            "artistcredit",
        ],
    ),
    (Holds::Artists, &["artists"]),
    (Holds::AlbumArtist, &["albumartist", "albumartists", "albumartistname", "albumartistnames"]),
    (Holds::Album, &["album", "albumname", "albumtitle", "release", "releasename", "record"]),
    (
        Holds::Length(Unit::Milliseconds),
        &["durationms", "trackdurationms", "lengthms", "milliseconds", "durationmilliseconds"],
    ),
    (
        Holds::Length(Unit::Seconds),
        &[
            "durations",
            "durationsec",
            "durationseconds",
            "lengths",
            "lengthseconds",
            "seconds",
            "tracklengthseconds",
        ],
    ),
    (Holds::Length(Unit::Unsaid), &["duration", "length", "time", "trackduration", "tracklength"]),
    (Holds::Isrc, &["isrc", "isrccode", "isrcs"]),
    (
        Holds::Recording,
        &["mbid", "recordingmbid", "musicbrainzid", "musicbrainzrecordingid", "musicbrainztrackid"],
    ),
    (
        Holds::Spotify,
        &[
            "spotifyid",
            "spotifyuri",
            "trackuri",
            "spotifytrackid",
            "trackid",
            "spotifytrackuri",
            "spotifyurl",
        ],
    ),
    (Holds::Ids, &["ids", "identifier", "identifiers", "uri", "url", "link"]),
    (Holds::Path, &["path", "file", "filepath", "filename", "location"]),
];

/// Where each thing stands.
#[derive(Debug, Default)]
pub(super) struct Columns {
    held: Vec<(usize, Holds)>,
}

impl Columns {
    /// The columns of this heading.
    pub(super) fn of(heading: &[String]) -> Self {
        let mut held: Vec<(usize, Holds)> = Vec::new();
        for (at, name) in heading.iter().enumerate() {
            let plain: String =
                name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let found =
                NAMES.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(holds, _)| *holds);
            if let Some(holds) = found.filter(|holds| !held.iter().any(|(_, other)| other == holds)) {
                held.push((at, holds));
            }
        }
        Self { held }
    }

    fn has(&self, wanted: impl Fn(Holds) -> bool) -> bool {
        self.held.iter().any(|(_, holds)| wanted(*holds))
    }

    /// Whether rows below say enough to be looked for.
    pub(super) fn are_enough(&self) -> bool {
        let names = self.has(|holds| holds == Holds::Title)
            && self.has(|holds| matches!(holds, Holds::Artist | Holds::Artists | Holds::AlbumArtist));
        names
            || self.has(|holds| {
                matches!(holds, Holds::Isrc | Holds::Recording | Holds::Spotify | Holds::Ids | Holds::Path)
            })
    }

    /// Whether any of them is known.
    pub(super) fn know_some(&self) -> bool {
        !self.held.is_empty()
    }

    /// What a row says.
    pub(super) fn row(&self, cells: &[String]) -> Result<Row, Fault> {
        let mut row = Row::default();
        let mut album_artist = "";
        let has_list = self.has(|holds| holds == Holds::Artists);
        let mut seen = 0;
        for (at, holds) in &self.held {
            let Some(cell) = cells.get(*at).map(|cell| cell.trim()) else { continue };
            seen += 1;
            match holds {
                Holds::Title => cell.clone_into(&mut row.title),
                // Beside a list of artists the credit is what it is.
                Holds::Artist if has_list => cell.clone_into(&mut row.artist),
                Holds::Artist | Holds::Artists => credit(&mut row, cell),
                Holds::AlbumArtist => album_artist = cell,
                Holds::Album => cell.clone_into(&mut row.album),
                Holds::Length(unit) => {
                    row.duration_s = row.duration_s.or_else(|| length::of_text(cell, *unit));
                }
                Holds::Isrc => several(cell).for_each(|id| ids::add(&mut row.ids, ids::isrc(id))),
                Holds::Recording => several(cell).for_each(|id| ids::add(&mut row.ids, ids::recording(id))),
                Holds::Spotify => {
                    ids::add(&mut row.ids, ids::spotify(cell).or_else(|| ids::spotify_bare(cell)));
                }
                Holds::Ids => several(cell).for_each(|id| ids::add(&mut row.ids, ids::of(id))),
                Holds::Path => row.path = Some(cell.to_owned()).filter(|path| !path.is_empty()),
            }
        }
        if row.artist.is_empty() {
            credit(&mut row, album_artist);
        }
        if row.is_empty() && seen < self.held.len() { Err(Fault::TooFewColumns) } else { Ok(row) }
    }
}

/// `A;B` are several, `A, B` may be one.
fn credit(row: &mut Row, cell: &str) {
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
