//! Compares two responses to the same request: the one from the cache and the server's. Observe mode, spot checks,
//! `doctor --compare` and `why` all ask this one function, and each draws its own conclusion from the result.
//!
//! Places are named without the values there, because values may be secrets.
//!
//! Modules: [`volatile`] (the closed list of what changes by itself), `xml` (a document as a JSON value).

pub mod volatile;
mod xml;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::HeaderMap;
use serde_json::{Map, Value};

use volatile::{ESSENTIAL_HEADERS, path_of, reason_for, reason_within};

/// Max places named per comparison.
const MAX_PLACES: usize = 5;
/// Max places collected; at this many the comparison ends, because the responses differ anyway.
const MAX_COLLECTED_PLACES: usize = 1_000;
/// Max characters of a name in a place; names are the server's, of any length.
const MAX_NAME_CHARS: usize = 100;
/// Max nesting depth compared.
const MAX_DEPTH: usize = 64;

/// One of two responses.
#[derive(Debug, Clone, Copy)]
pub struct ComparedResponse<'a> {
    /// Its status; `None` if there was no response.
    pub status: Option<u16>,
    /// Its headers; `None` if only bodies are compared.
    pub headers: Option<&'a HeaderMap>,
    /// Its body; `None` if none passed.
    pub body: Option<&'a [u8]>,
}

impl<'a> ComparedResponse<'a> {
    /// A response without headers.
    pub fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status: Some(status), headers: None, body: Some(body) }
    }
}

/// Strictness of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonDepth<'a> {
    /// Status, and the body as bytes. Parses nothing.
    Bytes,
    /// Status, headers, and the fields of JSON or XML, however they are ordered and spelled. The target of the request
    /// selects the fields that change by themselves.
    Fields(&'a str),
}

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseComparison {
    /// The same status, and the same body byte for byte; of errors only the status, because their text may be ours.
    Same,
    /// The bodies say the same in another order or spelling.
    Respelled,
    /// They differ only in what changes by itself, for this reason.
    Volatile(&'static str),
    /// The same status, but a body did not pass.
    Unread,
    /// Different statuses, those of the first and the second response.
    Status(Option<u16>, Option<u16>),
    /// Different at these places.
    Different(BTreeSet<String>),
}

impl ResponseComparison {
    /// Whether there is a difference that does not come by itself.
    pub fn is_unexplained(&self) -> bool {
        matches!(self, Self::Status(..) | Self::Different(_))
    }

    /// The first unexplained differences.
    pub fn places(&self) -> Vec<String> {
        self.all_places().into_iter().take(MAX_PLACES).collect()
    }

    /// Whether all its unexplained differences are among those of `other`. False if not all of them were collected.
    pub fn is_within(&self, other: &Self) -> bool {
        let places = self.all_places();
        places.len() < MAX_COLLECTED_PLACES && places.is_subset(&other.all_places())
    }

    /// The differences of two comparisons together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one.is_unexplained() || other.is_unexplained() => {
                Self::Different(&one.all_places() | &other.all_places())
            }
            (Self::Volatile(one), Self::Volatile(other)) => Self::Volatile(one.min(other)),
            (Self::Volatile(reason), _) | (_, Self::Volatile(reason)) => Self::Volatile(reason),
            (Self::Same, other) => other,
            (one, _) => one,
        }
    }

    fn all_places(&self) -> BTreeSet<String> {
        match self {
            Self::Different(places) => places.clone(),
            Self::Status(one, other) => {
                let text = |status: &Option<u16>| status.map_or_else(|| "none".to_owned(), |code| code.to_string());
                BTreeSet::from([format!("status {} became {}", text(one), text(other))])
            }
            Self::Same | Self::Respelled | Self::Volatile(_) | Self::Unread => BTreeSet::new(),
        }
    }
}

