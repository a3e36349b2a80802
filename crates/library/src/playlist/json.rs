//! Parses playlists in JSON: JSPF, ListenBrainz exports, the playlist files of Spotify's account data, and lists of
//! objects or texts with common field names.
//!
//! The document is streamed: each element of a list of tracks becomes a row as soon as it is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::collection::PlaylistCollection;
use super::json_row::{element, element_in, is_spotify, row_of};
use super::{Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, RowErrorKind, combined_title, format};

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
    playlists: PlaylistCollection,
    /// Whether a list of tracks was found.
    has_list: bool,
    /// An error other than invalid JSON.
    stop: Option<PlaylistParseError>,
    /// Unknown keys.
    keys: Vec<String>,
}

impl JsonReadState {
    fn new() -> Self {
        Self { playlists: PlaylistCollection::new(PlaylistFormat::Json), has_list: false, stop: None, keys: Vec::new() }
    }

    /// Begins another playlist.
    fn begin<E: Error>(&mut self) -> Result<(), E> {
        self.playlists.begin(None).map(drop).map_err(|stop| self.stop_with(stop))
    }

    fn push<E: Error>(&mut self, place: u32, row: Result<PlaylistRow, RowErrorKind>) -> Result<(), E> {
        if self.playlists.len() == 0 {
            self.begin()?;
        }
        let last = self.playlists.len() - 1;
        self.playlists.push_result(last, place, row).map_err(|stop| self.stop_with(stop))
    }

    /// Ends the parser with this error instead of the one that is returned.
    fn stop_with<E: Error>(&mut self, stop: PlaylistParseError) -> E {
        self.stop = Some(stop);
        E::custom("stopped")
    }
}

/// Parses the playlists of a file.
pub(super) fn read(text: &str) -> Result<Vec<Playlist>, PlaylistParseError> {
    // JSON has none of these characters in its texts, so they are stray.
    let is_stray = |letter: char| letter < ' ' && !matches!(letter, '\t' | '\n' | '\r');
    let plain = if text.contains(is_stray) { Cow::Owned(text.replace(is_stray, " ")) } else { Cow::Borrowed(text) };
    let mut walk = JsonReadState::new();
    let mut source = serde_json::Deserializer::from_str(&plain);
    let walked = DocumentVisitor { walk: &mut walk, depth: 0 }.deserialize(&mut source).and_then(|()| source.end());
    if let Some(stop) = walk.stop {
        return Err(stop);
    }
    match walked {
        Ok(()) if walk.has_list => {
            if walk.playlists.len() == 0 {
                walk.playlists.begin(None)?;
            }
            Ok(walk.playlists.finish(&[]))
        }
        _ if is_in_lines(&plain) => Ok(vec![read_lines(&plain)?]),
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
        let (before, playlists_before) = (self.walk.playlists.total(), self.walk.playlists.len());
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
        // The name is that of the innermost named object around the rows, unless that has several playlists.
        let has_several = self.walk.playlists.len() > playlists_before.max(1);
        if self.walk.playlists.total() > before
            && !has_several
            && let Some(last) = self.walk.playlists.last()
            && last.name.is_none()
        {
            last.name = name;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        TrackListVisitor { walk: self.walk, format: PlaylistFormat::Json }.visit_seq(seq)
    }

    passed_over!();
}

/// A list of playlists.
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
        loop {
            // Each object is one playlist, also if it has no rows.
            self.walk.begin()?;
            if seq.next_element_seed(DocumentVisitor { walk: self.walk, depth: 1 })?.is_none() {
                self.walk.playlists.drop_last();
                return Ok(());
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
            self.walk.playlists.set_format(self.format);
        }
        let mut place = 0_u32;
        while let Some(value) = seq.next_element::<Value>()? {
            place = place.saturating_add(1);
            if is_spotify(&value) {
                self.walk.playlists.set_format(PlaylistFormat::Spotify);
            }
            let row = element_in(&value, self.format);
            self.walk.push(place, row)?;
        }
        Ok(())
    }

    /// `"track": "Title"` in an object that is a track itself, or `"tracks": {"items": […]}`.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        DocumentVisitor { walk: self.walk, depth: MAX_DEPTH }.visit_map(map)
    }

    passed_over!();
}
