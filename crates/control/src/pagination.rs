//! Pagination of long lists.

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

/// Default page size.
const DEFAULT_LIMIT: usize = 100;
/// Maximum page size.
const MAX_LIMIT: usize = 500;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Number of entries skipped.
    #[serde(default)]
    #[param(required = false)]
    pub offset: usize,
    /// Max entries returned.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(required = false, minimum = 1, maximum = 500)]
    pub(super) limit: usize,
}

impl PageParams {
    /// The page of a whole list.
    pub fn slice<T>(self, entries: &[T]) -> &[T] {
        let start = self.offset.min(entries.len());
        let end = start.saturating_add(self.limit).min(entries.len());
        &entries[start..end]
    }
}

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

/// Rejects sizes above [`MAX_LIMIT`] rather than cutting them: the caller would take the page for the whole list.
pub fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let limit = usize::deserialize(from)?;
    if (1..=MAX_LIMIT).contains(&limit) { Ok(limit) } else { Err(serde::de::Error::custom("limit must be 1 to 500")) }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    fn read(query: &str) -> Option<PageParams> {
        let uri = format!("/?{query}").parse().expect("a URI");
        Query::try_from_uri(&uri).ok().map(|Query(page)| page)
    }

    #[test]
    fn a_page_is_a_slice_of_the_list() {
        let entries: Vec<u32> = (0..10).collect();
        let slice = |offset, limit| PageParams { offset, limit }.slice(&entries).to_vec();
        assert_eq!(slice(0, 3), [0, 1, 2]);
        assert_eq!(slice(8, 3), [8, 9]);
        assert!(slice(10, 3).is_empty() && slice(usize::MAX, usize::MAX).is_empty());
    }

    #[test]
    fn invalid_pages_are_rejected_rather_than_cut() {
        assert_eq!(read(""), Some(PageParams { offset: 0, limit: DEFAULT_LIMIT }));
        assert_eq!(read("offset=7&limit=500"), Some(PageParams { offset: 7, limit: 500 }));
        for query in ["limit=0", "limit=501", "limit=-1", "offset=-1", "limit=x", "page=2", "limit=1&limit=2"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
