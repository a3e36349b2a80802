//! Converts Plex's identity response between JSON and XML, which have the same few attributes.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::escaped;
use crate::classification::Representation;

/// The identity in `form`; `json` is the server's response. `None` if that is no identity.
pub(super) fn in_format(json: &Bytes, form: Representation) -> Option<(&'static str, Bytes)> {
    let said: Value = serde_json::from_slice(json).ok()?;
    let container = said.get("MediaContainer")?.as_object()?;
    container.get("machineIdentifier")?.as_str()?;
    match form {
        Representation::Json => Some(("application/json", json.clone())),
        Representation::Xml => Some(("text/xml;charset=utf-8", xml(container).into())),
        Representation::JsonCamel | Representation::Opaque => None,
    }
}

fn xml(container: &Map<String, Value>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MediaContainer");
    for (name, value) in container.iter().filter(|(name, _)| is_a_name(name)) {
        let value = match value {
            Value::String(text) => escaped(text),
            Value::Bool(flag) => u8::from(*flag).to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        for part in [" ", name, "=\"", &value, "\""] {
            out.push_str(part);
        }
    }
    out.push_str("/>\n");
    out
}

fn is_a_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_says_the_same_in_both_forms() {
        let said = Bytes::from_static(
            br#"{"MediaContainer":{"size":0,"claimed":true,"machineIdentifier":"a\"b","version":"1.43","odd name":1,"Row":[]}}"#,
        );
        assert_eq!(in_format(&said, Representation::Json), Some(("application/json", said.clone())));
        let (_, xml) = in_format(&said, Representation::Xml).unwrap();
        let xml = String::from_utf8(xml.to_vec()).unwrap();
        for part in ["size=\"0\"", "claimed=\"1\"", "machineIdentifier=\"a&quot;b\"", "version=\"1.43\""] {
            assert!(xml.contains(part), "{xml}");
        }
        assert!(!xml.contains("odd") && !xml.contains("Row"), "{xml}");
    }

    #[test]
    fn what_is_no_introduction_is_none() {
        for said in [&b"<html>"[..], b"{}", br#"{"MediaContainer":{"size":0}}"#] {
            assert_eq!(in_format(&Bytes::from_static(said), Representation::Xml), None);
        }
    }
}
