//! Functions that all kinds of archives have in common.

use std::io::Read;

use crate::file_entry::file_name;

/// Max entries of an archive.
pub const MAX_ENTRIES: usize = 50_000;
/// Longest name of an entry, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 4_096;
/// Max bytes that are read to list an archive.
pub(super) const MAX_LISTING_BYTES: u64 = 8 * 1024 * 1024;
/// Max bytes of a ComicInfo.xml.
pub const MAX_COMIC_INFO_BYTES: u64 = 1024 * 1024;
/// Max bytes of a page that becomes a cover.
pub const MAX_PAGE_BYTES: u64 = 64 * 1024 * 1024;
/// Max bytes that are unpacked to reach one entry of a solid archive.
pub(super) const MAX_UNPACKED_BYTES: u64 = 512 * 1024 * 1024;
/// Max memory of a decoder.
pub(super) const MAX_DECODER_BYTES: u64 = 64 * 1024 * 1024;
/// Extensions of pages.
const PAGE_EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "avif", "jxl", "tiff"];

/// An archive whose entries can be listed, and read one by one.
pub trait PageArchive {
    /// All entries, in the archive's order.
    fn entries(&mut self) -> Result<Vec<PageEntry>, ArchiveError>;
    /// The bytes of an entry, by its place in that list.
    fn read(&mut self, entry: usize, max_bytes: u64) -> Result<Vec<u8>, ArchiveError>;
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEntry {
    /// Its name, with folders.
    pub name: String,
    /// Bytes, as the archive claims.
    pub size: u64,
    /// Whether it is a folder.
    pub is_directory: bool,
}

impl PageEntry {
    /// Whether it is a page: an image that no operating system put there.
    pub fn is_page(&self) -> bool {
        let name = file_name(&self.name);
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        !self.is_directory
            && !name.starts_with('.')
            && !self.name.starts_with("__MACOSX/")
            && extension
                .is_some_and(|extension| PAGE_EXTENSIONS.iter().any(|page| page.eq_ignore_ascii_case(extension)))
    }

    /// Whether a program that unpacked it to its name would write outside of the folder it unpacks to.
    pub fn leads_out(&self) -> bool {
        let is_absolute = self.name.starts_with(['/', '\\']) || self.name.as_bytes().get(1) == Some(&b':');
        is_absolute || self.name.split(['/', '\\']).any(|part| part == "..")
    }

    /// Whether its name without folders is this one, whatever the case.
    pub fn is_named(&self, name: &str) -> bool {
        !self.is_directory && file_name(&self.name).eq_ignore_ascii_case(name)
    }
}

/// Reason for which an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveError {
    /// It is no archive of a known kind.
    Unknown,
    /// It is damaged.
    Damaged(String),
    /// It needs a password.
    Encrypted,
    /// It has too many entries.
    TooManyEntries,
    /// A name in it is too long.
    LongName,
    /// Its list of entries is too long.
    LongListing,
    /// An entry is larger than the limit.
    LargeEntry,
    /// It has no page.
    NoPage,
}

impl std::fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("it is no zip, rar, 7z or tar archive"),
            Self::Damaged(reason) => write!(f, "it is damaged: {}", reason.chars().take(200).collect::<String>()),
            Self::Encrypted => f.write_str("it needs a password"),
            Self::TooManyEntries => write!(f, "it has more than {MAX_ENTRIES} entries"),
            Self::LongName => write!(f, "it has a name of more than {MAX_NAME_BYTES} bytes"),
            Self::LongListing => write!(f, "its list of entries is longer than {MAX_LISTING_BYTES} bytes"),
            Self::LargeEntry => f.write_str("an entry is larger than the limit"),
            Self::NoPage => f.write_str("it has no page"),
        }
    }
}

/// Adds an entry to a list, within the limits.
pub(super) fn push_entry(entries: &mut Vec<PageEntry>, entry: PageEntry) -> Result<(), ArchiveError> {
    if entry.name.len() > MAX_NAME_BYTES {
        return Err(ArchiveError::LongName);
    }
    if entries.len() >= MAX_ENTRIES {
        return Err(ArchiveError::TooManyEntries);
    }
    entries.push(entry);
    Ok(())
}

/// Reads all bytes of an entry, at most so many, whatever the archive claims of its size.
pub(super) fn read_bounded(entry: impl Read, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let read = entry.take(max_bytes + 1).read_to_end(&mut bytes);
    read.map_err(|error| ArchiveError::Damaged(error.to_string()))?;
    if bytes.len() as u64 > max_bytes { Err(ArchiveError::LargeEntry) } else { Ok(bytes) }
}
