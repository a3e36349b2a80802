//! Parses plain lists: one `Artist - Title` a line, as people paste them.

use super::text::DecodedText;
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind, combined_title, duration};

/// Of this many lines one may lack an artist, such as a heading.
const LINES_PER_OTHER_LINE: usize = 5;
/// Most digits of a number before a line.
const MAX_NUMBER_DIGITS: usize = 5;

/// Whether most of these lines are an artist and a title.
pub(super) fn are_most<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let (mut all, mut others) = (0_usize, 0_usize);
    for line in lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        all += 1;
        others += usize::from(combined_title::split(line).artist.is_empty());
    }
    all > others && others * LINES_PER_OTHER_LINE <= all
}

/// Parses a list. Lines that are not valid UTF-8 are decoded as Windows-1252.
pub(super) fn read(text: &DecodedText<'_>) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::Lines);
    let mut expected = 1_u32;
    for (number, line) in text.lines() {
        let line = line.western();
        let line = line.trim_matches(['\u{1a}', ' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        playlist.push_result(number, row(line, expected))?;
        expected = expected.saturating_add(1);
    }
    Ok(playlist)
}

fn row(line: &str, expected: u32) -> Result<PlaylistRow, RowErrorKind> {
    let (line, duration_s) = without_duration(without_number(line, expected));
    let row = combined_title::split(line);
    if row.artist.is_empty() || row.title.is_empty() {
        return Err(RowErrorKind::NoArtist);
    }
    Ok(PlaylistRow { duration_s, ..row })
}

/// Removes `12. ` and `12) `, and `12 - ` and `12 ` where it is the number of the line: `311 - Amber` is a band's.
fn without_number(line: &str, expected: u32) -> &str {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > MAX_NUMBER_DIGITS {
        return line;
    }
    let (number, rest) = line.split_at(digits);
    let is_marked = rest.starts_with(". ") || rest.starts_with(") ") || rest.starts_with(".\t");
    let is_counted = number.parse() == Ok(expected) && rest.starts_with([' ', '\t']);
    let plain = rest.trim_start_matches(['.', ')', '-', '–', ' ', '\t']);
    let keeps_artist = !combined_title::split(plain).artist.is_empty();
    if (is_marked || is_counted) && keeps_artist { plain } else { line }
}

/// Takes a duration in brackets off the end: `Artist - Title (3:05)`.
fn without_duration(line: &str) -> (&str, Option<u32>) {
    let close = [("(", ")"), ("[", "]")];
    let found = close.into_iter().find_map(|(open, close)| {
        let (before, inner) = line.strip_suffix(close)?.rsplit_once(open)?;
        let is_time = inner.contains(':') && inner.chars().all(|letter| letter.is_ascii_digit() || letter == ':');
        let seconds = duration::seconds_from_text(inner, duration::DurationUnit::Unsaid).filter(|_| is_time)?;
        Some((before.trim_end(), Some(seconds)))
    });
    found.unwrap_or((line, None))
}
