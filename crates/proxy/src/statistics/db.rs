//! What is kept of statistics over a restart: tables of `state.db`, over a connection of their own. Every call blocks:
//! nobody on the async threads makes one.
//!
//! A row is what was counted of one class, app or user of a server in one minute, hour or day. A minute is added to all
//! three in one transaction, so that an hour is the sum of its minutes, exactly. What is too old goes; and if all
//! together grow beyond what was allowed, the oldest minutes go first, then hours, then days.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::record::counts::{Count, Counts};
use crate::record::minute_bucket::{By, Page};
use crate::record::time_series::{DAY_MS, Point, Points, Step};
use crate::statistics::labels::Names;
use crate::statistics::retention::Aging;
use greenroom_state::db::FILE;
use greenroom_state::error::{Failing, Trouble};
use greenroom_state::migrations;
use greenroom_state::migrations::STATISTICS_TABLES;

/// How long another connection that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// What a row takes in the file beside what was counted, its share of half-empty pages aside.
const ROW_BYTES: u64 = 24;
/// What goes at once when there is too much: as many steps of time.
const STEPS_AT_ONCE: u64 = 60;
/// Names that nothing is kept under any more go so often.
const SWEEP_MS: u64 = 3_600_000;

/// The statistics of one data directory.
#[derive(Debug)]
pub struct Book {
    db: Connection,
    /// Where the file is, and which one it is: another may lie there by now.
    place: Option<(PathBuf, u64)>,
    names: Names,
    /// What all rows take, about.
    bytes: u64,
    max_bytes: u64,
    aging: Aging,
    swept_ms: u64,
    /// Rows that went although they were not too old.
    dropped: u64,
}

/// One row as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The server.
    pub server: String,
    /// The class, the app or the user.
    pub name: String,
    /// What was counted.
    pub counts: Counts,
}

/// Which rows are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// How fine they are.
    pub step: Step,
    /// From here …
    pub since_ms: u64,
    /// … until before this.
    pub until_ms: u64,
}

