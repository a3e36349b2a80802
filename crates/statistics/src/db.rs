//! Stored statistics: tables of `state.db`, over their own connection. Every call blocks, so none is made on an async
//! thread.
//!
//! A row holds the counts of one class, app or user of a server in one minute, hour or day. A minute is added to all
//! three in one transaction, so that an hour is exactly the sum of its minutes. Rows past their retention are deleted;
//! if all together exceed the size limit, the oldest minutes are deleted first, then hours, then days.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::labels::LabelTable;
use crate::retention::Retention;
use greenroom_request_log::counts::{RequestCounter, RequestCounts};
use greenroom_request_log::minute_bucket::{MinuteBucket, RowKind};
use greenroom_request_log::time_series::{DAY_MS, SeriesPoint, TimeSeries, TimeStep};
use greenroom_state::db::FILE;
use greenroom_state::error::{StateError, StateErrorKind};
use greenroom_state::migrations;
use greenroom_state::migrations::STATISTICS_TABLES;

/// Timeout for another connection's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a row in the file besides its counts, without its share of half-empty pages.
const ROW_BYTES: u64 = 24;
/// Number of steps deleted at once when the limit is exceeded.
const STEPS_AT_ONCE: u64 = 60;
/// Interval of deleting unused labels.
const SWEEP: Duration = Duration::from_secs(3600);

/// Statistics of one data directory.
#[derive(Debug)]
pub struct StatisticsDb {
    db: Connection,
    /// Path and inode of the file, which may have been replaced since.
    file: Option<(PathBuf, u64)>,
    labels: LabelTable,
    /// Approximate bytes of all rows.
    bytes: u64,
    max_bytes: u64,
    retention: Retention,
    swept_ms: Timestamp,
    /// Rows deleted before the end of their retention.
    dropped: u64,
}

/// Result row of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsDbRow {
    /// The server.
    pub server: String,
    /// The class, the app or the user.
    pub name: String,
    /// The counts.
    pub counts: RequestCounts,
}

/// Range of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    /// Their step.
    pub step: TimeStep,
    /// Start, inclusive.
    pub since_ms: Timestamp,
    /// End, exclusive.
    pub until_ms: Timestamp,
}

