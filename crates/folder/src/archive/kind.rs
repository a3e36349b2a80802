//! Kinds of archives.

use std::io::{Read, Seek, SeekFrom};

use super::bounded_file::BoundedFile;
use super::page_archive::ArchiveError;

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// Zip: cbz.
    Zip,
    /// Rar: cbr.
    Rar,
    /// 7z: cb7.
    SevenZip,
    /// Tar: cbt.
    Tar,
}

impl ArchiveKind {
    /// Whether files with this extension are archives of comics.
    pub fn is_comic(extension: &str) -> bool {
        ["cbz", "cbr", "cb7", "cbt", "zip", "rar", "7z", "tar"].contains(&extension)
    }

    /// Tells the kind by the first bytes.
    ///
    /// # Errors
    /// It is none of these, or cannot be read.
    pub fn detect(file: &mut BoundedFile) -> Result<Self, ArchiveError> {
        let mut head = Vec::with_capacity(512);
        let read = file.by_ref().take(512).read_to_end(&mut head);
        read.map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        let starts = |magic: &[u8]| head.starts_with(magic);
        if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
            Ok(Self::Zip)
        } else if starts(b"Rar!\x1a\x07") {
            Ok(Self::Rar)
        } else if starts(b"7z\xbc\xaf\x27\x1c") {
            Ok(Self::SevenZip)
        } else if head.get(257..262) == Some(b"ustar") {
            Ok(Self::Tar)
        } else {
            Err(ArchiveError::Unknown)
        }
    }
}
