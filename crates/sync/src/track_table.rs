//! Tables of tracks from elsewhere, as CSV files hold them: columns found by their names, bad rows told by their lines.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use csv::ByteRecord;

/// A larger file is no list of tracks.
const MOST_BYTES: u64 = 2 << 30;
/// A longer row is no track: most likely a quote was not closed.
const MOST_ROW_BYTES: usize = 64 << 10;
/// A quoted field may hold ends of lines, but no more than this many: a quote that is not closed must not take all the
/// rows behind it along.
const MOST_LINES_OF_A_ROW: usize = 20;

/// The columns besides the key that are read. The first two must be there.
const COLUMNS: [&str; 6] = ["title", "artist", "artists", "album_artist", "album", "duration_s"];
const REQUIRED: usize = 2;

/// Why a table cannot be read at all.
#[derive(Debug)]
pub enum Unfit {
    /// It cannot be opened or read.
    Unreadable(std::io::Error),
    /// It is larger than any list of tracks.
    TooLarge(u64),
    /// Columns are missing; these were found.
    Missing {
        /// Columns that are needed.
        missing: Vec<String>,
        /// Columns there are.
        found: Vec<String>,
    },
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
pub enum Row {
    /// It can be read.
    Good(Fields),
    /// It cannot.
    Bad {
        /// Where it begins.
        line: u64,
        /// What is wrong with it.
        why: &'static str,
        /// How it is called, if that much can be read.
        key: Option<String>,
    },
}

/// What a row says. What it does not say is empty.
#[derive(Debug, Default)]
pub struct Fields {
    /// How the row is called.
    pub key: String,
    /// The title of the track.
    pub title: String,
    /// Its artist as one name.
    pub artist: String,
    /// All artists, with semicolons between them.
    pub artists_joined: String,
    /// The artist of its album.
    pub album_artist: String,
    /// Its album.
    pub album: String,
    /// How long it is, in whole seconds.
    pub duration_s: Option<u32>,
}

impl Fields {
    /// Who is credited, one by one.
    pub fn artists(&self) -> Vec<&str> {
        self.artists_joined.split(';').map(str::trim).filter(|artist| !artist.is_empty()).collect()
    }
}

/// A table that is being read.
#[derive(Debug)]
pub struct Table {
    lines: Lines,
    key: usize,
    columns: [Option<usize>; COLUMNS.len()],
    width: usize,
    record: ByteRecord,
}

impl Table {
    /// Opens a table whose rows are named by this column.
    ///
    /// # Errors
    /// If it cannot be read, is too large, or lacks a column.
    pub fn open(path: &Path, key: &str) -> Result<Self, Unfit> {
        let file = File::open(path).map_err(Unfit::Unreadable)?;
        let bytes = file.metadata().map_err(Unfit::Unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(Unfit::TooLarge(bytes));
        }
        let mut lines = Lines { file: BufReader::new(file), ahead: VecDeque::new(), taken: 0 };
        let header = match lines.row().map_err(Unfit::Unreadable)? {
            Some(Read { row: Some(header), .. }) => header,
            _ => ByteRecord::new(),
        };
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
                Ok(Self { lines, key, columns, width: found.len(), record: ByteRecord::new() })
            }
            _ => Err(Unfit::Missing { missing, found: found.into_iter().take(40).collect() }),
        }
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// If the file cannot be read on.
    pub fn next_row(&mut self) -> Result<Option<Row>, Unfit> {
        let Some(Read { line, row }) = self.lines.row().map_err(Unfit::Unreadable)? else { return Ok(None) };
        let bad = |why, key| Ok(Some(Row::Bad { line, why, key }));
        let Some(row) = row else {
            return bad("a quote is not closed, or it is longer than any track", None);
        };
        self.record = row;
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

/// A row as it was read: where it begins, and its fields, unless its end is nowhere near.
struct Read {
    line: u64,
    row: Option<ByteRecord>,
}

/// A file's lines. Those that were read in search of the end of a row, and do not belong to it, are read again.
#[derive(Debug)]
struct Lines {
    file: BufReader<File>,
    /// A line that is too long is none.
    ahead: VecDeque<Option<Vec<u8>>>,
    /// So many lines were taken.
    taken: u64,
}

impl Lines {
    /// The next row; none at the end of the file.
    fn row(&mut self) -> io::Result<Option<Read>> {
        loop {
            if !self.fill(1)? {
                return Ok(None);
            }
            let line = self.taken + 1;
            let Some(first) = self.take() else { return Ok(Some(Read { line, row: None })) };
            if !first.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Read { line, row: self.rest(first)? }));
            }
        }
    }

    /// The fields of the row that begins with this line.
    fn rest(&mut self, mut text: Vec<u8>) -> io::Result<Option<ByteRecord>> {
        if let Some(fields) = fields(&text) {
            return Ok(Some(fields));
        }
        for more in 1..MOST_LINES_OF_A_ROW {
            if !self.fill(more)? {
                return Ok(None);
            }
            let Some(line) = &self.ahead[more - 1] else { return Ok(None) };
            text.push(b'\n');
            text.extend_from_slice(line);
            if text.len() > MOST_ROW_BYTES {
                return Ok(None);
            }
            if let Some(fields) = fields(&text) {
                (0..more).for_each(|_| drop(self.take()));
                return Ok(Some(fields));
            }
        }
        Ok(None)
    }

    /// Reads ahead until there are so many lines; whether there are.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.ahead.len() < count {
            let mut line = Vec::new();
            let most = MOST_ROW_BYTES as u64 + 1;
            if self.file.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                return Ok(false);
            }
            let is_whole = line.len() <= MOST_ROW_BYTES;
            if !is_whole && line.last() != Some(&b'\n') {
                self.file.skip_until(b'\n')?;
            }
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.pop();
            }
            self.ahead.push_back(is_whole.then_some(line));
        }
        Ok(true)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        self.taken += 1;
        self.ahead.pop_front().flatten()
    }
}

/// The fields of a row; none if a quote is not closed.
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
