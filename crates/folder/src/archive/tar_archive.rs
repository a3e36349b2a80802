//! Tar archives.

use std::io::{Seek, SeekFrom};

use tar::{Archive, EntryType};

use super::bounded_file::{BoundedFile, ReadBudget};
use super::page_archive::{ArchiveError, MAX_LISTING_BYTES, PageArchive, PageEntry, push_entry, read_bounded};

/// A tar archive. It has no list of entries, so each listing goes from header to header.
pub(super) struct TarPages {
    file: Option<BoundedFile>,
    budget: ReadBudget,
}

/// Purpose of a walk over a tar archive.
struct Walk {
    entries: Vec<PageEntry>,
    /// The entry to read, with the max bytes.
    wanted: Option<(usize, u64)>,
    found: Option<Result<Vec<u8>, ArchiveError>>,
}

impl TarPages {
    pub(super) fn open(file: BoundedFile) -> Self {
        let budget = file.budget();
        Self { file: Some(file), budget }
    }

    fn walk(&mut self, wanted: Option<(usize, u64)>) -> Result<Walk, ArchiveError> {
        let mut walk = Walk { entries: Vec::new(), wanted, found: None };
        let mut file = self.file.take().ok_or_else(|| ArchiveError::Damaged("it was closed".into()))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| damage(&error))?;
        self.budget.set(MAX_LISTING_BYTES);
        let mut archive = Archive::new(file);
        let result = walk.run(&mut archive, &self.budget);
        self.file = Some(archive.into_inner());
        let is_used_up = self.budget.is_used_up();
        result.map_err(|error| if is_used_up { ArchiveError::LongListing } else { error })?;
        Ok(walk)
    }
}

impl Walk {
    fn run(&mut self, archive: &mut Archive<BoundedFile>, budget: &ReadBudget) -> Result<(), ArchiveError> {
        for entry in archive.entries_with_seek().map_err(|error| damage(&error))? {
            let entry = entry.map_err(|error| damage(&error))?;
            let kind = entry.header().entry_type();
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            // Links and devices are no pages, and keep their place in the list.
            let is_directory = !matches!(kind, EntryType::Regular | EntryType::Continuous);
            let size = entry.size();
            push_entry(&mut self.entries, PageEntry { name, size, is_directory })?;
            if let Some((_, max_bytes)) = self.wanted.filter(|(wanted, _)| *wanted + 1 == self.entries.len()) {
                budget.set(max_bytes + MAX_LISTING_BYTES);
                let bytes =
                    if size > max_bytes { Err(ArchiveError::LargeEntry) } else { read_bounded(entry, max_bytes) };
                self.found = Some(bytes);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl PageArchive for TarPages {
    fn entries(&mut self) -> Result<Vec<PageEntry>, ArchiveError> {
        Ok(self.walk(None)?.entries)
    }

    fn read(&mut self, entry: usize, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let walk = self.walk(Some((entry, max_bytes)))?;
        walk.found.unwrap_or_else(|| Err(ArchiveError::Damaged("it ends before an entry".into())))
    }
}

fn damage(error: &std::io::Error) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}
