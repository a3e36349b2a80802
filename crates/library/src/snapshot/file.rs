//! File format of a snapshot: a magic number, the version, the length, the blocks, and a digest of all that.
//!
//! It is read whole or not at all. The digest detects truncated and changed files; reading every row before
//! the snapshot is returned detects intact files that are no valid snapshot.

use std::fmt;
use std::io::{self, Write};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Snapshot;
use super::block::{Block, MAX_BLOCK_BYTES};

/// Magic number at the beginning of a file.
const MAGIC: &[u8; 16] = b"greenroom shelf\n";

/// Version of the layout, the only one that is read: a snapshot of another version is rebuilt from the
/// server.
const VERSION: u32 = 1;

/// Size of the digest at the end, in bytes.
const DIGEST_BYTES: usize = 8;

/// Reason for not reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotDecodeError {
    /// It is no snapshot file.
    Foreign,
    /// It has another version.
    Version(u32),
    /// The digest does not match: the file was truncated or changed.
    Digest,
    /// The digest matches, but the content is no valid snapshot.
    Rows,
}

impl fmt::Display for SnapshotDecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("this is not a snapshot of a library"),
            Self::Version(version) => {
                write!(f, "the snapshot has version {version}; this program reads version {VERSION}")
            }
            Self::Digest => f.write_str("the snapshot was truncated or changed"),
            Self::Rows => f.write_str("the snapshot contains invalid rows"),
        }
    }
}

impl std::error::Error for SnapshotDecodeError {}

impl Snapshot {
    /// Writes the snapshot as a file. The same items give the same bytes.
    pub fn encode(&self, to: &mut impl Write) -> io::Result<()> {
        let mut to = DigestWriter { to, digest: Xxh3::new() };
        to.write_all(MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        let blocks = self.rows.blocks();
        to.write_all(&(blocks.len() as u64).to_le_bytes())?;
        for block in blocks {
            to.write_all(&block.unpacked_bytes.to_le_bytes())?;
            to.write_all(&(block.packed.len() as u64).to_le_bytes())?;
            to.write_all(&block.packed)?;
        }
        let digest = to.digest.digest();
        to.to.write_all(&digest.to_le_bytes())
    }

    /// Reads a whole file and rebuilds all indexes.
    pub fn decode(file: &[u8]) -> Result<Self, SnapshotDecodeError> {
        let rest = file.strip_prefix(MAGIC).ok_or(SnapshotDecodeError::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(SnapshotDecodeError::Digest)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(SnapshotDecodeError::Version(version));
        }
        let (rest, digest) = rest.split_last_chunk::<DIGEST_BYTES>().ok_or(SnapshotDecodeError::Digest)?;
        if xxh3_64(&file[..file.len() - DIGEST_BYTES]) != u64::from_le_bytes(*digest) {
            return Err(SnapshotDecodeError::Digest);
        }
        let blocks = blocks(rest).ok_or(SnapshotDecodeError::Rows)?;
        Self::read(blocks).map_err(|_| SnapshotDecodeError::Rows)
    }
}

fn blocks(mut rest: &[u8]) -> Option<Vec<Block>> {
    let count = u64::from_le_bytes(*taken(&mut rest)?);
    // Reserves no more than the file can hold.
    let mut blocks = Vec::with_capacity(usize::try_from(count).ok()?.min(rest.len() / 12));
    for _ in 0..count {
        let unpacked_bytes = u32::from_le_bytes(*taken(&mut rest)?);
        let length = usize::try_from(u64::from_le_bytes(*taken(&mut rest)?)).ok()?;
        let (packed, after) = rest.split_at_checked(length)?;
        if unpacked_bytes as usize > MAX_BLOCK_BYTES {
            return None;
        }
        blocks.push(Block { unpacked_bytes, packed: packed.into() });
        rest = after;
    }
    rest.is_empty().then_some(blocks)
}

fn taken<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(first)
}

/// Writer that digests all bytes written.
struct DigestWriter<'w, W> {
    to: &'w mut W,
    digest: Xxh3,
}

impl<W: Write> Write for DigestWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
