//! Zip archives.

use zip::ZipArchive;
use zip::result::ZipError;

use super::bounded_file::{BoundedFile, ReadBudget};
use super::page_archive::{ArchiveError, PageArchive, PageEntry, push_entry, read_bounded};

/// A zip archive.
pub(super) struct ZipPages {
    archive: ZipArchive<BoundedFile>,
    budget: ReadBudget,
}

impl ZipPages {
    pub(super) fn open(file: BoundedFile) -> Result<Self, ArchiveError> {
        let budget = file.budget();
        let opened = ZipArchive::new(file);
        let archive =
            opened.map_err(|error| if budget.is_used_up() { ArchiveError::LongListing } else { damage(&error) })?;
        Ok(Self { archive, budget })
    }
}

impl PageArchive for ZipPages {
    fn entries(&mut self) -> Result<Vec<PageEntry>, ArchiveError> {
        let mut entries = Vec::new();
        for place in 0..self.archive.len() {
            let entry = self.archive.by_index_data(place).map_err(|error| damage(&error))?;
            let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
            let is_directory = name.ends_with('/');
            push_entry(&mut entries, PageEntry { name, size: entry.size(), is_directory })?;
        }
        Ok(entries)
    }

    fn read(&mut self, entry: usize, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        // A zip entry does not unpack to less than a thousandth of its bytes; headers come on top.
        self.budget.set(max_bytes + 1024 * 1024);
        let entry = self.archive.by_index(entry).map_err(|error| damage(&error))?;
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted);
        }
        if entry.size() > max_bytes {
            return Err(ArchiveError::LargeEntry);
        }
        read_bounded(entry, max_bytes)
    }
}

fn damage(error: &ZipError) -> ArchiveError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ArchiveError::Encrypted,
        other => ArchiveError::Damaged(other.to_string()),
    }
}