/// Compares. Pure.
pub fn compare(
    one: &ComparedResponse<'_>,
    other: &ComparedResponse<'_>,
    depth: ComparisonDepth<'_>,
) -> ResponseComparison {
    if one.status != other.status {
        return ResponseComparison::Status(one.status, other.status);
    }
    if one.status >= Some(400) {
        return ResponseComparison::Same;
    }
    let (Some(one_body), Some(other_body)) = (one.body, other.body) else { return ResponseComparison::Unread };
    let is_same_body = one_body == other_body;
    let mut found = FieldComparison::default();
    match depth {
        ComparisonDepth::Bytes if is_same_body => {}
        ComparisonDepth::Bytes => found.add_unexplained(""),
        ComparisonDepth::Fields(target) => {
            found.path = path_of(target);
            if let (Some(one), Some(other)) = (one.headers, other.headers) {
                found.headers(one, other);
            }
            if !is_same_body {
                found.bodies(one_body, other_body);
            }
        }
    }
    match found.reasons.first() {
        _ if !found.places.is_empty() => ResponseComparison::Different(found.places),
        Some(reason) => ResponseComparison::Volatile(reason),
        None if is_same_body => ResponseComparison::Same,
        None => ResponseComparison::Respelled,
    }
}

/// Differences found so far.
#[derive(Default)]
struct FieldComparison {
    /// Path of the request, in lower case.
    path: String,
    /// Places no rule explains.
    places: BTreeSet<String>,
    /// Reasons of the other places.
    reasons: BTreeSet<&'static str>,
}

impl FieldComparison {
    fn is_full(&self) -> bool {
        self.places.len() >= MAX_COLLECTED_PLACES
    }

    fn headers(&mut self, one: &HeaderMap, other: &HeaderMap) {
        for name in ESSENTIAL_HEADERS {
            if header(one, name) != header(other, name) {
                self.places.insert(format!("header {name}"));
            }
        }
    }

    fn bodies(&mut self, one: &[u8], other: &[u8]) {
        // Both in the same format: a document is never another spelling of JSON.
        let both = |parse: fn(&[u8]) -> Option<Value>| Some((parse(one)?, parse(other)?));
        match both(|body| serde_json::from_slice(body).ok()).or_else(|| both(xml::value)) {
            Some((one, other)) => self.values(&mut String::new(), "", &one, &other, 0),
            None => self.add_unexplained(""),
        }
    }

    fn values(&mut self, path: &mut String, field: &str, one: &Value, other: &Value, depth: usize) {
        match (one, other) {
            _ if self.is_full() || one == other => {}
            _ if depth > MAX_DEPTH => self.add(path, field),
            (Value::Object(one), Value::Object(other)) => self.objects(path, one, other, depth),
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                for (at, (one, other)) in one.iter().zip(other).enumerate() {
                    let length = path.len();
                    // Writing to a String cannot fail.
                    let _ = write!(path, "[{at}]");
                    self.values(path, field, one, other, depth + 1);
                    path.truncate(length);
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                self.add(&format!("{path} ({} rows became {})", one.len(), other.len()), field);
            }
            _ => self.add(path, field),
        }
    }

    fn objects(&mut self, path: &mut String, one: &Map<String, Value>, other: &Map<String, Value>, depth: usize) {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            let (first, second) = (one.get(name), other.get(name));
            if let (Some(first), Some(second)) = (first, second)
                && first != second
                && let Some(reason) = reason_within(one, other, name)
            {
                self.reasons.insert(reason);
                continue;
            }
            let length = path.len();
            if length > 0 {
                path.push('.');
            }
            push_name(path, name);
            match (first, second) {
                (Some(first), Some(second)) => self.values(path, name, first, second, depth + 1),
                _ => self.add(path, name),
            }
            path.truncate(length);
        }
    }

    fn add(&mut self, path: &str, field: &str) {
        match reason_for(&self.path, field) {
            Some(reason) => {
                self.reasons.insert(reason);
            }
            None => self.add_unexplained(path),
        }
    }

    fn add_unexplained(&mut self, path: &str) {
        self.places.insert(if path.is_empty() { "body".into() } else { path.to_owned() });
    }
}

/// Appends a name as people may see it: short, and without control characters.
fn push_name(path: &mut String, name: &str) {
    let shown = name.chars().take(MAX_NAME_CHARS).map(|letter| if letter.is_control() { ' ' } else { letter });
    path.extend(shown);
}

