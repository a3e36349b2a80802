//! Recent changes of a folder: files that came, went, were renamed or got another content, in `state.db`.
//!
//! The first list of a folder is no change. After a crash the saved list may be older than the history, and a
//! comparison finds the same changes again: a file that is added while its last record says added is not recorded
//! twice.

use greenroom_cache::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_state::db::FILE;
use greenroom_state::reader;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::file_entry::FileEntry;
use crate::index::Difference;

/// Changes older than this are deleted.
const MAX_AGE: Duration = Duration::from_millis(MAX_DAYS * DAY_MS);
/// Max changes of a folder; the oldest are deleted.
const MAX_CHANGES: usize = 20_000;
/// The longest period that can be asked for, in days.
pub const MAX_DAYS: u64 = 31;
/// The length of a day in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderChangeKind)]
pub enum ChangeKind {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It has another path.
    Renamed,
    /// Its content was written anew.
    Rewritten,
}

impl ChangeKind {
    const ALL: [Self; 4] = [Self::Added, Self::Removed, Self::Renamed, Self::Rewritten];

    const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::Rewritten => "rewritten",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderChange)]
pub struct FileChange {
    /// Its number; newer changes have higher ones.
    pub id: i64,
    /// When it was noticed, in milliseconds since 1970.
    pub at_ms: u64,
    /// Kind of the change.
    pub kind: ChangeKind,
    /// The file's path below the root, after the change.
    pub path: String,
    /// Its path before a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_path: Option<String>,
}

/// Number of changes by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderChangeCounts)]
pub struct ChangeCounts {
    /// Files that came.
    pub added: u64,
    /// Files that went.
    pub removed: u64,
    /// Files with another path.
    pub renamed: u64,
    /// Files with another content.
    pub rewritten: u64,
}

/// A page of the changes, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// All changes of the period by kind.
    pub counts: ChangeCounts,
    /// The changes.
    pub changes: Vec<FileChange>,
    /// Number of the last of them, if older ones follow.
    pub next_before: Option<i64>,
}

/// The changes of one folder.
#[derive(Debug)]
pub struct ChangeHistory {
    /// `None` if `state.db` cannot be used: nothing is recorded then.
    db: Mutex<Option<Connection>>,
    folder: String,
}

impl ChangeHistory {
    /// Opens the table, which the state's migrations made. Without it nothing is recorded, and lists go on.
    pub fn open(data_dir: &Path, folder: &str) -> Self {
        let db = reader::open_newest(&data_dir.join(FILE));
        if let Err(error) = &db {
            tracing::error!(folder, %error, "the changes of a folder cannot be recorded");
        }
        Self { db: Mutex::new(db.ok()), folder: folder.to_owned() }
    }

    /// Records a difference in one transaction. Blocks on the disk.
    ///
    /// # Errors
    /// The database: nothing was recorded.
    pub fn record(&self, difference: &Difference, now_ms: Timestamp) -> rusqlite::Result<()> {
        if difference.is_empty() {
            return Ok(());
        }
        let mut db = self.db.lock();
        let Some(db) = db.as_mut() else { return Ok(()) };
        let write = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (kind, previous, file) in changes(difference).take(MAX_CHANGES) {
            insert(&write, &self.folder, now_ms, (kind, previous, &file.path))?;
        }
        self.prune(&write, now_ms)?;
        write.commit()
    }

