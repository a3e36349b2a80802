//! Converts an XML document to a JSON value: attributes are fields, children are lists under their element's name.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Max depth of elements.
const MAX_DEPTH: usize = 64;

/// The document's value; `None` if it is not XML.
pub(super) fn value(body: &[u8]) -> Option<Value> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut open: Vec<(String, Map<String, Value>)> = vec![(String::new(), Map::new())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if open.len() < MAX_DEPTH => open.push(element(&start)?),
            Event::Start(_) => return None,
            Event::Empty(start) => {
                let (name, fields) = element(&start)?;
                append_child(&mut open, &name, fields)?;
            }
            Event::End(_) => {
                let (name, fields) = open.pop()?;
                append_child(&mut open, &name, fields)?;
            }
            Event::Text(text) => add_text(&mut open, text.trim())?,
            Event::CData(text) => add_text(&mut open, &text)?,
            Event::GeneralRef(name) => add_text(&mut open, &format!("&{};", &*name))?,
            Event::Eof => break,
            _ => {}
        }
    }
    let (_, root) = open.pop().filter(|_| open.is_empty())?;
    // One element and nothing beside it.
    let mut roots = root.into_iter();
    let (name, Value::Array(mut elements)) = roots.next()? else { return None };
    let element = elements.pop()?;
    (elements.is_empty() && roots.next().is_none()).then(|| Value::Object(Map::from_iter([(name, element)])))
}

fn element(start: &BytesStart<'_>) -> Option<(String, Map<String, Value>)> {
    let mut fields = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        fields.insert(name(attribute.key.as_ref())?, attribute.value.into_owned().into());
    }
    Some((name(start.name().as_ref())?, fields))
}

/// A name, which reports may show. The reader splits at blanks only, so that a forgotten blank would make a value part
/// of the name: no document with such a name is XML.
fn name(text: &str) -> Option<String> {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':' | '-' | '.');
    text.chars().all(fits).then(|| text.to_owned())
}

fn append_child(open: &mut [(String, Map<String, Value>)], name: &str, fields: Map<String, Value>) -> Option<()> {
    let (_, parent) = open.last_mut()?;
    let list = parent.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    list.as_array_mut()?.push(Value::Object(fields));
    Some(())
}

fn add_text(open: &mut [(String, Map<String, Value>)], text: &str) -> Option<()> {
    let (_, parent) = open.last_mut()?;
    if !text.is_empty()
        && let Value::String(whole) = parent.entry("#").or_insert_with(|| Value::String(String::new()))
    {
        whole.push_str(text);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_complete_document_is_parsed_and_a_truncated_one_is_not() {
        let text = r#"<?xml version="1.0"?><M size="2"><V key="1"><T>x</T></V><V key="2"/></M>"#;
        let wanted = json!({"M": {"size": "2", "V": [{"key": "1", "T": [{"#": "x"}]}, {"key": "2"}]}});
        assert_eq!(value(text.as_bytes()), Some(wanted));
        assert_eq!(value(b"<M><V>"), None);
        assert_eq!(value(b"nothing"), None);
    }

    #[test]
    fn a_name_holds_no_value() {
        assert_eq!(value(br#"<M><Vkey="secret"/></M>"#), None);
        assert!(value(br#"<M><V:x-1.a size="1"/></M>"#).is_some());
    }

    #[test]
    fn all_text_of_an_element_counts() {
        let parsed = |text: &str| value(format!("<M>{text}</M>").as_bytes()).expect("a document");
        assert_eq!(parsed("a<V/>c &amp; d<![CDATA[<e>]]>")["M"]["#"], json!("ac&amp;d<e>"));
        for (one, other) in [("a<V/>c", "b<V/>c"), ("a&amp;b", "a&lt;b"), ("<![CDATA[a]]>", "<![CDATA[b]]>")] {
            assert_ne!(parsed(one), parsed(other));
        }
    }

    #[test]
    fn a_document_has_one_root_and_nothing_beside_it() {
        for text in ["<a/><b/>", "<a/><a/>", "<a/>x"] {
            assert_eq!(value(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_document_nested_too_deeply_is_not_parsed() {
        assert_eq!(value("<a>".repeat(100_000).as_bytes()), None);
    }
}
