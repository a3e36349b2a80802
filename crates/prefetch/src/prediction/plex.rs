//! Templates of Plex requests, and references in rows of Plex responses.

use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;

use super::MAX_ROWS;
use super::row_references::{ReferenceKind, RowReferences};
use super::template::{TemplateArgs, TemplateSlots, TemplateSubject};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Read;
use greenroom_dialect::plex::page::RequestedPage;

const ITEM: &str = "/library/metadata/";

/// Path suffixes after an item's id: none, or a list of its descendants.
const BELOW: [&str; 4] = ["", "/children", "/grandchildren", "/allLeaves"];

/// Names of an item's pictures in rows.
const PICTURES: [&str; 4] = ["thumb", "art", "poster", "composite"];

/// Max digits of an id.
const MAX_ID_DIGITS: usize = 20;

/// Longest type name of a row in bytes.
const MAX_KIND_BYTES: usize = 32;

/// Max nesting of rows: in the container, or in a hub within it.
const MAX_ROW_DEPTH: usize = 2;

/// The ids in a read's target, and their positions.
pub(super) fn template_args(read: &Read) -> Option<(TemplateSubject, TemplateArgs, TemplateSlots)> {
    if RequestedPage::from_read(read).start > 0 {
        return None;
    }
    let (path, query) = read.target.split_once('?').unwrap_or((&read.target, ""));
    if read.class != Class::Images {
        let rest = path.strip_prefix(ITEM)?;
        let id = &rest[..rest.find('/').unwrap_or(rest.len())];
        let is_known = is_id(id) && BELOW.contains(&&rest[id.len()..]);
        let first = ITEM.len()..ITEM.len() + id.len();
        return is_known.then(|| (TemplateSubject::Item, TemplateArgs::one(id), TemplateSlots { first, second: None }));
    }
    if is_picture(path) {
        return Some((
            TemplateSubject::Picture,
            TemplateArgs::one(path),
            TemplateSlots { first: 0..path.len(), second: None },
        ));
    }
    let mut at = path.len() + 1;
    for pair in query.split('&') {
        if let Some(value) = pair.strip_prefix("url=") {
            let inner = percent_decode_str(value).decode_utf8().ok()?;
            let first = at + "url=".len()..at + pair.len();
            return is_picture(&inner).then(|| {
                (TemplateSubject::Picture, TemplateArgs::one(&*inner), TemplateSlots { first, second: None })
            });
        }
        at += pair.len() + 1;
    }
    None
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a path is that of a timestamped picture of an item.
fn is_picture(path: &str) -> bool {
    let Some(rest) = path.strip_prefix(ITEM) else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    matches!(parts[..], [id, kind, stamp] if is_id(id) && is_id(stamp) && PICTURES.contains(&kind))
}

/// One row as the server writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawItem {
    #[serde(rename = "type")]
    kind: Option<String>,
    rating_key: Option<String>,
    parent_rating_key: Option<String>,
    grandparent_rating_key: Option<String>,
    thumb: Option<String>,
    art: Option<String>,
    parent_thumb: Option<String>,
    grandparent_thumb: Option<String>,
}

impl RawItem {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "type" => self.kind = Some(value),
            "ratingKey" => self.rating_key = Some(value),
            "parentRatingKey" => self.parent_rating_key = Some(value),
            "grandparentRatingKey" => self.grandparent_rating_key = Some(value),
            "thumb" => self.thumb = Some(value),
            "art" => self.art = Some(value),
            "parentThumb" => self.parent_thumb = Some(value),
            "grandparentThumb" => self.grandparent_thumb = Some(value),
            _ => {}
        }
    }

    /// The row's references; `None` if it is no item.
    fn row(self) -> Option<RowReferences> {
        let id = self.rating_key.filter(|id| is_id(id))?;
        let ids = [
            (ReferenceKind::Parent, self.parent_rating_key),
            (ReferenceKind::Grandparent, self.grandparent_rating_key),
        ];
        let pictures = [
            (ReferenceKind::Thumb, self.thumb),
            (ReferenceKind::Art, self.art),
            (ReferenceKind::ParentThumb, self.parent_thumb),
            (ReferenceKind::GrandparentThumb, self.grandparent_thumb),
        ];
        let ids = ids.into_iter().map(|(link, id)| (link, id.filter(|id| is_id(id))));
        let pictures = pictures.into_iter().map(|(link, path)| (link, path.filter(|path| is_picture(path))));
        let mut references = vec![(ReferenceKind::Item, TemplateArgs::one(id))];
        references.extend(ids.chain(pictures).filter_map(|(link, arg)| Some((link, TemplateArgs::one(arg?)))));
        let kind = self.kind.filter(|kind| kind.len() <= MAX_KIND_BYTES).unwrap_or_default();
        Some(RowReferences { kind, references })
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "MediaContainer")]
    container: Container,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    metadata: Vec<RawItem>,
    hub: Vec<Hub>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Hub {
    metadata: Vec<RawItem>,
}

