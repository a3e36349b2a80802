//! Compares two responses and lists the places where they differ.

mod volatile;
mod xml;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::probe_client::ProbeResponse;
use volatile::{ESSENTIAL_HEADERS, reason_for};

/// Max places reported per response.
const MAX_PLACES: usize = 5;
/// Max nesting depth compared.
const MAX_DEPTH: usize = 64;

/// Differences of two responses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDiff {
    /// Places no rule explains.
    places: BTreeSet<String>,
    /// Explanations of the other places.
    explained: BTreeSet<&'static str>,
}

impl ResponseDiff {
    /// Whether all differences are explained.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Why the explained differences are expected.
    pub fn explanation(&self) -> Option<&'static str> {
        self.explained.first().copied()
    }

    /// Adds the differences of another pair.
    pub fn merge(&mut self, other: Self) {
        self.places.extend(other.places);
        self.explained.extend(other.explained);
    }

    /// Whether all places are among those of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.places.iter().all(|place| other.places.contains(place))
    }

    /// The first places.
    pub fn places(&self) -> Vec<String> {
        self.places.iter().take(MAX_PLACES).cloned().collect()
    }
}

/// Differences between `direct` and `through`; the target selects the rules.
pub fn differences(target: &str, direct: &ProbeResponse, through: &ProbeResponse) -> ResponseDiff {
    let mut found = ResponseDiff::default();
    if direct.status != through.status {
        found.places.insert(format!("status {} became {}", direct.status, through.status));
        return found;
    }
    if direct.status >= 400 {
        // Texts of errors may be ours; only the status counts, and it was compared.
        return found;
    }
    for name in ESSENTIAL_HEADERS {
        if header(&direct.headers, name) != header(&through.headers, name) {
            found.places.insert(format!("header {name}"));
        }
    }
    bodies(target, direct, through, &mut found);
    found
}

fn bodies(target: &str, direct: &ProbeResponse, through: &ProbeResponse, found: &mut ResponseDiff) {
    if direct.body == through.body {
        return;
    }
    let parsed = |heard: &ProbeResponse| match header(&heard.headers, CONTENT_TYPE.as_str()) {
        Some(said) if said.contains("json") => serde_json::from_slice(&heard.body).ok(),
        Some(said) if said.contains("xml") => xml::value(&heard.body),
        _ => None,
    };
    match (parsed(direct), parsed(through)) {
        (Some(direct), Some(through)) => {
            let mut walk = ValueComparison { target, found };
            walk.values(&mut String::new(), "", &direct, &through, 0);
        }
        _ => {
            found.places.insert("body".into());
        }
    }
}

/// A header in lower case, without spaces.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect())
}

struct ValueComparison<'a> {
    target: &'a str,
    found: &'a mut ResponseDiff,
}

impl ValueComparison<'_> {
    fn values(&mut self, path: &mut String, field: &str, direct: &Value, through: &Value, depth: usize) {
        if direct == through || depth > MAX_DEPTH {
            return;
        }
        match (direct, through) {
            (Value::Object(one), Value::Object(other)) => {
                let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for name in names {
                    let length = path.len();
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(name);
                    match (one.get(name), other.get(name)) {
                        (Some(one), Some(other)) => self.values(path, name, one, other, depth + 1),
                        _ => self.place(path, name),
                    }
                    path.truncate(length);
                }
            }
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
                self.place(&format!("{path} ({} rows became {})", one.len(), other.len()), field);
            }
            _ => self.place(path, field),
        }
    }

    fn place(&mut self, path: &str, field: &str) {
        match reason_for(self.target, field) {
            Some(reason) => {
                self.found.explained.insert(reason);
            }
            None => {
                self.found.places.insert(if path.is_empty() { "body".into() } else { path.to_owned() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    fn heard(status: u16, content_type: &'static str, body: &'static str) -> ProbeResponse {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        ProbeResponse { status, headers, body: Bytes::from_static(body.as_bytes()) }
    }

    fn json(body: &'static str) -> ProbeResponse {
        heard(200, "application/json", body)
    }

    #[test]
    fn places_are_told_and_values_are_not() {
        let one = json(r#"{"a":{"b":[{"c":"SECRET"},{"c":2}]},"n":1}"#);
        let other = json(r#"{"a":{"b":[{"c":"OTHER"},{"c":2}]},"m":1}"#);
        let found = differences("/x", &one, &other);
        assert_eq!(found.places(), ["a.b[0].c", "m", "n"]);
        let shorter = json(r#"{"a":{"b":[]},"n":1}"#);
        assert_eq!(differences("/x", &one, &shorter).places(), ["a.b (2 rows became 0)"]);
    }

    #[test]
    fn the_order_of_fields_does_not_matter_and_that_of_rows_does() {
        let one = json(r#"{"a":1,"b":[1,2]}"#);
        assert!(differences("/x", &one, &json(r#"{"b":[1,2], "a":1}"#)).is_empty());
        assert_eq!(differences("/x", &one, &json(r#"{"a":1,"b":[2,1]}"#)).places(), ["b[0]", "b[1]"]);
    }

    #[test]
    fn documents_are_compared_by_element_and_attribute() {
        let one = heard(200, "text/xml;charset=utf-8", r#"<M size="1"><V key="1" at="2"/></M>"#);
        let same = heard(200, "text/xml; charset=UTF-8", r#"<M size="1"><V at="2" key="1"></V></M>"#);
        let other = heard(200, "text/xml;charset=utf-8", r#"<M size="1"><V key="1" at="3"/></M>"#);
        assert!(differences("/x", &one, &same).is_empty());
        assert_eq!(differences("/x", &one, &other).places(), ["M.V[0].at"]);
    }

    #[test]
    fn status_type_and_pictures_count() {
        assert_eq!(differences("/x", &json("{}"), &heard(503, "text/plain", "")).places(), ["status 200 became 503"]);
        assert_eq!(differences("/x", &json("{}"), &heard(200, "text/html", "{}")).places(), ["header content-type"]);
        let (one, other) = (heard(200, "image/jpeg", "a"), heard(200, "image/jpeg", "b"));
        assert_eq!(differences("/x", &one, &other).places(), ["body"]);
        assert!(differences("/x", &heard(404, "text/html", "a"), &heard(404, "text/plain", "b")).is_empty());
    }

    #[test]
    fn what_may_differ_is_explained_only_where_it_may() {
        let (one, other) = (json(r#"{"LocalAddress":"a"}"#), json(r#"{"LocalAddress":"b"}"#));
        let found = differences("/System/Info", &one, &other);
        assert!(found.is_empty() && found.explanation().is_some());
        assert_eq!(differences("/Items", &one, &other).places(), ["LocalAddress"]);
    }
}
