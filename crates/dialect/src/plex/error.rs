//! Error bodies for Plex clients: small, valid, in the requested representation.

use bytes::Bytes;

use crate::classification::Representation;

pub(super) fn body(format: Representation, status: u16, message: &str) -> (&'static str, Bytes) {
    match format {
        Representation::Json | Representation::JsonCamel => {
            let body = serde_json::json!({ "errors": [{ "code": status, "message": message, "status": status }] });
            ("application/json", Bytes::from(body.to_string()))
        }
        Representation::Xml => {
            let message = escaped(message);
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response code=\"{status}\" status=\"{message}\"/>\n"
            );
            ("text/xml;charset=utf-8", Bytes::from(body))
        }
        Representation::Opaque => ("text/plain;charset=utf-8", Bytes::from(format!("{status} {message}\n"))),
    }
}

/// Text escaped for an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_valid_in_every_form_whatever_its_message() {
        let nasty = "a \"b\" <c> & 'd' \u{0} \n \u{ffff} ä";
        let (kind, xml) = body(Representation::Xml, 503, nasty);
        assert_eq!(kind, "text/xml;charset=utf-8");
        let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(&xml).unwrap());
        let mut names = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Empty(element) => {
                    for attribute in element.attributes() {
                        attribute.unwrap();
                    }
                    names.push(element.name().as_ref().to_owned());
                }
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(names, ["Response"]);
        let (kind, json) = body(Representation::Json, 503, nasty);
        assert_eq!(kind, "application/json");
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(read["errors"][0]["status"], 503);
        assert_eq!(read["errors"][0]["message"], nasty);
        assert_eq!(body(Representation::Opaque, 404, "gone").1, "404 gone\n");
    }
}
