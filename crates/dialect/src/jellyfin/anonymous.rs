//! Requests that Jellyfin clients make before they have a token.

use http::Method;

use super::address::JellyfinPath;
use super::routes::{self, RouteBody};
use crate::anonymous_access::AnonymousAccess;

/// Access of a request without a token.
pub(crate) fn anonymous_access(method: &Method, target: &str) -> AnonymousAccess {
    let Ok(address) = JellyfinPath::split(target) else { return AnonymousAccess::Denied };
    let low = address.lowercase_segments();
    match *method {
        Method::GET | Method::HEAD => asking(&address, &low),
        Method::POST => posting(&low),
        _ => AnonymousAccess::Denied,
    }
}

/// The constant response to a liveness check.
pub(crate) fn liveness_response(target: &str) -> Option<(&'static str, &'static [u8])> {
    let address = JellyfinPath::split(target).ok()?;
    let is_ping = address.lowercase_segments() == ["system", "ping"];
    is_ping.then_some(("application/json; charset=utf-8", b"\"Jellyfin Server\""))
}

fn asking(address: &JellyfinPath<'_>, low: &[&str]) -> AnonymousAccess {
    match low {
        ["system", "info", "public"] => AnonymousAccess::Cacheable,
        []
        | ["web" | "branding" | "localization", ..]
        | ["system", "ping"]
        | ["quickconnect", "enabled" | "connect"]
        | ["users", "public"] => AnonymousAccess::PassThrough,
        _ => match routes::find(low, &address.raw_segments()) {
            Some(route) if matches!(route.body, RouteBody::Image(_)) => AnonymousAccess::Cacheable,
            _ => AnonymousAccess::Denied,
        },
    }
}

fn posting(low: &[&str]) -> AnonymousAccess {
    match low {
        ["users", "authenticatebyname" | "authenticatewithquickconnect"]
        | ["quickconnect", "initiate"]
        | ["system", "ping"] => AnonymousAccess::PassThrough,
        _ => AnonymousAccess::Denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_answered_in_the_servers_words_on_every_path_it_has() {
        for target in ["/System/Ping", "/system/ping?x=1", "/emby/System/Ping"] {
            assert_eq!(liveness_response(target).map(|(_, body)| body), Some(&b"\"Jellyfin Server\""[..]), "{target}");
        }
        assert_eq!(liveness_response("/System/Info/Public"), None);
        assert_eq!(liveness_response("/Sessions/Playing/Ping"), None);
    }
}
