//! A hash over the size and the ends of a file: cheap, and different for different files but for rare cases.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes that are read at each end.
const END_BYTES: u64 = 64 * 1024;

/// The fingerprint of a file; never 0.
///
/// # Errors
/// The file cannot be read.
pub fn fingerprint(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut hash = blake3::Hasher::new();
    hash.update(&size.to_le_bytes());
    file.seek(SeekFrom::Start(0))?;
    let mut ends = Vec::new();
    file.by_ref().take(END_BYTES).read_to_end(&mut ends)?;
    if size > END_BYTES {
        file.seek(SeekFrom::Start((size - END_BYTES).max(END_BYTES)))?;
        file.by_ref().take(END_BYTES).read_to_end(&mut ends)?;
    }
    file.seek(SeekFrom::Start(0))?;
    hash.update(&ends);
    let bytes: [u8; 8] = hash.finalize().as_bytes()[..8].try_into().unwrap_or_default();
    Ok(u64::from_le_bytes(bytes).max(1))
}
