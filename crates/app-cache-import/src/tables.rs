//! Tables of the stores: how a row is read.

use std::fs;
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::encoding::{EncodedValue, JSON, encode};
use crate::entry_key;
use crate::literal::read_literal;
use crate::pickle::{MAX_PICKLE_BYTES, read_pickle};
use crate::source::{SkippedEntry, SourceEntry, SourceItem};
use crate::unreadable::UnreadableValue;
use crate::value_arena::{PythonValue, ValueArena, ValueId};

/// Bytes of a JSON text.
const MAX_JSON_BYTES: usize = 64 << 20;
/// Characters of a key in a report.
const MAX_NAME_CHARS: usize = 80;
/// diskcache's storage modes of a value: the column, bytes or text in a file, a pickle.
const RAW: i64 = 1;
const BINARY: i64 = 2;
const TEXT: i64 = 3;
const PICKLE: i64 = 4;
const NO_TEXT: UnreadableValue = UnreadableValue::new("no text");

/// A table with entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceTable {
    Simplecache,
    Diskcache,
    CmdarrAnswers,
    CmdarrLibraries,
    /// That something was not found once is not worth keeping.
    CmdarrFailures,
}

impl SourceTable {
    /// Its name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simplecache => "simplecache",
            Self::Diskcache => "Cache",
            Self::CmdarrAnswers => "api_cache",
            Self::CmdarrLibraries => "library_cache",
            Self::CmdarrFailures => "failed_lookups",
        }
    }

    /// Reads the first row after another one.
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Self::Simplecache => {
                "SELECT rowid, id, expires, data, checksum FROM simplecache WHERE rowid > ?1 ORDER BY rowid LIMIT 1"
            }
            Self::Diskcache => {
                "SELECT rowid, key, raw, expire_time, tag, mode, filename, value FROM Cache WHERE rowid > ?1 \
                 ORDER BY rowid LIMIT 1"
            }
            Self::CmdarrAnswers => {
                "SELECT rowid, cache_key, expires_at, data, source FROM api_cache WHERE rowid > ?1 \
                 ORDER BY rowid LIMIT 1"
            }
            Self::CmdarrLibraries => {
                "SELECT rowid, cache_key, expires_at, cache_data, client_type FROM library_cache WHERE rowid > ?1 \
                 ORDER BY rowid LIMIT 1"
            }
            Self::CmdarrFailures => {
                "SELECT rowid, cache_key FROM failed_lookups WHERE rowid > ?1 ORDER BY rowid LIMIT 1"
            }
        }
    }

    /// The entry of a row. `folder` is where the store is.
    pub(crate) fn read(self, row: &Row<'_>, folder: &Path) -> Result<SourceItem, rusqlite::Error> {
        let mut columns = Vec::new();
        for place in 1..row.as_ref().column_count() {
            columns.push(row.get_ref(place)?);
        }
        let mut name = shown(columns[0]);
        let entry = match self {
            Self::Simplecache => simplecache(&columns),
            Self::Diskcache => diskcache(&columns, folder, &mut name),
            Self::CmdarrAnswers | Self::CmdarrLibraries => cmdarr(&columns),
            Self::CmdarrFailures => Err(UnreadableValue::new("a failed lookup")),
        };
        Ok(match entry {
            Ok(entry) => Ok(SourceEntry { name, ..entry }),
            Err(reason) => Err(SkippedEntry { name, reason }),
        })
    }
}

fn entry(key: String, value: EncodedValue, tag: Option<String>, expires_s: Option<f64>) -> SourceEntry {
    let EncodedValue { media_type, bytes } = value;
    SourceEntry { name: String::new(), key, media_type, value: bytes, tag, expires_s }
}

