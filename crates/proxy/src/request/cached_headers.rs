//! Headers of the last cached response to one request head.

use greenroom_cache::HybridTimestamp;
use http::{HeaderMap, StatusCode};
use parking_lot::RwLock;

/// Headers of the last cached response to one request head, without age and `Cache-Status`: built once per value.
#[derive(Debug, Default)]
pub struct CachedHeaders(RwLock<Option<CachedHead>>);

/// Headers with the stamp of their value; a key has one value per stamp.
#[derive(Debug, Clone)]
struct CachedHead {
    created: HybridTimestamp,
    status: StatusCode,
    headers: HeaderMap,
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
        *self.0.write() = Some(CachedHead { created, status, headers: headers.clone() });
        (status, headers)
    }
}
