//! The database file: all reads and writes of the state.

use greenroom_cache::Timestamp;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::rows;
use crate::codec::signed;
use crate::confirmations::StoredConfirmations;
use crate::error::{StateError, StateErrorKind};
use crate::grants::{GrantChanges, LastContact, StoredGrants, StoredWarmKey};
use crate::reader::BUSY_TIMEOUT;
use crate::revocations::RevokedPartitions;
use crate::{confirmations, migrations, reader};

/// File name in the data directory.
pub const FILE: &str = "state.db";
/// Identities not seen for this long are deleted.
const FORGET_AFTER: Duration = Duration::from_millis(30 * 24 * 3_600_000);
/// Max rows deleted per sweep.
const SWEEP_ROWS: i64 = 5_000;

/// A connection to the file.
#[derive(Debug)]
pub struct StateDb {
    db: Connection,
    path: PathBuf,
    /// Inode of the opened file: another file may be at its path by now.
    inode: u64,
}

/// Changes to write for one server.
#[derive(Debug, Clone, Default)]
pub struct ServerRows {
    /// Its name.
    pub server: String,
    /// Partitions whose grants are deleted, before anything is written.
    pub revoked: RevokedPartitions,
    /// New grants.
    pub changes: GrantChanges,
    /// Last contact, if it is worth writing.
    pub last_contact: Option<LastContact>,
    /// Warm keys, if they are worth writing.
    pub warm: Option<Vec<StoredWarmKey>>,
    /// Checks that confirm entries after a restart, if they changed.
    pub confirmations: Option<StoredConfirmations>,
}

impl StateDb {
    /// Opens the file in this directory, or creates it. A damaged or newer file is not touched.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(data_dir: &Path) -> Result<Self, StateError> {
        let path = data_dir.join(FILE);
        // Created with this mode, so that no other user can read it; SQLite gives its side files the same mode.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        inspect(&path)?;
        let mut db = reader::open(&path)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        if let Some(copy) = migrations::migrate(&mut db, &path, migrations::STEPS)? {
            tracing::info!(file = %path.display(), copy = %copy.display(), "the state was brought up to this version; a copy of the older one was kept");
        }
        let inode = std::fs::metadata(&path)?.ino();
        Ok(Self { db, path, inode })
    }

    /// Whether the file at this path is still the opened one.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|there| there.ino() == self.inode)
    }

    /// The state of a server, except times in the future: the clock was set back since.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, server: &str, now_ms: Timestamp) -> Result<StoredGrants, StateError> {
        let until_ms = rows::latest(now_ms);
        let hearing = rows::last_contact(&self.db, server)?;
        let (is_stranger, is_choosy) =
            (hearing.is_none(), hearing.as_ref().is_some_and(|one| one.is_partially_invalidated));
        let hearing = hearing.filter(|hearing| signed(hearing.last_response_ms.as_millis()) <= until_ms);
        Ok(StoredGrants {
            last_contact: LastContact { is_partially_invalidated: is_choosy, ..hearing.unwrap_or_default() },
            is_new: is_stranger,
            identities: rows::identities(&self.db, server, until_ms)?,
            images: rows::images(&self.db, server, now_ms, until_ms)?,
            warm: rows::warm(&self.db, server)?,
            confirmations: confirmations::read(&self.db, server, until_ms)?,
        })
    }

    /// Checks whether another version has changed the schema meanwhile.
    ///
    /// # Errors
    /// The schema is newer, or cannot be read.
    pub fn check_layout(&self) -> Result<(), StateError> {
        refuse_newer(migrations::schema_version(&self.db)?)
    }

    /// Refines a failure: if another version changed the schema, nothing is damaged.
    fn classify(&self, failing: StateError) -> StateError {
        match self.check_layout() {
            Err(newer) if newer.kind == StateErrorKind::Newer => newer,
            _ => failing,
        }
    }

    /// Writes all changes or none.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, pages: &[ServerRows], now_ms: Timestamp) -> Result<(), StateError> {
        self.try_write(pages, now_ms).map_err(|failing| self.classify(failing))
    }

    /// Writes only revocations.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_revocations(&mut self, pages: &[ServerRows]) -> Result<(), StateError> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for page in pages {
            write_revocation(&change, page)?;
        }
        Ok(change.commit()?)
    }

    fn try_write(&mut self, pages: &[ServerRows], now_ms: Timestamp) -> Result<(), StateError> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for page in pages {
            write_revocation(&change, page)?;
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
            if let Some(hearing) = &page.last_contact {
                rows::put_last_contact(&change, &page.server, hearing)?;
            }
            if let Some(warm) = &page.warm {
                rows::put_warm(&change, &page.server, warm)?;
            }
            if let Some(confirmations) = &page.confirmations {
                confirmations::replace(&change, &page.server, confirmations)?;
            }
        }
        Ok(change.commit()?)
    }

    /// Deletes what has expired.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn sweep(&mut self, now_ms: Timestamp) -> Result<(), StateError> {
        let gone_ms = signed(now_ms.saturating_sub(FORGET_AFTER).as_millis());
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute(
            "DELETE FROM image WHERE (identity, item) IN
                (SELECT identity, item FROM image WHERE at_ms < ?1 LIMIT ?2)",
            params![rows::image_end(now_ms), SWEEP_ROWS],
        )?;
        change.execute("DELETE FROM identity WHERE kept_ms < ?1", [gone_ms])?;
        // Earlier versions exchanged revocations in this table.
        change.execute("DELETE FROM refusal", [])?;
        change.commit()?;
        Ok(())
    }
}

/// Checks a file without changing it.
fn inspect(path: &Path) -> Result<(), StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    refuse_newer(migrations::schema_version(&db)?)?;
    migrations::check(&db)
}

fn refuse_newer(found: i64) -> Result<(), StateError> {
    let newest = migrations::latest_version();
    if found > newest {
        let message = format!("its layout is {found}, and this version knows layouts up to {newest}");
        return Err(StateError::new(StateErrorKind::Newer, message));
    }
    Ok(())
}

fn write_revocation(db: &Transaction<'_>, page: &ServerRows) -> Result<(), StateError> {
    if page.revoked.all {
        db.execute("DELETE FROM identity WHERE server = ?1", [&page.server])?;
        return Ok(());
    }
    let mut delete = db.prepare_cached("DELETE FROM identity WHERE server = ?1 AND partition = ?2")?;
    for partition in &page.revoked.partitions {
        delete.execute(params![page.server, partition])?;
    }
    Ok(())
}
