//! Schema of the file, and its migration: step by step, after a backup beside the file.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{StateError, StateErrorKind};
use crate::secrets::give_to_owner;

/// The statistics tables.
pub const STATISTICS_TABLES: &str = "
    CREATE TABLE statistics_name (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        by_what INTEGER NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (server, by_what, name)
    );
    CREATE TABLE statistics_row (
        step INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        name INTEGER NOT NULL,
        counts BLOB NOT NULL,
        PRIMARY KEY (step, at_ms, name)
    ) WITHOUT ROWID;
    CREATE TABLE statistics_choice (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Application id of the file: "Grns".
pub(crate) const APPLICATION: i64 = 0x4772_6e73;

/// Steps from each schema version to the next; the first one creates the schema. A released step never changes.
pub const STEPS: &[&str] = &[
    "
    CREATE TABLE server (
        name TEXT PRIMARY KEY,
        heard_ms INTEGER NOT NULL,
        down_since_ms INTEGER NOT NULL,
        introduction BLOB
    );
    CREATE TABLE identity (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        partition TEXT NOT NULL,
        account TEXT,
        proven_ms INTEGER NOT NULL,
        kept_ms INTEGER NOT NULL,
        UNIQUE (server, partition)
    );
    CREATE INDEX identity_kept ON identity (kept_ms);
    CREATE TABLE accepted (
        identity INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
        class TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (identity, class)
    ) WITHOUT ROWID;
    CREATE TABLE image (
        identity INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
        item INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (identity, item)
    ) WITHOUT ROWID;
    CREATE INDEX image_end ON image (at_ms);
    CREATE TABLE warm (
        server TEXT NOT NULL,
        key TEXT NOT NULL,
        target TEXT NOT NULL,
        headers TEXT NOT NULL,
        last_read_ms INTEGER NOT NULL,
        average_ms INTEGER NOT NULL,
        latest_ms INTEGER NOT NULL,
        PRIMARY KEY (server, key)
    );
    CREATE TABLE refusal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        server TEXT NOT NULL,
        partition TEXT,
        origin INTEGER NOT NULL
    );
",
    "ALTER TABLE server ADD COLUMN is_choosy INTEGER NOT NULL DEFAULT 1;",
    "
    CREATE TABLE library (
        server TEXT NOT NULL,
        key TEXT NOT NULL,
        is_enabled INTEGER NOT NULL,
        PRIMARY KEY (server, key)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE ruling (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        server TEXT NOT NULL,
        library TEXT NOT NULL,
        kind TEXT NOT NULL,
        wanted TEXT NOT NULL,
        item_key TEXT NOT NULL,
        identity TEXT NOT NULL,
        is_strict INTEGER NOT NULL,
        seen_in INTEGER NOT NULL,
        made_ms INTEGER NOT NULL
    );
    CREATE INDEX ruling_item ON ruling (server, library, item_key);
    CREATE INDEX ruling_kind ON ruling (kind, made_ms);
    CREATE TABLE ruling_key (
        key INTEGER NOT NULL,
        ruling INTEGER NOT NULL REFERENCES ruling (id) ON DELETE CASCADE,
        PRIMARY KEY (key, ruling)
    ) WITHOUT ROWID;
    CREATE INDEX ruling_key_of ON ruling_key (ruling);
",
    "
    CREATE TABLE job (
        id TEXT PRIMARY KEY,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        message TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE lifetime (
        server TEXT NOT NULL,
        class TEXT NOT NULL,
        fresh_s INTEGER,
        fresh_with_signal_s INTEGER,
        stale_s INTEGER,
        stale_on_error_s INTEGER,
        PRIMARY KEY (server, class)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE played (
        server TEXT NOT NULL,
        id TEXT NOT NULL,
        at_s INTEGER NOT NULL,
        user TEXT NOT NULL,
        item_key TEXT NOT NULL,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        parent_title TEXT,
        grandparent_title TEXT,
        place INTEGER,
        parent_place INTEGER,
        year INTEGER,
        duration_ms INTEGER,
        thumb TEXT,
        player TEXT,
        pass INTEGER NOT NULL,
        PRIMARY KEY (server, id)
    ) WITHOUT ROWID;
    CREATE INDEX played_at ON played (at_s);
    CREATE TABLE played_user (
        server TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (server, id)
    ) WITHOUT ROWID;
    CREATE TABLE played_sync (
        server TEXT PRIMARY KEY,
        cursor_s INTEGER NOT NULL DEFAULT 0,
        pass INTEGER NOT NULL DEFAULT 0,
        full_ms INTEGER NOT NULL DEFAULT 0,
        synced_ms INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
",
    STATISTICS_TABLES,
    "
    ALTER TABLE played_sync ADD COLUMN hidden_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE played_sync ADD COLUMN doubted_ms INTEGER NOT NULL DEFAULT 0;
",
    "
    CREATE TABLE dashboard (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        kept TEXT NOT NULL
    );
",
    "
    CREATE TABLE played_item (
        server TEXT NOT NULL,
        key TEXT NOT NULL,
        grandparent_key TEXT,
        year INTEGER,
        duration_ms INTEGER,
        rating REAL,
        content_rating TEXT,
        studio TEXT,
        summary TEXT,
        genres TEXT,
        read_ms INTEGER NOT NULL,
        retry_ms INTEGER,
        PRIMARY KEY (server, key)
    ) WITHOUT ROWID;
    CREATE INDEX played_item_above ON played_item (server, grandparent_key);
    CREATE INDEX played_by_item ON played (server, item_key, at_s);
",
    "
    CREATE TABLE fingerprint (
        server TEXT NOT NULL,
        partition TEXT NOT NULL,
        section TEXT NOT NULL,
        value TEXT NOT NULL,
        from_ms INTEGER NOT NULL,
        taken_ms INTEGER NOT NULL,
        PRIMARY KEY (server, partition, section, from_ms)
    ) WITHOUT ROWID;
    CREATE TABLE library_check (
        server TEXT NOT NULL,
        section TEXT NOT NULL,
        counter TEXT NOT NULL,
        from_ms INTEGER NOT NULL,
        checked_ms INTEGER NOT NULL,
        PRIMARY KEY (server, section)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE folder_mark_name (
        folder TEXT NOT NULL,
        bit INTEGER NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (folder, bit)
    ) WITHOUT ROWID;
    CREATE TABLE folder_mark (
        folder TEXT NOT NULL,
        path TEXT NOT NULL,
        bits INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        birth_ns INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        PRIMARY KEY (folder, path)
    ) WITHOUT ROWID;
    CREATE TABLE folder_mark_undo (
        folder TEXT NOT NULL,
        path TEXT NOT NULL,
        bits INTEGER NOT NULL,
        PRIMARY KEY (folder, path)
    ) WITHOUT ROWID;
    CREATE TABLE app_token (
        name TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        folders TEXT NOT NULL,
        is_read_only INTEGER NOT NULL,
        created_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE folder_mark_undo ADD COLUMN mask INTEGER NOT NULL DEFAULT 4294967295;
    CREATE TABLE folder_mark_followed (
        folder TEXT NOT NULL,
        mark TEXT NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (folder, mark, path)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE folder_change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        folder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        path TEXT NOT NULL,
        previous_path TEXT
    );
    CREATE INDEX folder_change_of_folder ON folder_change (folder, at_ms);
    CREATE INDEX folder_change_of_path ON folder_change (folder, path);
",
    "ALTER TABLE app_token ADD COLUMN caches TEXT NOT NULL DEFAULT '[]';",
    "
    CREATE TABLE denied_path (
        identity INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
        path INTEGER NOT NULL,
        PRIMARY KEY (identity, path)
    ) WITHOUT ROWID;
",
];

/// The current schema version.
pub fn latest_version() -> i64 {
    number_of(STEPS)
}

fn number_of(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// Schema version of a file; zero if it is empty.
///
/// # Errors
/// The file is not ours, or damaged.
pub fn schema_version(db: &Connection) -> Result<i64, StateError> {
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("schema_version")? == 0 {
        return Ok(0);
    }
    if number("application_id")? != APPLICATION {
        return Err(StateError::new(StateErrorKind::Damaged, "it is a database of another program"));
    }
    Ok(number("user_version")?)
}

/// Checks the integrity of a file.
///
/// # Errors
/// The file is damaged.
pub(crate) fn check(db: &Connection) -> Result<(), StateError> {
    let word: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if word == "ok" { Ok(()) } else { Err(StateError::new(StateErrorKind::Damaged, word)) }
}

/// Migrates a file to the schema after `steps`. Returns the backup's path if the file was older.
///
/// # Errors
/// The file is newer, or the backup cannot be made: then nothing has changed.
pub fn migrate(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<Option<PathBuf>, StateError> {
    let newest = number_of(steps);
    let mut copy = None;
    let before = schema_version(db)?;
    if before > newest {
        let message = format!("its layout is {before}, and this version knows layouts up to {newest}");
        return Err(StateError::new(StateErrorKind::Newer, message));
    }
    if before == newest {
        return Ok(None);
    }
    if before > 0 {
        let beside = path.with_file_name(format!("state.db.before-v{newest}"));
        copy_into(db, &beside)?;
        copy = Some(beside);
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Another process may have done it meanwhile.
    let before = usize::try_from(schema_version(&change)?).unwrap_or(usize::MAX);
    for step in steps.iter().skip(before) {
        change.execute_batch(step)?;
    }
    change.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {newest};"))?;
    change.commit()?;
    Ok(copy)
}

/// Copies a whole database, even during writes, and replaces the target.
///
/// # Errors
/// The copy cannot be written.
pub fn copy_into(db: &Connection, to: &Path) -> Result<(), StateError> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // Created with this mode, so that no other user can read it.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    db.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    give_to_owner(to);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_older_file_is_copied_and_then_brought_up_and_a_newer_one_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let mut db = Connection::open(&path).expect("it can be made");
        let first = "CREATE TABLE pin (name TEXT); INSERT INTO pin VALUES ('kept');";
        let second = "ALTER TABLE pin ADD COLUMN since INTEGER NOT NULL DEFAULT 7;";
        assert_eq!(migrate(&mut db, &path, &[first]), Ok(None), "there was nothing to copy");
        assert_eq!(schema_version(&db), Ok(1));
        let copy = migrate(&mut db, &path, &[first, second]).expect("it can").expect("there was an older one");
        assert_eq!(copy, folder.path().join("state.db.before-v2"));
        let pin: (String, i64) =
            db.query_row("SELECT name, since FROM pin", [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a pin");
        assert_eq!(pin, ("kept".to_owned(), 7));
        let mode = std::fs::metadata(&copy).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let old = Connection::open(&copy).expect("it opens");
        assert_eq!(schema_version(&old), Ok(1), "the copy is as it was");
        assert!(old.query_row("SELECT since FROM pin", [], |_| Ok(())).is_err());
        let newer = migrate(&mut db, &path, &[first]).expect_err("it is newer");
        assert_eq!(newer.kind, StateErrorKind::Newer);
        assert_eq!(schema_version(&db), Ok(2), "and was not touched");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let mut db = Connection::open(&path).expect("it can be made");
        let first = "CREATE TABLE pin (name TEXT);";
        migrate(&mut db, &path, &[first]).expect("it can");
        migrate(&mut db, &path, &[first, "CREATE TABLE fine (x); CREATE TABLE pin (x);"]).expect_err("there is one");
        assert_eq!(schema_version(&db), Ok(1));
        assert!(db.query_row("SELECT 1 FROM fine", [], |_| Ok(())).is_err());
    }
}
