//! A snapshot as a file: what it is and of which version, how much follows, the blocks, and a digest of all that.
//!
//! It is read whole or not at all. Whatever was cut off, overwritten or flipped is noticed by the digest; what is sound
//! and yet no snapshot is noticed when its rows are read, each of them, before anything is handed out.

use std::fmt;
use std::io::{self, Write};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Snapshot;
use super::pack::{Block, MAX_BLOCK_BYTES};

/// What such a file begins with.
const MARK: &[u8; 16] = b"greenroom shelf\n";

/// The layout that is written, and the only one that is read: another is built anew from the server.
const VERSION: u32 = 1;

/// Bytes of the digest at the end.
const DIGEST_BYTES: usize = 8;

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    /// It is none of ours.
    Foreign,
    /// It is of another version.
    Version(u32),
    /// Something in it is not what was written: it was cut off or changed.
    Digest,
    /// It is as it was written, and that is no snapshot.
    Rows,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is no snapshot of a library"),
            Self::Version(version) => write!(f, "it is of version {version}, and {VERSION} is read"),
            Self::Digest => f.write_str("it was cut off or changed"),
            Self::Rows => f.write_str("its rows are not those of a library"),
        }
    }
}

impl std::error::Error for Damaged {}

impl Snapshot {
    /// Writes it as a file. The same items make the same bytes.
    pub fn encode(&self, to: &mut impl Write) -> io::Result<()> {
        let mut to = Digesting { to, digest: Xxh3::new() };
        to.write_all(MARK)?;
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

    /// Reads a whole file and makes all indexes anew.
    pub fn decode(file: &[u8]) -> Result<Self, Damaged> {
        let rest = file.strip_prefix(MARK).ok_or(Damaged::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(Damaged::Digest)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(Damaged::Version(version));
        }
        let (rest, digest) = rest.split_last_chunk::<DIGEST_BYTES>().ok_or(Damaged::Digest)?;
        if xxh3_64(&file[..file.len() - DIGEST_BYTES]) != u64::from_le_bytes(*digest) {
            return Err(Damaged::Digest);
        }
        let blocks = blocks(rest).ok_or(Damaged::Rows)?;
        Self::read(blocks).map_err(|_| Damaged::Rows)
    }
}

fn blocks(mut rest: &[u8]) -> Option<Vec<Block>> {
    let count = u64::from_le_bytes(*taken(&mut rest)?);
    // No more is reserved than there can be.
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

/// Writes on, and digests what it writes.
struct Digesting<'w, W> {
    to: &'w mut W,
    digest: Xxh3,
}

impl<W: Write> Write for Digesting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