/// The rows of a JSON response; empty for anything else.
pub(super) fn rows_in_json(body: &[u8]) -> Vec<RowReferences> {
    let Ok(Body { container }) = serde_json::from_slice(body) else { return Vec::new() };
    let below = container.hub.into_iter().flat_map(|hub| hub.metadata);
    container.metadata.into_iter().chain(below).filter_map(RawItem::row).take(MAX_ROWS).collect()
}

/// The rows of an XML response, up to the first syntax error.
pub(super) fn rows_in_xml(body: &[u8]) -> Vec<RowReferences> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let mut reader = Reader::from_str(text);
    let (mut rows, mut open) = (Vec::new(), Vec::new());
    while rows.len() < MAX_ROWS {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                rows.extend(row_in_xml(&element, &open));
                open.push(element.name().as_ref() == "Hub");
            }
            Ok(Event::Empty(element)) => rows.extend(row_in_xml(&element, &open)),
            Ok(Event::End(_)) => drop(open.pop()),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    rows
}

/// The row of an element; `open` tells for each element around it whether it is a hub.
fn row_in_xml(element: &BytesStart<'_>, open: &[bool]) -> Option<RowReferences> {
    let is_nested = (1..=MAX_ROW_DEPTH).contains(&open.len()) && open.iter().skip(1).all(|is_hub| *is_hub);
    if !is_nested {
        return None;
    }
    let mut raw = RawItem::default();
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        raw.set(attribute.key.as_ref(), attribute.value.into_owned());
    }
    raw.row()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_image_of_an_item_with_a_timestamp_is_predicted() {
        assert!(is_picture("/library/metadata/5/thumb/1700000000"));
        for other in [
            "/library/metadata/5/thumb",
            "/library/metadata/5/thumb/",
            "/library/metadata/5/thumb/1?x=1",
            "/library/metadata/5/thumb/../../refresh",
            "/library/metadata/5/refresh/1",
            "/library/metadata/5%2f/thumb/1",
            "/library/metadata//thumb/1",
            "http://elsewhere/library/metadata/5/thumb/1",
            "library/metadata/5/thumb/1",
        ] {
            assert!(!is_picture(other), "{other}");
        }
    }

    #[test]
    fn rows_are_the_same_in_both_representations() {
        let json = br#"{"MediaContainer":{"size":1,"Metadata":[{"ratingKey":"7","type":"episode","parentRatingKey":"6",
            "grandparentRatingKey":"5","thumb":"/library/metadata/7/thumb/1","Media":[{"id":3}]},
            {"key":"/library/folders","type":"folder"}],"Hub":[{"Metadata":[{"ratingKey":"9","type":"movie"}]}]}}"#;
        let xml = br#"<?xml version="1.0"?><MediaContainer size="1"><Video ratingKey="7" type="episode"
            parentRatingKey="6" grandparentRatingKey="5" thumb="/library/metadata/7/thumb/1"><Media id="3">
            <Video ratingKey="8" type="clip"/></Media></Video><Directory key="/library/folders" type="folder"/>
            <Hub><Video ratingKey="9" type="movie"/></Hub></MediaContainer>"#;
        let rows = rows_in_json(json);
        assert_eq!(rows, rows_in_xml(xml));
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get(ReferenceKind::Grandparent), Some(&TemplateArgs::one("5")));
        assert_eq!(rows[0].get(ReferenceKind::Thumb), Some(&TemplateArgs::one("/library/metadata/7/thumb/1")));
        assert_eq!((rows[1].kind.as_str(), rows[1].get(ReferenceKind::Item)), ("movie", Some(&TemplateArgs::one("9"))));
    }

    #[test]
    fn a_value_that_is_not_an_id_yields_no_tag() {
        let json =
            br#"{"MediaContainer":{"Metadata":[{"ratingKey":"7/refresh"},{"ratingKey":"1","parentRatingKey":"../2",
            "thumb":"/photo/:/transcode?url=/library/metadata/1/thumb/2","art":"https://example.invalid/a"}]}}"#;
        let rows = rows_in_json(json);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].references, [(ReferenceKind::Item, TemplateArgs::one("1"))]);
    }
}
