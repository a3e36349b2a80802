//! Verifies a store: every row, every file, and the database as a whole.

use crate::timestamp::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{CHUNK, InspectError, Inspection};
use crate::disk::eviction::ORPHAN_AFTER;
use crate::disk::row::{COLUMNS, CorruptRow, RawRow, hash_in};
use crate::disk::scope_codec::decode_key;

/// Rows read at a time with their bodies.
const CHUNK_WITH_BODIES: i64 = 50;

/// Damage in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreDamage {
    /// The row of this encoded key is corrupt.
    CorruptRow(String),
    /// The body file of the row of this encoded key is missing.
    MissingBody(String),
    /// The database is inconsistent, as described by SQLite.
    Database(String),
}

/// Result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows checked.
    pub rows: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Damage found.
    pub damage: Vec<StoreDamage>,
    /// Files that no row references. Harmless, and removed in time.
    pub orphans: u64,
    /// Damaged rows removed.
    pub repaired: u64,
}

impl Inspection {
    /// Checks every row and every file, and the database as a whole unless a cache has the store open (`is_in_use`).
    /// `progress` receives the number of checked rows and their total. With `repair` damaged rows are removed.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn verify(
        &self,
        repair: bool,
        is_in_use: bool,
        now_ms: Timestamp,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<VerifyReport, InspectError> {
        let mut report = VerifyReport::default();
        // The check reads the whole file in one transaction, during which the log cannot be truncated.
        if !is_in_use {
            let result: String =
                self.try_to(|| Ok(self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
            if result != "ok" {
                report.damage.push(StoreDamage::Database(result));
            }
        }
        let total: i64 =
            self.try_to(|| Ok(self.db.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?))?;
        let mut corrupt = Vec::new();
        let sql = format!("SELECT {COLUMNS}, id, hash FROM entry WHERE id > ?1 ORDER BY id LIMIT {CHUNK_WITH_BODIES}");
        let mut after = -1;
        loop {
            let rows_before = report.rows;
            let mut suspects = Vec::new();
            self.try_to(|| {
                let mut select = self.db.prepare_cached(&sql)?;
                let mut rows = select.query([after])?;
                while let Some(row) = rows.next()? {
                    after = row.get("id")?;
                    report.rows += 1;
                    match self.check_body(row) {
                        Ok(length) => report.bytes += length,
                        Err(_) => {
                            suspects.push(CorruptRow { hash: row.get("hash")?, created: row.get("created")? });
                        }
                    }
                }
                Ok(())
            })?;
            for suspect in suspects {
                if let Some(damage) = self.damage(&suspect)? {
                    report.damage.push(damage);
                    corrupt.push(suspect);
                }
            }
            if report.rows == rows_before {
                break;
            }
            progress(report.rows, total.max(0).cast_unsigned());
        }
        report.orphans = self.orphans(now_ms)?;
        if repair && !corrupt.is_empty() {
            report.repaired = corrupt.len() as u64;
            for chunk in corrupt.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
                self.delete_rows(chunk, now_ms)?;
            }
        }
        Ok(report)
    }

    /// The damage of a suspect row that is still there. A row that was replaced meanwhile may have looked damaged only
    /// because its file was removed with it.
    fn damage(&self, suspect: &CorruptRow) -> Result<Option<StoreDamage>, InspectError> {
        self.try_to(|| {
            let sql = format!("SELECT {COLUMNS} FROM entry WHERE hash = ?1 AND created IS ?2");
            let mut select = self.db.prepare_cached(&sql)?;
            let damage = select
                .query_row(rusqlite::params![suspect.hash, suspect.created], |row| Ok(self.check_body(row).err()));
            Ok(damage.optional()?.flatten())
        })
    }

    /// Length of a row's body, if it is intact.
    fn check_body(&self, row: &Row<'_>) -> Result<u64, StoreDamage> {
        let key_text: String = row.get("key").unwrap_or_else(|_| "a row without a key".into());
        let Some(key) = decode_key(&key_text) else { return Err(StoreDamage::CorruptRow(key_text)) };
        let file: Option<String> = row.get("file").unwrap_or_default();
        match RawRow::read(row).ok().and_then(|raw| raw.check(&key, &self.bodies)) {
            Some(found) => Ok(found.value.body.len() as u64),
            None if file.is_some_and(|file| !self.bodies.exists(&file)) => Err(StoreDamage::MissingBody(key_text)),
            None => Err(StoreDamage::CorruptRow(key_text)),
        }
    }

    fn orphans(&self, now_ms: Timestamp) -> Result<u64, InspectError> {
        let mut orphans = 0;
        for folder in 0..=u8::MAX {
            for (name, modified_ms) in self.bodies.list_folder(folder) {
                if modified_ms.saturating_add(ORPHAN_AFTER) > now_ms {
                    continue;
                }
                let referenced: Option<i64> = self.try_to(|| {
                    let sql = "SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2";
                    let mut select = self.db.prepare_cached(sql)?;
                    Ok(select.query_row(rusqlite::params![hash_in(&name), name], |row| row.get(0)).optional()?)
                })?;
                orphans += u64::from(referenced.is_none());
            }
        }
        Ok(orphans)
    }
}
