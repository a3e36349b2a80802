//! Properties of archives of comics, their metadata and names, whatever is in them.

use std::fs::File;
use std::io::{Seek, Write};

use greenroom_folder::archive::{MAX_ENTRIES, MAX_PAGE_BYTES, read_details, read_first_page};
use greenroom_folder::comic_info::ComicInfo;
use greenroom_folder::cover::make_cover;
use greenroom_folder::file_details::MetadataState;
use greenroom_folder::index::SortOrder;
use greenroom_folder::list::ListQuery;
use greenroom_folder::list::cursor::ListCursor;
use greenroom_folder::marks::MarkExport;
use greenroom_folder::natural_key::{fold, natural_key};

/// Longest value of a ComicInfo.xml, in bytes: 1,000 characters of at most four.
const MAX_VALUE_BYTES: usize = 4_000;

/// Checks what must hold of these bytes: as an archive, as a ComicInfo.xml, as a page, as marks, as a name.
pub fn check(bytes: &[u8]) {
    archive(bytes);
    if let Ok(info) = ComicInfo::parse(bytes) {
        let fields =
            [&info.series, &info.number, &info.volume, &info.title, &info.writer, &info.publisher, &info.language];
        for value in fields.into_iter().flatten() {
            assert!(!value.is_empty() && value.len() <= MAX_VALUE_BYTES);
            assert!(!value.chars().any(char::is_control), "{value:?}");
        }
    }
    if let Ok(export) = MarkExport::parse(bytes, "processed") {
        let marks = export.files.iter().map(|row| row.marks.len()).sum::<usize>();
        assert_eq!(export.by_mark().values().map(Vec::len).sum::<usize>(), marks);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(natural_key(text), natural_key(&fold(text)), "a name is compared as it is searched");
        drop(ListQuery::search_words(text));
        for sort in SortOrder::EVERY {
            drop(ListCursor::decode(text, sort, false));
        }
    }
}

fn archive(bytes: &[u8]) {
    let details = read_details(file(bytes), "cbz");
    assert_ne!(details.metadata, MetadataState::Pending);
    assert_eq!(details.metadata == MetadataState::Read, details.pages.is_some());
    assert!(details.pages.is_none_or(|pages| pages as usize <= MAX_ENTRIES));
    assert_eq!(details.has_cover, details.pages.is_some_and(|pages| pages > 0));
    if let Some(problem) = &details.problem {
        assert!(!problem.is_empty() && problem.len() < 1_000, "{problem}");
    }
    if let Ok(page) = read_first_page(file(bytes)) {
        assert!(details.has_cover && page.len() as u64 <= MAX_PAGE_BYTES);
        drop(make_cover(&page));
    }
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("written");
    file
}
