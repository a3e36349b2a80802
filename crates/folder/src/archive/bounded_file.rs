//! A file of which at most a fixed number of bytes is read.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::page_archive::MAX_LISTING_BYTES;

/// A file of which at most a fixed number of bytes is read: a listing that goes on for ever ends with an error.
#[derive(Debug)]
pub struct BoundedFile {
    file: BufReader<File>,
    budget: ReadBudget,
}

/// Bytes that may still be read.
#[derive(Debug, Clone)]
pub struct ReadBudget(Arc<AtomicU64>);

impl ReadBudget {
    /// Allows this number of bytes from now on.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Whether it was used up.
    pub fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl BoundedFile {
    /// A file with the budget of a listing.
    pub fn new(file: File) -> Self {
        let budget = ReadBudget(Arc::new(AtomicU64::new(MAX_LISTING_BYTES)));
        Self { file: BufReader::with_capacity(16 * 1024, file), budget }
    }

    /// Its budget.
    pub fn budget(&self) -> ReadBudget {
        self.budget.clone()
    }
}

impl Read for BoundedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.0.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("more bytes than allowed would have to be read"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        self.budget.0.fetch_sub(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for BoundedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // Small steps stay in the buffer.
        match to {
            SeekFrom::Current(step) => {
                self.file.seek_relative(step)?;
                self.file.stream_position()
            }
            other => self.file.seek(other),
        }
    }
}
