//! 7z archives.

use sevenz_rust2::{Archive, ArchiveReader, EntryDecision, Error, Password};

use super::bounded_file::BoundedFile;
use super::page_archive::{
    ArchiveError, MAX_DECODER_BYTES, MAX_UNPACKED_BYTES, PageArchive, PageEntry, push_entry, read_bounded,
};

/// A 7z archive.
pub(super) struct SevenZipPages {
    reader: ArchiveReader<BoundedFile>,
}

impl SevenZipPages {
    pub(super) fn open(mut file: BoundedFile) -> Result<Self, ArchiveError> {
        let budget = file.budget();
        let limit_kib = usize::try_from(MAX_DECODER_BYTES / 1024).unwrap_or(usize::MAX);
        let archive = Archive::read_with_memory_limit(&mut file, &Password::empty(), limit_kib);
        let archive =
            archive.map_err(|error| if budget.is_used_up() { ArchiveError::LongListing } else { damage(&error) })?;
        budget.set(u64::MAX);
        let mut reader = ArchiveReader::from_archive(archive, file, Password::empty());
        reader.set_thread_count(1);
        Ok(Self { reader })
    }
}

impl PageArchive for SevenZipPages {
    fn entries(&mut self) -> Result<Vec<PageEntry>, ArchiveError> {
        let mut entries = Vec::new();
        for entry in &self.reader.archive().files {
            let name = entry.name.replace('\\', "/");
            push_entry(&mut entries, PageEntry { name, size: entry.size, is_directory: entry.is_directory })?;
        }
        Ok(entries)
    }

    fn read(&mut self, entry: usize, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let files = &self.reader.archive().files;
        let wanted = files.get(entry).ok_or(ArchiveError::NoPage)?;
        if wanted.size > max_bytes {
            return Err(ArchiveError::LargeEntry);
        }
        // Without its own stream it is empty; of several with its name, the first of its size is read.
        let (name, size) = (wanted.name.clone(), wanted.size);
        let mut unpacked = 0_u64;
        let mut found = None;
        let result = self.reader.for_each_entries_with_decision(|other, bytes| {
            if other.name == name && other.size == size {
                found = Some(read_bounded(bytes, max_bytes));
                return Ok(EntryDecision::Stop);
            }
            unpacked = unpacked.saturating_add(other.size);
            Ok(if unpacked > MAX_UNPACKED_BYTES { EntryDecision::Stop } else { EntryDecision::Continue })
        });
        match (found, result) {
            (Some(bytes), _) => bytes,
            (None, Err(error)) => Err(damage(&error)),
            (None, Ok(())) if unpacked > MAX_UNPACKED_BYTES => Err(ArchiveError::LargeEntry),
            (None, Ok(())) => Err(ArchiveError::NoPage),
        }
    }
}

fn damage(error: &Error) -> ArchiveError {
    match error {
        Error::PasswordRequired => ArchiveError::Encrypted,
        other => ArchiveError::Damaged(other.to_string()),
    }
}
