//! Request heads as they arrived, by which the fast path recognises a request without parsing it.
//!
//! A head may be learned only if the HTTP parser read it, and as one that [`is_plain`]. The parser depends on nothing but
//! the bytes, so it would read the same again.

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, IF_RANGE,
    RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode, Uri};

/// Longest head that may be learned.
pub const MAX_BYTES: usize = 2048;

/// Headers by which a request asks for more than its response, or for another one than that of the cache.
const DEMANDS: [HeaderName; 10] =
    [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, IF_RANGE, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Whether the response depends on the request's head alone, not on the connection: a `GET` for one host, without
/// conditions on the cache, and without headers for the connection.
pub fn is_plain(method: &Method, headers: &HeaderMap) -> bool {
    let is_keep_alive = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    *method == Method::GET
        && !DEMANDS.iter().any(|name| headers.contains_key(name))
        && headers.get_all(HOST).iter().count() == 1
        && headers.get_all(CONNECTION).iter().all(is_keep_alive)
}

/// Whether these bytes are the head of a request for `uri` that the connection outlives. The first line is compared, so
/// that bytes that were taken for another request are none.
pub fn is_head_of(raw: &[u8], uri: &Uri) -> bool {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes();
    let line = |raw: &[u8]| {
        let rest = raw.strip_prefix(b"GET ")?.strip_prefix(path)?.strip_prefix(b" HTTP/1.1\r\n")?;
        Some(rest.ends_with(b"\r\n\r\n"))
    };
    raw.len() <= MAX_BYTES && line(raw).unwrap_or(false)
}

/// Whether the lines of this raw head are exactly these headers, which the parser read. Different code found the end of
/// the head among the bytes, so what it found is compared: a head with another token must never mean this request.
pub fn has_lines_of(raw: &[u8], headers: &HeaderMap) -> bool {
    let lines = raw.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let fields: Vec<_> = lines.map(|line| split_field(line).unwrap_or_default()).collect();
    let are_values_of = |name: &HeaderName| {
        let named = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_str().as_bytes()));
        named.map(|(_, value)| *value).eq(headers.get_all(name).iter().map(HeaderValue::as_bytes))
    };
    fields.len() == headers.len() && headers.keys().all(are_values_of)
}

/// Name and value of a header line.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// Status line and headers of a response as the HTTP parser's side would write them, without the headers that `is_own`
/// names and without the empty line.
pub fn encode_response_head(
    status: StatusCode,
    headers: &HeaderMap,
    is_own: impl Fn(&HeaderName) -> bool,
) -> Box<[u8]> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut encoded = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| !is_own(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            encoded.extend_from_slice(part);
        }
    }
    encoded.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: anna\r\n\r\n";

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, text): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(text).expect("a header value"))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn bytes_that_are_not_the_head_of_this_request_are_not_learned() {
        assert!(is_head_of(RAW, &uri("/UserViews")));
        assert!(!is_head_of(RAW, &uri("/UserViews?a=b")) && !is_head_of(RAW, &uri("/User")));
        for raw in [
            &b"GET /UserViews HTTP/1.0\r\nHost: x\r\n\r\n"[..],
            b"\r\nGET /UserViews HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /UserViews HTTP/1.1\r\nHost: x\n\n",
            b"GET  /UserViews HTTP/1.1\r\n\r\n",
            b"",
        ] {
            assert!(!is_head_of(raw, &uri("/UserViews")), "{raw:?}");
        }
        let long = [b"GET /UserViews HTTP/1.1\r\nx: ", &[b'x'; MAX_BYTES][..], b"\r\n\r\n"].concat();
        assert!(!is_head_of(&long, &uri("/UserViews")));
    }

    #[test]
    fn only_the_lines_that_the_parser_read_are_lines_of_a_head() {
        let read = headers(&[("host", "x"), ("x-emby-token", "anna")]);
        assert!(has_lines_of(RAW, &read));
        assert!(has_lines_of(b"GET / HTTP/1.1\r\nHOST:x\r\nX-Emby-Token: \tanna \r\n\r\n", &read));
        for raw in [
            &b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: bert\r\n\r\n"[..],
            b"GET /UserViews HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: anna\r\nX-Emby-Token: anna\r\n\r\n",
            b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: anna\r\nRange: bytes=0-1\r\n\r\n",
            b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token anna\r\n\r\n",
        ] {
            assert!(!has_lines_of(raw, &read), "{:?}", String::from_utf8_lossy(raw));
        }
        let two = headers(&[("host", "x"), ("accept", "a"), ("accept", "b")]);
        assert!(has_lines_of(b"GET / HTTP/1.1\r\nAccept: a\r\nHost: x\r\nAccept: b\r\n\r\n", &two));
        assert!(!has_lines_of(b"GET / HTTP/1.1\r\nAccept: b\r\nHost: x\r\nAccept: a\r\n\r\n", &two));
    }
}
