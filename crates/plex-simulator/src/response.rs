//! Encoding of responses: representation, headers, error pages.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, HeaderName, ORIGIN, VARY,
};

use super::node::Node;
use super::switches::PlexSwitches;
use super::{json, xml};
use greenroom_simulator_backend::serve::{SimulatedRequest, SimulatedResponse};

const PROTOCOL: HeaderName = HeaderName::from_static("x-plex-protocol");
const CONTAINER_START: HeaderName = HeaderName::from_static("x-plex-container-start");
const CONTAINER_TOTAL: HeaderName = HeaderName::from_static("x-plex-container-total-size");
const ORIGINAL_LENGTH: HeaderName = HeaderName::from_static("x-plex-content-original-length");
const COMPRESSED_LENGTH: HeaderName = HeaderName::from_static("x-plex-content-compressed-length");

/// Smaller bodies are not worth compressing.
const GZIP_FROM_BYTES: usize = 512;

/// Whether the client wants JSON: only if it is the first of its most preferred types.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut best: Option<(f32, bool)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or("").to_ascii_lowercase();
        let json = match media.as_str() {
            "application/json" | "text/json" => true,
            "text/xml" | "application/xml" | "*/*" | "application/*" | "text/*" => false,
            _ => continue,
        };
        let liked = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        if liked > best.map_or(0.0, |(liked, _)| liked) {
            best = Some((liked, json));
        }
    }
    best.is_some_and(|(_, json)| json)
}

/// Paging fields of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowWindow {
    /// First row in it.
    pub(super) start: usize,
    /// Total number of rows.
    pub(super) total: usize,
}

/// A response with this tree.
pub(super) fn tree(
    asked: &SimulatedRequest,
    switches: &PlexSwitches,
    root: &Node,
    window: Option<RowWindow>,
) -> SimulatedResponse {
    let (kind, body) = if wants_json(&asked.headers) {
        ("application/json", json::write(root))
    } else {
        ("text/xml;charset=utf-8", xml::write(root))
    };
    let mut answer = plain(200, kind, body);
    if let Some(window) = window {
        answer = answer
            .with_header(CONTAINER_START, &window.start.to_string())
            .with_header(CONTAINER_TOTAL, &window.total.to_string());
    }
    if switches.gzip { compressed(asked, answer) } else { answer }
}

/// An empty response to a write.
pub(super) fn done() -> SimulatedResponse {
    plain(200, "text/html", "")
}

/// Response to a started task.
pub(super) fn accepted() -> SimulatedResponse {
    plain(202, "text/html", "")
}

/// An error, as the server's page.
pub(super) fn error(status: u16) -> SimulatedResponse {
    let name = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    if status == 404 {
        return plain(404, "text/html", "");
    }
    let mut page = String::new();
    write!(page, "<html><head><title>{name}</title></head><body><h1>{status} {name}</h1></body></html>")
        .expect("a String takes everything");
    plain(status, "text/html", page)
}

/// Page of a starting server.
pub(super) fn start_page() -> SimulatedResponse {
    const PAGE: &str = "<html><head><title>Maintenance</title></head><body><h1>503 Service Unavailable</h1>\
        <p>The server is starting up and will be with you in a moment. Databases are being prepared and plug-ins \
        loaded; no request can be answered before that is done.</p></body></html>";
    plain(503, "text/html", PAGE)
}

/// Adds the headers of every response.
pub(super) fn dressed(
    asked: &SimulatedRequest,
    switches: &PlexSwitches,
    mut answer: SimulatedResponse,
) -> SimulatedResponse {
    if let Some(origin) = asked.header(ORIGIN.as_str()) {
        answer = answer.with_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if switches.vary {
        answer = answer.with_header(VARY, "Origin, X-Plex-Token");
    }
    answer
}

fn plain(status: u16, kind: &str, body: impl Into<bytes::Bytes>) -> SimulatedResponse {
    SimulatedResponse::new(status, kind, body).with_header(CACHE_CONTROL, "no-cache").with_header(PROTOCOL, "1.0")
}

fn compressed(asked: &SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse {
    let accepted = asked.header(ACCEPT_ENCODING.as_str()).is_some_and(|value| value.contains("gzip"));
    let Some(body) = answer.body().filter(|body| accepted && body.len() >= GZIP_FROM_BYTES) else {
        return answer;
    };
    let original = body.len();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish()).expect("a Vec takes everything");
    let length = packed.len();
    answer
        .with_body(packed)
        .with_header(CONTENT_ENCODING, "gzip")
        .with_header(ORIGINAL_LENGTH, &original.to_string())
        .with_header(COMPRESSED_LENGTH, &length.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().expect("a value"));
        wants_json(&headers)
    }

    #[test]
    fn json_is_only_sent_to_who_asks_for_it() {
        assert!(!wants_json(&HeaderMap::new()));
        for xml in ["*/*", "text/xml", "text/html", "application/json;q=0.1, text/xml", "text/xml, application/json"] {
            assert!(!json(xml), "{xml}");
        }
        for wanted in ["application/json", "Application/JSON; charset=utf-8", "application/json, text/plain, */*"] {
            assert!(json(wanted), "{wanted}");
        }
    }
}
