//! Reads tables of tracks from CSV files: columns are found by name, bad rows reported with their line.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use csv::ByteRecord;

/// Max file size in bytes; a larger file is no list of tracks.
const MAX_BYTES: u64 = 2 << 30;
/// Max row size in bytes; a longer row most likely has an unclosed quote.
const MAX_ROW_BYTES: usize = 64 << 10;
/// Max lines of one row: a quoted field may contain line ends, but an unclosed quote must not swallow all following
/// rows.
const MAX_ROW_LINES: usize = 20;

/// Columns read besides the key. The first two are required.
const COLUMNS: [&str; 7] = ["title", "artist", "artists", "album_artist", "album", "duration_s", "path"];
const REQUIRED: usize = 2;

/// Error of opening a table.
#[derive(Debug)]
pub enum TrackTableError {
    /// It cannot be opened or read.
    Unreadable(std::io::Error),
    /// It is larger than any list of tracks; its size in bytes.
    TooLarge(u64),
    /// Required columns are missing.
    MissingColumns {
        /// The missing columns.
        missing: Vec<String>,
        /// The columns found.
        found: Vec<String>,
    },
}

impl fmt::Display for TrackTableError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(out, "cannot be read: {error}"),
            Self::TooLarge(bytes) => write!(out, "has {bytes} bytes, more than {MAX_BYTES}"),
            Self::MissingColumns { missing, found } if found.is_empty() => {
                write!(out, "is empty; it must have the columns {}", missing.join(", "))
            }
            Self::MissingColumns { missing, found } => {
                write!(out, "lacks the column {}; found: {}", missing.join(", "), found.join(", "))
            }
        }
    }
}

/// A row, valid or not.
#[derive(Debug)]
pub enum TrackTableRow {
    /// A valid row.
    Good(TrackFields),
    /// An invalid row.
    Bad {
        /// Line of its start.
        line: u64,
        /// The error.
        reason: &'static str,
        /// Its key, if that much can be read.
        key: Option<String>,
    },
}

/// Fields of one row; absent ones are empty.
#[derive(Debug, Default)]
pub struct TrackFields {
    /// Value of the key column.
    pub key: String,
    /// Title of the track.
    pub title: String,
    /// Artist as one name.
    pub artist: String,
    /// All artists, separated by semicolons.
    pub artists_joined: String,
    /// Artist of the album.
    pub album_artist: String,
    /// Album title.
    pub album: String,
    /// Duration in whole seconds.
    pub duration_s: Option<u32>,
    /// Path of its file.
    pub path: String,
}

impl TrackFields {
    /// Credited artists, one by one.
    pub fn artists(&self) -> Vec<&str> {
        self.artists_joined.split(';').map(str::trim).filter(|artist| !artist.is_empty()).collect()
    }
}

/// A table that is being read.
#[derive(Debug)]
pub struct TrackTable {
    lines: LineReader,
    /// The column of the key; without one rows are counted.
    key: Option<usize>,
    columns: [Option<usize>; COLUMNS.len()],
    width: usize,
    record: ByteRecord,
    rows: u64,
}

impl TrackTable {
    /// Opens a table whose rows are identified by this column.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or lacks a column.
    pub fn open(path: &Path, key: &str) -> Result<Self, TrackTableError> {
        Self::open_with(path, key, false)
    }

    /// The same; without this column the rows are identified by their numbers, from 1.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or lacks another column.
    pub fn open_numbered(path: &Path, key: &str) -> Result<Self, TrackTableError> {
        Self::open_with(path, key, true)
    }

    fn open_with(path: &Path, key: &str, may_count: bool) -> Result<Self, TrackTableError> {
        let file = File::open(path).map_err(TrackTableError::Unreadable)?;
        let bytes = file.metadata().map_err(TrackTableError::Unreadable)?.len();
        if bytes > MAX_BYTES {
            return Err(TrackTableError::TooLarge(bytes));
        }
        let mut lines = LineReader { file: BufReader::new(file), read_ahead: VecDeque::new(), taken: 0 };
        let header = match lines.row().map_err(TrackTableError::Unreadable)? {
            Some(ParsedRow { row: Some(header), .. }) => header,
            _ => ByteRecord::new(),
        };
        let found: Vec<String> = header.iter().map(column).collect();
        let index = |name: &str| found.iter().position(|found| found == name);
        let columns = COLUMNS.map(index);
        let missing: Vec<String> = [key]
            .into_iter()
            .chain(COLUMNS[..REQUIRED].iter().copied())
            .filter(|name| index(name).is_none() && !(may_count && *name == key))
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            return Err(TrackTableError::MissingColumns { missing, found: found.into_iter().take(40).collect() });
        }
        Ok(Self { lines, key: index(key), columns, width: found.len(), record: ByteRecord::new(), rows: 0 })
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read further.
    pub fn next_row(&mut self) -> Result<Option<TrackTableRow>, TrackTableError> {
        let Some(ParsedRow { line, row }) = self.lines.row().map_err(TrackTableError::Unreadable)? else {
            return Ok(None);
        };
        let bad = |reason, key| Ok(Some(TrackTableRow::Bad { line, reason, key }));
        let Some(row) = row else {
            return bad("has an unclosed quote, or is longer than 64 KiB", None);
        };
        self.record = row;
        self.rows += 1;
        let key = match self.key {
            Some(column) => self.text(Some(column)).filter(|key| !key.is_empty()),
            None => Some(self.rows.to_string()),
        };
        if self.record.len() < self.width {
            return bad("has too few columns", key);
        }
        let Some(key) = key else { return bad("has no id", None) };
        match self.fields(&key) {
            Some(fields) => Ok(Some(TrackTableRow::Good(fields))),
            None => bad("is not in UTF-8", Some(key)),
        }
    }

