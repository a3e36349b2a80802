//! The file: all that is read from it and written to it.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::guest::{self, BUSY_TIMEOUT};
use super::number::signed;
use super::proofs::{Changes, Hearing, Kept};
use super::refusals::Refused;
use super::trouble::{Failing, Trouble};
use super::{layout, rows, turn};
use crate::resume::WarmRead;

/// Its name in the data directory.
pub const FILE: &str = "state.db";
/// Refusals that are kept for other processes to hear of. Whoever missed more takes everybody for refused.
const KEPT_REFUSALS: i64 = 1024;
/// Whoever was not seen for so long is forgotten.
const FORGET_AFTER_MS: u64 = 30 * 24 * 3_600_000;
/// Rows that one sweep takes out at most.
const SWEEP_ROWS: i64 = 5_000;

/// One connection to the file.
#[derive(Debug)]
pub struct Book {
    db: Connection,
    path: PathBuf,
    /// Which file was opened: another may lie at the same place by now.
    inode: u64,
}

/// What one server has to be written.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its name.
    pub server: String,
    /// Whose proofs are to go. They go before anything is written.
    pub refused: Refused,
    /// What came instead.
    pub changes: Changes,
    /// When it was heard of, if that is worth being written.
    pub hearing: Option<Hearing>,
    /// What is kept warm, if that is worth being written.
    pub warm: Option<Vec<WarmRead>>,
}

/// A refusal another process heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Of which server; `None` if that is not known any more: of all.
    pub server: Option<String>,
    /// Whose token; `None` for everybody's.
    pub partition: Option<String>,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// Which process it is.
    pub origin: i64,
    /// It heard of refusals up to this one.
    pub heard: i64,
    /// No other process needs to hear of its own.
    pub is_alone: bool,
}

impl Book {
    /// Opens the file in this directory, making it if there is none. One that is damaged or newer is not touched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(data_dir: &Path) -> Result<Self, Failing> {
        let path = data_dir.join(FILE);
        let busy = || Failing::new(Trouble::Failing, "another process is opening it and does not end");
        let _turn = turn::take(data_dir, turn::TO_OPEN)?.ok_or_else(busy)?;
        // Made by us, so that nobody else may read it; the files beside it get the same mode from SQLite.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        inspect(&path)?;
        let mut db = guest::open(&path)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        if let Some(copy) = layout::bring(&mut db, &path, layout::STEPS)? {
            tracing::info!(file = %path.display(), copy = %copy.display(), "the state was brought up to this version; a copy of the older one was kept");
        }
        let inode = std::fs::metadata(&path)?.ino();
        Ok(Self { db, path, inode })
    }

    /// Whether the file at this place is still the one that was opened.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|there| there.ino() == self.inode)
    }

    /// What is kept of a server, but for what lies in the future: the clock was set back since.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, server: &str, now_ms: u64) -> Result<Kept, Failing> {
        let until_ms = rows::latest(now_ms);
        let hearing = rows::hearing(&self.db, server)?;
        let (is_stranger, is_choosy) = (hearing.is_none(), hearing.as_ref().is_some_and(|one| one.is_choosy));
        let hearing = hearing.filter(|hearing| signed(hearing.heard_ms) <= until_ms);
        Ok(Kept {
            hearing: Hearing { is_choosy, ..hearing.unwrap_or_default() },
            is_stranger,
            identities: rows::identities(&self.db, server, until_ms)?,
            images: rows::images(&self.db, server, now_ms, until_ms)?,
            warm: rows::warm(&self.db, server)?,
        })
    }

    /// Looks whether another version has changed the layout meanwhile.
    ///
    /// # Errors
    /// If it is newer, or cannot be told.
    pub fn check_layout(&self) -> Result<(), Failing> {
        refuse_newer(layout::of(&self.db)?)
    }

    /// What a failure means: another version may have changed the layout, and then nothing is damaged.
    fn judge(&self, failing: Failing) -> Failing {
        match self.check_layout() {
            Err(newer) if newer.trouble == Trouble::Newer => newer,
            _ => failing,
        }
    }

    /// A number that changes whenever another process has written.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn version(&self) -> Result<i64, Failing> {
        Ok(self.db.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// The number of the newest refusal.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn newest_refusal(&self) -> Result<i64, Failing> {
        let newest =
            self.db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'refusal'", [], |row| row.get(0));
        Ok(newest.optional()?.unwrap_or(0))
    }

    /// Writes all of it, or nothing. Whoever another process saw refused since is told to `listener` first, and
    /// nothing is written of him. Gives up to where refusals are heard of now.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(
        &mut self,
        pages: &[Page],
        writer: Writer,
        now_ms: u64,
        listener: impl FnMut(&Heard),
    ) -> Result<i64, Failing> {
        self.try_write(pages, writer, now_ms, listener).map_err(|failing| self.judge(failing))
    }

    /// Writes nothing but whose proofs are to go.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_refusals(&mut self, pages: &[Page], writer: Writer) -> Result<(), Failing> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for page in pages {
            refuse(&change, page, writer)?;
        }
        Ok(change.commit()?)
    }

    fn try_write(
        &mut self,
        pages: &[Page],
        writer: Writer,
        now_ms: u64,
        mut listener: impl FnMut(&Heard),
    ) -> Result<i64, Failing> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let others = refusals_after(&change, writer)?;
        others.iter().for_each(&mut listener);
        for page in pages {
            refuse(&change, page, writer)?;
            if page.changes.all {
                change.execute(
                    "DELETE FROM image WHERE identity IN (SELECT id FROM identity WHERE server = ?1)",
                    [&page.server],
                )?;
            }
            let is_refused = |partition: &str| {
                others.iter().any(|one| {
                    one.server.as_ref().is_none_or(|server| *server == page.server)
                        && one.partition.as_deref().is_none_or(|refused| refused == partition)
                })
            };
            for proofs in page.changes.identities.iter().filter(|proofs| !is_refused(&proofs.partition)) {
                rows::put_identity(&change, &page.server, proofs, now_ms)?;
            }
            for proof in page.changes.images.iter().filter(|proof| !is_refused(&proof.partition)) {
                rows::put_image(&change, &page.server, proof, now_ms)?;
            }
            if let Some(hearing) = &page.hearing {
                rows::put_hearing(&change, &page.server, hearing)?;
            }
            if let Some(warm) = &page.warm {
                rows::put_warm(&change, &page.server, warm)?;
            }
        }
        let newest: Option<i64> = change
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'refusal'", [], |row| row.get(0))
            .optional()?;
        change.commit()?;
        Ok(newest.unwrap_or(0))
    }

    /// Takes out what counts no more.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sweep(&mut self, now_ms: u64) -> Result<(), Failing> {
        let gone_ms = signed(now_ms.saturating_sub(FORGET_AFTER_MS));
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute(
            "DELETE FROM image WHERE (identity, item) IN
                (SELECT identity, item FROM image WHERE at_ms < ?1 LIMIT ?2)",
            params![rows::image_end(now_ms), SWEEP_ROWS],
        )?;
        change.execute("DELETE FROM identity WHERE kept_ms < ?1", [gone_ms])?;
        change.execute(
            "DELETE FROM refusal WHERE seq <= (SELECT seq FROM sqlite_sequence WHERE name = 'refusal') - ?1",
            [KEPT_REFUSALS],
        )?;
        change.commit()?;
        Ok(())
    }
}

