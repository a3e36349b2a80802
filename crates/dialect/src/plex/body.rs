//! Checks that the body of a 200 response matches its class, and reads its facts.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::class::Class;
use crate::classification::{Read, Representation};
use crate::image_integrity;
use crate::plex::rows::PlexRows;
use crate::plex::{body_json, body_xml, page};
use crate::response_facts::{ResponseFacts, UnusableResponse};

pub(super) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<ResponseFacts, UnusableResponse> {
    let media = media_type(headers);
    let roots: &[&str] =
        if read.class == Class::Statistics { &["MediaContainer", "ButlerTasks"] } else { &["MediaContainer"] };
    match read.representation {
        Representation::Opaque => opaque(read.class, media.as_deref(), body),
        Representation::Xml => {
            if !media.is_none_or(|media| is_xml(&media)) {
                return Err(UnusableResponse::ContentType);
            }
            let text = std::str::from_utf8(body).map_err(|_| UnusableResponse::Malformed)?;
            Ok(facts(body_xml::read(text, roots)?, headers, read))
        }
        Representation::Json | Representation::JsonCamel => {
            if !media.is_none_or(|media| is_json(&media)) {
                return Err(UnusableResponse::ContentType);
            }
            Ok(facts(body_json::read(body, roots)?, headers, read))
        }
    }
}

fn facts(mut rows: PlexRows, headers: &HeaderMap, read: &Read) -> ResponseFacts {
    let offset = headers.get(page::START).and_then(|value| value.to_str().ok());
    rows.set_head_offset(offset.and_then(|value| value.trim().parse().ok()));
    rows.facts(read)
}

/// The media type in lower case, without parameters. `None` if there is none.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes());
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

fn is_xml(media: &str) -> bool {
    matches!(media, "text/xml" | "application/xml")
}

fn is_json(media: &str) -> bool {
    matches!(media, "application/json" | "text/json")
}

fn opaque(class: Class, media: Option<&str>, body: &[u8]) -> Result<ResponseFacts, UnusableResponse> {
    let is_plausible = match (class, media) {
        (_, Some("text/html" | "application/xhtml+xml")) => false,
        (Class::Images, Some(media)) => media.starts_with("image/"),
        _ => true,
    };
    if !is_plausible {
        return Err(UnusableResponse::ContentType);
    }
    let is_image = class == Class::Images || media.is_some_and(|media| media.starts_with("image/"));
    let is_plausible = if class == Class::Images { is_picture(body) } else { !body.is_empty() };
    if is_plausible && !(is_image && image_integrity::is_broken_off(body)) {
        Ok(ResponseFacts::default())
    } else {
        Err(UnusableResponse::Malformed)
    }
}

/// Whether the first bytes are those of an image.
fn is_picture(body: &[u8]) -> bool {
    let text = body.trim_ascii_start();
    body.starts_with(b"\xff\xd8\xff")
        || body.starts_with(b"\x89PNG\r\n\x1a\n")
        || body.starts_with(b"GIF8")
        || body.starts_with(b"BM")
        || body.starts_with(b"\0\0\x01\0")
        || (body.starts_with(b"RIFF") && body.get(8..12) == Some(b"WEBP"))
        || body.get(4..8) == Some(b"ftyp")
        || text.starts_with(b"<svg")
        || (text.starts_with(b"<?xml") && text.windows(4).take(1024).any(|window| window == b"<svg"))
}
