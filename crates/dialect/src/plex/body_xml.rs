//! Streaming parser for XML responses: requires a complete, well-formed document with one expected root.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::plex::rows::{PlexRow, PlexRows, RowField};
use crate::response_facts::UnusableResponse;

/// Max nesting depth; Plex uses about a dozen levels.
const MAX_DEPTH: usize = 64;

/// Collects the rows of `text`, whose root must be one of `roots`.
pub(super) fn read(text: &str, roots: &[&str]) -> Result<PlexRows, UnusableResponse> {
    let mut reader = Reader::from_str(text);
    let mut rows = PlexRows::default();
    let mut depth = 0_usize;
    let mut has_root = false;
    loop {
        match reader.read_event().map_err(|_| UnusableResponse::Malformed)? {
            Event::Start(element) => {
                enter(&element, depth, &mut has_root, roots, &mut rows)?;
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(UnusableResponse::Malformed);
                }
            }
            Event::Empty(element) => enter(&element, depth, &mut has_root, roots, &mut rows)?,
            // The reader rejects an end tag without a start tag.
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 0 && !text.trim().is_empty() => {
                return Err(UnusableResponse::Malformed);
            }
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => return Err(UnusableResponse::Malformed),
            Event::DocType(_) => return Err(UnusableResponse::Malformed),
            Event::Eof => break,
            _ => {}
        }
    }
    if has_root && depth == 0 { Ok(rows) } else { Err(UnusableResponse::Malformed) }
}

fn enter(
    element: &BytesStart<'_>,
    depth: usize,
    has_root: &mut bool,
    roots: &[&str],
    rows: &mut PlexRows,
) -> Result<(), UnusableResponse> {
    let row = row(element)?;
    if depth == 0 {
        if *has_root || !roots.contains(&element.name().as_ref()) {
            return Err(UnusableResponse::Malformed);
        }
        *has_root = true;
        if row.is_starting() {
            return Err(UnusableResponse::Starting);
        }
        rows.set_container(&row);
    } else {
        rows.add(&row);
    }
    Ok(())
}

fn row<'a>(element: &'a BytesStart<'_>) -> Result<PlexRow<'a>, UnusableResponse> {
    let mut row = PlexRow::default();
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| UnusableResponse::Malformed)?;
        if let Some(field) = RowField::parse(attribute.key.as_ref()) {
            row.set(field, Cow::Owned(attribute.value.into_owned()));
        }
    }
    Ok(row)
}
