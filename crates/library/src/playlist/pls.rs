//! Parses PLS: `File1=`, `Title1=` and `Length1=` of each entry, in any order.

use std::collections::BTreeMap;

use super::text::DecodedText;
use super::{MAX_ROWS, Playlist, PlaylistFormat, PlaylistParseError, combined_title, duration, m3u};
use super::{PlaylistRow, RowErrorKind};

/// Fields of one entry.
#[derive(Debug, Default)]
struct PlsEntry {
    line: u32,
    file: String,
    title: String,
    duration_s: Option<u32>,
}

/// Parses a playlist. Lines that are not valid UTF-8 are decoded as Windows-1252, which old players write.
pub(super) fn read(text: &DecodedText<'_>) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::Pls);
    let mut entries: BTreeMap<u32, PlsEntry> = BTreeMap::new();
    for (line, content) in text.lines() {
        let content = content.western();
        let Some((key, value)) = content.trim_matches(['\u{1a}', ' ', '\t']).split_once('=') else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if matches!(key.as_str(), "x-gnome-title" | "playlistname") {
            playlist.name = Some(combined_title::clean(value)).filter(|name| !name.is_empty());
            continue;
        }
        let stem = key.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let Ok(number) = key[stem.len()..].parse::<u32>() else { continue };
        if !matches!(stem, "file" | "title" | "length") {
            continue;
        }
        let entry = entries.entry(number).or_default();
        match stem {
            "file" => (entry.line, entry.file) = (line, value.to_owned()),
            "title" => value.clone_into(&mut entry.title),
            _ => entry.duration_s = duration::seconds_from_text(value, duration::DurationUnit::Seconds),
        }
        if entry.line == 0 {
            entry.line = line;
        }
        if entries.len() > MAX_ROWS {
            return Err(PlaylistParseError::TooManyRows);
        }
    }
    for entry in entries.values() {
        playlist.push_result(entry.line, row(entry))?;
    }
    Ok(playlist)
}

fn row(entry: &PlsEntry) -> Result<PlaylistRow, RowErrorKind> {
    let stated = PlaylistRow { duration_s: entry.duration_s, ..combined_title::split(&entry.title) };
    if entry.file.is_empty() { Ok(stated) } else { m3u::with_path(stated, &entry.file) }
}
