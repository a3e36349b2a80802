//! Lists of a folder's files: search, filter, order, pages and cursors.

pub mod cursor;
pub mod filter;
pub mod page;
pub mod query;
pub mod search_index;
pub mod selection;

pub use filter::{ListFilter, MarkMasks};
pub use page::{FileRow, ListCounts, ListPage};
pub use query::{ListQuery, PageSize, QueryError};
pub use search_index::SearchIndex;
pub use selection::{Selection, SelectionCache};
