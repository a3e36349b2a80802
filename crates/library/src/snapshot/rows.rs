//! All rows of a library, sorted by key: the content of a snapshot and of its file.

use super::block::{self, Block};
use super::key::{ItemKey, SortedKeys};
use super::row::{self, InvalidRow};
use crate::item::Item;

/// Compressed rows, sorted by key.
#[derive(Debug, Default)]
pub(super) struct SortedRows {
    blocks: Vec<Block>,
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
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
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
        RowIter { blocks: self.blocks.iter(), unpacked: Vec::new(), at: 0 }
    }

    /// Memory use in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        block::memory_bytes(&self.blocks) + self.starts.capacity() * 4 + self.keys.memory_bytes()
    }
}

/// Iterates over rows and decompresses each block once.
pub(super) struct RowIter<'a> {
    blocks: std::slice::Iter<'a, Block>,
    unpacked: Vec<u8>,
    at: usize,
}

impl RowIter<'_> {
    /// The bytes of the next row, validated before.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        while self.at == self.unpacked.len() {
            self.unpacked = self.blocks.next()?.unpacked().ok()?;
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
