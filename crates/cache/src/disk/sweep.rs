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
/// A file that no row names is left alone for so long: another process may be about to write its row.
pub(super) const ORPHAN_AFTER_MS: u64 = 600_000;

impl Store {
    /// Takes out some of what was cleared or has ended, then some of what was read longest ago while there is more
    /// than `max_bytes`, and gives some free pages back. True if there is more to do.
    pub(crate) fn sweep(&mut self, now_ms: u64, max_bytes: u64) -> Result<bool, Failing> {
        let mut files = Vec::new();
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let clearing = markers::clearing_after(&change, self.cleared)?;
        let mut gone = cleared(&change, &clearing)?;
        let is_cleared = (gone.len() as u64) < SWEEP_ROWS.cast_unsigned();
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
        if let Some(newest) = clearing.last().filter(|_| is_cleared) {
            self.cleared = newest.seq;
        }
        self.bodies.remove_all(&files);
        let is_chunk_full = ended as u64 >= SWEEP_ROWS.cast_unsigned() || memos >= memos::SWEEP_ROWS;
        // How much rows take is known only when they are gone.
        let is_too_much = gone.len() > ended && extent::held(&self.db)? > max_bytes;
        Ok(extent::give_back(&self.db)? || is_chunk_full || is_too_much)
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

/// Some of what was cleared: nothing of it is ever used again.
fn cleared(db: &Connection, clearing: &[Clearing]) -> Result<Vec<i64>, Failing> {
    let sql = "SELECT hash FROM entry WHERE seen < ?1 AND substr(key, 1, length(?2)) = ?2 LIMIT ?3";
    let mut all = Vec::new();
    for one in clearing {
        let room = SWEEP_ROWS - int(all.len() as u64);
        let mut select = db.prepare_cached(sql)?;
        let rows = select.query_map(params![int(one.seq), one.keys_begin, room], |row| row.get(0))?;
        for hash in rows {
            all.push(hash?);
        }
    }
    Ok(all)
}

fn hashes(db: &Connection, sql: &str, until: i64) -> Result<Vec<i64>, Failing> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([until, SWEEP_ROWS], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
