//! All rows of a library in the order of their keys: what a snapshot is made of, and what its file holds.

use super::key::{Key, Keys};
use super::pack::{self, Block};
use super::row::{self, Broken};
use crate::item::Item;

/// Packed rows, sorted by key.
#[derive(Debug, Default)]
pub(super) struct Rows {
    blocks: Vec<Block>,
    /// The row each block begins with.
    starts: Vec<u32>,
    keys: Keys,
}

impl Rows {
    /// Reads blocks once from end to end; `each` sees every item with its row. [`Broken`] if they are not sorted, if a
    /// key comes twice, or if something is not a row.
    pub(super) fn read(blocks: Vec<Block>, mut each: impl FnMut(u32, &Item)) -> Result<Self, Broken> {
        let mut rows = Self { starts: Vec::with_capacity(blocks.len()), blocks, keys: Keys::default() };
        for block in &rows.blocks {
            let start = u32::try_from(rows.keys.len()).map_err(|_| Broken)?;
            rows.starts.push(start);
            let unpacked = block.unpacked()?;
            for (row, bytes) in (start..=u32::MAX).zip(pack::rows(&unpacked)) {
                let item = row::read(bytes?)?;
                if !rows.keys.push(Key::of(&item.key)) {
                    return Err(Broken);
                }
                each(row, &item);
            }
        }
        rows.keys.shrink();
        Ok(rows)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The blocks they are packed in.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Where the item with this key is.
    pub(super) fn row_of(&self, key: &Key) -> Option<u32> {
        self.keys.row_of(key)
    }

    /// The key of a row.
    pub(super) fn key_at(&self, row: u32) -> Option<Key> {
        self.keys.at(row)
    }

    /// The item of a row.
    pub(super) fn item(&self, row: u32) -> Option<Item> {
        let block = self.starts.partition_point(|start| *start <= row).checked_sub(1)?;
        let unpacked = self.blocks[block].unpacked().ok()?;
        let bytes = pack::rows(&unpacked).nth((row - self.starts[block]) as usize)?.ok()?;
        row::read(bytes).ok()
    }

    /// The items of some rows, which are sorted and come once each. A block is unpacked once, however many of its rows
    /// are wanted.
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
            for (row, bytes) in (self.starts[block]..end).zip(pack::rows(&unpacked)) {
                if wanted.next_if_eq(&&row).is_some()
                    && let Ok(item) = bytes.and_then(row::read)
                {
                    each(row, item);
                }
            }
        }
    }

    /// Every row's bytes, in order.
    pub(super) fn walk(&self) -> Walk<'_> {
        Walk { blocks: self.blocks.iter(), unpacked: Vec::new(), at: 0 }
    }

    /// What they take.
    pub(super) fn memory_bytes(&self) -> usize {
        pack::memory_bytes(&self.blocks) + self.starts.capacity() * 4 + self.keys.memory_bytes()
    }
}

/// Goes through rows, unpacking each block once.
pub(super) struct Walk<'a> {
    blocks: std::slice::Iter<'a, Block>,
    unpacked: Vec<u8>,
    at: usize,
}

impl Walk<'_> {
    /// The bytes of the next row. They were read before, so they are whole.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        while self.at == self.unpacked.len() {
            self.unpacked = self.blocks.next()?.unpacked().ok()?;
            self.at = 0;
        }
        let mut from = row::Reader(&self.unpacked[self.at..]);
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
