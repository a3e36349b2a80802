//! Parses XSPF: `<playlist>` with `<track>` elements, whose durations are in milliseconds.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::text::{DecodedText, line_at};
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind};
use super::{combined_title, duration, ids};

/// Deepest element with content that is used: `playlist`, `trackList`, `track`, and its field.
const FIELD_DEPTH: usize = 4;
/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;
/// Bytes at the beginning in which the root element is looked for.
const MAX_HEAD_BYTES: usize = 4096;

/// Whether the text is XML whose root element is a playlist.
pub(super) fn has_root(text: &DecodedText<'_>) -> bool {
    let head: String = text.lines().take(50).map(|(_, line)| line.lossy().into_owned() + "\n").collect();
    let mut rest = head.get(..head.floor_char_boundary(MAX_HEAD_BYTES)).unwrap_or_default().trim_start();
    while let Some(after) = rest
        .strip_prefix("<?")
        .and_then(|rest| rest.split_once("?>"))
        .or_else(|| rest.strip_prefix("<!--").and_then(|rest| rest.split_once("-->")))
    {
        rest = after.1.trim_start();
    }
    let name = rest.strip_prefix('<').unwrap_or_default();
    let name = name.split(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/')).next();
    name.is_some_and(|name| name.rsplit(':').next() == Some("playlist"))
}

/// A track while its element is open.
#[derive(Debug, Default)]
struct TrackElement {
    line: u32,
    row: PlaylistRow,
    is_too_long: bool,
}

/// Parses a playlist. Entities that the file defines itself are not expanded.
pub(super) fn read(text: &str) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::Xspf);
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let (mut field, mut track) = (String::new(), None::<TrackElement>);
    let mut place = LineCounter { text, at: 0, line: 1 };
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let broken = |at: usize| PlaylistParseError::BrokenXml(line_at(text.as_bytes(), at));
        match reader.read_event().map_err(|_| broken(at))? {
            Event::Start(start) if open.len() < MAX_DEPTH => {
                open.push(start.local_name().as_ref().to_owned());
                field.clear();
                if is_track(&open) {
                    track = Some(TrackElement { line: place.line_of(at), ..TrackElement::default() });
                }
            }
            Event::Empty(start) => {
                if open.len() == FIELD_DEPTH - 2 && start.local_name().as_ref() == "track" {
                    playlist.push_result(place.line_of(at), Err(RowErrorKind::Empty))?;
                }
            }
            Event::End(_) => {
                end(&open, &field, &mut track, &mut playlist)?;
                open.pop();
                field.clear();
            }
            Event::Text(text) => append(&mut field, &text),
            Event::CData(text) => append(&mut field, &text),
            Event::GeneralRef(name) => {
                let whole = format!("&{};", &*name);
                append(&mut field, &quick_xml::escape::unescape(&whole).unwrap_or_default());
            }
            Event::Eof if open.is_empty() => return Ok(playlist),
            // Too deep, or cut off.
            Event::Start(_) | Event::Eof => return Err(broken(at)),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
}

fn is_track(open: &[String]) -> bool {
    matches!(open, [root, list, track] if root == "playlist" && list == "trackList" && track == "track")
}

/// Adds to a field, up to its limit and a byte that shows that it is too long.
fn append(field: &mut String, text: &str) {
    let left = (super::MAX_FIELD_BYTES + 1).saturating_sub(field.len());
    field.push_str(&text[..text.ceil_char_boundary(left.min(text.len()))]);
}

/// Uses the content of the element that ends.
fn end(
    open: &[String],
    field: &str,
    track: &mut Option<TrackElement>,
    playlist: &mut Playlist,
) -> Result<(), PlaylistParseError> {
    if is_track(open)
        && let Some(ended) = track.take()
    {
        let row = if ended.is_too_long { Err(RowErrorKind::TooLong) } else { Ok(ended.row) };
        return playlist.push_result(ended.line, row);
    }
    match (open, track) {
        ([_, title], _) if title == "title" => {
            playlist.name = Some(combined_title::clean(field)).filter(|name| !name.is_empty());
        }
        ([.., name], Some(track)) if open.len() == FIELD_DEPTH => {
            track.is_too_long |= field.len() > super::MAX_FIELD_BYTES;
            fill(&mut track.row, name, field.trim());
        }
        _ => {}
    }
    Ok(())
}

fn fill(row: &mut PlaylistRow, name: &str, value: &str) {
    match name {
        "title" => value.clone_into(&mut row.title),
        "creator" => value.clone_into(&mut row.artist),
        "album" => value.clone_into(&mut row.album),
        "duration" => row.duration_s = duration::seconds_from_text(value, duration::DurationUnit::Milliseconds),
        "identifier" => ids::add(&mut row.ids, ids::parse_any(value)),
        "location" if row.path.is_none() && !value.is_empty() => row.path = Some(value.to_owned()),
        _ => {}
    }
}

/// Counts lines up to positions that only grow.
struct LineCounter<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl LineCounter<'_> {
    fn line_of(&mut self, at: usize) -> u32 {
        let passed = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        let ends = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(ends).unwrap_or(u32::MAX));
        self.at = at.max(self.at);
        self.line
    }
}
