//! Parses M3U and M3U8: paths, each optionally preceded by comments with its title, artist and album.

use super::text::DecodedText;
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind, combined_title, duration};

/// Parses a playlist. Lines that are not valid UTF-8 are decoded as Windows-1252, which old players write.
pub(super) fn read(text: &DecodedText<'_>) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::M3u);
    let mut stated = PlaylistRow::default();
    for (number, line) in text.lines() {
        let line = line.western();
        let line = line.trim_matches(['\u{1a}', ' ', '\t']);
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            parse_comment(comment, &mut stated, &mut playlist.name);
            continue;
        }
        let row = with_path(std::mem::take(&mut stated), line);
        playlist.push_result(number, row)?;
    }
    Ok(playlist)
}

/// Parses a comment, which describes the next path or the whole playlist.
fn parse_comment(comment: &str, stated: &mut PlaylistRow, name: &mut Option<String>) {
    let Some((directive, rest)) = comment.split_once(':') else { return };
    match directive.to_ascii_uppercase().as_str() {
        "EXTINF" => *stated = info(rest, stated),
        "EXTALB" => rest.clone_into(&mut stated.album),
        "EXTART" => rest.clone_into(&mut stated.artist),
        "PLAYLIST" => *name = Some(combined_title::clean(rest)).filter(|name| !name.is_empty()),
        _ => {}
    }
}

/// Parses the rest of an `#EXTINF:` line: `123,Artist - Title`, with attributes such as `tvg-id="…"` between the
/// duration and the comma. The album of an earlier comment is kept, and so is its artist if this line names none.
fn info(rest: &str, stated: &PlaylistRow) -> PlaylistRow {
    let mut quoted = false;
    let comma = rest.char_indices().find(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == ',' && !quoted
    });
    let (head, text) = comma.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 1..]));
    let seconds = head.split_whitespace().next().unwrap_or_default();
    let parsed = combined_title::split(text);
    let artist = if parsed.artist.is_empty() { stated.artist.clone() } else { parsed.artist };
    let duration_s = duration::seconds_from_text(seconds, duration::DurationUnit::Seconds);
    PlaylistRow { artist, duration_s, album: stated.album.clone(), title: parsed.title, ..PlaylistRow::default() }
}

/// A row of a file and what is stated of it; where nothing is, the path tells the title, artist and album.
pub(super) fn with_path(stated: PlaylistRow, line: &str) -> Result<PlaylistRow, RowErrorKind> {
    if line.len() > super::MAX_FIELD_BYTES {
        return Err(RowErrorKind::TooLong);
    }
    let path = combined_title::file_path(line);
    let from_path = combined_title::parse_path(path.as_deref().unwrap_or(line));
    let or = |text: String, fallback: String| if text.trim().is_empty() { fallback } else { text };
    let names_artist = !stated.artist.trim().is_empty();
    Ok(PlaylistRow {
        title: or(stated.title, from_path.title),
        // Where the comments name an artist, album and artist are never taken from folder names.
        artist: stated.artist,
        album: stated.album,
        duration_s: stated.duration_s,
        path,
        ..PlaylistRow::default()
    })
    .map(|row| {
        if names_artist {
            row
        } else {
            PlaylistRow { artist: from_path.artist, album: or(row.album.clone(), from_path.album), ..row }
        }
    })
}
