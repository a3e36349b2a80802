//! Request heads as they arrived, by which the fast path recognises a request without parsing it.
//!
//! A head gets in only if the HTTP parser read it, and as one that [`is_plain`]. The parser depends on nothing but the
//! bytes, so it would read the same again.

use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_dialect::classification::{Classification, SharingScope};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, IF_RANGE,
    RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Uri};

use super::classified_request::{CachedClassification, ClassificationCache, ClassifiedRequest, MAX_HEAD_BYTES};

/// Headers by which a request asks for more than its response, or for another one than that of the cache.
const DEMANDS: [HeaderName; 10] =
    [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, IF_RANGE, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Whether a request asks for nothing but its response, whoever sends it over whichever connection: a read of its
/// identity's or everyone's data with one key, without a body, conditions on the cache, or anything for the connection.
pub fn is_plain(kind: ServerKind, view: &RequestView<'_>, classification: &Classification, key: Option<&Key>) -> bool {
    let Classification::Read(read) = classification else { return false };
    let is_keep_alive = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    key.is_some()
        && *view.method == Method::GET
        && view.body.is_empty()
        && matches!(read.sharing, SharingScope::Identity | SharingScope::Public)
        && !DEMANDS.iter().any(|name| view.headers.contains_key(name))
        && view.headers.get_all(HOST).iter().count() == 1
        && view.headers.get_all(CONNECTION).iter().all(is_keep_alive)
        && !kind.is_local_network_only(view)
}

/// Whether these bytes are the head of a request for `uri` that the connection outlives. The first line is compared, so
/// that bytes that were taken for another request are none.
fn is_head_of(raw: &[u8], uri: &Uri) -> bool {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes();
    let line = |raw: &[u8]| {
        let rest = raw.strip_prefix(b"GET ")?.strip_prefix(path)?.strip_prefix(b" HTTP/1.1\r\n")?;
        Some(rest.ends_with(b"\r\n\r\n"))
    };
    raw.len() <= MAX_HEAD_BYTES && line(raw).unwrap_or(false)
}

impl ClassificationCache {
    /// A copy of this raw head of a request for `uri`, if it may be recognised by it and is not yet.
    pub fn unknown_raw_head(&self, raw: &[u8], uri: &Uri, classified: &Arc<ClassifiedRequest>) -> Option<Box<[u8]>> {
        let is_known = || self.raw_heads.peek(raw).is_some_and(|known| Arc::ptr_eq(&known.classified, classified));
        (classified.is_plain && is_head_of(raw, uri) && !is_known()).then(|| raw.into())
    }

    /// Recognises requests with this raw head from now on.
    pub fn learn_raw_head(&self, raw: Box<[u8]>, classified: &Arc<ClassifiedRequest>, now_ms: u64) {
        if !classified.identity.is_refused() && !classified.app.needs_lookup() {
            self.raw_heads.insert(raw, Arc::new(CachedClassification::new(Arc::clone(classified), now_ms)));
        }
    }

    /// Classification of a request with exactly this head, if it is known and as valid as any other.
    pub(crate) fn recognise(&self, raw: &[u8], now_ms: u64) -> Option<Arc<CachedClassification>> {
        self.sweep(now_ms);
        let known = self.raw_heads.get(raw)?;
        if known.mark_seen(now_ms) {
            return Some(known);
        }
        self.raw_heads.remove(raw);
        None
    }
}
