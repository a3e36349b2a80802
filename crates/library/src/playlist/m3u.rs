//! M3U and M3U8: paths, each with a line before it that may say what it is.

use super::text::Text;
use super::{Fault, Format, Playlist, Row, Unreadable, length, title};

/// Reads one. Lines that are no UTF-8 are taken for the code page old players write.
pub(super) fn read(text: &Text<'_>) -> Result<Playlist, Unreadable> {
    let mut playlist = Playlist::new(Format::M3u);
    let mut said = Row::default();
    for (number, line) in text.lines() {
        let line = line.western();
        let line = line.trim_matches(['\u{1a}', ' ', '\t']);
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            heed(comment, &mut said, &mut playlist.name);
            continue;
        }
        let row = with_path(std::mem::take(&mut said), line);
        playlist.take(number, row)?;
    }
    Ok(playlist)
}

/// What a comment says of the next path, or of the whole.
fn heed(comment: &str, said: &mut Row, name: &mut Option<String>) {
    let Some((word, rest)) = comment.split_once(':') else { return };
    match word.to_ascii_uppercase().as_str() {
        "EXTINF" => *said = info(rest, said),
        "EXTALB" => rest.clone_into(&mut said.album),
        "EXTART" => rest.clone_into(&mut said.artist),
        "PLAYLIST" => *name = Some(title::clean(rest)).filter(|name| !name.is_empty()),
        _ => {}
    }
}

/// `123,Artist - Title`, with attributes such as `tvg-id="…"` between the length and the comma.
fn info(rest: &str, before: &Row) -> Row {
    let mut quoted = false;
    let comma = rest.char_indices().find(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == ',' && !quoted
    });
    let (head, text) = comma.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 1..]));
    let seconds = head.split_whitespace().next().unwrap_or_default();
    let told = title::split(text);
    let artist = if told.artist.is_empty() { before.artist.clone() } else { told.artist };
    let duration_s = length::of_text(seconds, length::Unit::Seconds);
    Row { artist, duration_s, album: before.album.clone(), title: told.title, ..Row::default() }
}

fn with_path(said: Row, line: &str) -> Result<Row, Fault> {
    if line.len() > super::MAX_FIELD_BYTES {
        return Err(Fault::TooLong);
    }
    let path = title::file_of(line);
    let told = title::of_path(path.as_deref().unwrap_or(line));
    let or = |said: String, told: String| if said.trim().is_empty() { told } else { said };
    let names_artist = !said.artist.trim().is_empty();
    Ok(Row {
        title: or(said.title, told.title),
        // A title that was said without an artist is not mixed with what the folders are called.
        artist: said.artist,
        album: said.album,
        duration_s: said.duration_s,
        path,
        ..Row::default()
    })
    .map(|row| {
        if names_artist {
            row
        } else {
            Row { artist: told.artist, album: or(row.album.clone(), told.album), ..row }
        }
    })
}
