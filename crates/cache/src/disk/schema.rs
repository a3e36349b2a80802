//! Schema of the database: its tables, and how a file is recognised as Greenroom's.

use rusqlite::Connection;
use rusqlite::types::Value as Field;

use super::error::{StorageError, StorageErrorKind};
use super::negative;

/// SQLite's `application_id` of a file that Greenroom created: "Grnr".
pub(super) const APPLICATION: i64 = 0x4772_6e72;
/// Version of the schema below and of what tags mean, stored as SQLite's `user_version`. At the start a file with another one, newer or
/// older, is set aside; one that appears while this process runs is left alone.
pub(super) const FORMAT: i64 = 3;

const SCHEMA: &str = "
    CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        hash INTEGER NOT NULL,
        key TEXT NOT NULL,
        created INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        stored_ms INTEGER NOT NULL,
        fresh_until_ms INTEGER NOT NULL,
        stale_until_ms INTEGER NOT NULL,
        error_until_ms INTEGER NOT NULL,
        refresh_at_ms INTEGER NOT NULL,
        adapted INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        used_ms INTEGER NOT NULL,
        tags BLOB NOT NULL,
        meta BLOB NOT NULL,
        compressed INTEGER NOT NULL,
        body BLOB,
        file TEXT,
        file_bytes INTEGER NOT NULL DEFAULT 0,
        file_hash INTEGER,
        length INTEGER NOT NULL,
        size INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX entry_hash ON entry (hash);
    CREATE INDEX entry_end ON entry (error_until_ms);
    CREATE INDEX entry_used ON entry (used_ms);
    CREATE INDEX entry_seen ON entry (seen);
    CREATE TABLE marker (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        scope TEXT NOT NULL,
        purges INTEGER NOT NULL,
        stamp INTEGER NOT NULL,
        hold_until INTEGER NOT NULL,
        settle_until_ms INTEGER NOT NULL DEFAULT 0,
        settle_fresh_ms INTEGER NOT NULL DEFAULT 0,
        origin INTEGER NOT NULL,
        UNIQUE (scope, purges)
    );
";

/// Creates the tables in an empty file. Any other file must be Greenroom's and have this version of the schema.
pub(super) fn prepare(db: &mut Connection) -> Result<(), StorageError> {
    let read_pragma = |db: &Connection, pragma: &str| -> Result<i64, StorageError> {
        Ok(db.pragma_query_value(None, pragma, |row| row.get(0))?)
    };
    if read_pragma(db, "application_id")? == 0 && read_pragma(db, "schema_version")? == 0 {
        // Checked again: another connection may have created the tables meanwhile.
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
        if read_pragma(&transaction, "schema_version")? == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(negative::SCHEMA)?;
            transaction.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};
                 INSERT INTO about VALUES ('seed', random()), ('bytes', 0), ('stamp', 0),
                    ('file_bytes', 0), ('markers', 0), ('digest', 0), ('floor', 0);"
            ))?;
        }
        transaction.commit()?;
    }
    let (application, format) = (read_pragma(db, "application_id")?, read_pragma(db, "user_version")?);
    if application != APPLICATION {
        return Err(StorageError::new(StorageErrorKind::Damaged, "the file is a database of another program"));
    }
    if format != FORMAT {
        let message = format!("the file has format {format}, but this version of Greenroom reads format {FORMAT}");
        return Err(StorageError::new(StorageErrorKind::Format, message));
    }
    Ok(())
}

/// Reads a number from the table `about`.
pub(super) fn about(db: &Connection, name: &str) -> Result<i64, StorageError> {
    let value = db
        .prepare_cached("SELECT value FROM about WHERE name = ?1")?
        .query_row([Field::Text(name.into())], |row| row.get(0));
    Ok(value?)
}
