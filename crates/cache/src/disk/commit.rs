//! How a batch becomes one transaction: large bodies in their files first, then the rows that name them.

use rusqlite::{OptionalExtension, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::batch::{Batch, Written};
use super::bodies::Bodies;
use super::extent::{self, Size};
use super::row::{Packing, count, int, put, take_out, take_out_torn};
use super::store::Store;
use super::trouble::{Failing, Trouble};
use super::{markers, memos};

impl Store {
    /// Writes a batch as one transaction. An entry that cannot be written is counted; the others are.
    pub(crate) fn write(&mut self, batch: &Batch, origin: i64, now_ms: u64) -> Result<Written, Failing> {
        let (mut written, mut packed) = (Written::default(), Vec::new());
        let done = self
            .pack(batch, now_ms, &mut packed, &mut written)
            .and_then(|()| self.commit(batch, &packed, origin, now_ms, &mut written));
        match done {
            Ok(()) => Ok(written),
            Err(failing) => {
                // What waits for its turn only comes again, with the same files.
                if failing.trouble != Trouble::Locked {
                    let made = packed.into_iter().filter(|row| !row.is_reused);
                    self.bodies.remove_all(&made.filter_map(|row| row.file).collect::<Vec<_>>());
                }
                Err(failing)
            }
        }
    }

    fn commit(
        &mut self,
        batch: &Batch,
        packed: &[Packing],
        origin: i64,
        now_ms: u64,
        written: &mut Written,
    ) -> Result<(), Failing> {
        let mut replaced = Vec::new();
        let seed = self.seed;
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut grown = Size::default();
        for mark in &batch.marks {
            markers::place(&change, mark, origin, now_ms)?;
        }
        if !batch.marks.is_empty() {
            markers::fold(&change, self.max_markers)?;
        }
        let floor = markers::floor(&change)?;
        for (key, than) in &batch.removals {
            let hash = xxh3_64_with_seed(key.whole().as_bytes(), seed).cast_signed();
            grown -= take_out(&change, hash, Some(*than), &mut replaced)?;
        }
        for (key, memo) in &batch.memos {
            let hash = xxh3_64_with_seed(key.whole().as_bytes(), seed).cast_signed();
            memos::write(&change, hash, key, memo)?;
        }
        for torn in &batch.torn {
            grown -= take_out_torn(&change, torn, &mut replaced)?;
        }
        for hash in &batch.used {
            change
                .prepare_cached("UPDATE entry SET used_ms = ?2 WHERE hash = ?1")?
                .execute(params![hash, int(now_ms)])?;
        }
        for row in packed {
            // A marker that it did not know may have been swept.
            let put = if row.seen < floor { Ok(None) } else { put(&change, row, &mut replaced) };
            match put {
                Ok(Some(more)) => {
                    grown += more;
                    written.stored += 1;
                }
                Ok(None) => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    written.outdated += 1;
                }
                // Where the whole transaction is gone, so are the others.
                Err(failing) if failing.trouble == Trouble::Failing && !change.is_autocommit() => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    written.failed += 1;
                }
                Err(failing) => return Err(failing),
            }
        }
        let stamps = batch.offers.iter().map(|offer| offer.entry.created());
        let newest = stamps.chain(batch.marks.iter().map(|mark| mark.stamp)).max().unwrap_or_default();
        change
            .prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'stamp'")?
            .execute([newest.raw().cast_signed()])?;
        extent::grow(&change, grown)?;
        change.commit()?;
        self.bodies.remove_all(&replaced);
        Ok(())
    }

    /// Packs what is offered, and writes large bodies to their files.
    fn pack(
        &self,
        batch: &Batch,
        now_ms: u64,
        rows: &mut Vec<Packing>,
        written: &mut Written,
    ) -> Result<(), Failing> {
        rows.reserve(batch.offers.len());
        for offer in &batch.offers {
            let Some(mut row) = Packing::of(offer, self.hash(&offer.key), now_ms) else {
                written.failed += 1;
                continue;
            };
            if row.body.bytes.len() > self.file_above {
                let hash = xxh3_64(&row.body.bytes).cast_signed();
                (row.file_bytes, row.file_hash) = (count(row.body.bytes.len()), Some(hash));
                let is_going =
                    batch.takes_out(&row.key) || batch.torn.iter().any(|torn| torn.hash == row.hash);
                if let (false, Some(name)) = (is_going, self.same_file(&row)?) {
                    (row.file, row.is_reused) = (Some(name), true);
                    rows.push(row);
                    continue;
                }
                let name = Bodies::name(row.hash, offer.entry.created());
                match self.bodies.write(&name, &row.body.bytes).map_err(Failing::from) {
                    Ok(()) => row.file = Some(name),
                    Err(failing) if failing.trouble == Trouble::Failing => {
                        written.failed += 1;
                        continue;
                    }
                    Err(failing) => return Err(failing),
                }
            }
            rows.push(row);
        }
        Ok(())
    }

    /// The file of the row that is to be replaced, if it holds the very same bytes: then only the row is written.
    fn same_file(&self, row: &Packing) -> Result<Option<String>, Failing> {
        let sql = "SELECT file FROM entry WHERE hash = ?1 AND file_hash = ?2 AND file_bytes = ?3";
        let mut select = self.db.prepare_cached(sql)?;
        let same = select.query_row(params![row.hash, row.file_hash, row.file_bytes], |row| row.get(0));
        let same: Option<String> = same.optional()?.flatten();
        Ok(same.filter(|name| self.bodies.length(name) == Some(row.file_bytes.unsigned_abs())))
    }
}
