//! Detects a playlist's format from its content.

use std::fmt;

use super::text::DecodedText;
use super::{PlaylistParseError, columns, csv, lines, xspf};

/// Formats of playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaylistFormat {
    /// JSPF, bare or wrapped in `{"playlist": …}`.
    Jspf,
    /// Listens, recommendations or feedback from ListenBrainz.
    ListenBrainz,
    /// A playlist file of Spotify's account data.
    Spotify,
    /// Any other JSON.
    Json,
    /// XSPF, the XML form of JSPF.
    Xspf,
    /// M3U and M3U8.
    M3u,
    /// PLS.
    Pls,
    /// One `Artist - Title` a line.
    Lines,
    /// A table with a heading; the separator of its columns.
    Csv(char),
}

impl PlaylistFormat {
    /// Name used in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Jspf => "jspf",
            Self::ListenBrainz => "listenbrainz",
            Self::Spotify => "spotify",
            Self::Json => "json",
            Self::Xspf => "xspf",
            Self::M3u => "m3u",
            Self::Pls => "pls",
            Self::Lines => "lines",
            Self::Csv(_) => "csv",
        }
    }
}

impl fmt::Display for PlaylistFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jspf => "JSPF",
            Self::ListenBrainz => "ListenBrainz list",
            Self::Spotify => "Spotify playlist file",
            Self::Json => "JSON",
            Self::Xspf => "XSPF",
            Self::M3u => "M3U",
            Self::Pls => "PLS",
            Self::Lines => "list of lines",
            Self::Csv(_) => "CSV",
        })
    }
}

/// Max lines examined for detection.
const MAX_EXAMINED_LINES: usize = 50;
/// Max unknown columns shown in an error.
const MAX_SHOWN: usize = 12;
/// Max characters of each.
const MAX_SHOWN_CHARS: usize = 32;
/// Extensions of music files.
const MUSIC_EXTENSIONS: [&str; 14] =
    [".mp3", ".flac", ".m4a", ".ogg", ".opus", ".wav", ".wma", ".aac", ".aif", ".aiff", ".ape", ".wv", ".mka", ".alac"];

/// Detects the format of a text. Kinds of JSON are distinguished by the JSON parser.
pub(super) fn detect(text: &DecodedText, hint: &str) -> Result<PlaylistFormat, PlaylistParseError> {
    let mut lines = text.lines().take(MAX_EXAMINED_LINES).map(|(_, line)| line.lossy());
    let first = lines.find(|line| !line.trim().is_empty()).ok_or(PlaylistParseError::Empty)?;
    let start = first.trim_start();
    if xspf::has_root(text) {
        return Ok(PlaylistFormat::Xspf);
    }
    if let Some(what) = foreign(start) {
        return Err(PlaylistParseError::Foreign(what));
    }
    if start.get(..10).is_some_and(|head| head.eq_ignore_ascii_case("[playlist]")) {
        return Ok(PlaylistFormat::Pls);
    }
    if start.starts_with(['{', '[']) {
        return Ok(PlaylistFormat::Json);
    }
    let rest: Vec<String> = lines.map(String::from).collect();
    if rest.iter().any(|line| line.starts_with("#EXT-X-")) {
        return Err(PlaylistParseError::Foreign("the list of a stream's pieces (HLS)"));
    }
    let is_m3u_line = |line: &str| line.trim_start().starts_with("#EXTM3U") || line.trim_start().starts_with("#EXTINF");
    if is_m3u_line(start) || rest.iter().any(|line| is_m3u_line(line)) {
        return Ok(PlaylistFormat::M3u);
    }
    let delimiter = csv::delimiter(&first);
    let heading = csv::cells(&first, delimiter);
    let columns = columns::Columns::from_header(&heading);
    if columns.has_required_columns() {
        return Ok(PlaylistFormat::Csv(delimiter));
    }
    let hint = hint.to_ascii_lowercase();
    let ending = hint.rsplit_once('.').map_or("", |(_, ending)| ending);
    let names_m3u = matches!(ending, "m3u" | "m3u8") || hint.contains("mpegurl");
    if names_m3u || std::iter::once(first.as_ref()).chain(rest.iter().map(String::as_str)).any(is_file) {
        return Ok(PlaylistFormat::M3u);
    }
    let is_known_table = heading.len() > 1 && columns.has_known_column();
    if !is_known_table && lines::are_most(std::iter::once(first.as_ref()).chain(rest.iter().map(String::as_str))) {
        return Ok(PlaylistFormat::Lines);
    }
    let is_table = heading.len() > 1 || columns.has_known_column() || ending == "csv" || hint.contains("text/csv");
    if is_table { Err(PlaylistParseError::Columns(shown(&heading))) } else { Err(PlaylistParseError::Unknown) }
}

fn foreign(start: &str) -> Option<&'static str> {
    let head: String = start.chars().take(64).collect::<String>().to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        Some("a web page")
    } else if head.starts_with('<') {
        Some("XML of another kind than XSPF")
    } else {
        None
    }
}

fn is_file(line: &str) -> bool {
    let line = line.trim().to_ascii_lowercase();
    !line.starts_with('#') && MUSIC_EXTENSIONS.iter().any(|ending| line.ends_with(ending))
}

/// Shortens names from the input for an error message.
pub(super) fn shown(names: &[impl AsRef<str>]) -> Vec<String> {
    let one = |name: &str| {
        let plain = name.chars().filter(|letter| !letter.is_control());
        plain.take(MAX_SHOWN_CHARS).collect::<String>().trim().to_owned()
    };
    names.iter().map(|name| one(name.as_ref())).filter(|name| !name.is_empty()).take(MAX_SHOWN).collect()
}
