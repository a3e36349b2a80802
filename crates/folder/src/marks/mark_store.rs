//! Marks in `state.db`.

use std::collections::BTreeSet;
use std::path::Path;

use greenroom_state::db::FILE;
use greenroom_state::reader;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::identity::MarkIdentity;
use super::mark_change::MarkError;
use crate::scan::FileFacts;

/// A stored row: marks of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMark {
    /// The path when it was last seen.
    pub path: String,
    /// The marks as bits.
    pub bits: u32,
    /// The file's identity when it was last seen.
    pub identity: MarkIdentity,
}

/// Everything that is stored of a folder's marks.
#[derive(Debug, Default)]
pub struct StoredMarks {
    /// Names of the marks, by bit.
    pub names: Vec<(u32, String)>,
    /// All rows.
    pub rows: Vec<StoredMark>,
}

/// Marks of a path before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarksBefore {
    /// The path.
    pub path: String,
    /// All its marks as bits.
    pub bits: u32,
    /// The bits that the change changed.
    pub mask: u32,
}

/// Applied part of another program's list of the files with a mark.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FollowedChange {
    /// Name of the mark.
    pub mark: String,
    /// Paths that were added to the list.
    pub added: Vec<String>,
    /// Paths that were removed from it.
    pub removed: Vec<String>,
}

/// Changes to write in one transaction.
#[derive(Debug, Default)]
pub struct StoreBatch {
    /// Rows that go.
    pub deleted: Vec<String>,
    /// Rows that are written.
    pub written: Vec<StoredMark>,
    /// Marks that undoing the batch restores, if it can be undone.
    pub undo: Option<Vec<MarksBefore>>,
    /// Paths of the last batch that have a new name, from and to.
    pub renamed: Vec<(String, String)>,
    /// Part of another program's list that is applied now.
    pub followed: Option<FollowedChange>,
}

/// Marks of one folder in `state.db`.
#[derive(Debug)]
pub struct MarkStore {
    db: Connection,
    folder: String,
}

