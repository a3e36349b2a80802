//! Parses playlists in JSON: JSPF, ListenBrainz exports, and lists of objects or texts with common field
//! names.
//!
//! The document is streamed: each element of a list of tracks becomes a row as soon as it is read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::duration::{DurationUnit, seconds_from_number, seconds_from_text};
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind, combined_title, format, ids};

/// Keys of lists of tracks, with the format each one indicates.
const LIST_KEYS: [(&str, PlaylistFormat); 10] = [
    ("track", PlaylistFormat::Jspf),
    ("trackList", PlaylistFormat::Jspf),
    ("tracks", PlaylistFormat::Json),
    ("items", PlaylistFormat::Json),
    ("rows", PlaylistFormat::Json),
    ("songs", PlaylistFormat::Json),
    ("listens", PlaylistFormat::ListenBrainz),
    ("mbids", PlaylistFormat::ListenBrainz),
    ("feedback", PlaylistFormat::ListenBrainz),
    ("recordings", PlaylistFormat::ListenBrainz),
];
/// Keys of wrapper objects.
const WRAPPER_KEYS: [&str; 3] = ["playlist", "payload", "jspf"];
/// Max nesting of objects that is searched.
const MAX_DEPTH: usize = 4;

/// State of the parser.
struct JsonReadState {
    playlist: Playlist,
    /// Whether a list of tracks was found.
    has_list: bool,
    /// An error other than invalid JSON.
    stop: Option<PlaylistParseError>,
    /// Unknown keys.
    keys: Vec<String>,
}

/// Parses a playlist.
pub(super) fn read(text: &str) -> Result<Playlist, PlaylistParseError> {
    let mut walk =
        JsonReadState { playlist: Playlist::new(PlaylistFormat::Json), has_list: false, stop: None, keys: Vec::new() };
    let mut source = serde_json::Deserializer::from_str(text);
    let walked = DocumentVisitor { walk: &mut walk, depth: 0 }.deserialize(&mut source).and_then(|()| source.end());
    if let Some(stop) = walk.stop {
        return Err(stop);
    }
    match walked {
        Ok(()) if walk.has_list => Ok(walk.playlist),
        _ if is_in_lines(text) => read_lines(text),
        Ok(()) => Err(PlaylistParseError::NoList(format::shown(&walk.keys))),
        Err(error) => Err(PlaylistParseError::BrokenJson { line: error.line(), column: error.column() }),
    }
}

/// Whether each line is an object of its own, as in exports of listens.
fn is_in_lines(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.next().is_some_and(|line| {
        serde_json::from_str::<Map<String, Value>>(line).is_ok_and(|first| !row_of(&first).is_empty())
    })
}

fn read_lines(text: &str) -> Result<Playlist, PlaylistParseError> {
    let mut playlist = Playlist::new(PlaylistFormat::Json);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let value: Result<Value, RowErrorKind> = serde_json::from_str(line).map_err(|_| RowErrorKind::BrokenJson);
        playlist.push_result(number, value.and_then(|value| element(&value)))?;
    }
    Ok(playlist)
}

/// Skips scalars.
macro_rules! passed_over {
    () => {
        fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_unit<E: Error>(self) -> Result<(), E> {
            Ok(())
        }
    };
}

/// An object that may contain a list of tracks, or such a list itself.
struct DocumentVisitor<'w> {
    walk: &'w mut JsonReadState,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for DocumentVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DocumentVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tracks, or an object with one")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut name = None;
        let before = self.walk.playlist.rows.len();
        while let Some(key) = map.next_key::<String>()? {
            let list = LIST_KEYS.iter().find(|(name, _)| *name == key).map(|(_, format)| *format);
            if let Some(format) = list {
                map.next_value_seed(TrackListVisitor { walk: self.walk, format })?;
            } else if WRAPPER_KEYS.contains(&key.as_str()) && self.depth < MAX_DEPTH {
                map.next_value_seed(DocumentVisitor { walk: self.walk, depth: self.depth + 1 })?;
            } else if key == "playlists" && self.depth == 0 {
                map.next_value_seed(PlaylistListVisitor { walk: self.walk })?;
            } else if matches!(key.as_str(), "title" | "name") {
                if let Value::String(said) = map.next_value()? {
                    name = Some(combined_title::clean(&said)).filter(|name| !name.is_empty());
                }
            } else {
                map.next_value::<IgnoredAny>()?;
                if self.walk.keys.len() < super::MAX_NAMES {
                    self.walk.keys.push(key);
                }
            }
        }
        // The name is that of the innermost named object around the rows.
        if self.walk.playlist.rows.len() > before && self.walk.playlist.name.is_none() {
            self.walk.playlist.name = name;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        TrackListVisitor { walk: self.walk, format: PlaylistFormat::Json }.visit_seq(seq)
    }

    passed_over!();
}

/// A list of playlists, of which only one may have tracks.
struct PlaylistListVisitor<'w> {
    walk: &'w mut JsonReadState,
}

impl<'de> DeserializeSeed<'de> for PlaylistListVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PlaylistListVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of playlists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut filled = 0;
        loop {
            let before = self.walk.playlist.rows.len();
            if seq.next_element_seed(DocumentVisitor { walk: self.walk, depth: 1 })?.is_none() {
                return Ok(());
            }
            filled += usize::from(self.walk.playlist.rows.len() > before);
            if filled > 1 {
                self.walk.stop = Some(PlaylistParseError::Several);
                return Err(A::Error::custom("several"));
            }
        }
    }
}

/// A list of tracks.
struct TrackListVisitor<'w> {
    walk: &'w mut JsonReadState,
    format: PlaylistFormat,
}

