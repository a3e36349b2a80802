//! Playlists in JSON: JSPF, what ListenBrainz gives out, and lists of objects or texts with the usual names.
//!
//! The document is walked, not kept: each element of a list of tracks becomes a row as soon as it is read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::length::{Unit, of_number, of_text};
use super::{Fault, Format, Playlist, Row, Unreadable, format, ids, title};

/// Keys under which a list of tracks stands, with what such a list is.
const LISTS: [(&str, Format); 10] = [
    ("track", Format::Jspf),
    ("trackList", Format::Jspf),
    ("tracks", Format::Json),
    ("items", Format::Json),
    ("rows", Format::Json),
    ("songs", Format::Json),
    ("listens", Format::ListenBrainz),
    ("mbids", Format::ListenBrainz),
    ("feedback", Format::ListenBrainz),
    ("recordings", Format::ListenBrainz),
];
/// Keys behind which the document goes on.
const WRAPPERS: [&str; 3] = ["playlist", "payload", "jspf"];
/// Objects within objects that are gone through.
const MAX_DEPTH: usize = 4;

/// What came of walking through a document.
struct Walk {
    playlist: Playlist,
    /// A list of tracks was there.
    has_list: bool,
    /// What stopped it, beside bad JSON.
    stop: Option<Unreadable>,
    /// The keys that were not known.
    keys: Vec<String>,
}

/// Reads one.
pub(super) fn read(text: &str) -> Result<Playlist, Unreadable> {
    let mut walk =
        Walk { playlist: Playlist::new(Format::Json), has_list: false, stop: None, keys: Vec::new() };
    let mut source = serde_json::Deserializer::from_str(text);
    let walked = Document { walk: &mut walk, depth: 0 }.deserialize(&mut source).and_then(|()| source.end());
    if let Some(stop) = walk.stop {
        return Err(stop);
    }
    match walked {
        Ok(()) if walk.has_list => Ok(walk.playlist),
        _ if is_in_lines(text) => read_lines(text),
        Ok(()) => Err(Unreadable::NoList(format::shown(&walk.keys))),
        Err(error) => Err(Unreadable::BrokenJson { line: error.line(), column: error.column() }),
    }
}

/// Whether each line is an object of its own, as exports of listens are.
fn is_in_lines(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.next().is_some_and(|line| {
        serde_json::from_str::<Map<String, Value>>(line).is_ok_and(|first| !row_of(&first).is_empty())
    })
}

fn read_lines(text: &str) -> Result<Playlist, Unreadable> {
    let mut playlist = Playlist::new(Format::Json);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let value: Result<Value, Fault> = serde_json::from_str(line).map_err(|_| Fault::BrokenJson);
        playlist.take(number, value.and_then(|value| element(&value)))?;
    }
    Ok(playlist)
}

/// Passes over what is neither a list nor an object.
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

/// An object that may hold a list of tracks, or such a list itself.
struct Document<'w> {
    walk: &'w mut Walk,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tracks, or an object with one")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut name = None;
        let before = self.walk.playlist.rows.len();
        while let Some(key) = map.next_key::<String>()? {
            let list = LISTS.iter().find(|(name, _)| *name == key).map(|(_, format)| *format);
            if let Some(format) = list {
                map.next_value_seed(Tracks { walk: self.walk, format })?;
            } else if WRAPPERS.contains(&key.as_str()) && self.depth < MAX_DEPTH {
                map.next_value_seed(Document { walk: self.walk, depth: self.depth + 1 })?;
            } else if key == "playlists" && self.depth == 0 {
                map.next_value_seed(Playlists { walk: self.walk })?;
            } else if matches!(key.as_str(), "title" | "name") {
                if let Value::String(said) = map.next_value()? {
                    name = Some(title::clean(&said)).filter(|name| !name.is_empty());
                }
            } else {
                map.next_value::<IgnoredAny>()?;
                if self.walk.keys.len() < super::MAX_NAMES {
                    self.walk.keys.push(key);
                }
            }
        }
        // The name is that of what holds the rows, the innermost that has one.
        if self.walk.playlist.rows.len() > before && self.walk.playlist.name.is_none() {
            self.walk.playlist.name = name;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Tracks { walk: self.walk, format: Format::Json }.visit_seq(seq)
    }

    passed_over!();
}

/// A list of playlists: fine if only one of them has tracks.
struct Playlists<'w> {
    walk: &'w mut Walk,
}

