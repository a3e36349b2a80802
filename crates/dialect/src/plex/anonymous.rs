//! Requests allowed without a token: the server's identity, and the web client's own files.

use http::Method;

use crate::anonymous_access::AnonymousAccess;

/// Access of a request without a token, by the segments of its path.
pub(super) fn anonymous_access(method: &Method, parts: &[&str]) -> AnonymousAccess {
    if method != Method::GET && method != Method::HEAD {
        return AnonymousAccess::Denied;
    }
    match parts {
        ["identity"] => AnonymousAccess::Cacheable,
        ["web", ..] => AnonymousAccess::PassThrough,
        _ => AnonymousAccess::Denied,
    }
}
