//! Whether a response of the server may be cached, by its status and headers.

use greenroom_cache::LoadErrorKind;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, SET_COOKIE};
use http::{HeaderMap, StatusCode};

/// Only a plain, whole 200 is cached, unless it has `no-store`, a cookie, or an encoding that was not requested.
pub(super) fn is_cacheable(status: StatusCode, headers: &HeaderMap) -> bool {
    let no_store = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("no-store")));
    status == StatusCode::OK && !no_store && !headers.contains_key(SET_COOKIE) && is_plain(headers)
}

/// Failure of a response of the server that is neither an error nor an answer to what was asked, whatever its headers
/// say about caching: a load asks for the whole value, uncompressed and without a condition. `None` for an answer,
/// which may still not be stored.
pub(super) fn failure_of(status: StatusCode, headers: &HeaderMap) -> Option<LoadErrorKind> {
    match status.as_u16() {
        200 => (!is_plain(headers)).then_some(LoadErrorKind::Unrequested),
        300..=303 | 305..=399 => Some(LoadErrorKind::Redirected),
        _ => Some(LoadErrorKind::Unrequested),
    }
}

/// Whether the body is not compressed, as requested.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity")
}