impl<'de> DeserializeSeed<'de> for Playlists<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Playlists<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of playlists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut filled = 0;
        loop {
            let before = self.walk.playlist.rows.len();
            if seq.next_element_seed(Document { walk: self.walk, depth: 1 })?.is_none() {
                return Ok(());
            }
            filled += usize::from(self.walk.playlist.rows.len() > before);
            if filled > 1 {
                self.walk.stop = Some(Unreadable::Several);
                return Err(A::Error::custom("several"));
            }
        }
    }
}

/// A list of tracks.
struct Tracks<'w> {
    walk: &'w mut Walk,
    format: Format,
}

impl<'de> DeserializeSeed<'de> for Tracks<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tracks<'_> {
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
            if let Err(stop) = self.walk.playlist.take(place, row) {
                self.walk.stop = Some(stop);
                return Err(A::Error::custom("too many"));
            }
        }
        Ok(())
    }

    /// `"track": "Title"`, as an object that is a track itself says it, or `"tracks": {"items": […]}`.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Document { walk: self.walk, depth: MAX_DEPTH }.visit_map(map)
    }

    passed_over!();
}

fn element_in(value: &Value, format: Format) -> Result<Row, Fault> {
    let mut row = element(value)?;
    // JSPF counts in milliseconds, whatever the number looks like.
    if format == Format::Jspf
        && let Some(ms) = value.get("duration").and_then(Value::as_f64)
    {
        row.duration_s = of_number(ms, Unit::Milliseconds);
    }
    Ok(row)
}

fn element(value: &Value) -> Result<Row, Fault> {
    match value {
        Value::String(text) => {
            Ok(ids::of(text).map_or_else(|| title::split(text), |id| Row { ids: vec![id], ..Row::default() }))
        }
        Value::Object(object) => Ok(row_of(object)),
        _ => Err(Fault::NotATrack),
    }
}

/// What an object says. `track` and `track_metadata` may hold the track, and the object more about it.
fn row_of(object: &Map<String, Value>) -> Row {
    let mut row = Row::default();
    let inner =
        ["track_metadata", "track", "recording"].into_iter().filter_map(|key| object.get(key)?.as_object());
    let extension = object.get("extension").and_then(Value::as_object).into_iter();
    let further = extension.flat_map(Map::values).filter_map(Value::as_object);
    for part in std::iter::once(object).chain(inner).chain(further) {
        fill(&mut row, part);
        for key in
            ["additional_info", "additional_metadata", "mbid_mapping", "external_ids", "external_identifiers"]
        {
            if let Some(more) = part.get(key).and_then(Value::as_object) {
                fill(&mut row, more);
            }
        }
    }
    row
}

/// Fills what is still empty.
fn fill(row: &mut Row, object: &Map<String, Value>) {
    let text = |keys: &[&str]| keys.iter().find_map(|key| named(object.get(*key)?));
    if row.title.is_empty() {
        row.title = text(&["title", "track_name", "trackName", "recording_name", "name", "song", "track"])
            .unwrap_or_default();
    }
    if row.artist.is_empty() {
        row.artist =
            text(&["creator", "artist", "artist_name", "artistName", "artist_credit_name", "artist_credit"])
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
        row.album = text(&["album", "release_name", "releaseName", "album_name", "albumName", "release"])
            .unwrap_or_default();
    }
    row.duration_s = row.duration_s.or_else(|| duration(object));
    for (key, read) in IDS {
        for value in object.get(*key).into_iter().flat_map(each) {
            ids::add(&mut row.ids, value.as_str().and_then(read));
        }
    }
    if row.path.is_none() {
        let place = |key: &str| each(object.get(key)?).find_map(Value::as_str).map(str::to_owned);
        row.path = ["path", "file", "location"].into_iter().find_map(place);
    }
}

/// How an id is read out of a text.
type ReadId = fn(&str) -> Option<String>;

/// Keys that name a track to others.
const IDS: &[(&str, ReadId)] = &[
    ("recording_mbid", ids::recording),
    ("recordingMbid", ids::recording),
    ("mbid", ids::recording),
    ("identifier", ids::of),
    ("ids", ids::of),
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

/// A value, or each of a list.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (one, list) = match value {
        Value::Array(list) => (None, list.as_slice()),
        one => (Some(one), &[][..]),
    };
    one.into_iter().chain(list).take(super::MAX_NAMES)
}

fn duration(object: &Map<String, Value>) -> Option<u32> {
    let keys = [
        ("duration_ms", Unit::Milliseconds),
        ("durationMs", Unit::Milliseconds),
        ("duration_s", Unit::Seconds),
        ("duration", Unit::Unsaid),
        ("length", Unit::Unsaid),
    ];
    keys.into_iter().find_map(|(key, unit)| match object.get(key)? {
        Value::Number(number) => of_number(number.as_f64()?, unit),
        Value::String(text) => of_text(text, unit),
        _ => None,
    })
}
