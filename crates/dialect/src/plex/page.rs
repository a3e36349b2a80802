//! The page that a read asks for, and whether a response is that page.
//!
//! Reads that ask for the same page by query and by header share one key, but not every server (or proxy before it)
//! reads both forms. A response to the form that was not read is the whole list, or always the first page: stored, it
//! would be served to the clients of the other form, whose listing would never end.

use crate::classification::Read;

/// Paging parameters, as the query spells them.
pub(super) const START: &str = "X-Plex-Container-Start";
pub(super) const SIZE: &str = "X-Plex-Container-Size";
pub(super) const FOCUS_KEY: &str = "X-Plex-Container-Focus-Key";

/// The requested page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestedPage {
    /// First row.
    pub start: u64,
    /// Max rows; `None` for all.
    size: Option<u64>,
    /// The server chooses the first row, so that the page holds a certain item.
    has_focus: bool,
    /// The rows are the children of an item: above the seasons of a show is a row for all its episodes, which is no
    /// part of the page.
    are_children: bool,
}

/// A response's own statement about the rows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ReturnedPage {
    /// First row, if the response says that it is a page.
    pub(super) offset: Option<u64>,
    /// Number of rows.
    pub(super) rows: Option<u64>,
}

impl RequestedPage {
    /// The page of a read, from its headers or its query.
    pub fn from_read(read: &Read) -> Self {
        let start = value(read, START).and_then(|value| value.parse().ok()).unwrap_or(0);
        let size = value(read, SIZE).and_then(|value| value.parse().ok());
        let path = read.target.split('?').next().unwrap_or_default();
        Self { start, size, has_focus: value(read, FOCUS_KEY).is_some(), are_children: path.ends_with("/children") }
    }

    /// Whether `returned` is this page or, if all rows fit into it, the whole list.
    pub(super) fn matches(self, returned: ReturnedPage) -> bool {
        let Some(offset) = returned.offset else {
            return match returned.rows {
                Some(rows) => rows == 0 || (self.start == 0 && self.size.is_none_or(|size| rows <= size)),
                None => self.start == 0,
            };
        };
        let spare = u64::from(self.are_children);
        let has_room = |size: u64| returned.rows.is_none_or(|rows| rows <= size.saturating_add(spare));
        (self.has_focus || offset == self.start) && self.size.is_none_or(has_room)
    }
}

/// The value of a parameter in the rebuilt request.
fn value<'a>(read: &'a Read, name: &str) -> Option<&'a str> {
    let header = read.headers.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(name));
    header.and_then(|(_, value)| value.to_str().ok()).or_else(|| {
        let (_, query) = read.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_matches_by_its_first_row_and_its_length() {
        let asked = |start, size| RequestedPage { start, size, ..RequestedPage::default() };
        let came = |offset, rows| ReturnedPage { offset, rows };
        for (asked, came, expected) in [
            (asked(0, None), came(None, Some(700)), true),
            (asked(0, None), came(None, None), true),
            (asked(0, Some(50)), came(None, Some(50)), true),
            (asked(0, Some(50)), came(None, Some(51)), false),
            (asked(0, Some(0)), came(Some(0), Some(0)), true),
            (asked(0, Some(0)), came(None, Some(700)), false),
            (asked(50, Some(50)), came(Some(50), Some(50)), true),
            (asked(50, Some(50)), came(Some(50), Some(3)), true),
            (asked(50, Some(50)), came(Some(0), Some(50)), false),
            (asked(50, Some(50)), came(None, Some(50)), false),
            (asked(50, Some(50)), came(None, None), false),
            (asked(50, Some(50)), came(None, Some(0)), true),
            (asked(50, None), came(Some(50), Some(650)), true),
            (asked(0, Some(50)), came(Some(0), Some(51)), false),
            (RequestedPage { are_children: true, ..asked(0, Some(50)) }, came(Some(0), Some(51)), true),
            (asked(0, Some(50)), came(Some(0), Some(700)), false),
        ] {
            assert_eq!(asked.matches(came), expected, "{asked:?} {came:?}");
        }
        let focused = RequestedPage { has_focus: true, ..asked(0, Some(5)) };
        assert!(focused.matches(came(Some(35), Some(5))) && !focused.matches(came(Some(35), Some(90))));
    }
}
