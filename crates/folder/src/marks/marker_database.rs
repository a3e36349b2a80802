//! The comic app's marks in its SQLite database: a table `markers` of a path and a mark a row. It is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::mark_export::{ExportRow, MAX_IMPORT_BYTES, MarkExport};

/// Names of such databases, the newest first.
pub(crate) const FILE_NAMES: [&str; 2] = ["comicmaintainer.db", "markers.db"];
/// First bytes of an SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Max wait for a program that writes it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Paths by mark.
pub(crate) type PathsByMark = BTreeMap<String, BTreeSet<String>>;

/// Whether these bytes are an SQLite database.
pub fn is_database(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The marks in such a database, as an export. It blocks.
///
/// # Errors
/// It cannot be read, holds no marks of this form, or too many.
pub fn read_marker_database(path: &Path) -> Result<MarkExport, String> {
    let mut marks_by_path: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (mark, paths) in read_marks(path)? {
        for path in paths {
            marks_by_path.entry(path).or_default().push(mark.clone());
        }
    }
    let row = |(path, marks)| ExportRow { path, marks, size: 0 };
    Ok(MarkExport { format: "greenroom-marks".into(), files: marks_by_path.into_iter().map(row).collect() })
}

/// The paths with each mark.
pub(crate) fn read_marks(path: &Path) -> Result<PathsByMark, String> {
    read(path).map_err(|error| match error {
        ReadError::Database(error) => format!("it is no database of marks: {error}"),
        ReadError::View => "it has no table \"markers\"".to_owned(),
        ReadError::TooLong => format!("its paths are longer than {MAX_IMPORT_BYTES} bytes together"),
    })
}

enum ReadError {
    Database(rusqlite::Error),
    View,
    TooLong,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn read(path: &Path) -> Result<PathsByMark, ReadError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // Another program made the file: nothing in its schema may run.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'markers' AND sql NOT LIKE '%VIRTUAL%' \
         AND NOT EXISTS(SELECT 1 FROM pragma_table_xinfo('markers') WHERE hidden <> 0)";
    if db.query_row(sql, [], |row| row.get::<_, i64>(0))? != 1 {
        return Err(ReadError::View);
    }
    let mut marks = PathsByMark::new();
    let mut bytes = 0;
    let mut select = db.prepare("SELECT marker_type, filepath FROM markers")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (mark, path): (String, String) = (row.get(0)?, row.get(1)?);
        bytes += mark.len() + path.len();
        if bytes > MAX_IMPORT_BYTES {
            return Err(ReadError::TooLong);
        }
        marks.entry(mark).or_default().insert(path);
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(directory: &Path, sql: &str) -> std::path::PathBuf {
        let path = directory.join("comicmaintainer.db");
        let db = Connection::open(&path).expect("a database");
        db.execute_batch(sql).expect("written");
        path
    }

    const TABLE: &str =
        "PRAGMA journal_mode = WAL; CREATE TABLE markers (filepath TEXT NOT NULL, marker_type TEXT NOT NULL,
        PRIMARY KEY (filepath, marker_type));";

    #[test]
    fn a_database_of_marks_is_read_as_an_export_with_all_marks_of_a_file_in_one_row() {
        let directory = tempfile::tempdir().expect("a directory");
        let rows = "INSERT INTO markers VALUES ('/c/1.cbz', 'processed'), ('/c/1.cbz', 'duplicate'), ('/c/2.cbz', 'processed');";
        let path = database(directory.path(), &format!("{TABLE}{rows}"));
        let export = read_marker_database(&path).expect("read");
        assert_eq!(export.files.len(), 2);
        assert_eq!(
            (export.files[0].path.as_str(), &export.files[0].marks[..]),
            ("/c/1.cbz", &["duplicate", "processed"].map(str::to_owned)[..])
        );
        assert!(is_database(&std::fs::read(&path).expect("readable")));
    }

    #[test]
    fn a_database_without_that_table_and_a_file_that_is_none_are_refused_with_a_sentence() {
        let directory = tempfile::tempdir().expect("a directory");
        let view = "CREATE VIEW markers AS WITH RECURSIVE more(filepath, marker_type) AS
            (SELECT 'a', 'processed' UNION ALL SELECT filepath || 'a', marker_type FROM more) SELECT * FROM more;";
        let path = database(directory.path(), view);
        assert_eq!(read_marker_database(&path), Err("it has no table \"markers\"".into()));
        std::fs::write(&path, "SQLite format 3\0 but damaged").expect("written");
        assert!(read_marker_database(&path).expect_err("damaged").starts_with("it is no database of marks"));
        assert!(read_marker_database(&directory.path().join("none.db")).is_err());
        assert!(!directory.path().join("none.db").exists(), "nothing is made");
    }

    #[test]
    fn a_database_whose_rows_are_no_text_or_too_long_together_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = database(directory.path(), &format!("{TABLE}INSERT INTO markers VALUES (x'ff', 'processed');"));
        assert!(read_marker_database(&path).expect_err("no text").starts_with("it is no database of marks"));
        let long = "DELETE FROM markers; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 17)
            INSERT INTO markers SELECT i || printf('%.*c', 1048576, 'a'), 'processed' FROM n;";
        Connection::open(&path).and_then(|db| db.execute_batch(long)).expect("written");
        assert!(read_marker_database(&path).expect_err("too long").contains("longer than"));
    }
}
