//! Converts Plex's identity response between JSON and XML, which have the same few attributes.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::escaped;
use crate::classification::Representation;

/// The identity in `format`; `json` is the server's response. `None` if that is no identity.
pub(super) fn in_format(json: &Bytes, format: Representation) -> Option<(&'static str, Bytes)> {
    let identity: Value = serde_json::from_slice(json).ok()?;
    let container = identity.get("MediaContainer")?.as_object()?;
    container.get("machineIdentifier")?.as_str()?;
    match format {
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
    fn an_identity_is_the_same_in_both_formats() {
        let identity = Bytes::from_static(
            br#"{"MediaContainer":{"size":0,"claimed":true,"machineIdentifier":"a\"b","version":"1.43","odd name":1,"Row":[]}}"#,
        );
        assert_eq!(in_format(&identity, Representation::Json), Some(("application/json", identity.clone())));
        let (_, xml) = in_format(&identity, Representation::Xml).unwrap();
        let xml = String::from_utf8(xml.to_vec()).unwrap();
        for part in ["size=\"0\"", "claimed=\"1\"", "machineIdentifier=\"a&quot;b\"", "version=\"1.43\""] {
            assert!(xml.contains(part), "{xml}");
        }
        assert!(!xml.contains("odd") && !xml.contains("Row"), "{xml}");
    }

    #[test]
    fn a_body_without_an_identity_yields_none() {
        for identity in [&b"<html>"[..], b"{}", br#"{"MediaContainer":{"size":0}}"#] {
            assert_eq!(in_format(&Bytes::from_static(identity), Representation::Xml), None);
        }
    }
}