impl MarkStore {
    /// Opens the tables, which the state's migrations made.
    ///
    /// # Errors
    /// `state.db` cannot be used.
    pub fn open(data_dir: &Path, folder: &str) -> Result<Self, MarkError> {
        let db = reader::open_newest(&data_dir.join(FILE)).map_err(|error| MarkError::Database(error.to_string()))?;
        // What a person marked survives a loss of power too.
        db.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self { db, folder: folder.to_owned() })
    }

    /// Names of the marks by bit, and all rows.
    ///
    /// # Errors
    /// The database.
    pub fn read(&self) -> Result<StoredMarks, MarkError> {
        let mut names = self.db.prepare("SELECT bit, name FROM folder_mark_name WHERE folder = ?1 ORDER BY bit")?;
        let names = names.query_map([&self.folder], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut rows =
            self.db.prepare("SELECT path, bits, inode, birth_ns, size, mtime_ns FROM folder_mark WHERE folder = ?1")?;
        let rows = rows.query_map([&self.folder], |row| {
            let stat = FileFacts {
                inode: row.get::<_, i64>(2)?.cast_unsigned(),
                birth_ns: row.get(3)?,
                size: row.get::<_, i64>(4)?.cast_unsigned(),
                mtime_ns: row.get(5)?,
                is_directory: false,
            };
            Ok(StoredMark { path: row.get(0)?, bits: row.get(1)?, identity: MarkIdentity { stat } })
        })?;
        Ok(StoredMarks { names, rows: rows.collect::<Result<_, _>>()? })
    }

    /// Stores the name of a bit.
    ///
    /// # Errors
    /// The database.
    pub fn name(&self, bit: u32, name: &str) -> Result<(), MarkError> {
        let sql = "INSERT OR REPLACE INTO folder_mark_name (folder, bit, name) VALUES (?1, ?2, ?3)";
        self.db.execute(sql, params![self.folder, bit, name])?;
        Ok(())
    }

    /// Writes a batch whole or not at all. It survives the death of the process once this returns.
    ///
    /// # Errors
    /// The database: nothing was written.
    pub fn write(&mut self, batch: &StoreBatch) -> Result<(), MarkError> {
        let folder = self.folder.clone();
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut delete = change.prepare_cached("DELETE FROM folder_mark WHERE folder = ?1 AND path = ?2")?;
            for path in &batch.deleted {
                delete.execute(params![folder, path])?;
            }
            let mut write = change.prepare_cached(
                "INSERT OR REPLACE INTO folder_mark (folder, path, bits, inode, birth_ns, size, mtime_ns)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for mark in &batch.written {
                let stat = mark.identity.stat;
                let (inode, size) = (stat.inode.cast_signed(), stat.size.cast_signed());
                write.execute(params![folder, mark.path, mark.bits, inode, stat.birth_ns, size, stat.mtime_ns])?;
            }
        }
        write_undo(&change, &folder, batch)?;
        write_followed(&change, &folder, batch)?;
        change.commit()?;
        Ok(())
    }

    /// The applied part of another program's list of the files with a mark.
    ///
    /// # Errors
    /// The database.
    pub fn followed(&self, mark: &str) -> Result<BTreeSet<String>, MarkError> {
        let mut rows = self.db.prepare("SELECT path FROM folder_mark_followed WHERE folder = ?1 AND mark = ?2")?;
        let rows = rows.query_map([&*self.folder, mark], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The marks that undoing the last batch restores.
    ///
    /// # Errors
    /// The database.
    pub fn undo(&self) -> Result<Vec<MarksBefore>, MarkError> {
        let mut rows = self.db.prepare("SELECT path, bits, mask FROM folder_mark_undo WHERE folder = ?1")?;
        let rows = rows.query_map([&self.folder], |row| {
            Ok(MarksBefore { path: row.get(0)?, bits: row.get(1)?, mask: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn write_followed(change: &Transaction<'_>, folder: &str, batch: &StoreBatch) -> Result<(), MarkError> {
    let Some(followed) = &batch.followed else { return Ok(()) };
    let sql = "INSERT OR IGNORE INTO folder_mark_followed (folder, mark, path) VALUES (?1, ?2, ?3)";
    let mut add = change.prepare_cached(sql)?;
    for path in &followed.added {
        add.execute(params![folder, followed.mark, path])?;
    }
    let sql = "DELETE FROM folder_mark_followed WHERE folder = ?1 AND mark = ?2 AND path = ?3";
    let mut remove = change.prepare_cached(sql)?;
    for path in &followed.removed {
        remove.execute(params![folder, followed.mark, path])?;
    }
    Ok(())
}

fn write_undo(change: &Transaction<'_>, folder: &str, batch: &StoreBatch) -> Result<(), MarkError> {
    if let Some(undo) = &batch.undo {
        change.execute("DELETE FROM folder_mark_undo WHERE folder = ?1", [folder])?;
        let mut write =
            change.prepare_cached("INSERT INTO folder_mark_undo (folder, path, bits, mask) VALUES (?1, ?2, ?3, ?4)")?;
        for before in undo {
            write.execute(params![folder, before.path, before.bits, before.mask])?;
        }
    }
    if batch.renamed.is_empty() {
        return Ok(());
    }
    // In two steps, because two files may have changed places. No relative path begins with a slash.
    let sql = "UPDATE OR REPLACE folder_mark_undo SET path = '/' || ?3 WHERE folder = ?1 AND path = ?2";
    let mut rename = change.prepare_cached(sql)?;
    for (from, to) in &batch.renamed {
        rename.execute(params![folder, from, to])?;
    }
    let sql = "UPDATE OR REPLACE folder_mark_undo SET path = substr(path, 2) WHERE folder = ?1 AND path >= '/' AND path < '0'";
    change.execute(sql, [folder])?;
    Ok(())
}
