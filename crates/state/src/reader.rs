//! How rooms with tables of their own in `state.db` open it. It is made and brought up to date by the book, never here.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Failing, Trouble};
use crate::migrations;

/// How long another connection that writes is waited for.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to the file, which has to be there.
///
/// # Errors
/// If it cannot be opened.
pub fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    Ok(db)
}

/// The same, of a file that has to be in its newest layout.
///
/// # Errors
/// If it cannot be opened, or another version of Greenroom changed its layout.
pub fn open_newest(file: &Path) -> Result<Connection, Failing> {
    let db = open(file)?;
    if migrations::of(&db)? != migrations::newest() {
        return Err(Failing::new(Trouble::Newer, "another version of Greenroom changed its layout"));
    }
    Ok(db)
}
