//! All rows of a library, sorted by key: the content of a snapshot and of its file.

use std::collections::HashSet;
use std::sync::Arc;

use super::block::{self, Block, BlockWriter};
use super::key::{ItemKey, SortedKeys};
use super::row::{self, InvalidRow};
use crate::item::{Item, ItemKind};

/// Compressed rows, sorted by key.
#[derive(Debug, Default)]
pub(super) struct SortedRows {
    /// Shared with the snapshot this one was made from, except for those with changed rows.
    blocks: Vec<Arc<Block>>,
    /// The first row of each block.
    starts: Vec<u32>,
    keys: SortedKeys,
}

impl SortedRows {
    /// Reads blocks once from end to end and calls `each` with every item and its row.
    ///
    /// # Errors
    /// [`InvalidRow`] if rows are not sorted, a key occurs twice, or a row is invalid.
    pub(super) fn read(blocks: Vec<Block>, mut each: impl FnMut(u32, &Item)) -> Result<Self, InvalidRow> {
        let blocks: Vec<Arc<Block>> = blocks.into_iter().map(Arc::new).collect();
        let mut rows = Self { starts: Vec::with_capacity(blocks.len()), blocks, keys: SortedKeys::default() };
        for block in &rows.blocks {
            let start = u32::try_from(rows.keys.len()).map_err(|_| InvalidRow)?;
            rows.starts.push(start);
            let unpacked = block.unpacked()?;
            for (row, bytes) in (start..=u32::MAX).zip(block::rows(&unpacked)) {
                let item = row::read(bytes?)?;
                if !rows.keys.push(ItemKey::parse(&item.key)) {
                    return Err(InvalidRow);
                }
                each(row, &item);
            }
        }
        rows.keys.shrink();
        Ok(rows)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The compressed blocks.
    pub(super) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// The rows without those with the keys in `gone`, and with these; only the blocks of changed rows are compressed
    /// again. An added row with a key of this list must be in `gone`, too.
    pub(super) fn patched(&self, gone: &HashSet<ItemKey>, came: &[(ItemKey, Vec<u8>)]) -> PatchedRows {
        let mut removed: Vec<u32> = gone.iter().filter_map(|key| self.keys.row_of(key)).collect();
        removed.sort_unstable();
        let before: Vec<u32> = came.iter().map(|(key, _)| self.keys.count_before(key)).collect();
        let mut next = Self { keys: self.keys_patched(&removed, came, &before), ..Self::default() };
        let mut patch = PatchedRows { rows: Self::default(), removed: Vec::new(), added: Vec::new() };
        let mut writer = BlockWriter::with_rows_per_block(MAX_PATCHED_BLOCK_ROWS);
        let (mut at_removed, mut at_came, mut row) = (0, 0, 0_u32);
        let count = self.blocks.len().max(1);
        for block in 0..count {
            let (start, end) = self.block_rows(block);
            let is_last = block + 1 == count;
            let removed_here = removed[at_removed..].partition_point(|row| *row < end);
            let came_here = before[at_came..].partition_point(|at| *at < end || is_last);
            if removed_here == 0 && came_here == 0 {
                if let Some(shared) = self.blocks.get(block) {
                    next.starts.push(row);
                    next.blocks.push(Arc::clone(shared));
                }
                row += end - start;
                continue;
            }
            let unpacked = self.blocks.get(block).and_then(|block| block.unpacked().ok()).unwrap_or_default();
            let mut came_until = |old: u32, at_came: &mut usize, row: &mut u32, writer: &mut BlockWriter| {
                while before.get(*at_came).is_some_and(|at| *at <= old) {
                    writer.push(&came[*at_came].1);
                    patch.added.push(*row);
                    *at_came += 1;
                    *row += 1;
                }
            };
            let first = row;
            for (old, bytes) in (start..end).zip(block::rows(&unpacked)) {
                came_until(old, &mut at_came, &mut row, &mut writer);
                let Ok(bytes) = bytes else { continue };
                if removed.get(at_removed) == Some(&old) {
                    at_removed += 1;
                    patch.removed.extend(row::read(bytes).ok().map(|item| (old, item.kind)));
                } else {
                    writer.push(bytes);
                    row += 1;
                }
            }
            if is_last {
                came_until(end, &mut at_came, &mut row, &mut writer);
            }
            next.push_blocks(writer.take(), first);
        }
        debug_assert_eq!(row as usize, next.keys.len(), "each key has a row");
        PatchedRows { rows: next, ..patch }
    }

    fn push_blocks(&mut self, blocks: Vec<Block>, mut first: u32) {
        for block in blocks {
            let unpacked = block.unpacked().expect("decompress a block that was compressed here");
            self.starts.push(first);
            first += u32::try_from(block::rows(&unpacked).count()).unwrap_or(u32::MAX);
            self.blocks.push(Arc::new(block));
        }
    }

    fn keys_patched(&self, removed: &[u32], came: &[(ItemKey, Vec<u8>)], before: &[u32]) -> SortedKeys {
        let mut keys = SortedKeys::default();
        keys.reserve_as(&self.keys);
        let (mut removed, mut came) = (removed.iter().peekable(), came.iter().zip(before).peekable());
        let count = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        for row in 0..=count {
            while let Some(((key, _), _)) = came.next_if(|(_, at)| **at <= row) {
                keys.push(key.clone());
            }
            if removed.next_if_eq(&&row).is_none()
                && let Some(key) = self.keys.at(row)
            {
                keys.push(key);
            }
        }
        keys.shrink();
        keys
    }

    /// The first row of a block, and the one after its last.
    fn block_rows(&self, block: usize) -> (u32, u32) {
        let count = || u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let start = |block: usize| self.starts.get(block).copied().unwrap_or_else(count);
        (start(block), start(block + 1))
    }

    /// The row of the item with this key.
    pub(super) fn row_of(&self, key: &ItemKey) -> Option<u32> {
        self.keys.row_of(key)
    }

    /// The key of a row.
    pub(super) fn key_at(&self, row: u32) -> Option<ItemKey> {
        self.keys.at(row)
    }

    /// The item of a row.
    pub(super) fn item(&self, row: u32) -> Option<Item> {
        let block = self.starts.partition_point(|start| *start <= row).checked_sub(1)?;
        let unpacked = self.blocks[block].unpacked().ok()?;
        let bytes = block::rows(&unpacked).nth((row - self.starts[block]) as usize)?.ok()?;
        row::read(bytes).ok()
    }

    /// Calls `each` with the items of some rows, which must be sorted and unique. Each block is decompressed
    /// once, however many of its rows are requested.
    pub(super) fn items_at(&self, rows: &[u32], mut each: impl FnMut(u32, Item)) {
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let Some(block) = self.starts.partition_point(|start| start <= first).checked_sub(1) else {
                return;
            };
            let end = self.starts.get(block + 1).copied().unwrap_or(u32::MAX);
            let (here, further) = rest.split_at(rest.partition_point(|row| *row < end).max(1));
            rest = further;
            let Ok(unpacked) = self.blocks[block].unpacked() else { continue };
            let mut wanted = here.iter().peekable();
            for (row, bytes) in (self.starts[block]..end).zip(block::rows(&unpacked)) {
                if wanted.next_if_eq(&&row).is_some()
                    && let Ok(item) = bytes.and_then(row::read)
                {
                    each(row, item);
                }
            }
        }
    }

