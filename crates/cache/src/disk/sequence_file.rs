//! Records, beside the store, the newest invalidation the store ever held. If the store knows less, its log was damaged
//! or lost, and with it acknowledged invalidations that cannot be identified.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

const FILE: &str = "cache.seq";
/// Bytes: the store's seed, the number of its newest invalidation, and a checksum over both.
const LENGTH: usize = 24;

/// The file, once opened.
#[derive(Debug)]
pub(crate) struct SequenceFile {
    file: File,
    store: u64,
}

impl SequenceFile {
    /// Opens the file for the store with this seed.
    pub(crate) fn open(dir: &Path, store: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Ok(Self { file: options.open(dir.join(FILE))?, store })
    }

    /// The number of the newest invalidation recorded; zero if there is none, or the file is damaged or of another
    /// store.
    pub(crate) fn read_sequence(&self) -> u64 {
        let mut line = [0; LENGTH];
        match self.file.read_exact_at(&mut line, 0) {
            Ok(()) => read(&line).filter(|(store, _)| *store == self.store).map_or(0, |(_, seq)| seq),
            Err(_) => 0,
        }
    }

    /// Records a committed invalidation.
    pub(crate) fn write_sequence(&self, seq: u64) -> io::Result<()> {
        self.file.write_all_at(&write(self.store, seq), 0)
    }
}

fn write(store: u64, seq: u64) -> [u8; LENGTH] {
    let mut line = [0; LENGTH];
    line[..8].copy_from_slice(&store.to_le_bytes());
    line[8..16].copy_from_slice(&seq.to_le_bytes());
    let checksum = xxh3_64(&line[..16]);
    line[16..].copy_from_slice(&checksum.to_le_bytes());
    line
}

fn read(line: &[u8; LENGTH]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(line[at..at + 8].try_into().ok()?));
    (xxh3_64(&line[..16]) == number(16)?).then_some((number(0)?, number(8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_the_sequence_of_its_own_store_and_nothing_if_damaged() {
        let dir = tempfile::tempdir().expect("a folder");
        let witness = SequenceFile::open(dir.path(), 7).expect("open");
        assert_eq!(witness.read_sequence(), 0);
        witness.write_sequence(3).and_then(|()| witness.write_sequence(9)).expect("written");
        assert_eq!(SequenceFile::open(dir.path(), 7).expect("open").read_sequence(), 9);
        assert_eq!(SequenceFile::open(dir.path(), 8).expect("open").read_sequence(), 0, "another store");
        let file = dir.path().join(FILE);
        let mut bytes = std::fs::read(&file).expect("read");
        bytes[9] ^= 1;
        std::fs::write(&file, bytes).expect("written");
        assert_eq!(witness.read_sequence(), 0);
    }
}