impl<'de> DeserializeSeed<'de> for TrackListVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TrackListVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tracks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.walk.has_list {
            self.walk.has_list = true;
            self.walk.playlist.format = self.format;
        }
        let mut place = 0_u32;
        while let Some(value) = seq.next_element::<Value>()? {
            place = place.saturating_add(1);
            let row = element_in(&value, self.format);
            if let Err(stop) = self.walk.playlist.push_result(place, row) {
                self.walk.stop = Some(stop);
                return Err(A::Error::custom("too many"));
            }
        }
        Ok(())
    }

    /// `"track": "Title"` in an object that is a track itself, or `"tracks": {"items": […]}`.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        DocumentVisitor { walk: self.walk, depth: MAX_DEPTH }.visit_map(map)
    }

    passed_over!();
}

fn element_in(value: &Value, format: PlaylistFormat) -> Result<PlaylistRow, RowErrorKind> {
    let mut row = element(value)?;
    // JSPF always uses milliseconds.
    if format == PlaylistFormat::Jspf
        && let Some(ms) = value.get("duration").and_then(Value::as_f64)
    {
        row.duration_s = seconds_from_number(ms, DurationUnit::Milliseconds);
    }
    Ok(row)
}

fn element(value: &Value) -> Result<PlaylistRow, RowErrorKind> {
    match value {
        Value::String(text) => Ok(ids::parse_any(text)
            .map_or_else(|| combined_title::split(text), |id| PlaylistRow { ids: vec![id], ..PlaylistRow::default() })),
        Value::Object(object) => Ok(row_of(object)),
        _ => Err(RowErrorKind::NotATrack),
    }
}

/// Parses an object. `track` and `track_metadata` may contain the track, and the object further fields.
fn row_of(object: &Map<String, Value>) -> PlaylistRow {
    let mut row = PlaylistRow::default();
    let inner = ["track_metadata", "track", "recording"].into_iter().filter_map(|key| object.get(key)?.as_object());
    let extension = object.get("extension").and_then(Value::as_object).into_iter();
    let further = extension.flat_map(Map::values).filter_map(Value::as_object);
    for part in std::iter::once(object).chain(inner).chain(further) {
        fill(&mut row, part);
        for key in ["additional_info", "additional_metadata", "mbid_mapping", "external_ids", "external_identifiers"] {
            if let Some(more) = part.get(key).and_then(Value::as_object) {
                fill(&mut row, more);
            }
        }
    }
    row
}

/// Fills the fields that are still empty.
fn fill(row: &mut PlaylistRow, object: &Map<String, Value>) {
    let text = |keys: &[&str]| keys.iter().find_map(|key| named(object.get(*key)?));
    if row.title.is_empty() {
        row.title =
            text(&["title", "track_name", "trackName", "recording_name", "name", "song", "track"]).unwrap_or_default();
    }
    if row.artist.is_empty() {
        row.artist = text(&["creator", "artist", "artist_name", "artistName", "artist_credit_name", "artist_credit"])
            .unwrap_or_default();
    }
    if row.artists.is_empty()
        && let Some(Value::Array(names)) = object.get("artists").or_else(|| object.get("artist_names"))
    {
        row.artists = names.iter().take(super::MAX_NAMES).filter_map(named).collect();
    } else if row.artist.is_empty() {
        row.artist = text(&["artists"]).unwrap_or_default();
    }
    if row.album.is_empty() {
        row.album =
            text(&["album", "release_name", "releaseName", "album_name", "albumName", "release"]).unwrap_or_default();
    }
    row.duration_s = row.duration_s.or_else(|| duration(object));
    for (key, read) in ID_FIELDS {
        for value in object.get(*key).into_iter().flat_map(each) {
            ids::add(&mut row.ids, value.as_str().and_then(read));
        }
    }
    if row.path.is_none() {
        let place = |key: &str| each(object.get(key)?).find_map(Value::as_str).map(str::to_owned);
        row.path = ["path", "file", "location"].into_iter().find_map(place);
    }
}

/// Parser for an id.
type IdParser = fn(&str) -> Option<String>;

/// Keys of external ids.
const ID_FIELDS: &[(&str, IdParser)] = &[
    ("recording_mbid", ids::recording),
    ("recordingMbid", ids::recording),
    ("mbid", ids::recording),
    ("identifier", ids::parse_any),
    ("ids", ids::parse_any),
    ("isrc", ids::isrc),
    ("isrcs", ids::isrc),
    ("spotify_id", spotify),
    ("spotifyId", spotify),
    ("trackUri", ids::spotify),
    ("spotify_uri", ids::spotify),
    ("uri", ids::spotify),
];

fn spotify(text: &str) -> Option<String> {
    ids::spotify(text).or_else(|| ids::spotify_bare(text))
}

/// A text, or the name of an object.
fn named(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(object) => {
            ["name", "title", "artist_credit_name"].iter().find_map(|key| object.get(*key)?.as_str())?
        }
        _ => return None,
    };
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The value, or each member of a list.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (one, list) = match value {
        Value::Array(list) => (None, list.as_slice()),
        one => (Some(one), &[][..]),
    };
    one.into_iter().chain(list).take(super::MAX_NAMES)
}

fn duration(object: &Map<String, Value>) -> Option<u32> {
    let keys = [
        ("duration_ms", DurationUnit::Milliseconds),
        ("durationMs", DurationUnit::Milliseconds),
        ("duration_s", DurationUnit::Seconds),
        ("duration", DurationUnit::Unsaid),
        ("length", DurationUnit::Unsaid),
    ];
    keys.into_iter().find_map(|(key, unit)| match object.get(key)? {
        Value::Number(number) => seconds_from_number(number.as_f64()?, unit),
        Value::String(text) => seconds_from_text(text, unit),
        _ => None,
    })
}
