//! What is remembered of keys beside values, on disk: for a restart within the minute it lives. Nobody waits for it
//! to be written, and what does not fit is not.

use rusqlite::{Connection, params};

use super::row::int;
use super::spelling;
use super::trouble::Failing;
use crate::key::Key;
use crate::load::{Failure, FailureKind};
use crate::memo::Memo;
use crate::stamp::Stamp;
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
/// Memos that are read when a store is opened: those that live longest.
const MAX_READ: u64 = 1024;
/// Longer answers that came with a failure are not written, and so neither is the failure.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// No memo lives longer; one that seems to was written before the clock was set back.
const LONGEST_MS: u64 = 60_000;
/// Memos that one sweep takes out at most.
pub(crate) const SWEEP_ROWS: u64 = 500;

/// Whether a failure is worth being written: that a source could not be reached says nothing after a restart.
pub(crate) fn is_worth_writing(memo: &Memo) -> bool {
    match memo {
        Memo::Uncacheable { .. } => true,
        Memo::Failed { failure, .. } => {
            let is_silence = matches!(failure.kind, FailureKind::Unreachable | FailureKind::TimedOut);
            !is_silence && failure.answer.as_ref().map_or(0, Value::len) <= MAX_ANSWER_BYTES
        }
    }
}

pub(crate) fn write(db: &Connection, hash: i64, key: &Key, memo: &Memo) -> Result<(), Failing> {
    let failure = match memo {
        Memo::Failed { failure, .. } => Some(failure),
        Memo::Uncacheable { .. } => None,
    };
    let answer = failure.and_then(|failure| failure.answer.as_ref());
    db.prepare_cached("INSERT OR REPLACE INTO memo VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(
        params![
            hash,
            key.whole(),
            memo.began().raw().cast_signed(),
            int(memo.until_ms()),
            failure.map(|failure| failure.kind.name()),
            failure.map_or("", |failure| &*failure.message),
            answer.map(|answer| &answer.body[..]),
            answer.map(|answer| &answer.meta[..]),
        ],
    )?;
    Ok(())
}

/// Those that are alive, and about keys of which no newer value is kept.
pub(crate) fn alive(db: &Connection, now_ms: u64) -> Result<Vec<(Key, Memo)>, Failing> {
    let mut select = db.prepare(
        "SELECT memo.key, memo.created, memo.until_ms, memo.failure, memo.message, memo.body, memo.meta
         FROM memo LEFT JOIN entry ON entry.hash = memo.hash AND entry.created >= memo.created
         WHERE memo.until_ms > ?1 AND entry.hash IS NULL ORDER BY memo.until_ms DESC LIMIT ?2",
    )?;
    let rows = select.query_map([int(now_ms), int(MAX_READ)], |row| {
        Ok(Written {
            key: row.get(0)?,
            began: Stamp::from_raw(row.get::<_, i64>(1)?.cast_unsigned()),
            until_ms: row.get::<_, i64>(2)?.cast_unsigned().min(now_ms + LONGEST_MS),
            failure: row.get(3)?,
            message: row.get(4)?,
            answer: row.get::<_, Option<Vec<u8>>>(5)?.zip(row.get::<_, Option<Vec<u8>>>(6)?),
        })
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(Written::read).collect())
}

/// Takes out some of those that are over; gives how many.
pub(crate) fn sweep(db: &Connection, now_ms: u64) -> Result<u64, Failing> {
    let sql = "DELETE FROM memo WHERE hash IN (SELECT hash FROM memo WHERE until_ms <= ?1 LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute([int(now_ms), int(SWEEP_ROWS)])? as u64)
}

/// A row.
struct Written {
    key: String,
    began: Stamp,
    until_ms: u64,
    failure: Option<String>,
    message: String,
    answer: Option<(Vec<u8>, Vec<u8>)>,
}

impl Written {
    fn read(self) -> Option<(Key, Memo)> {
        let key = spelling::key(&self.key)?;
        let (began, until_ms) = (self.began, self.until_ms);
        let Some(name) = self.failure else { return Some((key, Memo::Uncacheable { began, until_ms })) };
        let kind = FailureKind::EVERY.into_iter().find(|kind| kind.name() == name)?;
        let answer = self.answer.map(|(body, meta)| Value { body: body.into(), meta: meta.into() });
        let failure = Failure { kind, message: self.message.into(), answer };
        Some((key, Memo::Failed { failure, began, until_ms }))
    }
}