    fn fields(&self, key: &str) -> Option<TrackFields> {
        let [title, artist, artists, album_artist, album, duration, path] =
            self.columns.map(|column| self.text(column));
        Some(TrackFields {
            key: key.to_owned(),
            title: title?,
            artist: artist?,
            artists_joined: artists?,
            album_artist: album_artist?,
            album: album?,
            duration_s: seconds(&duration?),
            path: path?,
        })
    }

    /// A field's text, empty without such a column; `None` if it is not UTF-8.
    fn text(&self, column: Option<usize>) -> Option<String> {
        let bytes = column.and_then(|column| self.record.get(column)).unwrap_or_default();
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}

/// A raw row: line of its start, and its fields unless its end is too far away.
struct ParsedRow {
    line: u64,
    row: Option<ByteRecord>,
}

/// Lines of a file. Lines read in search of a row's end that do not belong to it are read again.
#[derive(Debug)]
struct LineReader {
    file: BufReader<File>,
    /// `None` stands for a line that is too long.
    read_ahead: VecDeque<Option<Vec<u8>>>,
    /// Number of lines consumed.
    taken: u64,
}

impl LineReader {
    /// The next row; `None` at the end of the file.
    fn row(&mut self) -> io::Result<Option<ParsedRow>> {
        loop {
            if !self.fill(1)? {
                return Ok(None);
            }
            let line = self.taken + 1;
            let Some(first) = self.take() else { return Ok(Some(ParsedRow { line, row: None })) };
            if !first.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(ParsedRow { line, row: self.rest(first)? }));
            }
        }
    }

    /// Fields of the row that begins with this line.
    fn rest(&mut self, mut text: Vec<u8>) -> io::Result<Option<ByteRecord>> {
        if let Some(fields) = fields(&text) {
            return Ok(Some(fields));
        }
        for extra_lines in 1..MAX_ROW_LINES {
            if !self.fill(extra_lines)? {
                return Ok(None);
            }
            let Some(line) = &self.read_ahead[extra_lines - 1] else { return Ok(None) };
            text.push(b'\n');
            text.extend_from_slice(line);
            if text.len() > MAX_ROW_BYTES {
                return Ok(None);
            }
            if let Some(fields) = fields(&text) {
                for _ in 0..extra_lines {
                    self.take();
                }
                return Ok(Some(fields));
            }
        }
        Ok(None)
    }

    /// Reads ahead to this many lines; returns whether there are that many.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.read_ahead.len() < count {
            let mut line = Vec::new();
            let limit = MAX_ROW_BYTES as u64 + 1;
            if self.file.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
                return Ok(false);
            }
            let is_complete = line.len() <= MAX_ROW_BYTES;
            if !is_complete && line.last() != Some(&b'\n') {
                self.file.skip_until(b'\n')?;
            }
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.pop();
            }
            self.read_ahead.push_back(is_complete.then_some(line));
        }
        Ok(true)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        self.taken += 1;
        self.read_ahead.pop_front().flatten()
    }
}

/// Fields of a row; `None` if a quote is not closed.
fn fields(text: &[u8]) -> Option<ByteRecord> {
    let mut fields = ByteRecord::new();
    let mut field = Vec::new();
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(byte);
            }
            b'"' if is_quoted => is_quoted = false,
            b'"' if field.is_empty() && !was_quoted => (is_quoted, was_quoted) = (true, true),
            b',' if !is_quoted => {
                fields.push_field(&field);
                field.clear();
                was_quoted = false;
            }
            _ => field.push(byte),
        }
    }
    fields.push_field(&field);
    (!is_quoted).then_some(fields)
}

/// A column's name without what spreadsheets put around it.
fn column(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name: String = name.trim_start_matches('\u{feff}').trim().to_lowercase();
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Whole seconds; `None` if the text is no number or zero.
fn seconds(text: &str) -> Option<u32> {
    let whole = text.trim().split('.').next()?;
    whole.parse().ok().filter(|seconds| *seconds > 0)
}