/// A header in lower case, without spaces.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;

    use super::*;

    fn differences(
        target: &str,
        one: (u16, &'static str, &str),
        other: (u16, &'static str, &str),
    ) -> ResponseComparison {
        let [one_headers, other_headers] =
            [one.1, other.1].map(|kind| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]));
        let one = ComparedResponse { headers: Some(&one_headers), ..ComparedResponse::new(one.0, one.2.as_bytes()) };
        let other =
            ComparedResponse { headers: Some(&other_headers), ..ComparedResponse::new(other.0, other.2.as_bytes()) };
        compare(&one, &other, ComparisonDepth::Fields(target))
    }

    fn json(body: &str) -> (u16, &'static str, &str) {
        (200, "application/json", body)
    }

    #[test]
    fn places_are_told_and_values_are_not() {
        let one = json(r#"{"a":{"b":[{"c":"SECRET"},{"c":2}]},"n":1}"#);
        let other = json(r#"{"a":{"b":[{"c":"OTHER"},{"c":2}]},"m":1}"#);
        let found = differences("/x", one, other);
        assert_eq!(found.places(), ["a.b[0].c", "m", "n"]);
        let shorter = json(r#"{"a":{"b":[]},"n":1}"#);
        assert_eq!(differences("/x", one, shorter).places(), ["a.b (2 rows became 0)"]);
        assert_eq!(differences("/x", json("1"), json("2")).places(), ["body"]);
    }

    #[test]
    fn the_order_of_fields_does_not_matter_and_that_of_rows_does() {
        let one = json(r#"{"a":1,"b":[1,2]}"#);
        assert_eq!(differences("/x", one, one), ResponseComparison::Same);
        assert_eq!(differences("/x", one, json(r#"{"b":[1,2], "a":1}"#)), ResponseComparison::Respelled);
        assert_eq!(differences("/x", one, json(r#"{"a":1,"b":[2,1]}"#)).places(), ["b[0]", "b[1]"]);
    }

    #[test]
    fn the_child_count_of_a_library_folder_explains_itself() {
        let view = |kind: &str, count: &str| format!(r#"{{"Items":[{{"Id":"1","Type":"{kind}"{count}}}]}}"#);
        let found = |kind: &str, one: &str, other: &str| {
            differences("/UserViews", json(&view(kind, one)), json(&view(kind, other)))
        };
        let (three, five) = (r#","ChildCount":3"#, r#","ChildCount":5"#);
        for kind in ["CollectionFolder", "UserView"] {
            assert!(matches!(found(kind, three, five), ResponseComparison::Volatile(_)), "{kind}");
            assert_eq!(found(kind, three, three), ResponseComparison::Same);
            assert_eq!(found(kind, three, "").places(), ["Items[0].ChildCount"], "one has none");
        }
        assert_eq!(found("Series", three, five).places(), ["Items[0].ChildCount"], "it is counted");
        let folder = differences(
            "/Items/1",
            json(r#"{"type":"UserView","childCount":1}"#),
            json(r#"{"type":"UserView","childCount":2}"#),
        );
        assert!(!folder.is_unexplained());
        let renamed = differences(
            "/Items/1",
            json(r#"{"Type":"UserView","ChildCount":1,"Name":"a"}"#),
            json(r#"{"Type":"UserView","ChildCount":2,"Name":"b"}"#),
        );
        assert_eq!(renamed.places(), ["Name"]);
    }

    #[test]
    fn documents_are_compared_by_element_and_attribute() {
        let one = (200, "text/xml;charset=utf-8", r#"<M size="1"><V key="1" at="2"/></M>"#);
        let same = (200, "text/xml; charset=UTF-8", r#"<M size="1"><V at="2" key="1"></V></M>"#);
        let other = (200, "text/xml;charset=utf-8", r#"<M size="1"><V key="1" at="3"/></M>"#);
        assert_eq!(differences("/x", one, same), ResponseComparison::Respelled);
        assert_eq!(differences("/x", one, other).places(), ["M.V[0].at"]);
    }

    #[test]
    fn status_type_and_pictures_count() {
        assert_eq!(differences("/x", json("{}"), (503, "text/plain", "")).places(), ["status 200 became 503"]);
        assert_eq!(differences("/x", json("{}"), (200, "text/html", "{}")).places(), ["header content-type"]);
        let (one, other) = ((200, "image/jpeg", "a"), (200, "image/jpeg", "b"));
        assert_eq!(differences("/x", one, other).places(), ["body"]);
        let refused = differences("/x", (404, "text/html", "a"), (404, "text/plain", "b"));
        assert_eq!(refused, ResponseComparison::Same);
    }

    #[test]
    fn what_may_differ_is_explained_only_where_it_may() {
        let (one, other) = (json(r#"{"LocalAddress":"a"}"#), json(r#"{"LocalAddress":"b"}"#));
        let found = differences("/System/Info", one, other);
        assert!(!found.is_unexplained() && matches!(found, ResponseComparison::Volatile(_)));
        assert_eq!(differences("/Items", one, other).places(), ["LocalAddress"]);
    }

    #[test]
    fn a_difference_below_every_limit_of_depth_is_still_a_difference() {
        let deep = |value: &str| format!("{}{value}{}", "[".repeat(100), "]".repeat(100));
        let (one, other) = (deep("1"), deep("2"));
        assert!(differences("/x", json(&one), json(&other)).is_unexplained());
    }

    #[test]
    fn hostile_responses_have_few_and_short_places() {
        let name = "\\u001b[2J".repeat(1_000);
        let rows = |row: &str| format!("{{\"{name}\":[{row}]}}");
        let (one, other) = (rows(&vec!["0"; 100_000].join(",")), rows(&vec!["1"; 100_000].join(",")));
        let found = differences("/x", json(&one), json(&other));
        assert_eq!(found.all_places().len(), MAX_COLLECTED_PLACES);
        for place in found.places() {
            assert!(place.chars().count() < MAX_NAME_CHARS + 10 && !place.contains('\u{1b}'), "{place}");
        }
        assert!(!found.is_within(&found), "the rest of the places is not known");
    }

    #[test]
    fn a_document_is_no_spelling_of_json() {
        let (one, other) = ((200, "text/xml", r#"<M size="2"/>"#), json(r#"{"M":{"size":"2"}}"#));
        let [one, other] = [one, other].map(|(status, _, body)| (status, "text/plain", body));
        assert_eq!(differences("/x", one, other).places(), ["body"]);
    }

    #[test]
    fn bytes_are_compared_without_reading_them_and_a_missing_body_is_no_difference() {
        let one = ComparedResponse::new(200, br#"{"a":1,"b":2}"#);
        let respelled = ComparedResponse::new(200, br#"{"b":2,"a":1}"#);
        let found = compare(&one, &respelled, ComparisonDepth::Bytes);
        assert_eq!(found.places(), ["body"]);
        assert_eq!(compare(&one, &one, ComparisonDepth::Bytes), ResponseComparison::Same);
        let silent = ComparedResponse { body: None, ..one };
        assert_eq!(compare(&one, &silent, ComparisonDepth::Bytes), ResponseComparison::Unread);
        let none = ComparedResponse { status: None, ..silent };
        assert_eq!(compare(&one, &none, ComparisonDepth::Bytes), ResponseComparison::Status(Some(200), None));
    }

    #[test]
    fn a_difference_is_within_another_only_with_all_its_places() {
        let found = |one, other| differences("/x", json(one), json(other));
        let (small, large) = (found(r#"{"a":1}"#, r#"{"a":2}"#), found(r#"{"a":1,"b":1}"#, r#"{"a":2,"b":2}"#));
        assert!(small.is_within(&large) && !large.is_within(&small));
        assert!(ResponseComparison::Same.is_within(&small) && !small.is_within(&ResponseComparison::Same));
        let status = ResponseComparison::Status(Some(200), Some(404));
        assert!(status.is_within(&status) && !status.is_within(&large));
        let both = large.clone().merge(status.clone());
        assert!(large.is_within(&both) && status.is_within(&both) && !both.is_within(&large));
    }

    #[test]
    fn two_comparisons_together_are_as_different_as_the_worse_one() {
        let (same, respelled) = (ResponseComparison::Same, ResponseComparison::Respelled);
        let (one, other) = (ResponseComparison::Volatile("a"), ResponseComparison::Volatile("b"));
        assert_eq!(same.clone().merge(respelled.clone()), respelled);
        assert_eq!(respelled.merge(other.clone()), other);
        assert_eq!(other.clone().merge(one.clone()), one);
        let status = ResponseComparison::Status(Some(200), Some(503));
        assert_eq!(same.merge(status.clone()).places(), ["status 200 became 503"]);
        assert_eq!(other.merge(status).places(), ["status 200 became 503"]);
    }
}
