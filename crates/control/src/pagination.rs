//! Pagination of long lists.

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

/// Default page size.
const USUAL: usize = 100;
/// Maximum page size.
const MOST: usize = 500;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// Number of entries skipped.
    #[serde(default)]
    #[param(required = false)]
    pub(super) offset: usize,
    /// Max entries returned.
    #[serde(default = "usual", deserialize_with = "limit")]
    #[param(required = false, minimum = 1, maximum = 500)]
    pub(super) limit: usize,
}

impl PageParams {
    /// The page of a whole list.
    pub(super) fn slice<T>(self, whole: &[T]) -> &[T] {
        let begin = self.offset.min(whole.len());
        let end = begin.saturating_add(self.limit).min(whole.len());
        &whole[begin..end]
    }
}

fn usual() -> usize {
    USUAL
}

/// Rejects sizes above [`MOST`] rather than cutting them: the caller would take the page for the whole list.
pub(super) fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let limit = usize::deserialize(from)?;
    if (1..=MOST).contains(&limit) { Ok(limit) } else { Err(serde::de::Error::custom("limit is 1 to 500")) }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    fn read(query: &str) -> Option<PageParams> {
        let uri = format!("/?{query}").parse().expect("an address");
        Query::try_from_uri(&uri).ok().map(|Query(part)| part)
    }

    #[test]
    fn a_part_is_some_entries_after_others() {
        let whole: Vec<u32> = (0..10).collect();
        let of = |offset, limit| PageParams { offset, limit }.slice(&whole).to_vec();
        assert_eq!(of(0, 3), [0, 1, 2]);
        assert_eq!(of(8, 3), [8, 9]);
        assert!(of(10, 3).is_empty() && of(usize::MAX, usize::MAX).is_empty());
    }

    #[test]
    fn what_is_no_part_is_refused_rather_than_cut() {
        assert_eq!(read(""), Some(PageParams { offset: 0, limit: USUAL }));
        assert_eq!(read("offset=7&limit=500"), Some(PageParams { offset: 7, limit: 500 }));
        for query in ["limit=0", "limit=501", "limit=-1", "offset=-1", "limit=x", "page=2", "limit=1&limit=2"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
