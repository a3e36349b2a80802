//! Queries of lists.

use super::filter::ListFilter;
use crate::index::SortOrder;
use crate::natural_key::fold;

/// Smallest and largest page.
pub const PAGE_SIZES: (usize, usize) = (10, 500);
/// Page size where none is asked for.
pub const DEFAULT_PAGE_SIZE: usize = 100;
/// Longest search text, in bytes.
pub const MAX_SEARCH_BYTES: usize = 500;
/// Max words of a search.
const MAX_WORDS: usize = 16;

/// Files on one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageSize {
    /// All files on one page.
    All,
    /// So many.
    Files(usize),
}

impl PageSize {
    /// Reads a size: `all`, or 10 to 500.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let size: usize = text.parse().map_err(|_| QueryError::PageSize)?;
        if (PAGE_SIZES.0..=PAGE_SIZES.1).contains(&size) { Ok(Self::Files(size)) } else { Err(QueryError::PageSize) }
    }
}

/// Query of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Words that must all be in a file's path, series or title, in any order.
    pub words: Vec<String>,
    /// Filter of the files.
    pub filter: ListFilter,
    /// The order.
    pub sort: SortOrder,
    /// Whether the order is reversed.
    pub is_descending: bool,
    /// The page, from 1.
    pub page: usize,
    /// Files on a page.
    pub per_page: PageSize,
    /// Cursor of the page, instead of its number.
    pub cursor: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            filter: ListFilter::All,
            sort: SortOrder::Name,
            is_descending: false,
            page: 1,
            per_page: PageSize::Files(DEFAULT_PAGE_SIZE),
            cursor: None,
        }
    }
}

impl ListQuery {
    /// The words of a search text.
    ///
    /// # Errors
    /// The text is too long.
    pub fn search_words(text: &str) -> Result<Vec<String>, QueryError> {
        if text.len() > MAX_SEARCH_BYTES {
            return Err(QueryError::Search);
        }
        let folded = fold(text);
        let mut words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        if words.len() > MAX_WORDS { Err(QueryError::Search) } else { Ok(words) }
    }
}

/// Reason for which a query cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryError {
    /// The page size is out of range.
    PageSize,
    /// The search is too long.
    Search,
    /// The cursor is of another list, or damaged.
    Cursor,
    /// No mark has this name.
    Mark,
}

impl QueryError {
    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::PageSize => "per_page is 10 to 500, or all.",
            Self::Search => "A search has at most 16 words and 500 bytes.",
            Self::Cursor => "The cursor belongs to another order, or is damaged. Begin again without it.",
            Self::Mark => "The folder has no mark with this name.",
        }
    }
}