/// Looks at a file without touching it.
fn inspect(path: &Path) -> Result<(), Failing> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    refuse_newer(layout::of(&db)?)?;
    layout::check(&db)
}

fn refuse_newer(found: i64) -> Result<(), Failing> {
    let newest = layout::newest();
    if found > newest {
        let message = format!("its layout is {found}, and this version knows layouts up to {newest}");
        return Err(Failing::new(Trouble::Newer, message));
    }
    Ok(())
}

/// What others refused after `heard`. If some of it is gone already, anybody may be among them.
fn refusals_after(db: &Transaction<'_>, writer: Writer) -> Result<Vec<Heard>, Failing> {
    let Writer { origin, heard, .. } = writer;
    let (oldest, newest): (Option<i64>, Option<i64>) = (
        db.query_row("SELECT min(seq) FROM refusal", [], |row| row.get(0))?,
        db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'refusal'", [], |row| row.get(0))
            .optional()?,
    );
    let newest = newest.unwrap_or(0);
    if newest > heard && oldest.is_none_or(|oldest| oldest > heard + 1) {
        return Ok(vec![Heard { server: None, partition: None }]);
    }
    let mut select = db.prepare_cached(
        "SELECT server, partition FROM refusal WHERE seq > ?1 AND origin <> ?2 ORDER BY seq",
    )?;
    let rows = select
        .query_map([heard, origin], |row| Ok(Heard { server: Some(row.get(0)?), partition: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn refuse(db: &Transaction<'_>, page: &Page, writer: Writer) -> Result<(), Failing> {
    let mut tell =
        db.prepare_cached("INSERT INTO refusal (server, partition, origin) VALUES (?1, ?2, ?3)")?;
    if page.refused.everybody {
        db.execute("DELETE FROM identity WHERE server = ?1", [&page.server])?;
        tell.execute(params![page.server, None::<String>, writer.origin])?;
        return Ok(());
    }
    let mut delete = db.prepare_cached("DELETE FROM identity WHERE server = ?1 AND partition = ?2")?;
    for partition in &page.refused.partitions {
        // Of who was never kept there is nothing to take back, unless another process is about to keep him.
        if delete.execute(params![page.server, partition])? > 0 || !writer.is_alone {
            tell.execute(params![page.server, partition, writer.origin])?;
        }
    }
    Ok(())
}
