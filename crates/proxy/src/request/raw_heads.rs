//! Request heads as they arrived, by which the fast path recognises a request without parsing it.
//!
//! A head gets in only if the HTTP parser read it, and as one that [`is_plain`]. The parser depends on nothing but the
//! bytes, so it would read the same again.

use std::sync::Arc;

use greenroom_cache::{Key, Timestamp};
use greenroom_dialect::classification::{Classification, SharingScope};
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_http_server::raw_head::{self, has_lines_of, is_head_of};
use http::{HeaderMap, Uri};

use super::classified_request::{CachedClassification, ClassificationCache, ClassifiedRequest};
use crate::sabotage;

/// Whether the response depends on the request's head alone, not on the connection: a read with one key, without a body,
/// without conditions on the cache, and without headers for the connection.
pub fn is_plain(kind: ServerKind, view: &RequestView<'_>, classification: &Classification, key: Option<&Key>) -> bool {
    let Classification::Read(read) = classification else { return false };
    key.is_some()
        && view.body.is_empty()
        && matches!(read.sharing, SharingScope::Identity | SharingScope::Public)
        && raw_head::is_plain(view.method, view.headers)
        && !kind.is_local_network_only(view)
}

impl ClassificationCache {
    /// A copy of this raw head of a request for `uri` with these headers, if it may be recognised by it and is not yet.
    pub fn unknown_raw_head(
        &self,
        raw: &[u8],
        (uri, headers): (&Uri, &HeaderMap),
        classified: &Arc<ClassifiedRequest>,
    ) -> Option<Box<[u8]>> {
        let is_known = || self.raw_heads.peek(raw).is_some_and(|known| Arc::ptr_eq(&known.classified, classified));
        let is_its_head = || has_lines_of(raw, headers) || sabotage::is_disabled("lines");
        (classified.is_plain && is_head_of(raw, uri) && !is_known() && is_its_head()).then(|| raw.into())
    }

    /// Recognises requests with this raw head from now on.
    pub fn learn_raw_head(&self, raw: Box<[u8]>, classified: &Arc<ClassifiedRequest>, now_ms: Timestamp) {
        if !classified.identity.is_refused() && !classified.app.needs_lookup() {
            self.raw_heads.insert(raw, Arc::new(CachedClassification::new(Arc::clone(classified), now_ms)));
        }
    }

    /// Classification of a request with exactly this head, if it is known and as valid as any other.
    pub(crate) fn recognise(&self, raw: &[u8], now_ms: Timestamp) -> Option<Arc<CachedClassification>> {
        self.sweep(now_ms);
        let known = self.raw_heads.get(raw)?;
        if known.mark_seen(now_ms) {
            return Some(known);
        }
        self.raw_heads.remove(raw);
        None
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, Method};

    use super::*;
    use crate::proxy_request::classify;
    use crate::server::Server;
    use crate::server::fixture::jellyfins;

    const RAW: &[u8] = b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: anna\r\n\r\n";

    fn classified(
        server: &Server,
        method: &Method,
        target: &str,
        more: &[(&'static str, &str)],
    ) -> Arc<ClassifiedRequest> {
        let lines = [("host", "x"), ("x-emby-token", "anna")].iter().chain(more);
        let value = |text: &str| HeaderValue::from_str(text).expect("a header value");
        let mut headers = HeaderMap::new();
        for (name, text) in lines {
            headers.append(HeaderName::from_static(name), value(text));
        }
        classify::classify(
            server,
            &RequestView { method, target, headers: &headers, body: &[] },
            Timestamp::from_millis(1),
        )
    }

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
    fn only_reads_that_ask_for_nothing_but_their_response_are_plain() {
        let [server] = jellyfins(["den"]);
        let is_plain = |more: &[(&'static str, &str)]| classified(&server, &Method::GET, "/UserViews", more).is_plain;
        assert!(
            is_plain(&[]) && is_plain(&[("connection", "Keep-Alive"), ("accept", "*/*"), ("if-none-match", "\"a\"")])
        );
        for (name, value) in [
            ("connection", "close"),
            ("connection", "keep-alive, x-emby-token"),
            ("cache-control", "no-cache"),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("expect", "100-continue"),
            ("host", "y"),
            ("if-range", "\"a\""),
            ("range", "bytes=0-1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
        ] {
            assert!(!is_plain(&[(name, value)]), "{name}: {value}");
        }
        assert!(!classified(&server, &Method::HEAD, "/UserViews", &[]).is_plain);
        assert!(
            !classified(&server, &Method::GET, "/Items/1/Images/Primary", &[]).is_plain,
            "its grant is the image's"
        );
        assert!(!classified(&server, &Method::POST, "/UserItems/1/UserData", &[]).is_plain);
    }

    #[test]
    fn bytes_with_other_header_lines_than_the_request_are_not_learned() {
        let read = headers(&[("host", "x"), ("x-emby-token", "anna")]);
        let [server] = jellyfins(["den"]);
        let of_bert = b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: bert\r\n\r\n";
        let classified = classified(&server, &Method::GET, "/UserViews", &[]);
        let request = (&uri("/UserViews"), &read);
        assert!(server.classifications.unknown_raw_head(RAW, request, &classified).is_some());
        assert!(server.classifications.unknown_raw_head(of_bert, request, &classified).is_none());
    }

    #[test]
    fn a_request_is_recognised_by_exactly_its_bytes_until_its_token_or_account_changes() {
        let [server] = jellyfins(["den"]);
        let learn = || {
            let classified = classified(&server, &Method::GET, "/UserViews", &[]);
            let (uri, headers) = (uri("/UserViews"), headers(&[("host", "x"), ("x-emby-token", "anna")]));
            let unknown = || server.classifications.unknown_raw_head(RAW, (&uri, &headers), &classified);
            server.classifications.learn_raw_head(unknown().expect("unknown"), &classified, Timestamp::from_millis(1));
            assert!(unknown().is_none());
            classified
        };
        let is_known = |raw: &[u8]| server.classifications.recognise(raw, Timestamp::from_millis(2)).is_some();
        let first = learn();
        assert!(is_known(RAW) && !is_known(&RAW[..RAW.len() - 1]) && !is_known(&RAW.to_ascii_lowercase()));
        server.classifications.forget(&first.identity);
        assert!(!is_known(RAW), "forgotten with its token");
        learn().identity.set_account("1");
        assert!(!is_known(RAW), "another account");
        learn().identity.refuse();
        assert!(!is_known(RAW), "revoked");
        assert!(!format!("{:?}", server.classifications).contains("anna"));
    }
}