impl StatisticsDb {
    /// Opens the file, which must exist with the current schema.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(data_dir: &Path, max_bytes: u64) -> Result<Self, StateError> {
        let path = data_dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        if migrations::schema_version(&db)? != migrations::latest_version() {
            return Err(StateError::new(StateErrorKind::Newer, "another version of Greenroom changed its layout"));
        }
        let inode = std::fs::metadata(&path)?.ino();
        Self::from_connection(db, Some((path, inode)), max_bytes)
    }

    /// A database in memory, where no file is usable.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn in_memory(max_bytes: u64) -> Result<Self, StateError> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(STATISTICS_TABLES)?;
        Self::from_connection(db, None, max_bytes)
    }

    fn from_connection(db: Connection, file: Option<(PathBuf, u64)>, max_bytes: u64) -> Result<Self, StateError> {
        let mut statistics = Self {
            db,
            file,
            labels: LabelTable::default(),
            bytes: 0,
            max_bytes,
            retention: Retention::default(),
            swept_ms: Timestamp::UNIX_EPOCH,
            dropped: 0,
        };
        let (rows, bytes): (i64, i64) = statistics.db.query_row(
            "SELECT count(*), coalesce(sum(length(counts)), 0) FROM statistics_row",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        statistics.bytes = size(unsigned(rows), unsigned(bytes));
        statistics.labels.read(&statistics.db)?;
        statistics.hide_tokens()?;
        Ok(statistics)
    }

    /// See [`LabelTable::hide_tokens`].
    fn hide_tokens(&mut self) -> Result<(), StateError> {
        if !self.labels.has_tokens() {
            return Ok(());
        }
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for merged in self.labels.hide_tokens(&transaction)? {
            self.bytes = merge_rows(&transaction, merged, self.bytes)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Whether the file at the path is still the opened one.
    pub fn is_same_file(&self) -> bool {
        self.file
            .as_ref()
            .is_none_or(|(path, inode)| std::fs::metadata(path).is_ok_and(|metadata| metadata.ino() == *inode))
    }

    /// Approximate bytes of all rows.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows deleted before the end of their retention, because of the size limit or a timestamp in the future.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds buckets, each of one server, all or none. Returns the number of rows.
    ///
    /// # Errors
    /// If they could not be added; then none is.
    pub fn write(&mut self, buckets: &[(&str, &MinuteBucket)], now_ms: Timestamp) -> Result<usize, StateError> {
        let (bytes, dropped) = (self.bytes, self.dropped);
        let result = self.try_write(buckets, now_ms);
        if result.is_err() {
            (self.bytes, self.dropped) = (bytes, dropped);
            // The rollback removed the labels added by the transaction and restored the evicted ones.
            self.labels.read(&self.db)?;
        }
        result
    }

    fn try_write(&mut self, buckets: &[(&str, &MinuteBucket)], now_ms: Timestamp) -> Result<usize, StateError> {
        let Self { db, labels, bytes, .. } = self;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        labels.read(&transaction)?;
        let mut written = 0;
        for (server, bucket) in buckets {
            for by in RowKind::EVERY {
                for (name, counts) in bucket.rows(by) {
                    let assignment = labels.assign(&transaction, (server, by, &name), bucket.minute_ms)?;
                    if let Some(merged) = assignment.merged {
                        *bytes = merge_rows(&transaction, merged, *bytes)?;
                    }
                    for step in TimeStep::EVERY {
                        *bytes =
                            add(&transaction, (step, bucket.minute_ms.as_millis(), assignment.id), counts, *bytes)?;
                    }
                    written += 1;
                }
            }
        }
        let times_ms = (now_ms, self.retention.cutoff_ms(now_ms));
        self.dropped += sweep(&transaction, times_ms, (bytes, self.max_bytes))?;
        if now_ms.duration_since(self.swept_ms) >= SWEEP {
            transaction.execute("DELETE FROM statistics_name WHERE id NOT IN (SELECT name FROM statistics_row)", [])?;
            labels.read(&transaction)?;
        }
        transaction.commit()?;
        if now_ms.duration_since(self.swept_ms) >= SWEEP {
            self.swept_ms = now_ms;
        }
        Ok(written)
    }

    /// Stored rows of a range, summed by name.
    pub fn rows(&self, only: Option<&str>, by: RowKind, range: &TimeRange) -> Result<Vec<StatisticsDbRow>, StateError> {
        let mut select = self.db.prepare_cached(
            "SELECT statistics_name.id, counts, server, statistics_name.name FROM statistics_row
             JOIN statistics_name ON statistics_name.id = statistics_row.name
             WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND by_what = ?4 AND (?5 IS NULL OR server = ?5)",
        )?;
        let parameters = params![
            range.step as i64,
            int(range.since_ms.as_millis()),
            int(range.until_ms.as_millis()),
            by as i64,
            only
        ];
        // A freed label id is reused, so ids hold within this read only.
        let mut sums: HashMap<i64, StatisticsDbRow> = HashMap::new();
        let mut rows = select.query(parameters)?;
        while let Some(row) = rows.next()? {
            // A malformed row counts as zero.
            let Some(counts) = RequestCounts::decode(row.get_ref(1)?.as_blob().unwrap_or_default()) else {
                continue;
            };
            match sums.entry(row.get(0)?) {
                Entry::Occupied(mut sum) => sum.get_mut().counts.merge(&counts),
                Entry::Vacant(entry) => {
                    entry.insert(StatisticsDbRow { server: row.get(2)?, name: row.get(3)?, counts });
                }
            }
        }
        Ok(sums.into_values().collect())
    }

    /// Stored points of a server, without those in the future, which exist if the clock was set back.
    pub fn points(&self, server: &str, now_ms: Timestamp) -> Result<TimeSeries, StateError> {
        let mut points = TimeSeries::default();
        let mut select = self.db.prepare_cached(
            "SELECT at_ms, by_what, counts FROM statistics_row
             JOIN statistics_name ON statistics_name.id = statistics_row.name
             WHERE step = ?1 AND at_ms <= ?2 AND by_what IN (?3, ?4) AND server = ?5 ORDER BY at_ms",
        )?;
        for step in TimeStep::EVERY {
            let parameters =
                params![step as i64, int(now_ms.as_millis()), RowKind::Class as i64, RowKind::Own as i64, server];
            let mut rows = select.query(parameters)?;
            while let Some(row) = rows.next()? {
                let at_ms = unsigned(row.get(0)?);
                let is_own = row.get::<_, i64>(1)? == RowKind::Own as i64;
                let Some(counts) = RequestCounts::decode(row.get_ref(2)?.as_blob().unwrap_or_default()) else {
                    continue;
                };
                let own = SeriesPoint { own: counts.get(RequestCounter::Reached), ..SeriesPoint::default() };
                points.add_to(
                    step,
                    Timestamp::from_millis(at_ms),
                    &if is_own { own } else { SeriesPoint::from_counts(&counts) },
                );
            }
        }
        Ok(points)
    }

    /// A stored setting, if there is one.
    pub fn setting(&self, name: &str) -> Result<Option<i64>, StateError> {
        let mut select = self.db.prepare_cached("SELECT value FROM statistics_choice WHERE name = ?1")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Stores a setting.
    pub fn set_setting(&self, name: &str, value: i64) -> Result<(), StateError> {
        let text = "INSERT INTO statistics_choice VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.db.execute(text, params![name, value])?;
        Ok(())
    }
}

/// Adds all rows of one label to those of another; returns the bytes of all rows.
fn merge_rows(transaction: &Transaction<'_>, (from, to): (i64, i64), bytes: u64) -> Result<u64, StateError> {
    let mut select = transaction.prepare_cached("SELECT step, at_ms, counts FROM statistics_row WHERE name = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: Vec<(i64, i64, Vec<u8>)> = select.query_map([from], read)?.collect::<Result<_, _>>()?;
    let mut bytes = bytes;
    for (number, at_ms, stored) in rows {
        let step = TimeStep::EVERY.into_iter().find(|step| *step as i64 == number);
        if let (Some(step), Some(counts)) = (step, RequestCounts::decode(&stored)) {
            bytes = add(transaction, (step, unsigned(at_ms), to), &counts, bytes)?;
        }
        bytes = bytes.saturating_sub(size(1, stored.len() as u64));
    }
    transaction.prepare_cached("DELETE FROM statistics_row WHERE name = ?1")?.execute([from])?;
    Ok(bytes)
}

/// Adds to one row; returns the bytes of all rows.
fn add(
    transaction: &Transaction<'_>,
    (step, minute_ms, id): (TimeStep, u64, i64),
    counts: &RequestCounts,
    bytes: u64,
) -> Result<u64, StateError> {
    let at_ms = int(step.floor(Timestamp::from_millis(minute_ms)).as_millis());
    let mut select =
        transaction.prepare_cached("SELECT counts FROM statistics_row WHERE step = ?1 AND at_ms = ?2 AND name = ?3")?;
    let key = params![step as i64, at_ms, id];
    let stored: Option<Vec<u8>> = select.query_row(key, |row| row.get(0)).optional()?;
    let mut sum = counts.clone();
    if let Some(stored) = stored.as_deref().and_then(RequestCounts::decode) {
        sum.merge(&stored);
    }
    let written = sum.encode();
    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO statistics_row VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![step as i64, at_ms, id, written])?;
    let before = stored.map_or(0, |stored| size(1, stored.len() as u64));
    Ok((bytes + size(1, written.len() as u64)).saturating_sub(before))
}

/// Deletes rows past their retention or in the future, and, above the size limit, the oldest of the finest step.
/// Returns the number deleted before the end of their retention.
fn sweep(
    transaction: &Transaction<'_>,
    (now_ms, cutoff_ms): (Timestamp, Timestamp),
    (bytes, max_bytes): (&mut u64, u64),
) -> Result<u64, StateError> {
    let mut dropped = 0;
    for step in TimeStep::EVERY {
        let oldest_ms = step.floor(cutoff_ms).saturating_sub(Duration::from_millis((step.retained() - 1) * step.ms()));
        delete_rows(transaction, step, (0, oldest_ms.as_millis()), bytes)?;
        // Written while the clock was wrong.
        dropped += delete_rows(
            transaction,
            step,
            ((now_ms + Duration::from_millis(DAY_MS) + Duration::from_millis(step.ms())).as_millis(), u64::MAX),
            bytes,
        )?;
    }
    for step in TimeStep::EVERY {
        while *bytes > max_bytes {
            let mut select = transaction.prepare_cached("SELECT min(at_ms) FROM statistics_row WHERE step = ?1")?;
            let Some(oldest_ms) = select.query_row([step as i64], |row| row.get::<_, Option<i64>>(0))? else {
                break;
            };
            let until_ms = unsigned(oldest_ms) + STEPS_AT_ONCE * step.ms();
            dropped += delete_rows(transaction, step, (0, until_ms), bytes)?;
        }
    }
    Ok(dropped)
}

/// Deletes the rows of a step that begin within these bounds; returns their number.
fn delete_rows(
    transaction: &Transaction<'_>,
    step: TimeStep,
    (since_ms, until_ms): (u64, u64),
    bytes: &mut u64,
) -> Result<u64, StateError> {
    let bounds = params![step as i64, int(since_ms), int(until_ms)];
    let mut select = transaction.prepare_cached(
        "SELECT count(*), coalesce(sum(length(counts)), 0) FROM statistics_row
         WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3",
    )?;
    let (rows, length): (i64, i64) = select.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if rows > 0 {
        transaction
            .prepare_cached("DELETE FROM statistics_row WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3")?
            .execute(bounds)?;
        *bytes = bytes.saturating_sub(size(unsigned(rows), unsigned(length)));
    }
    Ok(unsigned(rows))
}

/// Size of rows in the file: pages are at least three quarters full.
fn size(rows: u64, bytes: u64) -> u64 {
    (rows * ROW_BYTES + bytes) * 4 / 3
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
