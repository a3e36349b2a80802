//! Parses M3U and M3U8: paths, each optionally preceded by a line with its title.

use super::text::DecodedText;
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind, combined_title, duration};

/// Parses a playlist. Lines that are no UTF-8 are decoded as Windows-1252, which old players write.
pub(super) fn read(text: &DecodedText<'_>) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::M3u);
    let mut said = PlaylistRow::default();
    for (number, line) in text.lines() {
        let line = line.western();
        let line = line.trim_matches(['\u{1a}', ' ', '\t']);
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            parse_comment(comment, &mut said, &mut playlist.name);
            continue;
        }
        let row = with_path(std::mem::take(&mut said), line);
        playlist.push_result(number, row)?;
    }
    Ok(playlist)
}

/// Parses a comment, which describes the next path or the whole playlist.
fn parse_comment(comment: &str, said: &mut PlaylistRow, name: &mut Option<String>) {
    let Some((word, rest)) = comment.split_once(':') else { return };
    match word.to_ascii_uppercase().as_str() {
        "EXTINF" => *said = info(rest, said),
        "EXTALB" => rest.clone_into(&mut said.album),
        "EXTART" => rest.clone_into(&mut said.artist),
        "PLAYLIST" => *name = Some(combined_title::clean(rest)).filter(|name| !name.is_empty()),
        _ => {}
    }
}

/// `123,Artist - Title`, with attributes such as `tvg-id="…"` between the duration and the comma.
fn info(rest: &str, before: &PlaylistRow) -> PlaylistRow {
    let mut quoted = false;
    let comma = rest.char_indices().find(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == ',' && !quoted
    });
    let (head, text) = comma.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 1..]));
    let seconds = head.split_whitespace().next().unwrap_or_default();
    let told = combined_title::split(text);
    let artist = if told.artist.is_empty() { before.artist.clone() } else { told.artist };
    let duration_s = duration::seconds_from_text(seconds, duration::DurationUnit::Seconds);
    PlaylistRow { artist, duration_s, album: before.album.clone(), title: told.title, ..PlaylistRow::default() }
}

fn with_path(said: PlaylistRow, line: &str) -> Result<PlaylistRow, RowErrorKind> {
    if line.len() > super::MAX_FIELD_BYTES {
        return Err(RowErrorKind::TooLong);
    }
    let path = combined_title::file_path(line);
    let told = combined_title::parse_path(path.as_deref().unwrap_or(line));
    let or = |said: String, told: String| if said.trim().is_empty() { told } else { said };
    let names_artist = !said.artist.trim().is_empty();
    Ok(PlaylistRow {
        title: or(said.title, told.title),
        // A stated title without an artist is not combined with folder names.
        artist: said.artist,
        album: said.album,
        duration_s: said.duration_s,
        path,
        ..PlaylistRow::default()
    })
    .map(|row| {
        if names_artist {
            row
        } else {
            PlaylistRow { artist: told.artist, album: or(row.album.clone(), told.album), ..row }
        }
    })
}
