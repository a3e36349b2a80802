//! How much the store holds, and how it shrinks: pages in use and files are counted, what rows take is booked, and free
//! pages are given back in small steps.

use rusqlite::{Connection, params};

use super::layout::about;
use super::trouble::Failing;

/// Free pages that are given back at a time, and how many of all pages are kept for what comes.
const FREE_PAGES: u64 = 64;
const FREE_SHARE: u64 = 4;

/// What rows take.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// All of it, about.
    pub(super) bytes: i64,
    /// In files of their own, exactly.
    pub(super) file_bytes: i64,
}

impl std::ops::Sub for Size {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { bytes: self.bytes - other.bytes, file_bytes: self.file_bytes - other.file_bytes }
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.file_bytes += other.file_bytes;
    }
}

impl std::ops::SubAssign for Size {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Books what came or went.
pub(super) fn grow(db: &Connection, by: Size) -> Result<(), Failing> {
    for (name, bytes) in [("bytes", by.bytes), ("file_bytes", by.file_bytes)] {
        if bytes != 0 {
            db.prepare_cached("UPDATE about SET value = value + ?1 WHERE name = ?2")?
                .execute(params![bytes, name])?;
        }
    }
    Ok(())
}

/// How much is to be taken out of what is `booked` until what is really `held` is within `max_bytes`.
pub(super) fn excess(held: u64, max_bytes: u64, booked: i64) -> i64 {
    let (over, booked) = (held.saturating_sub(max_bytes), booked.max(0).cast_unsigned());
    let excess = u128::from(over) * u128::from(booked) / u128::from(held.max(1));
    i64::try_from(excess).unwrap_or(i64::MAX).saturating_add(i64::from(over > 0))
}

/// Pages in use, and bodies in files.
pub(super) fn held(db: &Connection) -> Result<u64, Failing> {
    let used = pages(db, "page_count")?.saturating_sub(pages(db, "freelist_count")?);
    Ok(used * pages(db, "page_size")? + about(db, "file_bytes")?.max(0).cast_unsigned())
}

/// Whether the file has no page yet.
pub(super) fn is_empty(db: &Connection) -> Result<bool, Failing> {
    Ok(pages(db, "page_count")? == 0)
}

fn pages(db: &Connection, which: &str) -> Result<u64, Failing> {
    Ok(db.pragma_query_value(None, which, |row| row.get::<_, i64>(0))?.max(0).cast_unsigned())
}

/// Gives some free pages back to the file system, if they are many. True if they still are.
pub(super) fn give_back(db: &Connection) -> Result<bool, Failing> {
    let (all, free) = (pages(db, "page_count")?, pages(db, "freelist_count")?);
    if free < FREE_PAGES || free < all / FREE_SHARE {
        return Ok(false);
    }
    db.execute_batch(&format!("PRAGMA incremental_vacuum({FREE_PAGES})"))?;
    Ok(pages(db, "freelist_count")? < free)
}
