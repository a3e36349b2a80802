//! Parses playlists from elsewhere: any bytes in, rows to match out.
//!
//! The format is detected from the content; a file name only helps if the content is ambiguous. A bad row
//! never costs the others: it is reported with its line. Input that is no playlist is rejected with a
//! sentence that says what was found and what was expected.
//!
//! Modules: [`format`](mod@format) (format detection), `text` and `encoding` (bytes to text), `json` with `json_row` (JSPF,
//! ListenBrainz, Spotify's account data, plain JSON), `xspf`, `m3u`, `pls`, `lines` (one `Artist - Title` a line), `csv`
//! with `columns` and `column_names`, `combined_title` (`Artist - Title`), `ids`, `duration`; `collection` and
//! `unique_names` (several playlists of one file); [`error`] (errors); [`export`] (formats rows).

mod collection;
mod column_names;
mod columns;
mod combined_title;
mod csv;
mod duration;
mod encoding;
pub mod error;
pub mod export;
pub mod format;
mod ids;
mod json;
mod json_row;
mod lines;
mod m3u;
mod pls;
mod text;
mod unique_names;
mod xspf;

pub use encoding::TextEncoding;
pub use error::{PlaylistParseError, RowErrorKind};
pub use format::PlaylistFormat;
pub use unique_names::set_unique_names;

/// Largest playlist in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Max rows of a playlist.
pub const MAX_ROWS: usize = 20_000;
/// Max playlists of one file.
pub const MAX_PLAYLISTS: usize = 1000;
/// Max rows of all playlists of one file.
pub const MAX_TOTAL_ROWS: usize = 100_000;
/// Longest field of a row in bytes; a path may have 4,096.
pub const MAX_FIELD_BYTES: usize = 4096;
/// Max external ids and max artists of a row.
pub const MAX_NAMES: usize = 32;
/// Max bad rows listed one by one; further ones are only counted.
pub const MAX_ROW_ERRORS: usize = 1000;

/// One row: a requested track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaylistRow {
    /// Position in the source, from 1: the line, or in JSON the index in the list.
    pub line: u32,
    /// Its title.
    pub title: String,
    /// The whole credit.
    pub artist: String,
    /// Credited artists one by one, if the source separates them.
    pub artists: Vec<String>,
    /// Its album.
    pub album: String,
    /// Duration in seconds.
    pub duration_s: Option<u32>,
    /// External ids: `mbid://…`, `isrc://…`, `spotify://…`.
    pub ids: Vec<String>,
    /// Path of its file in the source.
    pub path: Option<String>,
}

impl PlaylistRow {
    /// Whether there is nothing to match.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty() && self.ids.is_empty() && self.path.is_none()
    }

    /// `Artist - Title`, or what else is known of it, for display.
    pub fn label(&self) -> String {
        match (self.artist.as_str(), self.title.as_str()) {
            ("", "") => self.path.clone().or_else(|| self.ids.first().cloned()).unwrap_or_default(),
            ("", title) => title.to_owned(),
            (artist, title) => format!("{artist} - {title}"),
        }
    }
}

/// A row that cannot be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistRowError {
    /// Its position, as in [`PlaylistRow::line`].
    pub line: u32,
    /// The error.
    pub kind: RowErrorKind,
}

/// A parsed playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// Its format.
    pub format: PlaylistFormat,
    /// Encoding of its text.
    pub encoding: TextEncoding,
    /// Its name, which no other playlist of the file has.
    pub name: Option<String>,
    /// Its name in the file, where an earlier playlist has that name.
    pub shared_name: Option<String>,
    /// Its rows, in order.
    pub rows: Vec<PlaylistRow>,
    /// Bad rows, at most [`MAX_ROW_ERRORS`].
    pub row_errors: Vec<PlaylistRowError>,
    /// Number of all bad rows.
    pub row_error_count: usize,
}

impl Playlist {
    fn new(format: PlaylistFormat) -> Self {
        Self {
            format,
            encoding: TextEncoding::Utf8,
            name: None,
            shared_name: None,
            rows: Vec::new(),
            row_errors: Vec::new(),
            row_error_count: 0,
        }
    }

