//! Headers of the last cached response to one request head.

use std::sync::OnceLock;

use greenroom_cache::HybridTimestamp;
use greenroom_http_server::raw_head::encode_response_head;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use parking_lot::RwLock;

/// Headers of the last cached response to one request head, without age and `Cache-Status`: built once per value.
#[derive(Debug, Default)]
pub struct CachedHeaders(RwLock<Option<CachedHead>>);

/// Headers with the stamp of their value; a key has one value per stamp.
#[derive(Debug)]
struct CachedHead {
    created: HybridTimestamp,
    status: StatusCode,
    headers: HeaderMap,
    encoded: OnceLock<Box<[u8]>>,
}

impl CachedHeaders {
    /// Headers of the response with this stamp; `build` builds them if they are not cached.
    pub(crate) fn get_or_build(
        &self,
        created: HybridTimestamp,
        build: impl FnOnce() -> (StatusCode, HeaderMap),
    ) -> (StatusCode, HeaderMap) {
        if let Some(last) = self.0.read().as_ref().filter(|last| last.created == created) {
            return (last.status, last.headers.clone());
        }
        let (status, headers) = build();
        let cached = CachedHead { created, status, headers: headers.clone(), encoded: OnceLock::new() };
        *self.0.write() = Some(cached);
        (status, headers)
    }

    /// Appends status line and headers of the response with this stamp, as the HTTP parser's side would write them, and
    /// returns the status. `None` if they are not cached.
    pub(crate) fn encode(&self, created: HybridTimestamp, out: &mut Vec<u8>) -> Option<StatusCode> {
        let cached = self.0.read();
        let last = cached.as_ref().filter(|last| last.created == created)?;
        out.extend_from_slice(last.encoded.get_or_init(|| last.encode()));
        Some(last.status)
    }
}

impl CachedHead {
    fn encode(&self) -> Box<[u8]> {
        // The length is written with the body.
        encode_response_head(self.status, &self.headers, |name| *name == CONTENT_LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{CONTENT_TYPE, VARY};

    use super::*;

    #[test]
    fn only_the_headers_of_the_value_at_hand_are_encoded() {
        let (cached, created) = (CachedHeaders::default(), HybridTimestamp::from_raw(1 << 20));
        let mut out = Vec::new();
        assert_eq!(cached.encode(created, &mut out), None, "none was built");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        headers.append(VARY, HeaderValue::from_static("Accept"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
        cached.get_or_build(created, || (StatusCode::OK, headers));
        assert_eq!(cached.encode(HybridTimestamp::from_raw(2 << 20), &mut out), None, "another value");
        assert_eq!(
            (cached.encode(created, &mut out), cached.encode(created, &mut Vec::new())),
            (Some(StatusCode::OK), Some(StatusCode::OK))
        );
        assert_eq!(out, b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nvary: Accept\r\nvary: Origin\r\n");
    }
}