/// An entry of SimpleCache. One with a checksum is skipped: the text that the checksum was made of is not stored, so
/// nothing could find it.
fn simplecache(columns: &[ValueRef<'_>]) -> Result<SourceEntry, UnreadableValue> {
    let [key, expires, data, checksum] = *columns else { return Err(NO_TEXT) };
    let (key, data) = (text(key)?, text(data)?);
    if !matches!(checksum, ValueRef::Null | ValueRef::Integer(0)) {
        return Err(UnreadableValue::new("it has a checksum"));
    }
    let mut arena = ValueArena::default();
    let value = read_literal(data, &mut arena)?;
    let expires_s = match expires {
        ValueRef::Null => None,
        _ => Some(number(expires).ok_or(UnreadableValue::new("no plain value"))?),
    };
    let key = arena.add(PythonValue::Text(key.to_owned()));
    Ok(entry(entry_key::to_text(&arena, key)?, encode(&arena, value)?, None, expires_s))
}

fn cmdarr(columns: &[ValueRef<'_>]) -> Result<SourceEntry, UnreadableValue> {
    let [key, expires, data, tag] = *columns else { return Err(NO_TEXT) };
    let key = text(key)?;
    // A column of type JSON makes a number of a text that is one.
    let json = match data {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        _ => text(data)?.to_owned(),
    };
    if json.len() > MAX_JSON_BYTES {
        return Err(UnreadableValue::new("too large"));
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_err() {
        return Err(UnreadableValue::new("no JSON"));
    }
    let expires_s = match expires {
        ValueRef::Null => None,
        _ => Some(utc_time(text(expires).map_err(|_| NO_TIME)?)?),
    };
    let mut arena = ValueArena::default();
    let key = arena.add(PythonValue::Text(key.to_owned()));
    let key = entry_key::to_text(&arena, key)?;
    let tag = text(tag).ok().map(str::to_owned);
    Ok(entry(key, EncodedValue { media_type: JSON, bytes: json.into_bytes() }, tag, expires_s))
}

const NO_TIME: UnreadableValue = UnreadableValue::new("a time that is none");

/// A time in UTC, as SQLAlchemy writes it.
fn utc_time(text: &str) -> Result<f64, UnreadableValue> {
    let zoned = text.parse::<jiff::Timestamp>().ok();
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    Ok(zoned.or_else(civil).ok_or(NO_TIME)?.as_duration().as_secs_f64())
}

fn diskcache(columns: &[ValueRef<'_>], folder: &Path, name: &mut String) -> Result<SourceEntry, UnreadableValue> {
    let [key, raw, expires, tag, mode, filename, value] = *columns else { return Err(NO_TEXT) };
    let mut arena = ValueArena::default();
    let key = if matches!(raw, ValueRef::Integer(0)) {
        let key = read_pickle(blob(key)?, &mut arena)?;
        *name = shown_value(&arena, key);
        key
    } else {
        column_value(key, &mut arena)?
    };
    let key = entry_key::to_text(&arena, key)?;
    let mode = if let ValueRef::Integer(mode) = mode { mode } else { 0 };
    let file = match filename {
        ValueRef::Null => None,
        _ => Some(read_file(folder, text(filename)?)?),
    };
    let value = match (mode, file) {
        (RAW, None) => column_value(value, &mut arena)?,
        (PICKLE, None) => read_pickle(blob(value)?, &mut arena)?,
        (PICKLE, Some(data)) => read_pickle(&data, &mut arena)?,
        (BINARY, Some(data)) => arena.add(PythonValue::Bytes(data)),
        (TEXT, Some(data)) => {
            let text = String::from_utf8(data).map_err(|_| UnreadableValue::new("text that is no UTF-8"))?;
            arena.add(PythonValue::Text(text))
        }
        _ => return Err(UnreadableValue(format!("mode {mode}").into())),
    };
    let tag = match tag {
        ValueRef::Null | ValueRef::Real(_) => None,
        _ => {
            let tag = column_value(tag, &mut arena)?;
            Some(entry_key::to_text(&arena, tag)?)
        }
    };
    Ok(entry(key, encode(&arena, value)?, tag, number(expires)))
}

/// A file of a large value. Its name leads nowhere out of the folder.
fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, UnreadableValue> {
    const MISSING: UnreadableValue = UnreadableValue::new("its file is missing");
    let root = folder.canonicalize().map_err(|_| MISSING)?;
    let path = folder.join(name).canonicalize().map_err(|_| MISSING)?;
    if !path.starts_with(&root) || !path.is_file() {
        return Err(UnreadableValue::new("a file outside of the folder"));
    }
    if path.metadata().map_err(|_| MISSING)?.len() > MAX_PICKLE_BYTES as u64 {
        return Err(UnreadableValue::new("too large"));
    }
    fs::read(path).map_err(|_| MISSING)
}

/// The value of a column of SQLite, as Python has it.
fn column_value(column: ValueRef<'_>, arena: &mut ValueArena) -> Result<ValueId, UnreadableValue> {
    Ok(arena.add(match column {
        ValueRef::Null => PythonValue::Null,
        ValueRef::Integer(number) => PythonValue::Integer(number.into()),
        ValueRef::Real(number) => PythonValue::Float(number),
        ValueRef::Text(_) => PythonValue::Text(text(column)?.to_owned()),
        ValueRef::Blob(bytes) => PythonValue::Bytes(bytes.to_owned()),
    }))
}

fn text(column: ValueRef<'_>) -> Result<&str, UnreadableValue> {
    column.as_str().map_err(|_| NO_TEXT)
}

fn blob(column: ValueRef<'_>) -> Result<&[u8], UnreadableValue> {
    column.as_blob().map_err(|_| UnreadableValue::new("no pickle"))
}

fn number(column: ValueRef<'_>) -> Option<f64> {
    match column {
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        _ => None,
    }
}

/// A key in a report.
fn shown(column: ValueRef<'_>) -> String {
    let mut arena = ValueArena::default();
    match column_value(column, &mut arena) {
        Ok(id) => shown_value(&arena, id),
        Err(_) => "a key that is no text".to_owned(),
    }
}

fn shown_value(arena: &ValueArena, id: ValueId) -> String {
    let name = match arena.get(id) {
        PythonValue::Text(text) => format!("'{}'", text.escape_debug()),
        PythonValue::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
        _ => match encode(arena, id) {
            Ok(EncodedValue { bytes, .. }) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => "a key that is no text".to_owned(),
        },
    };
    name.chars().take(MAX_NAME_CHARS).collect()
}