impl Book {
    /// Opens the file, which has to be there in its newest layout.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(data_dir: &Path, max_bytes: u64) -> Result<Self, Failing> {
        let path = data_dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        if migrations::of(&db)? != migrations::newest() {
            return Err(Failing::new(Trouble::Newer, "another version of Greenroom changed its layout"));
        }
        let inode = std::fs::metadata(&path)?.ino();
        Self::over(db, Some((path, inode)), max_bytes)
    }

    /// One that is gone when the process ends, where there is no file to be had.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn in_memory(max_bytes: u64) -> Result<Self, Failing> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(STATISTICS_TABLES)?;
        Self::over(db, None, max_bytes)
    }

    fn over(db: Connection, place: Option<(PathBuf, u64)>, max_bytes: u64) -> Result<Self, Failing> {
        let mut book = Self {
            db,
            place,
            names: Names::default(),
            bytes: 0,
            max_bytes,
            aging: Aging::default(),
            swept_ms: 0,
            dropped: 0,
        };
        let (rows, bytes): (i64, i64) = book.db.query_row(
            "SELECT count(*), coalesce(sum(length(counts)), 0) FROM statistics_row",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        book.bytes = size(unsigned(rows), unsigned(bytes));
        book.names.read(&book.db)?;
        Ok(book)
    }

    /// Whether the file at its place is still the one that was opened.
    pub fn is_in_place(&self) -> bool {
        self.place
            .as_ref()
            .is_none_or(|(path, inode)| std::fs::metadata(path).is_ok_and(|there| there.ino() == *inode))
    }

    /// Whether it outlives the process.
    pub fn is_kept(&self) -> bool {
        self.place.is_some()
    }

    /// What all rows take, about.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows that went although they were not too old: there was no room, or they were of another time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds pages, all or none, each of one server; how many rows they have.
    ///
    /// # Errors
    /// Why they could not be added.
    pub fn write(&mut self, pages: &[(&str, &Page)], now_ms: u64) -> Result<usize, Failing> {
        let (bytes, dropped) = (self.bytes, self.dropped);
        let outcome = self.attempt(pages, now_ms);
        if outcome.is_err() {
            (self.bytes, self.dropped) = (bytes, dropped);
            // Names that were given in vain are not there, and those that left are.
            self.names.read(&self.db)?;
        }
        outcome
    }

    fn attempt(&mut self, pages: &[(&str, &Page)], now_ms: u64) -> Result<usize, Failing> {
        let Self { db, names, bytes, .. } = self;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        names.read(&change)?;
        let mut written = 0;
        for (server, page) in pages {
            for by in By::EVERY {
                for (name, counts) in page.rows(by) {
                    let kept = names.number(&change, (server, by, &name), page.minute_ms)?;
                    if let Some(leaving) = kept.leaving {
                        *bytes = hand_over(&change, leaving, *bytes)?;
                    }
                    for step in Step::EVERY {
                        *bytes = add(&change, (step, page.minute_ms, kept.id), counts, *bytes)?;
                    }
                    written += 1;
                }
            }
        }
        let moments_ms = (now_ms, self.aging.moment_ms(now_ms));
        self.dropped += sweep(&change, moments_ms, (bytes, self.max_bytes))?;
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            change.execute(
                "DELETE FROM statistics_name WHERE id NOT IN (SELECT name FROM statistics_row)",
                [],
            )?;
            names.read(&change)?;
        }
        change.commit()?;
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now_ms;
        }
        Ok(written)
    }

    /// What is kept of a range, summed up by name.
    pub fn rows(&self, only: Option<&str>, by: By, range: &Range) -> Result<Vec<Row>, Failing> {
        let mut select = self.db.prepare_cached(
            "SELECT statistics_name.id, counts, server, statistics_name.name FROM statistics_row
             JOIN statistics_name ON statistics_name.id = statistics_row.name
             WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND by_what = ?4 AND (?5 IS NULL OR server = ?5)",
        )?;
        let asked = params![range.step as i64, int(range.since_ms), int(range.until_ms), by as i64, only];
        // A number is another name's once it was given back: names are those of this reading.
        let mut sums: HashMap<i64, Row> = HashMap::new();
        let mut rows = select.query(asked)?;
        while let Some(row) = rows.next()? {
            // What is not what we wrote counts nothing.
            let Some(counts) = Counts::decode(row.get_ref(1)?.as_blob().unwrap_or_default()) else {
                continue;
            };
            match sums.entry(row.get(0)?) {
                Entry::Occupied(mut sum) => sum.get_mut().counts.merge(&counts),
                Entry::Vacant(place) => {
                    place.insert(Row { server: row.get(2)?, name: row.get(3)?, counts });
                }
            }
        }
        Ok(sums.into_values().collect())
    }

    /// The points of a server as they were kept, but for what lies in the future: the clock was set back since.
    pub fn points(&self, server: &str, now_ms: u64) -> Result<Points, Failing> {
        let mut points = Points::default();
        let mut select = self.db.prepare_cached(
            "SELECT at_ms, by_what, counts FROM statistics_row
             JOIN statistics_name ON statistics_name.id = statistics_row.name
             WHERE step = ?1 AND at_ms <= ?2 AND by_what IN (?3, ?4) AND server = ?5 ORDER BY at_ms",
        )?;
        for step in Step::EVERY {
            let asked = params![step as i64, int(now_ms), By::Class as i64, By::Own as i64, server];
            let mut rows = select.query(asked)?;
            while let Some(row) = rows.next()? {
                let at_ms = unsigned(row.get(0)?);
                let is_own = row.get::<_, i64>(1)? == By::Own as i64;
                let Some(counts) = Counts::decode(row.get_ref(2)?.as_blob().unwrap_or_default()) else {
                    continue;
                };
                let own = Point { own: counts.of(Count::Reached), ..Point::default() };
                points.add_to(step, at_ms, &if is_own { own } else { Point::of(&counts) });
            }
        }
        Ok(points)
    }

    /// What somebody chose, if anybody did.
    pub fn choice(&self, name: &str) -> Result<Option<i64>, Failing> {
        let mut select = self.db.prepare_cached("SELECT value FROM statistics_choice WHERE name = ?1")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Remembers what somebody chose.
    pub fn choose(&self, name: &str, value: i64) -> Result<(), Failing> {
        let text =
            "INSERT INTO statistics_choice VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.db.execute(text, params![name, value])?;
        Ok(())
    }
}

