//! Reads an XML answer once, to its end: well-formed, complete, one root of the right name.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::facts::Unfit;
use crate::plex::rows::{Field, Row, Rows};

/// Plex nests a dozen levels at the most.
const MAX_DEPTH: usize = 64;

/// Gathers the rows of `text`, whose root must be one of `roots`.
pub(super) fn read(text: &str, roots: &[&str]) -> Result<Rows, Unfit> {
    let mut reader = Reader::from_str(text);
    let mut rows = Rows::default();
    let mut depth = 0_usize;
    let mut has_root = false;
    loop {
        match reader.read_event().map_err(|_| Unfit::Malformed)? {
            Event::Start(element) => {
                enter(&element, depth, &mut has_root, roots, &mut rows)?;
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Unfit::Malformed);
                }
            }
            Event::Empty(element) => enter(&element, depth, &mut has_root, roots, &mut rows)?,
            // The reader refuses an end that matches no start.
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 0 && !text.trim().is_empty() => return Err(Unfit::Malformed),
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => return Err(Unfit::Malformed),
            Event::DocType(_) => return Err(Unfit::Malformed),
            Event::Eof => break,
            _ => {}
        }
    }
    if has_root && depth == 0 { Ok(rows) } else { Err(Unfit::Malformed) }
}

fn enter(
    element: &BytesStart<'_>,
    depth: usize,
    has_root: &mut bool,
    roots: &[&str],
    rows: &mut Rows,
) -> Result<(), Unfit> {
    let row = row(element)?;
    if depth == 0 {
        if *has_root || !roots.contains(&element.name().as_ref()) {
            return Err(Unfit::Malformed);
        }
        *has_root = true;
        if row.is_starting() {
            return Err(Unfit::Starting);
        }
        rows.take_container(&row);
    } else {
        rows.take(&row);
    }
    Ok(())
}

fn row<'a>(element: &'a BytesStart<'_>) -> Result<Row<'a>, Unfit> {
    let mut row = Row::default();
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| Unfit::Malformed)?;
        if let Some(field) = Field::named(attribute.key.as_ref()) {
            row.note(field, Cow::Owned(attribute.value.into_owned()));
        }
    }
    Ok(row)
}
