//! Size of the store: used pages and files are measured, sizes of rows are estimated and summed, and free pages are
//! returned in small steps.

use rusqlite::{Connection, params};

use super::error::StorageError;
use super::schema::about;

/// Free pages returned to the file system at a time.
const FREE_PAGES: u64 = 64;
/// Free pages are kept for reuse while they are fewer than one page in this many.
const FREE_SHARE: u64 = 4;

/// Size of rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSize {
    /// Approximate total, body files included.
    pub(super) bytes: i64,
    /// Exact size of body files.
    pub(super) file_bytes: i64,
}

impl std::ops::Sub for RowSize {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { bytes: self.bytes - other.bytes, file_bytes: self.file_bytes - other.file_bytes }
    }
}

impl std::ops::AddAssign for RowSize {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.file_bytes += other.file_bytes;
    }
}

impl std::ops::SubAssign for RowSize {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Adds to the store's totals of row sizes.
pub(super) fn add_usage(db: &Connection, by: RowSize) -> Result<(), StorageError> {
    for (name, bytes) in [("bytes", by.bytes), ("file_bytes", by.file_bytes)] {
        if bytes != 0 {
            db.prepare_cached("UPDATE about SET value = value + ?1 WHERE name = ?2")?.execute(params![bytes, name])?;
        }
    }
    Ok(())
}

/// Number of the `recorded` bytes (estimated sizes of all rows) to remove so that the `used` bytes (measured) fall to
/// `max_bytes`.
pub(super) fn excess(used: u64, max_bytes: u64, recorded: i64) -> i64 {
    let (over, recorded) = (used.saturating_sub(max_bytes), recorded.max(0).cast_unsigned());
    let excess = u128::from(over) * u128::from(recorded) / u128::from(used.max(1));
    i64::try_from(excess).unwrap_or(i64::MAX).saturating_add(i64::from(over > 0))
}

/// Bytes of used pages and body files.
pub(super) fn used_bytes(db: &Connection) -> Result<u64, StorageError> {
    let used_pages = pages(db, "page_count")?.saturating_sub(pages(db, "freelist_count")?);
    Ok(used_pages * pages(db, "page_size")? + about(db, "file_bytes")?.max(0).cast_unsigned())
}

/// Bytes of all pages, free ones among them, and of body files.
pub(super) fn total_bytes(db: &Connection) -> Result<u64, StorageError> {
    let pages_bytes = pages(db, "page_count")? * pages(db, "page_size")?;
    Ok(pages_bytes + about(db, "file_bytes")?.max(0).cast_unsigned())
}

/// Whether the file has no page yet.
pub(super) fn is_empty(db: &Connection) -> Result<bool, StorageError> {
    Ok(pages(db, "page_count")? == 0)
}

fn pages(db: &Connection, name: &str) -> Result<u64, StorageError> {
    Ok(db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?.max(0).cast_unsigned())
}

/// Returns some free pages to the file system, if there are many or the files are above the limit. True if it did,
/// because there may be more to return.
pub(super) fn vacuum_step(db: &Connection, max_bytes: u64) -> Result<bool, StorageError> {
    let (all, free) = (pages(db, "page_count")?, pages(db, "freelist_count")?);
    let is_much = free >= FREE_PAGES && free >= all / FREE_SHARE;
    if !is_much && (free == 0 || total_bytes(db)? <= max_bytes) {
        return Ok(false);
    }
    db.execute_batch(&format!("PRAGMA incremental_vacuum({FREE_PAGES})"))?;
    Ok(pages(db, "freelist_count")? < free)
}
