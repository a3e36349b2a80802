//! Negative entries on disk, so that they survive a restart within their lifetime of at most a minute. No request waits
//! for them to be written, and those that do not fit in the write queue are dropped.

use crate::timestamp::Timestamp;
use rusqlite::{Connection, params};
use std::time::Duration;

use super::error::StorageError;
use super::row::int;
use super::scope_codec;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::Key;
use crate::load::{LoadError, LoadErrorKind};
use crate::negative::NegativeEntry;
use crate::value::Value;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE memo (
        hash INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        created INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        failure TEXT,
        message TEXT NOT NULL,
        body BLOB,
        meta BLOB
    );
";
/// Max negative entries read when a store is opened: those that expire last.
const MAX_ROWS: u64 = 1024;
/// Max bytes of a response written with a failure; a failure with a longer one is not written.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Max lifetime in milliseconds; an entry that seems to live longer was written before the clock was set back.
const MAX_TTL: Duration = Duration::from_secs(60);
/// Max negative entries removed in one sweep.
pub(crate) const SWEEP_ROWS: u64 = 500;

/// Whether a negative entry is worth writing. That a source could not be reached says nothing after a restart.
pub(crate) fn is_worth_writing(negative: &NegativeEntry) -> bool {
    match negative {
        NegativeEntry::Uncacheable { .. } => true,
        NegativeEntry::Absent { .. } => false,
        NegativeEntry::Failed { failure, .. } => {
            let is_unanswered = matches!(failure.kind, LoadErrorKind::Unreachable | LoadErrorKind::TimedOut);
            !is_unanswered && failure.response.as_ref().map_or(0, Value::len) <= MAX_RESPONSE_BYTES
        }
    }
}

pub(crate) fn write(db: &Connection, hash: i64, key: &Key, negative: &NegativeEntry) -> Result<(), StorageError> {
    let failure = match negative {
        NegativeEntry::Failed { failure, .. } => Some(failure),
        NegativeEntry::Absent { .. } | NegativeEntry::Uncacheable { .. } => None,
    };
    let response = failure.and_then(|failure| failure.response.as_ref());
    db.prepare_cached("INSERT OR REPLACE INTO memo VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        hash,
        key.encoded(),
        negative.load_started().raw().cast_signed(),
        int(negative.until_ms().as_millis()),
        failure.map(|failure| failure.kind.name()),
        failure.map_or("", |failure| &*failure.message),
        response.map(|response| &response.body[..]),
        response.map(|response| &response.meta[..]),
    ])?;
    Ok(())
}

/// Negative entries that have not expired, and whose keys have no stored entry of the same or a later load.
pub(crate) fn read_unexpired(db: &Connection, now_ms: Timestamp) -> Result<Vec<(Key, NegativeEntry)>, StorageError> {
    let mut select = db.prepare(
        "SELECT memo.key, memo.created, memo.until_ms, memo.failure, memo.message, memo.body, memo.meta
         FROM memo LEFT JOIN entry ON entry.hash = memo.hash AND entry.created >= memo.created
         WHERE memo.until_ms > ?1 AND entry.hash IS NULL ORDER BY memo.until_ms DESC LIMIT ?2",
    )?;
    let rows = select.query_map([int(now_ms.as_millis()), int(MAX_ROWS)], |row| {
        Ok(NegativeRow {
            key: row.get(0)?,
            began: HybridTimestamp::from_raw(row.get::<_, i64>(1)?.cast_unsigned()),
            until_ms: Timestamp::from_millis(row.get::<_, i64>(2)?.cast_unsigned().min((now_ms + MAX_TTL).as_millis())),
            failure: row.get(3)?,
            message: row.get(4)?,
            response: row.get::<_, Option<Vec<u8>>>(5)?.zip(row.get::<_, Option<Vec<u8>>>(6)?),
        })
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(NegativeRow::read).collect())
}

/// Removes some expired negative entries; returns their number.
pub(crate) fn sweep(db: &Connection, now_ms: Timestamp) -> Result<u64, StorageError> {
    let sql = "DELETE FROM memo WHERE hash IN (SELECT hash FROM memo WHERE until_ms <= ?1 LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute([int(now_ms.as_millis()), int(SWEEP_ROWS)])? as u64)
}

/// A row of table `memo`.
struct NegativeRow {
    key: String,
    began: HybridTimestamp,
    until_ms: Timestamp,
    failure: Option<String>,
    message: String,
    response: Option<(Vec<u8>, Vec<u8>)>,
}

impl NegativeRow {
    fn read(self) -> Option<(Key, NegativeEntry)> {
        let key = scope_codec::decode_key(&self.key)?;
        let (began, until_ms) = (self.began, self.until_ms);
        let Some(name) = self.failure else {
            return Some((key, NegativeEntry::Uncacheable { began, until_ms }));
        };
        let kind = LoadErrorKind::EVERY.into_iter().find(|kind| kind.name() == name)?;
        let response = self.response.map(|(body, meta)| Value { body: body.into(), meta: meta.into() });
        let failure = LoadError { kind, message: self.message.into(), response };
        Some((key, NegativeEntry::Failed { failure, began, until_ms }))
    }
}