    fn prune(&self, write: &Transaction<'_>, now_ms: Timestamp) -> rusqlite::Result<()> {
        let oldest_ms = signed(now_ms.saturating_sub(MAX_AGE).as_millis());
        write.execute("DELETE FROM folder_change WHERE folder = ?1 AND at_ms < ?2", params![self.folder, oldest_ms])?;
        let sql = "DELETE FROM folder_change WHERE folder = ?1 AND id <= (
            SELECT id FROM folder_change WHERE folder = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        write.execute(sql, params![self.folder, i64::try_from(MAX_CHANGES).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// The changes since a moment, newest first: at most `limit`, and only those before the change with the number
    /// `before`, if one is given. Blocks on the disk.
    ///
    /// # Errors
    /// The database.
    pub fn page(&self, since_ms: Timestamp, before: Option<i64>, limit: usize) -> rusqlite::Result<ChangePage> {
        let db = self.db.lock();
        let Some(db) = db.as_ref() else { return Ok(ChangePage::default()) };
        let since_ms = signed(since_ms.as_millis());
        let mut counts = ChangeCounts::default();
        let sql = "SELECT kind, count(*) FROM folder_change WHERE folder = ?1 AND at_ms >= ?2 GROUP BY kind";
        let mut read = db.prepare_cached(sql)?;
        let mut rows = read.query(params![self.folder, since_ms])?;
        while let Some(row) = rows.next()? {
            let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            match ChangeKind::parse(&row.get::<_, String>(0)?) {
                Some(ChangeKind::Added) => counts.added = number,
                Some(ChangeKind::Removed) => counts.removed = number,
                Some(ChangeKind::Renamed) => counts.renamed = number,
                Some(ChangeKind::Rewritten) => counts.rewritten = number,
                None => {}
            }
        }
        let sql = "SELECT id, at_ms, kind, path, previous_path FROM folder_change
            WHERE folder = ?1 AND at_ms >= ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";
        let mut read = db.prepare_cached(sql)?;
        let asked = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = read.query_map(params![self.folder, since_ms, before.unwrap_or(i64::MAX), asked], read_change)?;
        let mut changes: Vec<FileChange> = rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
        let has_more = changes.len() > limit;
        changes.truncate(limit);
        let next_before = changes.last().filter(|_| has_more).map(|change| change.id);
        Ok(ChangePage { counts, changes, next_before })
    }
}

/// All changes of a difference: what happened, the path before, the file.
fn changes(difference: &Difference) -> impl Iterator<Item = (ChangeKind, Option<&str>, &Arc<FileEntry>)> {
    let added = difference.added.iter().map(|file| (ChangeKind::Added, None, file));
    let removed = difference.removed.iter().map(|file| (ChangeKind::Removed, None, file));
    let renamed = difference.renamed.iter().map(|(before, after)| (ChangeKind::Renamed, Some(&*before.path), after));
    let rewritten = difference.changed.iter().map(|(_, after)| (ChangeKind::Rewritten, None, after));
    renamed.chain(rewritten).chain(removed).chain(added)
}

/// Records a change, unless the last record of this path says the same.
fn insert(
    write: &Transaction<'_>,
    folder: &str,
    now_ms: Timestamp,
    (kind, previous, path): (ChangeKind, Option<&str>, &str),
) -> rusqlite::Result<()> {
    if kind != ChangeKind::Rewritten {
        let sql =
            "SELECT kind, previous_path FROM folder_change WHERE folder = ?1 AND path = ?2 ORDER BY id DESC LIMIT 1";
        let mut read = write.prepare_cached(sql)?;
        let last: Option<(String, Option<String>)> =
            read.query_row(params![folder, path], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if last.is_some_and(|(name, before)| name == kind.name() && before.as_deref() == previous) {
            return Ok(());
        }
    }
    let sql = "INSERT INTO folder_change (folder, at_ms, kind, path, previous_path) VALUES (?1, ?2, ?3, ?4, ?5)";
    write.prepare_cached(sql)?.execute(params![folder, signed(now_ms.as_millis()), kind.name(), path, previous])?;
    Ok(())
}

/// A row; `None` if a newer version wrote a kind that this one does not know.
fn read_change(row: &Row<'_>) -> rusqlite::Result<Option<FileChange>> {
    let Some(kind) = ChangeKind::parse(&row.get::<_, String>(2)?) else { return Ok(None) };
    let at_ms = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
    Ok(Some(FileChange { id: row.get(0)?, at_ms, kind, path: row.get(3)?, previous_path: row.get(4)? }))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
