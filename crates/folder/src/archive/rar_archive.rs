//! Rar archives.

use rars::{Archive, ArchiveReadOptions, ArchiveReader, Error};

use super::bounded_file::BoundedFile;
use super::page_archive::{
    ArchiveError, MAX_DECODER_BYTES, MAX_ENTRIES, MAX_LISTING_BYTES, MAX_UNPACKED_BYTES, PageArchive, PageEntry,
    push_entry,
};

/// A rar archive.
pub(super) struct RarPages {
    archive: Archive,
    names: Vec<PageEntry>,
}

fn options<'a>() -> ArchiveReadOptions<'a> {
    ArchiveReadOptions::new()
        .with_max_header_count(MAX_ENTRIES as u64 + 100)
        .with_max_header_bytes(MAX_LISTING_BYTES)
        .with_max_reader_workspace_bytes(MAX_DECODER_BYTES)
        .with_rar50_dictionary_size_limit(MAX_DECODER_BYTES)
        .with_rar50_buffered_decode_limit(MAX_DECODER_BYTES)
        .with_max_total_output_bytes(MAX_UNPACKED_BYTES)
}

impl RarPages {
    pub(super) fn open(file: BoundedFile) -> Result<Self, ArchiveError> {
        let budget = file.budget();
        let archive = ArchiveReader::read_reader_with_options(file, options()).map_err(|error| damage(&error))?;
        budget.set(u64::MAX);
        let mut names = Vec::new();
        for member in archive.members() {
            let entry = PageEntry {
                name: member.meta.name_lossy().replace('\\', "/"),
                size: member.meta.unpacked_size,
                is_directory: member.meta.is_directory || member.meta.is_redirection,
            };
            push_entry(&mut names, entry)?;
        }
        Ok(Self { archive, names })
    }
}

impl PageArchive for RarPages {
    fn entries(&mut self) -> Result<Vec<PageEntry>, ArchiveError> {
        Ok(self.names.clone())
    }

    fn read(&mut self, entry: usize, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let size = self.names.get(entry).ok_or(ArchiveError::NoPage)?.size;
        if size > max_bytes {
            return Err(ArchiveError::LargeEntry);
        }
        let unpacked = self.archive.read_member_at_with_options(entry, options());
        let bytes = unpacked.map_err(|error| damage(&error))?.ok_or(ArchiveError::NoPage)?;
        if bytes.len() as u64 > max_bytes { Err(ArchiveError::LargeEntry) } else { Ok(bytes) }
    }
}

fn damage(error: &Error) -> ArchiveError {
    match error {
        Error::NeedPassword | Error::UnsupportedEncryption { .. } => ArchiveError::Encrypted,
        other => ArchiveError::Damaged(other.to_string()),
    }
}