/// Adds all rows of one name to those of another; what all of them take then.
fn hand_over(change: &Transaction<'_>, (from, to): (i64, i64), bytes: u64) -> Result<u64, Failing> {
    let mut select =
        change.prepare_cached("SELECT step, at_ms, counts FROM statistics_row WHERE name = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: Vec<(i64, i64, Vec<u8>)> = select.query_map([from], read)?.collect::<Result<_, _>>()?;
    let mut bytes = bytes;
    for (number, at_ms, kept) in rows {
        let step = Step::EVERY.into_iter().find(|step| *step as i64 == number);
        if let (Some(step), Some(counts)) = (step, Counts::decode(&kept)) {
            bytes = add(change, (step, unsigned(at_ms), to), &counts, bytes)?;
        }
        bytes = bytes.saturating_sub(size(1, kept.len() as u64));
    }
    change.prepare_cached("DELETE FROM statistics_row WHERE name = ?1")?.execute([from])?;
    Ok(bytes)
}

/// Adds to one row; what all of them take then.
fn add(
    change: &Transaction<'_>,
    (step, minute_ms, id): (Step, u64, i64),
    counts: &Counts,
    bytes: u64,
) -> Result<u64, Failing> {
    let at_ms = int(step.floor(minute_ms));
    let mut select = change
        .prepare_cached("SELECT counts FROM statistics_row WHERE step = ?1 AND at_ms = ?2 AND name = ?3")?;
    let place = params![step as i64, at_ms, id];
    let kept: Option<Vec<u8>> = select.query_row(place, |row| row.get(0)).optional()?;
    let mut sum = counts.clone();
    if let Some(kept) = kept.as_deref().and_then(Counts::decode) {
        sum.merge(&kept);
    }
    let written = sum.encode();
    let mut insert =
        change.prepare_cached("INSERT OR REPLACE INTO statistics_row VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![step as i64, at_ms, id, written])?;
    let before = kept.map_or(0, |kept| size(1, kept.len() as u64));
    Ok((bytes + size(1, written.len() as u64)).saturating_sub(before))
}

/// Takes out what is too old, what is of another time, and, while there is too much, the oldest of the finest. How much
/// of it might have stayed.
fn sweep(
    change: &Transaction<'_>,
    (now_ms, aging_ms): (u64, u64),
    (bytes, max_bytes): (&mut u64, u64),
) -> Result<u64, Failing> {
    let mut dropped = 0;
    for step in Step::EVERY {
        let oldest_ms = step.floor(aging_ms).saturating_sub((step.kept() - 1) * step.ms());
        take_out(change, step, (0, oldest_ms), bytes)?;
        // Written while the clock was wrong.
        dropped += take_out(change, step, (now_ms + DAY_MS + step.ms(), u64::MAX), bytes)?;
    }
    for step in Step::EVERY {
        while *bytes > max_bytes {
            let mut select =
                change.prepare_cached("SELECT min(at_ms) FROM statistics_row WHERE step = ?1")?;
            let Some(oldest_ms) = select.query_row([step as i64], |row| row.get::<_, Option<i64>>(0))? else {
                break;
            };
            let until_ms = unsigned(oldest_ms) + STEPS_AT_ONCE * step.ms();
            dropped += take_out(change, step, (0, until_ms), bytes)?;
        }
    }
    Ok(dropped)
}

/// Takes out the rows of a step that begin within these bounds; how many there were.
fn take_out(
    change: &Transaction<'_>,
    step: Step,
    (since_ms, until_ms): (u64, u64),
    bytes: &mut u64,
) -> Result<u64, Failing> {
    let bounds = params![step as i64, int(since_ms), int(until_ms)];
    let mut select = change.prepare_cached(
        "SELECT count(*), coalesce(sum(length(counts)), 0) FROM statistics_row
         WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3",
    )?;
    let (rows, length): (i64, i64) = select.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if rows > 0 {
        change
            .prepare_cached("DELETE FROM statistics_row WHERE step = ?1 AND at_ms >= ?2 AND at_ms < ?3")?
            .execute(bounds)?;
        *bytes = bytes.saturating_sub(size(unsigned(rows), unsigned(length)));
    }
    Ok(unsigned(rows))
}

/// What rows take in the file: pages are three quarters full or more.
fn size(rows: u64, bytes: u64) -> u64 {
    (rows * ROW_BYTES + bytes) * 4 / 3
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
