//! What passes without a token: who the server is, and the web client's own files.

use http::Method;

use crate::open::Open;

/// What a request without a token may do, by the segments of its path.
pub(super) fn open(method: &Method, parts: &[&str]) -> Open {
    if method != Method::GET && method != Method::HEAD {
        return Open::No;
    }
    match parts {
        ["identity"] => Open::Keep,
        ["web", ..] => Open::Pass,
        _ => Open::No,
    }
}
