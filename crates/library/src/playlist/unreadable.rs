//! Why something is no playlist, and what is wrong with a row: closed lists, with a sentence each.

use std::fmt;

use super::{BadRow, Format, MAX_BYTES, MAX_FIELD_BYTES, MAX_ROWS};

/// What is wrong with one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It has no title, no id and no path.
    Empty,
    /// A field is longer than any is.
    TooLong,
    /// Its bytes are no UTF-8.
    Encoding,
    /// It has fewer columns than needed.
    TooFewColumns,
    /// A quote that was opened is not closed.
    OpenQuote,
    /// It is no object and no text.
    NotATrack,
    /// Its line is no JSON.
    BrokenJson,
}

impl Fault {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too-long",
            Self::Encoding => "encoding",
            Self::TooFewColumns => "too-few-columns",
            Self::OpenQuote => "open-quote",
            Self::NotATrack => "not-a-track",
            Self::BrokenJson => "broken-json",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it has no title, no id and no path"),
            Self::TooLong => write!(f, "a field is longer than {MAX_FIELD_BYTES} bytes"),
            Self::Encoding => f.write_str("it is not UTF-8"),
            Self::TooFewColumns => f.write_str("it has fewer columns than the heading needs"),
            Self::OpenQuote => f.write_str("a quote that was opened is not closed"),
            Self::NotATrack => f.write_str("it is neither an object nor a text"),
            Self::BrokenJson => f.write_str("it is no JSON"),
        }
    }
}

/// Why something is no playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is nothing in it.
    Nothing,
    /// It is longer than [`MAX_BYTES`].
    TooLong,
    /// It has more rows than [`MAX_ROWS`].
    TooManyRows,
    /// It is no text; what it is instead, where that can be told.
    Binary(Option<&'static str>),
    /// It is text, in an encoding that is not read there. The first line where that shows.
    Encoding(u32),
    /// Another format that is known by its head.
    Foreign(&'static str),
    /// A table without the columns that are needed; the columns it has, shortened.
    Columns(Vec<String>),
    /// JSON that breaks off or is wrong.
    BrokenJson {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// JSON without a list of tracks; the keys it has, shortened.
    NoList(Vec<String>),
    /// JSON with several playlists in it.
    Several,
    /// It has a heading, and no row.
    NoRows(Format),
    /// None of its rows can be read.
    OnlyBadRows {
        /// What it was read as.
        format: Format,
        /// How many.
        rows: usize,
        /// The first.
        first: BadRow,
    },
    /// Nothing tells what it is.
    Unknown,
}

/// What is read.
const EXPECTED: &str =
    "expected is JSPF, ListenBrainz or plain JSON, M3U, or CSV with a heading such as title,artist";

impl Unreadable {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::TooLong => "too-long",
            Self::TooManyRows => "too-many-rows",
            Self::Binary(_) => "binary",
            Self::Encoding(_) => "encoding",
            Self::Foreign(_) => "foreign",
            Self::Columns(_) => "columns",
            Self::BrokenJson { .. } => "broken-json",
            Self::NoList(_) => "no-list",
            Self::Several => "several",
            Self::NoRows(_) => "no-rows",
            Self::OnlyBadRows { .. } => "only-bad-rows",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "the playlist is empty; {EXPECTED}"),
            Self::TooLong => write!(f, "the playlist is longer than {} MiB", MAX_BYTES / (1024 * 1024)),
            Self::TooManyRows => write!(f, "the playlist has more than {MAX_ROWS} rows"),
            Self::Binary(Some(what)) => write!(f, "this is {what}, no playlist; {EXPECTED}"),
            Self::Binary(None) => write!(f, "this is no text; {EXPECTED}"),
            Self::Encoding(line) => {
                write!(f, "line {line} is not UTF-8, so the encoding is another one; save the file as UTF-8")
            }
            Self::Foreign(what) => write!(f, "this is {what}; {EXPECTED}"),
            Self::Columns(found) => write!(
                f,
                "the columns are {}; expected is a heading with title and artist, or with an id (isrc, mbid, \
                 spotify) or a path",
                listed(found)
            ),
            Self::BrokenJson { line, column } => {
                write!(f, "the JSON breaks off or is wrong at line {line}, column {column}")
            }
            Self::NoList(found) => write!(
                f,
                "the JSON has {}, and no list of tracks; expected is a list, or an object with \"track\", \
                 \"tracks\" or \"playlist\"",
                listed(found)
            ),
            Self::Several => f.write_str("there are several playlists in this file; give one of them alone"),
            Self::NoRows(format) => write!(f, "this {format} has no rows"),
            Self::OnlyBadRows { format, rows, first } => write!(
                f,
                "none of the {rows} rows of this {format} can be read; row {}: {}",
                first.line, first.fault
            ),
            Self::Unknown => write!(f, "nothing tells what this is; {EXPECTED}"),
        }
    }
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}
