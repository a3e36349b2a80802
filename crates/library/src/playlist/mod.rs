//! Playlists from elsewhere: any bytes in, rows to look for out.
//!
//! The format is told from the content; a file's name only helps where the content says nothing. One bad row never
//! loses the others: it is reported with its place. What is no playlist at all is refused in a sentence that says what
//! was found and what was expected.
//!
//! Rooms: [`format`](mod@format) (which one it is), `text` (bytes to text), `json` (JSPF, ListenBrainz, plain JSON), `m3u`, `csv` with
//! `columns`, `title` (what is said in one line: `Artist - Title`), `ids`, `length`; [`unreadable`] (why not);
//! [`export`] (rows out again).

mod columns;
mod csv;
pub mod export;
pub mod format;
mod ids;
mod json;
mod length;
mod m3u;
mod text;
mod title;
pub mod unreadable;

pub use format::Format;
pub use unreadable::{Fault, Unreadable};

/// Longest playlist that is read.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most rows of one playlist.
pub const MAX_ROWS: usize = 20_000;
/// Longest field of a row, in bytes: a path may have 4,096.
pub const MAX_FIELD_BYTES: usize = 4096;
/// Most names by which a row is known, and most artists it is credited to.
pub const MAX_NAMES: usize = 32;
/// Bad rows that are told one by one; more are only counted.
pub const MAX_TOLD: usize = 1000;

/// One row: a track somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Where it stands in the source, from 1: the line, or in JSON the place in the list.
    pub line: u32,
    /// Its title.
    pub title: String,
    /// The whole credit.
    pub artist: String,
    /// Who is credited, one by one, where the source says so.
    pub artists: Vec<String>,
    /// Its album.
    pub album: String,
    /// Length in seconds.
    pub duration_s: Option<u32>,
    /// Names by which others know it: `mbid://…`, `isrc://…`, `spotify://…`.
    pub ids: Vec<String>,
    /// Its file, as the source names it.
    pub path: Option<String>,
}

impl Row {
    /// Whether there is anything to look for.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty() && self.ids.is_empty() && self.path.is_none()
    }

    /// `Artist - Title`, or what else is known of it.
    pub fn label(&self) -> String {
        match (self.artist.as_str(), self.title.as_str()) {
            ("", "") => self.path.clone().or_else(|| self.ids.first().cloned()).unwrap_or_default(),
            ("", title) => title.to_owned(),
            (artist, title) => format!("{artist} - {title}"),
        }
    }
}

/// A row that says nothing that can be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where it stands, as in [`Row::line`].
    pub line: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A playlist, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// In which format it was.
    pub format: Format,
    /// What it calls itself.
    pub name: Option<String>,
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// Rows that could not be read, [`MAX_TOLD`] at the most.
    pub bad: Vec<BadRow>,
    /// How many could not.
    pub bad_count: usize,
}

impl Playlist {
    fn new(format: Format) -> Self {
        Self { format, name: None, rows: Vec::new(), bad: Vec::new(), bad_count: 0 }
    }

    /// One of rows that were had elsewhere.
    pub fn of_rows(name: Option<String>, rows: Vec<Row>) -> Self {
        Self { name, rows, ..Self::new(Format::Json) }
    }

    /// Adds what was read of one row, tidied.
    fn take(&mut self, line: u32, row: Result<Row, Fault>) -> Result<(), Unreadable> {
        match row.and_then(|row| tidied(Row { line, ..row })) {
            Ok(row) if self.rows.len() < MAX_ROWS => self.rows.push(row),
            Ok(_) => return Err(Unreadable::TooManyRows),
            Err(fault) => {
                self.bad_count += 1;
                if self.bad_count > MAX_ROWS {
                    return Err(Unreadable::TooManyRows);
                }
                if self.bad.len() < MAX_TOLD {
                    self.bad.push(BadRow { line, fault });
                }
            }
        }
        Ok(())
    }
}

/// A row without blanks around its fields; one that says nothing, or too much, is bad.
fn tidied(mut row: Row) -> Result<Row, Fault> {
    for field in [&mut row.title, &mut row.artist, &mut row.album] {
        *field = title::clean(field);
    }
    row.artists = row.artists.iter().map(|name| title::clean(name)).filter(|name| !name.is_empty()).collect();
    row.path = row.path.and_then(|path| title::file_of(path.trim()));
    if row.artist.is_empty() && row.artists.is_empty() {
        let told = title::split(&row.title);
        (row.artist, row.title) = (told.artist, told.title);
    }
    row.duration_s = row.duration_s.filter(|seconds| *seconds > 0);
    if row.artist.is_empty() && !row.artists.is_empty() {
        row.artist = row.artists.join(", ");
    }
    row.artists.truncate(MAX_NAMES);
    row.ids.truncate(MAX_NAMES);
    if row.is_empty() {
        return Err(Fault::Empty);
    }
    let texts = [&row.title, &row.artist, &row.album].into_iter().chain(&row.artists).chain(&row.ids);
    let longest = texts.chain(&row.path).map(String::len).max().unwrap_or(0);
    if longest > MAX_FIELD_BYTES { Err(Fault::TooLong) } else { Ok(row) }
}

/// Reads a playlist. `hint` is a file's name or a media type, where there is one.
///
/// # Errors
/// If it is none, or nothing in it can be looked for.
pub fn read(bytes: &[u8], hint: &str) -> Result<Playlist, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLong);
    }
    let text = text::decode(bytes)?;
    let playlist = match format::detect(&text, hint)? {
        Format::Json => json::read(text.whole()?)?,
        Format::M3u => m3u::read(&text)?,
        Format::Csv(delimiter) => csv::read(&text, delimiter)?,
        Format::Jspf | Format::ListenBrainz => return Err(Unreadable::Unknown),
    };
    if playlist.rows.is_empty() {
        let first = playlist.bad.first().cloned();
        return Err(first.map_or(Unreadable::NoRows(playlist.format), |bad| Unreadable::OnlyBadRows {
            format: playlist.format,
            rows: playlist.bad_count,
            first: bad,
        }));
    }
    Ok(playlist)
}

#[cfg(test)]
mod tests;