    /// The bytes of every row, in order.
    pub(super) fn iter_rows(&self) -> RowIter<'_> {
        RowIter { rows: self, next_block: 0, unpacked: Vec::new(), at: 0 }
    }

    /// Memory use in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        block::memory_bytes(self.blocks.iter().map(AsRef::as_ref))
            + self.starts.capacity() * 4
            + self.keys.memory_bytes()
    }
}

/// Rows per block that is compressed again; more make another block.
const MAX_PATCHED_BLOCK_ROWS: usize = 2 * block::ROWS_PER_BLOCK;

/// Rows made from others.
#[derive(Debug)]
pub(super) struct PatchedRows {
    pub(super) rows: SortedRows,
    /// Rows of the others that are not in these, with their kinds, in order.
    pub(super) removed: Vec<(u32, ItemKind)>,
    /// Rows that were added, in order.
    pub(super) added: Vec<u32>,
}

/// Skips the block before which two iterators stand, if they share it. Returns its number of rows.
pub(super) fn skip_shared(one: &mut RowIter<'_>, other: &mut RowIter<'_>) -> Option<u32> {
    if one.at != one.unpacked.len() || other.at != other.unpacked.len() {
        return None;
    }
    let (block, twin) = (one.rows.blocks.get(one.next_block)?, other.rows.blocks.get(other.next_block)?);
    if !Arc::ptr_eq(block, twin) {
        return None;
    }
    let (start, end) = one.rows.block_rows(one.next_block);
    one.next_block += 1;
    other.next_block += 1;
    Some(end - start)
}

/// Iterates over rows and decompresses each block once.
pub(super) struct RowIter<'a> {
    rows: &'a SortedRows,
    next_block: usize,
    unpacked: Vec<u8>,
    at: usize,
}

impl RowIter<'_> {
    /// The bytes of the next row, validated before.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        while self.at == self.unpacked.len() {
            self.unpacked = self.rows.blocks.get(self.next_block)?.unpacked().ok()?;
            self.next_block += 1;
            self.at = 0;
        }
        let mut from = row::RowReader(&self.unpacked[self.at..]);
        let length = from.number().ok()?;
        let row = from.bytes(length).ok()?;
        self.at = self.unpacked.len() - from.0.len();
        Some(row)
    }

    /// The next item.
    pub(super) fn next_item(&mut self) -> Option<Item> {
        row::read(self.next()?).ok()
    }
}
