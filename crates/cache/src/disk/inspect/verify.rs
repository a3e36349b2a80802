//! Checking a store: every row, every file, and the database as a whole.

use rusqlite::{OptionalExtension, Row};

use super::{CHUNK, Inspection, Reason, key_of};
use crate::disk::row::{COLUMNS, Raw, Torn, hash_in};
use crate::disk::sweep::ORPHAN_AFTER_MS;

/// Rows that are read in one go with their bodies.
const CHUNK_WITH_BODIES: i64 = 50;

/// What is damaged, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The row is not what was written.
    Torn(String),
    /// Its body is not there.
    NoBody(String),
    /// The database does not fit together.
    Database(String),
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were checked.
    pub rows: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// Files that no row names. They do no harm, and are removed in time.
    pub orphans: u64,
    /// Damaged rows that were taken out.
    pub repaired: u64,
}

impl Inspection {
    /// Checks every row and every file, and the database as a whole unless a cache has the store open (`others`).
    /// `progress` hears how many rows of how many are done. With `repair` damaged rows are taken out.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn verify(
        &self,
        repair: bool,
        others: bool,
        now_ms: u64,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Verified, Reason> {
        let mut verified = Verified::default();
        // It reads all of the file at once, and as long as it does no log ends.
        if !others {
            let word: String =
                self.try_to(|| Ok(self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
            if word != "ok" {
                verified.damage.push(Damage::Database(word));
            }
        }
        let of: i64 =
            self.try_to(|| Ok(self.db.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?))?;
        let mut torn = Vec::new();
        let sql = format!(
            "SELECT {COLUMNS}, id, hash FROM entry WHERE id > ?1 ORDER BY id LIMIT {CHUNK_WITH_BODIES}"
        );
        let mut after = -1;
        loop {
            let before = verified.rows;
            let mut suspects = Vec::new();
            self.try_to(|| {
                let mut select = self.db.prepare_cached(&sql)?;
                let mut rows = select.query([after])?;
                while let Some(row) = rows.next()? {
                    after = row.get("id")?;
                    verified.rows += 1;
                    match self.judge(row) {
                        Ok(length) => verified.bytes += length,
                        Err(_) => {
                            suspects.push(Torn { hash: row.get("hash")?, created: row.get("created")? });
                        }
                    }
                }
                Ok(())
            })?;
            for suspect in suspects {
                if let Some(damage) = self.damage(&suspect)? {
                    verified.damage.push(damage);
                    torn.push(suspect);
                }
            }
            if verified.rows == before {
                break;
            }
            progress(verified.rows, of.max(0).cast_unsigned());
        }
        verified.orphans = self.orphans(now_ms)?;
        if repair && !torn.is_empty() {
            verified.repaired = torn.len() as u64;
            for chunk in torn.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
                self.take_out(chunk, now_ms)?;
            }
        }
        Ok(verified)
    }

    /// What is damaged of a row, if it is still there: its file goes as soon as a newer one is written in its place.
    fn damage(&self, suspect: &Torn) -> Result<Option<Damage>, Reason> {
        self.try_to(|| {
            let sql = format!("SELECT {COLUMNS} FROM entry WHERE hash = ?1 AND created IS ?2");
            let mut select = self.db.prepare_cached(&sql)?;
            let judged = select
                .query_row(rusqlite::params![suspect.hash, suspect.created], |row| Ok(self.judge(row).err()));
            Ok(judged.optional()?.flatten())
        })
    }

    /// How long a row's body is, if all of it is what was written.
    fn judge(&self, row: &Row<'_>) -> Result<u64, Damage> {
        let whole: String = row.get("key").unwrap_or_else(|_| "a row without a key".into());
        let Some(key) = key_of(&whole) else { return Err(Damage::Torn(whole)) };
        let file: Option<String> = row.get("file").unwrap_or_default();
        match Raw::read(row).ok().and_then(|raw| raw.check(&key, &self.bodies)) {
            Some(found) => Ok(found.value.body.len() as u64),
            None if file.is_some_and(|file| !self.bodies.is_there(&file)) => Err(Damage::NoBody(whole)),
            None => Err(Damage::Torn(whole)),
        }
    }

    fn orphans(&self, now_ms: u64) -> Result<u64, Reason> {
        let mut orphans = 0;
        for folder in 0..=u8::MAX {
            for (name, changed_ms) in self.bodies.in_folder(folder) {
                if changed_ms.saturating_add(ORPHAN_AFTER_MS) > now_ms {
                    continue;
                }
                let named: Option<i64> = self.try_to(|| {
                    let sql = "SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2";
                    let mut select = self.db.prepare_cached(sql)?;
                    Ok(select
                        .query_row(rusqlite::params![hash_in(&name), name], |row| row.get(0))
                        .optional()?)
                })?;
                orphans += u64::from(named.is_none());
            }
        }
        Ok(orphans)
    }
}
