//! The file: all that is read from it and written to it.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::rows;
use crate::codec::signed;
use crate::error::{Failing, Trouble};
use crate::grants::{Changes, Hearing, Kept, WarmRead};
use crate::reader::BUSY_TIMEOUT;
use crate::revocations::Refused;
use crate::{migrations, reader};

/// Its name in the data directory.
pub const FILE: &str = "state.db";
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

impl Book {
    /// Opens the file in this directory, making it if there is none. One that is damaged or newer is not touched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(data_dir: &Path) -> Result<Self, Failing> {
        let path = data_dir.join(FILE);
        // Made by us, so that nobody else may read it; the files beside it get the same mode from SQLite.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        inspect(&path)?;
        let mut db = reader::open(&path)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        if let Some(copy) = migrations::bring(&mut db, &path, migrations::STEPS)? {
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
        refuse_newer(migrations::of(&self.db)?)
    }

    /// What a failure means: another version may have changed the layout, and then nothing is damaged.
    fn judge(&self, failing: Failing) -> Failing {
        match self.check_layout() {
            Err(newer) if newer.trouble == Trouble::Newer => newer,
            _ => failing,
        }
    }

    /// Writes all of it, or nothing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, pages: &[Page], now_ms: u64) -> Result<(), Failing> {
        self.try_write(pages, now_ms).map_err(|failing| self.judge(failing))
    }

    /// Writes nothing but whose proofs are to go.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_refusals(&mut self, pages: &[Page]) -> Result<(), Failing> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for page in pages {
            refuse(&change, page)?;
        }
        Ok(change.commit()?)
    }

    fn try_write(&mut self, pages: &[Page], now_ms: u64) -> Result<(), Failing> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for page in pages {
            refuse(&change, page)?;
            if page.changes.all {
                change.execute(
                    "DELETE FROM image WHERE identity IN (SELECT id FROM identity WHERE server = ?1)",
                    [&page.server],
                )?;
            }
            for proofs in &page.changes.identities {
                rows::put_identity(&change, &page.server, proofs, now_ms)?;
            }
            for proof in &page.changes.images {
                rows::put_image(&change, &page.server, proof, now_ms)?;
            }
            if let Some(hearing) = &page.hearing {
                rows::put_hearing(&change, &page.server, hearing)?;
            }
            if let Some(warm) = &page.warm {
                rows::put_warm(&change, &page.server, warm)?;
            }
        }
        Ok(change.commit()?)
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
        // Earlier versions told each other of refusals here.
        change.execute("DELETE FROM refusal", [])?;
        change.commit()?;
        Ok(())
    }
}

/// Looks at a file without touching it.
fn inspect(path: &Path) -> Result<(), Failing> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    refuse_newer(migrations::of(&db)?)?;
    migrations::check(&db)
}

fn refuse_newer(found: i64) -> Result<(), Failing> {
    let newest = migrations::newest();
    if found > newest {
        let message = format!("its layout is {found}, and this version knows layouts up to {newest}");
        return Err(Failing::new(Trouble::Newer, message));
    }
    Ok(())
}

fn refuse(db: &Transaction<'_>, page: &Page) -> Result<(), Failing> {
    if page.refused.everybody {
        db.execute("DELETE FROM identity WHERE server = ?1", [&page.server])?;
        return Ok(());
    }
    let mut delete = db.prepare_cached("DELETE FROM identity WHERE server = ?1 AND partition = ?2")?;
    for partition in &page.refused.partitions {
        delete.execute(params![page.server, partition])?;
    }
    Ok(())
}