    /// A playlist of rows from another source, of which further ones were unreadable. Rows without content count as
    /// unreadable too.
    pub fn from_rows(name: Option<String>, rows: Vec<PlaylistRow>, unreadable: usize) -> Self {
        let (empty, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(PlaylistRow::is_empty);
        let row_error_count = empty.len() + unreadable;
        let errors = empty.into_iter().map(|row| PlaylistRowError { line: row.line, kind: RowErrorKind::Empty });
        let row_errors = errors.take(MAX_ROW_ERRORS).collect();
        Self { name, rows, row_errors, row_error_count, ..Self::new(PlaylistFormat::Json) }
    }

    /// The error of a playlist whose rows are all bad.
    pub fn only_bad_rows(&self) -> Option<PlaylistParseError> {
        let first = self.row_errors.first().filter(|_| self.rows.is_empty())?.clone();
        Some(PlaylistParseError::OnlyBadRows { format: self.format, rows: self.row_error_count, first })
    }

    /// A sentence about the name, where another playlist of the file has the same.
    pub fn shared_name_note(&self) -> Option<String> {
        let (shared, name) = (self.shared_name.as_ref()?, self.name.as_ref()?);
        Some(format!("The file has several playlists called {shared:?}; this is the one listed as {name:?}."))
    }

    /// Adds one parsed and validated row, or its error.
    fn push_result(&mut self, line: u32, row: Result<PlaylistRow, RowErrorKind>) -> Result<(), PlaylistParseError> {
        match row.and_then(|row| validated(PlaylistRow { line, ..row })) {
            Ok(row) if self.rows.len() < MAX_ROWS => self.rows.push(row),
            Ok(_) => return Err(PlaylistParseError::TooManyRows),
            Err(fault) => {
                self.row_error_count += 1;
                if self.row_error_count > MAX_ROWS {
                    return Err(PlaylistParseError::TooManyRows);
                }
                if self.row_errors.len() < MAX_ROW_ERRORS {
                    self.row_errors.push(PlaylistRowError { line, kind: fault });
                }
            }
        }
        Ok(())
    }
}

/// Trims the fields of a row; a row without content or with an overlong field is an error.
fn validated(mut row: PlaylistRow) -> Result<PlaylistRow, RowErrorKind> {
    for field in [&mut row.title, &mut row.artist, &mut row.album] {
        *field = combined_title::clean(field);
    }
    row.artists = row.artists.iter().map(|name| combined_title::clean(name)).filter(|name| !name.is_empty()).collect();
    row.path = row.path.and_then(|path| combined_title::file_path(&path));
    if row.artist.is_empty() && row.artists.is_empty() {
        let told = combined_title::split(&row.title);
        (row.artist, row.title) = (told.artist, told.title);
    }
    row.duration_s = row.duration_s.filter(|seconds| *seconds > 0);
    if row.artist.is_empty() && !row.artists.is_empty() {
        row.artist = row.artists.join(", ");
    }
    row.artists.truncate(MAX_NAMES);
    row.ids.truncate(MAX_NAMES);
    if row.is_empty() {
        return Err(RowErrorKind::Empty);
    }
    let texts = [&row.title, &row.artist, &row.album].into_iter().chain(&row.artists).chain(&row.ids);
    let longest = texts.chain(&row.path).map(String::len).max().unwrap_or(0);
    if longest > MAX_FIELD_BYTES { Err(RowErrorKind::TooLong) } else { Ok(row) }
}

/// Parses a file with one playlist. `hint` is a file name or a media type, if known.
///
/// # Errors
/// If it is no playlist, has no row that can be matched, or has several playlists: [`read_all`] returns those.
pub fn read(bytes: &[u8], hint: &str) -> Result<Playlist, PlaylistParseError> {
    let mut playlists = read_all(bytes, hint)?;
    match (playlists.pop(), playlists.len()) {
        (Some(only), 0) => Ok(only),
        (last, _) => {
            playlists.extend(last);
            Err(PlaylistParseError::several(&playlists))
        }
    }
}

/// Parses a file with one or several playlists in their order, each with rows, or at least with bad rows, and with a name
/// of its own ([`set_unique_names`]). `hint` is a file name or a media type, if known.
///
/// # Errors
/// If it is no playlist, or has no row that can be matched.
pub fn read_all(bytes: &[u8], hint: &str) -> Result<Vec<Playlist>, PlaylistParseError> {
    if bytes.len() > MAX_BYTES {
        return Err(PlaylistParseError::TooLong);
    }
    let text = text::decode(bytes)?;
    let mut playlists = match format::detect(&text, hint)? {
        PlaylistFormat::Json => json::read(text.as_str()?)?,
        PlaylistFormat::Xspf => vec![xspf::read(text.as_str()?)?],
        PlaylistFormat::M3u => vec![m3u::read(&text)?],
        PlaylistFormat::Pls => vec![pls::read(&text)?],
        PlaylistFormat::Lines => vec![lines::read(&text)?],
        PlaylistFormat::Csv(delimiter) => csv::read(&text, delimiter)?,
        PlaylistFormat::Jspf | PlaylistFormat::ListenBrainz | PlaylistFormat::Spotify => {
            return Err(PlaylistParseError::Unknown);
        }
    };
    for playlist in &mut playlists {
        playlist.encoding = match playlist.format {
            PlaylistFormat::M3u | PlaylistFormat::Pls | PlaylistFormat::Lines => text.encoding_of_western_lines(),
            _ => text.encoding(),
        };
    }
    let mut playlists = collection::with_rows(playlists)?;
    set_unique_names(&mut playlists, None);
    Ok(playlists)
}

#[cfg(test)]
mod tests;
