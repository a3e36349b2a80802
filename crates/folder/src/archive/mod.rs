//! Reading archives of comics: names of pages, ComicInfo.xml, the first page. Everything is bounded, and a hostile
//! archive yields a message.
//!
//! The kind of an archive is told by its first bytes, not by its name: many a `.cbr` is a zip. Each kind is one file
//! with one implementation of [`PageArchive`]; a further kind is one more.

mod bounded_file;
mod kind;
mod page_archive;
mod rar_archive;
mod seven_zip_archive;
mod tar_archive;
mod zip_archive;

use std::fs::File;
use std::panic::AssertUnwindSafe;

pub use bounded_file::BoundedFile;
pub use kind::ArchiveKind;
pub use page_archive::{ArchiveError, MAX_COMIC_INFO_BYTES, MAX_ENTRIES, MAX_PAGE_BYTES, PageArchive, PageEntry};

use crate::comic_info::ComicInfo;
use crate::file_details::{FileDetails, MetadataState};

/// Name of the metadata in an archive.
const COMIC_INFO: &str = "comicinfo.xml";

/// Reads what a list shows of a file. It never fails: what is wrong is in the result.
pub fn read_details(file: File, format: &str) -> FileDetails {
    if !ArchiveKind::is_comic(format) {
        let problem = Some(format!("Greenroom reads no metadata of .{format} files").into());
        return FileDetails { metadata: MetadataState::Unsupported, problem, ..FileDetails::default() };
    }
    match guard(|| open(file).and_then(|mut archive| read_archive(&mut *archive))) {
        Ok(details) => details,
        Err(error) => FileDetails {
            metadata: if error == ArchiveError::Encrypted {
                MetadataState::Unsupported
            } else {
                MetadataState::Unreadable
            },
            problem: Some(error.to_string().into()),
            ..FileDetails::default()
        },
    }
}

/// The bytes of the first page.
///
/// # Errors
/// There is none, or the archive is damaged or exceeds a limit.
pub fn read_first_page(file: File) -> Result<Vec<u8>, ArchiveError> {
    guard(|| {
        let mut archive = open(file)?;
        let entries = archive.entries()?;
        let page = first_page(&entries).ok_or(ArchiveError::NoPage)?;
        archive.read(page, MAX_PAGE_BYTES)
    })
}

fn open(file: File) -> Result<Box<dyn PageArchive>, ArchiveError> {
    let mut file = BoundedFile::new(file);
    match ArchiveKind::detect(&mut file)? {
        ArchiveKind::Zip => Ok(Box::new(zip_archive::ZipPages::open(file)?)),
        ArchiveKind::Tar => Ok(Box::new(tar_archive::TarPages::open(file))),
        ArchiveKind::SevenZip => Ok(Box::new(seven_zip_archive::SevenZipPages::open(file)?)),
        ArchiveKind::Rar => Ok(Box::new(rar_archive::RarPages::open(file)?)),
    }
}

fn read_archive(archive: &mut dyn PageArchive) -> Result<FileDetails, ArchiveError> {
    let entries = archive.entries()?;
    let pages = entries.iter().filter(|entry| entry.is_page()).count();
    let info = entries.iter().position(|entry| entry.name.to_ascii_lowercase() == COMIC_INFO);
    let info = info.or_else(|| entries.iter().position(|entry| entry.is_named(COMIC_INFO)));
    let mut details = FileDetails {
        metadata: MetadataState::Read,
        pages: Some(u32::try_from(pages).unwrap_or(u32::MAX)),
        has_cover: pages > 0,
        ..FileDetails::default()
    };
    if entries.iter().any(PageEntry::leads_out) {
        details.problem = Some("names in it lead out of the archive; nothing is unpacked to them".into());
    }
    if let Some(info) = info {
        let document = archive.read(info, MAX_COMIC_INFO_BYTES);
        match document
            .map_err(|error| format!("ComicInfo.xml: {error}"))
            .and_then(|document| ComicInfo::parse(&document).map_err(str::to_owned))
        {
            Ok(comic) => details.comic = Some(Box::new(comic)),
            Err(problem) => details.problem = Some(problem.into()),
        }
    }
    Ok(details)
}

/// Place of the first page in natural order of names.
fn first_page(entries: &[PageEntry]) -> Option<usize> {
    let pages = entries.iter().enumerate().filter(|(_, entry)| entry.is_page());
    pages.min_by_key(|(_, entry)| (crate::natural_key::natural_key(&entry.name), entry.name.clone())).map(|(at, _)| at)
}

/// Turns a panic of a reader, which only damaged input can cause, into an error.
fn guard<T>(read: impl FnOnce() -> Result<T, ArchiveError>) -> Result<T, ArchiveError> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(ArchiveError::Damaged("it broke its reader".into())))
}

#[cfg(test)]
mod tests;
