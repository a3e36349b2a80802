//! Stores of other caches, read from a copy.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};
use tempfile::TempDir;

use crate::source::SourceItem;
use crate::tables::SourceTable;

/// The program whose store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Kodi's SimpleCache: `simplecache.db`, with values as `repr` or JSON wrote them.
    Simplecache,
    /// diskcache: a folder with `cache.db`, and files of large values.
    Diskcache,
    /// Cmdarr: `cmdarr_cache.db`, with answers of APIs and whole libraries as JSON.
    Cmdarr,
    /// Stash2Plex: two folders of diskcache, `cache` (libraries and searches) and `match_cache`.
    Stash2plex,
}

/// Reads the entries of a store, in the order in which they were stored.
#[derive(Debug)]
pub struct StoreReader {
    tables: VecDeque<OpenTable>,
}

#[derive(Debug)]
struct OpenTable {
    file: Rc<CopiedFile>,
    table: SourceTable,
    /// Row of the entry before.
    after: i64,
}

#[derive(Debug)]
struct CopiedFile {
    /// Folder of the store.
    folder: PathBuf,
    name: String,
    connection: Connection,
    _copy: TempDir,
}

impl StoreReader {
    /// Copies a store: a folder, or the file of the one kind that is a file.
    ///
    /// # Errors
    /// There is no such store, or it cannot be copied.
    pub fn open(kind: StoreKind, path: &Path) -> Result<Self, String> {
        let in_folder = |name: &str| if path.is_dir() { path.join(name) } else { path.to_owned() };
        let files = match kind {
            StoreKind::Simplecache => vec![in_folder("simplecache.db")],
            StoreKind::Cmdarr => vec![in_folder("cmdarr_cache.db")],
            StoreKind::Diskcache => vec![path.join("cache.db")],
            StoreKind::Stash2plex => stash2plex_files(path)?,
        };
        let tables: &[SourceTable] = match kind {
            StoreKind::Simplecache => &[SourceTable::Simplecache],
            StoreKind::Cmdarr => {
                &[SourceTable::CmdarrAnswers, SourceTable::CmdarrLibraries, SourceTable::CmdarrFailures]
            }
            StoreKind::Diskcache | StoreKind::Stash2plex => &[SourceTable::Diskcache],
        };
        let mut reader = Self { tables: VecDeque::new() };
        for path in files {
            let file = Rc::new(CopiedFile::new(&path)?);
            let open = |table: &SourceTable| OpenTable { file: Rc::clone(&file), table: *table, after: i64::MIN };
            reader.tables.extend(tables.iter().map(open));
        }
        Ok(reader)
    }

    /// The next entry; `None` after the last one.
    ///
    /// # Errors
    /// The file is damaged, or is no such store.
    pub fn next_item(&mut self) -> Result<Option<SourceItem>, String> {
        while let Some(open) = self.tables.front_mut() {
            let file = &open.file;
            if open.after == i64::MIN && !file.has_plain_table(open.table.name())? {
                return Err(format!("{} is no such store: it has no table {}", file.name, open.table.name()));
            }
            let found = file.connection.prepare_cached(open.table.statement()).and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, open.table.read(row, &file.folder)?));
                statement.query_row([open.after], read).optional()
            });
            match found.map_err(|error| format!("{} is no such store: {error}", file.name))? {
                Some((row, item)) => {
                    open.after = row;
                    return Ok(Some(item));
                }
                None => drop(self.tables.pop_front()),
            }
        }
        Ok(None)
    }
}

impl CopiedFile {
    /// Copies a file of SQLite and its log, so that nothing is written beside the original.
    fn new(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let cannot = |error: std::io::Error| format!("{name} cannot be read: {error}");
        let copy = tempfile::Builder::new().prefix("greenroom-import-").tempdir().map_err(cannot)?;
        let target = copy.path().join("copy.db");
        fs::copy(path, &target).map_err(cannot)?;
        let log = |path: &Path| {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            PathBuf::from(log)
        };
        match fs::copy(log(path), log(&target)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
        let connection = open_untrusted(&target).map_err(|error| format!("{name} is no such store: {error}"))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, name, connection, _copy: copy })
    }

    /// Whether there is such a table, and reading it computes nothing: a view or a generated column could compute for
    /// ever.
    fn has_plain_table(&self, table: &str) -> Result<bool, String> {
        const PLAIN: &str = "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 \
                             AND sql NOT LIKE '%VIRTUAL%') \
                             AND NOT EXISTS(SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden <> 0)";
        let found = self.connection.query_row(PLAIN, [table], |row| row.get(0));
        found.map_err(|error| format!("{} is no such store: {error}", self.name))
    }
}

/// Opens a file that another program made: nothing in its schema may run.
fn open_untrusted(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(connection)
}

/// Files of the caches in Stash2Plex's `data`, or in its `data/cache`.
fn stash2plex_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    for root in [folder.to_owned(), folder.join("cache")] {
        let files = ["cache", "match_cache"].map(|name| root.join(name).join("cache.db"));
        let present: Vec<PathBuf> = files.into_iter().filter(|file| file.is_file()).collect();
        if !present.is_empty() {
            return Ok(present);
        }
    }
    Err(format!("{} has no cache and no match_cache of Stash2Plex", folder.display()))
}
