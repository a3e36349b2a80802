//! Making room in the store, in steps so small that nobody waits for one.

use rusqlite::{Connection, OptionalExtension, params};

use super::extent::{self, Size};
use super::layout::about;
use super::markers::{self, Clearing};
use super::memos;
use super::row::{hash_in, int, take_out};
use super::store::Store;
use super::trouble::Failing;

/// Rows that one sweep takes out at most, so that it is never long.
const SWEEP_ROWS: i64 = 500;
/// Rows that one sweep looks at for what was cleared: those of the others are many, and are looked at too.
const LOOKED_ROWS: i64 = 2_000;
/// A file that no row names is left alone for so long: another process may be about to write its row.
pub(super) const ORPHAN_AFTER_MS: u64 = 600_000;

/// How far the rows were looked through for what was cleared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walk {
    /// What markers up to this one cleared is taken out.
    done: u64,
    /// The newest marker that is looked for, and the last row that was looked at. A newer one begins anew: it concerns
    /// the rows before as well.
    newest: u64,
    pub(super) row: i64,
}

impl Store {
    /// Takes out some of what was cleared or has ended, then some of what was read longest ago while there is more
    /// than `max_bytes`, and gives some free pages back. True if there is more to do.
    pub(crate) fn sweep(&mut self, now_ms: u64, max_bytes: u64) -> Result<bool, Failing> {
        let mut files = Vec::new();
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let clearing = markers::clearing_after(&change, self.walk.done)?;
        let (mut gone, walk) = self.walk.on(&change, &clearing)?;
        let ended = "SELECT hash FROM entry WHERE error_until_ms <= ?1 LIMIT ?2";
        gone.extend(hashes(&change, ended, int(now_ms))?);
        let mut freed = Size::default();
        for hash in &gone {
            freed += take_out(&change, *hash, None, &mut files)?;
        }
        let ended = gone.len();
        let held_now = extent::held(&change)?.saturating_sub(freed.file_bytes.unsigned_abs());
        let booked = about(&change, "bytes")? - freed.bytes;
        let too_many = extent::excess(held_now, max_bytes, booked);
        if too_many > 0 {
            let oldest = "SELECT hash FROM entry WHERE used_ms <= ?1 ORDER BY used_ms LIMIT ?2";
            let mut taken = 0;
            for hash in hashes(&change, oldest, i64::MAX)? {
                if taken >= too_many {
                    break;
                }
                let one = take_out(&change, hash, None, &mut files)?;
                taken += one.bytes;
                freed += one;
                gone.push(hash);
            }
        }
        // Where nothing is to be done, nothing is written.
        if !gone.is_empty() {
            extent::grow(&change, Size::default() - freed)?;
        }
        markers::sweep(&change, now_ms)?;
        let memos = memos::sweep(&change, now_ms)?;
        change.commit()?;
        self.walk = walk;
        self.bodies.remove_all(&files);
        let is_chunk_full = ended as u64 >= SWEEP_ROWS.cast_unsigned() || memos >= memos::SWEEP_ROWS;
        let is_walking = walk.done < walk.newest;
        // How much rows take is known only when they are gone.
        let is_too_much = gone.len() > ended && extent::held(&self.db)? > max_bytes;
        Ok(extent::give_back(&self.db)? || is_chunk_full || is_walking || is_too_much)
    }

    /// Removes the bodies of one folder that no row names and that are older than a write takes.
    pub(crate) fn sweep_folder(&self, folder: u8, now_ms: u64) -> Result<u64, Failing> {
        let mut removed = 0;
        for (name, changed_ms) in self.bodies.in_folder(folder) {
            if changed_ms.saturating_add(ORPHAN_AFTER_MS) > now_ms {
                continue;
            }
            let named: Option<i64> = self
                .db
                .prepare_cached("SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2")?
                .query_row(params![hash_in(&name), name], |row| row.get(0))
                .optional()?;
            if named.is_none() {
                self.bodies.remove(&name);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl Walk {
    /// Some of what was cleared, of which nothing is ever used again, and how far that was looked for.
    fn on(mut self, db: &Connection, clearing: &[Clearing]) -> Result<(Vec<i64>, Self), Failing> {
        let mut found = Vec::new();
        let Some(newest) = clearing.last() else {
            // Whoever took out the last of it took out the marker.
            return Ok((found, Self { done: self.newest.max(self.done), ..self }));
        };
        if newest.seq != self.newest {
            self = Self { newest: newest.seq, row: 0, ..self };
        }
        let mut select =
            db.prepare_cached("SELECT id, hash, seen, key FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = select.query([self.row, LOOKED_ROWS])?;
        let mut looked = 0;
        while (found.len() as u64) < SWEEP_ROWS.cast_unsigned()
            && let Some(row) = rows.next()?
        {
            looked += 1;
            self.row = row.get(0)?;
            let (seen, key): (i64, _) = (row.get(2)?, row.get_ref(3)?);
            let key = key.as_str().map_err(rusqlite::Error::from)?;
            if clearing.iter().any(|one| seen < int(one.seq) && key.starts_with(&one.keys_begin)) {
                found.push(row.get(1)?);
            }
        }
        if looked < LOOKED_ROWS && (found.len() as u64) < SWEEP_ROWS.cast_unsigned() {
            self.done = self.newest;
        }
        Ok((found, self))
    }
}

fn hashes(db: &Connection, sql: &str, until: i64) -> Result<Vec<i64>, Failing> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([until, SWEEP_ROWS], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
