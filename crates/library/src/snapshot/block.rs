//! Compressed blocks of rows. A block is small enough for fast access to one row, and large enough to
//! compress what its rows have in common (an album, a folder).

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::row::{self, InvalidRow, RowReader};

/// Rows per block.
pub(super) const ROWS_PER_BLOCK: usize = 64;

/// Size in bytes at which a block is closed before it has all its rows.
const BLOCK_BYTES: usize = 256 * 1024;

/// Max uncompressed size of a block in bytes; a block that claims more is corrupt.
pub(super) const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// Largest item in bytes that is stored.
pub(super) const MAX_ROW_BYTES: usize = 32 * 1024 * 1024;

/// Compression level: a higher one costs more time than its memory savings are worth.
const COMPRESSION_LEVEL: i32 = 1;

thread_local! {
    /// One per thread, because creating one takes longer than decompressing a block.
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("allocate the zstd context"));
}

/// A compressed block of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Uncompressed size in bytes.
    pub(super) unpacked_bytes: u32,
    /// The compressed bytes.
    pub(super) packed: Box<[u8]>,
}

impl Block {
    /// Decompresses the rows; each is preceded by its length.
    pub(super) fn unpacked(&self) -> Result<Vec<u8>, InvalidRow> {
        let length = self.unpacked_bytes as usize;
        if length > MAX_BLOCK_BYTES {
            return Err(InvalidRow);
        }
        let unpacked = DECOMPRESSOR.with_borrow_mut(|unpacker| unpacker.decompress(&self.packed, length));
        unpacked.ok().filter(|bytes| bytes.len() == length).ok_or(InvalidRow)
    }
}

/// The rows of a decompressed block.
pub(super) fn rows(unpacked: &[u8]) -> impl Iterator<Item = Result<&[u8], InvalidRow>> {
    let mut from = RowReader(unpacked);
    std::iter::from_fn(move || {
        if from.0.is_empty() {
            return None;
        }
        let row = from.number().and_then(|length| from.bytes(length));
        if row.is_err() {
            from = RowReader(&[]);
        }
        Some(row)
    })
}

/// Compresses a sequence of rows into blocks.
pub(super) struct BlockWriter {
    compressor: Compressor<'static>,
    blocks: Vec<Block>,
    open: Vec<u8>,
    open_rows: usize,
    rows_per_block: usize,
}

impl std::fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

impl Default for BlockWriter {
    fn default() -> Self {
        Self::with_rows_per_block(ROWS_PER_BLOCK)
    }
}

impl BlockWriter {
    /// Creates a writer with this many rows per block.
    pub(super) fn with_rows_per_block(rows_per_block: usize) -> Self {
        Self {
            compressor: Compressor::new(COMPRESSION_LEVEL).expect("allocate the zstd context"),
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
        if self.open_rows == self.rows_per_block || self.open.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let packed = self.compressor.compress(&self.open).expect("the buffer has the maximum compressed size");
        let unpacked_bytes = u32::try_from(self.open.len()).expect("a block is smaller than 4 GiB");
        self.blocks.push(Block { unpacked_bytes, packed: packed.into_boxed_slice() });
        self.open.clear();
        self.open_rows = 0;
    }

    /// Closes the last block and returns all blocks since the last call.
    pub(super) fn take(&mut self) -> Vec<Block> {
        if self.open_rows > 0 {
            self.close();
        }
        std::mem::take(&mut self.blocks)
    }

    /// Finishes and returns all blocks.
    pub(super) fn finish(mut self) -> Vec<Block> {
        let mut blocks = self.take();
        blocks.shrink_to_fit();
        blocks
    }

    /// Memory use in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.open.capacity() + memory_bytes(&self.blocks)
    }
}

/// Memory use of the blocks in bytes.
pub(super) fn memory_bytes<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> usize {
    blocks.into_iter().map(|block| block.packed.len() + size_of::<Block>()).sum()
}
