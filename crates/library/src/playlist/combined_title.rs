//! Parses a track in one line: `Artist - Title`, or the path of its file.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::PlaylistRow;

/// Separators of artist and title.
const DASHES: [&str; 3] = [" - ", " – ", " — "];

/// Collapses white space and removes control characters.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect::<String>();
    for word in plain.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// `Artist - Title`; all of it is the title if there is no dash.
pub(super) fn split(text: &str) -> PlaylistRow {
    let text = text.trim();
    let first = DASHES.iter().filter_map(|dash| Some((text.find(dash)?, dash.len()))).min();
    match first {
        Some((at, length)) => PlaylistRow {
            artist: text[..at].trim().to_owned(),
            title: text[at + length..].trim().to_owned(),
            ..PlaylistRow::default()
        },
        None => PlaylistRow { title: text.to_owned(), ..PlaylistRow::default() },
    }
}

/// Parses a path: `Artist/Album/01 - Title.flac`, `Artist - Title.mp3`.
pub(super) fn parse_path(path: &str) -> PlaylistRow {
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let name = parts.next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, ending)| if ending.len() <= 5 { stem } else { name });
    let told = split(without_number(stem));
    if !told.artist.is_empty() {
        return told;
    }
    let (album, artist) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_root = |part: &str| part.ends_with(':');
    if artist.is_empty() || is_root(artist) {
        return told;
    }
    PlaylistRow { artist: artist.to_owned(), album: album.to_owned(), ..told }
}

/// Removes the track number: `01 - Title`, `1-01 Title`, `03. Title`.
fn without_number(stem: &str) -> &str {
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 3 {
        return stem;
    }
    let rest = &stem[digits..];
    let rest = match rest.strip_prefix('-') {
        Some(after) if after.starts_with(|letter: char| letter.is_ascii_digit()) => {
            after.trim_start_matches(|letter: char| letter.is_ascii_digit())
        }
        _ => rest,
    };
    // "99 Luftballons" begins with a number of its own; a track number has two digits or a separator after
    // it.
    let title = rest.trim_start_matches([' ', '.', '-', '_']);
    let is_marked = rest.trim_start().starts_with(['.', '-', '_']) || (digits == 2 && stem.starts_with('0'));
    if is_marked && !title.is_empty() { title } else { stem }
}

/// The path in a file name or a decoded `file://` URL. `None` for any other URL.
pub(super) fn file_path(place: &str) -> Option<String> {
    let place = place.trim();
    let path = place.strip_prefix("file://").map_or_else(|| place.to_owned(), resolved);
    // As in every other field: a blank may stand where the address of a file lost its first slash.
    let path = path.trim().to_owned();
    (!path.is_empty() && !path.contains("://")).then_some(path)
}

fn resolved(rest: &str) -> String {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    percent_decode_str(path).decode_utf8().map_or_else(|_| path.to_owned(), Cow::into_owned)
}
