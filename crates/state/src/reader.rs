//! Connections to `state.db` for modules with tables of their own. [`crate::db`] creates and migrates the file, never
//! this module.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{StateError, StateErrorKind};
use crate::migrations;

/// Max wait for another connection's write.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to the file, which must exist.
///
/// # Errors
/// It cannot be opened.
pub fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    Ok(db)
}

/// A connection to a file that must have the newest schema.
///
/// # Errors
/// It cannot be opened, or another version of Greenroom changed its schema.
pub fn open_newest(file: &Path) -> Result<Connection, StateError> {
    let db = open(file)?;
    if migrations::schema_version(&db)? != migrations::latest_version() {
        return Err(StateError::new(StateErrorKind::Newer, "another version of Greenroom changed its layout"));
    }
    Ok(db)
}
