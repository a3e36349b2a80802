//! Rows in packed blocks. A block is small enough that one row of it is read fast, and large enough that what its rows
//! have in common (an album, a folder) is packed away.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::row::{self, Broken, Reader};

/// Rows of a block.
pub(super) const ROWS_PER_BLOCK: usize = 64;

/// A block that has grown to this is closed before it has all its rows.
const FULL_BYTES: usize = 256 * 1024;

/// The most a block is when it is unpacked: one that claims more is damaged.
pub(super) const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// An item of more bytes than this is not kept.
pub(super) const MAX_ROW_BYTES: usize = 32 * 1024 * 1024;

/// Packing well costs more time than it saves memory.
const LEVEL: i32 = 1;

thread_local! {
    /// Made once per thread: making one takes longer than unpacking a block.
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for it"));
}

/// Some rows, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// How long it is when it is unpacked.
    pub(super) unpacked_bytes: u32,
    /// The packed bytes.
    pub(super) packed: Box<[u8]>,
}

impl Block {
    /// The bytes of its rows, each after its length.
    pub(super) fn unpacked(&self) -> Result<Vec<u8>, Broken> {
        let length = self.unpacked_bytes as usize;
        if length > MAX_BLOCK_BYTES {
            return Err(Broken);
        }
        let unpacked = DECOMPRESSOR.with_borrow_mut(|unpacker| unpacker.decompress(&self.packed, length));
        unpacked.ok().filter(|bytes| bytes.len() == length).ok_or(Broken)
    }
}

/// The rows of an unpacked block.
pub(super) fn rows(unpacked: &[u8]) -> impl Iterator<Item = Result<&[u8], Broken>> {
    let mut from = Reader(unpacked);
    std::iter::from_fn(move || {
        if from.0.is_empty() {
            return None;
        }
        let row = from.number().and_then(|length| from.bytes(length));
        if row.is_err() {
            from = Reader(&[]);
        }
        Some(row)
    })
}

/// Packs rows that come one after the other.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    blocks: Vec<Block>,
    open: Vec<u8>,
    open_rows: usize,
    rows_per_block: usize,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self::of(ROWS_PER_BLOCK)
    }
}

impl Packer {
    /// One that makes blocks of so many rows.
    pub(super) fn of(rows_per_block: usize) -> Self {
        Self {
            compressor: Compressor::new(LEVEL).expect("there is memory for it"),
            blocks: Vec::new(),
            open: Vec::new(),
            open_rows: 0,
            rows_per_block,
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &[u8]) {
        row::number(row.len() as u64, &mut self.open);
        self.open.extend_from_slice(row);
        self.open_rows += 1;
        if self.open_rows == self.rows_per_block || self.open.len() >= FULL_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let packed =
            self.compressor.compress(&self.open).expect("its room is reserved as large as it can get");
        let unpacked_bytes = u32::try_from(self.open.len()).expect("no row is larger than a quarter of this");
        self.blocks.push(Block { unpacked_bytes, packed: packed.into_boxed_slice() });
        self.open.clear();
        self.open_rows = 0;
    }

    /// All blocks.
    pub(super) fn finish(mut self) -> Vec<Block> {
        if self.open_rows > 0 {
            self.close();
        }
        self.blocks.shrink_to_fit();
        self.blocks
    }

    /// What it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.open.capacity() + memory_bytes(&self.blocks)
    }
}

/// What blocks take.
pub(super) fn memory_bytes(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.packed.len() + size_of::<Block>()).sum()
}
