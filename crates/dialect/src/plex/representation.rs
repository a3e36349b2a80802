//! Representation a client accepts. Plex writes XML unless JSON is named explicitly.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::classification::Representation;

/// The representation by the first acceptable entry of `Accept`: highest weight first, then order; a wildcard
/// is XML.
pub(super) fn from_accept(headers: &HeaderMap) -> Representation {
    let mut best = Representation::Xml;
    let mut best_weight = 0;
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    for entry in lines.flat_map(|line| line.split(',')) {
        let mut parts = entry.split(';').map(str::trim);
        let media = parts.next().unwrap_or("").to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, weight);
        let Some(representation) = form(&media) else { continue };
        if weight > best_weight {
            best = representation;
            best_weight = weight;
        }
    }
    best
}

/// The `Accept` value sent for a representation.
pub(super) fn accept(representation: Representation) -> &'static str {
    match representation {
        Representation::Json | Representation::JsonCamel => "application/json",
        Representation::Xml => "text/xml, application/xml;q=0.9, */*;q=0.1",
        Representation::Opaque => "*/*",
    }
}

/// Short name of a representation, used in keys.
pub(super) fn name(representation: Representation) -> &'static str {
    match representation {
        Representation::Json | Representation::JsonCamel => "json",
        Representation::Xml => "xml",
        Representation::Opaque => "raw",
    }
}

fn form(media: &str) -> Option<Representation> {
    match media {
        "application/json" | "text/json" => Some(Representation::Json),
        "application/xml" | "text/xml" | "*/*" | "text/*" | "application/*" => Some(Representation::Xml),
        _ => None,
    }
}

/// A weight in thousandths; an invalid one counts as 1000.
fn weight(text: &str) -> u16 {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (integer, fraction.parse::<u16>()) {
        ("0", Ok(thousandths)) => thousandths,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(accept: &'static str) -> Representation {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        from_accept(&headers)
    }

    #[test]
    fn xml_unless_json_is_asked_for_by_name() {
        assert_eq!(from_accept(&HeaderMap::new()), Representation::Xml);
        for xml in [
            "*/*",
            "",
            "text/xml",
            "application/xml",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/xml, application/json",
            "application/json;q=0.1, text/xml",
            "application/json;q=0",
            "image/webp",
        ] {
            assert_eq!(from(xml), Representation::Xml, "{xml}");
        }
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json, text/plain, */*",
            "text/xml;q=0.5, application/json;q=0.51",
            "text/html, application/json",
        ] {
            assert_eq!(from(json), Representation::Json, "{json}");
        }
    }
}
