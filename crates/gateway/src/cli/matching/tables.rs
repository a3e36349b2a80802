//! Tables of tracks, as CSV files hold them: columns found by their names, bad rows told by their lines.

use std::fmt;
use std::fs::File;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

/// A larger file is no list of tracks.
const MOST_BYTES: u64 = 2 << 30;
/// A longer row is no track: most likely a quote was not closed.
const MOST_ROW_BYTES: usize = 64 << 10;

/// The columns besides the key that are read. The first two must be there.
const COLUMNS: [&str; 6] = ["title", "artist", "artists", "album_artist", "album", "duration_s"];
const REQUIRED: usize = 2;

/// Why a table cannot be read at all.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It cannot be opened or read.
    Unreadable(std::io::Error),
    /// It is larger than any list of tracks.
    TooLarge(u64),
    /// Columns are missing; these were found.
    Missing { missing: Vec<String>, found: Vec<String> },
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(out, "cannot be read: {error}"),
            Self::TooLarge(bytes) => write!(out, "has {bytes} bytes, more than {MOST_BYTES}"),
            Self::Missing { missing, found } if found.is_empty() => {
                write!(out, "is empty; the columns {} are needed", missing.join(", "))
            }
            Self::Missing { missing, found } => {
                write!(out, "lacks the column {}; found: {}", missing.join(", "), found.join(", "))
            }
        }
    }
}

/// A row.
#[derive(Debug)]
pub(super) enum Row {
    /// It can be read.
    Good(Fields),
    /// It cannot.
    Bad { line: u64, why: &'static str, key: Option<String> },
}

/// What a row says. What it does not say is empty.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) key: String,
    pub(super) title: String,
    pub(super) artist: String,
    pub(super) artists_joined: String,
    pub(super) album_artist: String,
    pub(super) album: String,
    pub(super) duration_s: Option<u32>,
}

impl Fields {
    /// Who is credited, one by one.
    pub(super) fn artists(&self) -> Vec<&str> {
        self.artists_joined.split(';').map(str::trim).filter(|artist| !artist.is_empty()).collect()
    }
}

/// A table that is being read.
pub(super) struct Table {
    reader: csv::Reader<File>,
    key: usize,
    columns: [Option<usize>; COLUMNS.len()],
    width: usize,
    record: ByteRecord,
}

impl Table {
    /// Opens a table whose rows are named by this column.
    pub(super) fn open(path: &Path, key: &str) -> Result<Self, Unfit> {
        let file = File::open(path).map_err(Unfit::Unreadable)?;
        let bytes = file.metadata().map_err(Unfit::Unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(Unfit::TooLarge(bytes));
        }
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let header = reader.byte_headers().map_err(unreadable)?.clone();
        let found: Vec<String> = header.iter().map(column).collect();
        let place = |name: &str| found.iter().position(|found| found == name);
        let columns = COLUMNS.map(place);
        let missing: Vec<String> = [key]
            .into_iter()
            .chain(COLUMNS[..REQUIRED].iter().copied())
            .filter(|name| place(name).is_none())
            .map(str::to_owned)
            .collect();
        match place(key) {
            Some(key) if missing.is_empty() => {
                Ok(Self { reader, key, columns, width: found.len(), record: ByteRecord::new() })
            }
            _ => Err(Unfit::Missing { missing, found: found.into_iter().take(40).collect() }),
        }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Unfit> {
        let line = self.reader.position().line();
        if !self.reader.read_byte_record(&mut self.record).map_err(unreadable)? {
            return Ok(None);
        }
        let line = self.record.position().map_or(line, csv::Position::line);
        let bad = |why, key| Ok(Some(Row::Bad { line, why, key }));
        if self.record.as_slice().len() > MOST_ROW_BYTES {
            return bad("longer than any track; a quote may not be closed", None);
        }
        let key = self.text(Some(self.key)).filter(|key| !key.is_empty());
        if self.record.len() < self.width {
            return bad("has too few columns", key);
        }
        let Some(key) = key else { return bad("does not say which row it is", None) };
        match self.fields(&key) {
            Some(fields) => Ok(Some(Row::Good(fields))),
            None => bad("is not in UTF-8", Some(key)),
        }
    }

    fn fields(&self, key: &str) -> Option<Fields> {
        let [title, artist, artists, album_artist, album, duration] =
            self.columns.map(|column| self.text(column));
        Some(Fields {
            key: key.to_owned(),
            title: title?,
            artist: artist?,
            artists_joined: artists?,
            album_artist: album_artist?,
            album: album?,
            duration_s: seconds(&duration?),
        })
    }

    /// A field's text, empty if there is no such column; `None` if it is not in UTF-8.
    fn text(&self, column: Option<usize>) -> Option<String> {
        let bytes = column.and_then(|column| self.record.get(column)).unwrap_or_default();
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}

fn unreadable(error: csv::Error) -> Unfit {
    Unfit::Unreadable(error.into())
}

/// The name of a column without what spreadsheets put around it.
fn column(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name: String = name.trim_start_matches('\u{feff}').trim().to_lowercase();
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Whole seconds; a length that is no number, or none, is not known.
fn seconds(text: &str) -> Option<u32> {
    let whole = text.trim().split('.').next()?;
    whole.parse().ok().filter(|seconds| *seconds > 0)
}
