//! Parses the elements of a JSON list to rows.

use serde_json::{Map, Value};

use super::duration::{DurationUnit, seconds_from_number, seconds_from_text};
use super::{PlaylistFormat, PlaylistRow, RowErrorKind, combined_title, ids};

/// Whether this is an item of a playlist in Spotify's account data.
pub(super) fn is_spotify(value: &Value) -> bool {
    ["track", "episode", "localTrack", "addedDate"].iter().all(|key| value.get(key).is_some())
}

/// `spotify:local:Artist:Album:Title:215`, a file of the user's own.
fn local_track(uri: &str) -> Option<PlaylistRow> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let parts: Vec<&str> = uri.strip_prefix("spotify:local:")?.split(':').collect();
    let [artist, album, title, seconds] = parts.as_slice() else { return None };
    let duration_s = seconds_from_text(seconds, DurationUnit::Seconds);
    let (artist, album, title) = (decoded(artist), decoded(album), decoded(title));
    Some(PlaylistRow { title, artist, album, duration_s, ..PlaylistRow::default() })
}

/// Parses an element of a list in this format.
pub(super) fn element_in(value: &Value, format: PlaylistFormat) -> Result<PlaylistRow, RowErrorKind> {
    let mut row = element(value)?;
    if row.is_empty() && value.get("episode").is_some_and(Value::is_object) {
        return Err(RowErrorKind::Episode);
    }
    if row.is_empty()
        && let Some(uri) = value.get("localTrack").and_then(|local| local.get("uri")?.as_str())
    {
        row = local_track(uri).unwrap_or_default();
    }
    // JSPF always uses milliseconds.
    if format == PlaylistFormat::Jspf
        && let Some(ms) = value.get("duration").and_then(Value::as_f64)
    {
        row.duration_s = seconds_from_number(ms, DurationUnit::Milliseconds);
    }
    Ok(row)
}

/// Parses an element: an object, or a text.
pub(super) fn element(value: &Value) -> Result<PlaylistRow, RowErrorKind> {
    match value {
        Value::String(text) => Ok(ids::parse_any(text)
            .map_or_else(|| combined_title::split(text), |id| PlaylistRow { ids: vec![id], ..PlaylistRow::default() })),
        Value::Object(object) => Ok(row_of(object)),
        _ => Err(RowErrorKind::NotATrack),
    }
}

/// Parses an object. `track` and `track_metadata` may contain the track, and the object further fields.
pub(super) fn row_of(object: &Map<String, Value>) -> PlaylistRow {
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
