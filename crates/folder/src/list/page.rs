//! A page of a list.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::ListCursor;
use super::query::{ListQuery, PageSize, QueryError};
use super::selection::Selection;
use crate::comic_info::ComicInfo;
use crate::file_details::MetadataState;
use crate::file_entry::FileEntry;
use crate::index::FolderGeneration;

/// Number of files of a folder that pass each filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderCounts)]
pub struct ListCounts {
    /// All files.
    pub all: usize,
    /// Files with the main mark.
    pub marked: usize,
    /// Files without it.
    pub unmarked: usize,
    /// Files that are marked as duplicates or seem to be.
    pub duplicates: usize,
    /// Files whose metadata is not read yet.
    pub unread: usize,
    /// Files with each mark.
    pub marks: BTreeMap<String, usize>,
}

/// A file of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderFile)]
pub struct FileRow {
    /// Its number, which follows it through renames.
    pub id: u64,
    /// Its path below the root.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its extension.
    pub format: String,
    /// Bytes.
    pub size: u64,
    /// Time of its last change, in milliseconds since 1970.
    pub modified_ms: i64,
    /// When it was first seen, in milliseconds since 1970.
    pub added_ms: u64,
    /// Its marks.
    pub marks: Vec<String>,
    /// Whether its metadata was read.
    pub metadata: MetadataState,
    /// Reason for which it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// Its ComicInfo.xml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comic: Option<ComicInfo>,
    /// A link to its cover, valid for some hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
    /// A link to the file itself, valid for some hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl FileRow {
    /// A file as a row.
    pub fn new(file: &FileEntry, mark_names: &[String]) -> Self {
        let details = file.details.as_deref();
        Self {
            id: file.id,
            path: file.path.to_string(),
            name: file.name().to_owned(),
            format: file.format(),
            size: file.stat.size,
            modified_ms: file.modified_ms(),
            added_ms: file.added_ms.as_millis(),
            marks: mark_words(file.marks.bits(), mark_names),
            metadata: details.map_or(MetadataState::Pending, |details| details.metadata),
            problem: details.and_then(|details| details.problem.as_deref().map(str::to_owned)),
            pages: details.and_then(|details| details.pages),
            comic: details.and_then(|details| details.comic.as_deref().cloned()),
            cover: None,
            link: None,
        }
    }
}

/// Names of the marks of these bits.
pub fn mark_words(bits: u32, names: &[String]) -> Vec<String> {
    (0_u32..)
        .zip(names)
        .filter(|(bit, _)| *bit < u32::BITS && bits & (1 << bit) != 0)
        .map(|(_, name)| name.clone())
        .collect()
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderPage)]
pub struct ListPage {
    /// The files.
    pub files: Vec<FileRow>,
    /// Its number, from 1; the last one where the query asked for a later one.
    pub page: usize,
    /// Files on a full page.
    pub per_page: usize,
    /// Files of the query.
    pub total_files: usize,
    /// Its pages, at least 1.
    pub total_pages: usize,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl ListPage {
    /// The page of a selection.
    ///
    /// # Errors
    /// The cursor is of another list, or damaged.
    pub fn new(
        query: &ListQuery,
        generation: &FolderGeneration,
        selection: &Selection,
        mark_names: &[String],
    ) -> Result<Self, QueryError> {
        let places = &selection.places;
        let total_files = places.len();
        let per_page = match query.per_page {
            PageSize::All => total_files.max(1),
            PageSize::Files(size) => size,
        };
        let total_pages = total_files.div_ceil(per_page).max(1);
        let file_at = |place: u32| &generation.files[place as usize];
        let start = match &query.cursor {
            None => (query.page.clamp(1, total_pages) - 1) * per_page,
            Some(cursor) => {
                let cursor = ListCursor::decode(cursor, query.sort, query.is_descending)?;
                if query.is_descending {
                    total_files - places.partition_point(|place| cursor.is_behind(file_at(*place), query.sort))
                } else {
                    places.partition_point(|place| !cursor.is_before(file_at(*place), query.sort))
                }
            }
        };
        let end = (start + per_page).min(total_files);
        let nth = |at: usize| places[if query.is_descending { total_files - 1 - at } else { at }];
        let files: Vec<FileRow> = (start..end).map(|at| FileRow::new(file_at(nth(at)), mark_names)).collect();
        let next_cursor = (end < total_files && end > start)
            .then(|| ListCursor::after(file_at(nth(end - 1)), query.sort).encode(query.sort, query.is_descending));
        let page = if start >= total_files { total_pages } else { start / per_page + 1 };
        Ok(Self { files, page, per_page, total_files, total_pages, next_cursor })
    }
}
