//! Errors of playlists and rows: closed sets, each with a sentence.

use std::fmt;

use super::{MAX_BYTES, MAX_FIELD_BYTES, MAX_PLAYLISTS, MAX_ROWS, MAX_TOTAL_ROWS, PlaylistFormat, PlaylistRowError};
use super::{Playlist, format};

/// Error of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowErrorKind {
    /// It has no title, id or path.
    Empty,
    /// A field is too long.
    TooLong,
    /// Its bytes are no UTF-8.
    Encoding,
    /// It has too few columns.
    TooFewColumns,
    /// A quote is not closed.
    OpenQuote,
    /// It is neither an object nor a text.
    NotATrack,
    /// It is an episode of a podcast.
    Episode,
    /// Its line has no `Artist - Title`.
    NoArtist,
    /// Its line is no JSON.
    BrokenJson,
}

impl RowErrorKind {
    /// Name used in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too-long",
            Self::Encoding => "encoding",
            Self::TooFewColumns => "too-few-columns",
            Self::OpenQuote => "open-quote",
            Self::NotATrack => "not-a-track",
            Self::Episode => "episode",
            Self::NoArtist => "no-artist",
            Self::BrokenJson => "broken-json",
        }
    }
}

impl fmt::Display for RowErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the row has no title, no id and no path"),
            Self::TooLong => write!(f, "a field is longer than {MAX_FIELD_BYTES} bytes"),
            Self::Encoding => f.write_str("the row is not UTF-8"),
            Self::TooFewColumns => f.write_str("the row has fewer columns than the heading"),
            Self::OpenQuote => f.write_str("a quote is not closed"),
            Self::NotATrack => f.write_str("the entry is neither an object nor a string"),
            Self::Episode => f.write_str("the entry is an episode of a podcast"),
            Self::NoArtist => f.write_str("the line has no artist: expected is Artist - Title"),
            Self::BrokenJson => f.write_str("the entry is not valid JSON"),
        }
    }
}

/// Error of a whole playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaylistParseError {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_BYTES`].
    TooLong,
    /// It has more rows than [`MAX_ROWS`].
    TooManyRows,
    /// It is no text; the detected file type, if known.
    Binary(Option<&'static str>),
    /// It is text in an unsupported encoding; the first line that shows it.
    Encoding(u32),
    /// It is in another known format.
    Foreign(&'static str),
    /// A table without the required columns; its columns, shortened.
    Columns(Vec<String>),
    /// Truncated or invalid JSON.
    BrokenJson {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// JSON without a list of tracks; its keys, shortened.
    NoList(Vec<String>),
    /// Invalid or incomplete XML; the line.
    BrokenXml(u32),
    /// Several playlists where one was expected; their names, shortened.
    Several(Vec<String>),
    /// More than [`MAX_PLAYLISTS`] playlists.
    TooManyPlaylists,
    /// It has a heading, but no row.
    NoRows(PlaylistFormat),
    /// All its rows are bad.
    OnlyBadRows {
        /// The detected format.
        format: PlaylistFormat,
        /// Number of rows.
        rows: usize,
        /// The first bad row.
        first: PlaylistRowError,
    },
    /// The format is unknown.
    Unknown,
}

/// Supported formats.
const EXPECTED_FORMATS: &str = "expected: JSPF, XSPF, ListenBrainz, Spotify or plain JSON, M3U, PLS, CSV with a heading such as title,artist, or \
     lines such as Artist - Title";

impl PlaylistParseError {
    /// The error of a file with these playlists, of which none is chosen.
    pub fn several(playlists: &[Playlist]) -> Self {
        let names = playlists.iter().map(|playlist| playlist.name.as_deref().unwrap_or("(no name)"));
        Self::Several(format::shown(&names.collect::<Vec<_>>()))
    }

    /// Name used in the API.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::TooLong => "too-long",
            Self::TooManyRows => "too-many-rows",
            Self::Binary(_) => "binary",
            Self::Encoding(_) => "encoding",
            Self::Foreign(_) => "foreign",
            Self::Columns(_) => "columns",
            Self::BrokenJson { .. } => "broken-json",
            Self::NoList(_) => "no-list",
            Self::BrokenXml(_) => "broken-xml",
            Self::Several(_) => "several",
            Self::TooManyPlaylists => "too-many-playlists",
            Self::NoRows(_) => "no-rows",
            Self::OnlyBadRows { .. } => "only-bad-rows",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for PlaylistParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the playlist is empty; {EXPECTED_FORMATS}"),
            Self::TooLong => write!(f, "the playlist is longer than {} MiB", MAX_BYTES / (1024 * 1024)),
            Self::TooManyRows => {
                write!(
                    f,
                    "a playlist has more than {MAX_ROWS} rows, or those of the file have more than {MAX_TOTAL_ROWS}"
                )
            }
            Self::Binary(Some(what)) => write!(f, "this is {what}, not a playlist; {EXPECTED_FORMATS}"),
            Self::Binary(None) => write!(f, "this is not a text file; {EXPECTED_FORMATS}"),
            Self::Encoding(line) => {
                write!(f, "line {line} is not UTF-8; save the file as UTF-8")
            }
            Self::Foreign(what) => write!(f, "this is {what}; {EXPECTED_FORMATS}"),
            Self::Columns(found) => write!(
                f,
                "the columns are {}; expected is a heading with title and artist, or with an id (isrc, mbid, \
                 spotify) or a path",
                listed(found)
            ),
            Self::BrokenJson { line, column } => {
                write!(f, "the JSON is incomplete or invalid at line {line}, column {column}")
            }
            Self::NoList(found) => write!(
                f,
                "the JSON has {}, and no list of tracks; expected is a list, or an object with \"track\", \
                 \"tracks\" or \"playlist\"",
                listed(found)
            ),
            Self::BrokenXml(line) => write!(f, "the XML is incomplete or invalid at line {line}"),
            Self::Several(names) => {
                write!(f, "this file contains several playlists ({}); choose one of them", listed(names))
            }
            Self::TooManyPlaylists => write!(f, "the file has more than {MAX_PLAYLISTS} playlists"),
            Self::NoRows(format) => write!(f, "this {format} has no rows"),
            Self::OnlyBadRows { format, rows, first } => {
                write!(f, "none of the {rows} rows of this {format} can be read; row {}: {}", first.line, first.kind)
            }
            Self::Unknown => write!(f, "the format is not recognised; {EXPECTED_FORMATS}"),
        }
    }
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}
