//! Requests that Jellyfin clients make without a token: before they have one, and where players and pages have no place
//! for it.

use http::Method;

use super::address::JellyfinPath;
use super::routes::{self, RouteBody};
use crate::anonymous_access::AnonymousAccess;

/// Access of a request without a token.
pub(crate) fn anonymous_access(method: &Method, target: &str) -> AnonymousAccess {
    let Ok(address) = JellyfinPath::split(target) else { return AnonymousAccess::Denied };
    let lowercase = address.lowercase_segments();
    match *method {
        Method::GET | Method::HEAD => get_access(&address, &lowercase),
        Method::POST => post_access(&lowercase),
        _ => AnonymousAccess::Denied,
    }
}

/// The constant response to a liveness check.
pub(crate) fn liveness_response(target: &str) -> Option<(&'static str, &'static [u8])> {
    let address = JellyfinPath::split(target).ok()?;
    let is_ping = address.lowercase_segments() == ["system", "ping"];
    is_ping.then_some(("application/json; charset=utf-8", b"\"Jellyfin Server\""))
}

fn get_access(address: &JellyfinPath<'_>, lowercase: &[&str]) -> AnonymousAccess {
    match lowercase {
        ["system", "info", "public"] | ["quickconnect", "enabled"] => AnonymousAccess::Cacheable,
        []
        | ["web" | "branding" | "localization", ..]
        | ["system", "ping"]
        | ["getutctime"]
        | ["quickconnect", "connect"]
        | ["users", "public"]
        | ["plugins", _, _, "image"]
        // Fonts of subtitles, which players load without a token.
        | ["videos", _, _, "attachments", _] => AnonymousAccess::PassThrough,
        ["videos" | "audio", _, file] if is_stream(file) => AnonymousAccess::BehindKnownProxy,
        ["videos", _, _, "subtitles", _, file] | ["videos", _, _, "subtitles", _, _, file] if is_stream(file) => {
            AnonymousAccess::BehindKnownProxy
        }
        _ => match routes::find(lowercase, &address.raw_segments()) {
            Some(route) if matches!(route.body, RouteBody::Image(_)) => AnonymousAccess::Cacheable,
            _ => AnonymousAccess::Denied,
        },
    }
}

/// Whether the last segment of a path is that of a stream, with or without a container.
fn is_stream(file: &str) -> bool {
    file == "stream" || file.starts_with("stream.")
}

fn post_access(lowercase: &[&str]) -> AnonymousAccess {
    match lowercase {
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
    fn a_ping_is_answered_as_by_the_server_on_all_its_paths() {
        for target in ["/System/Ping", "/system/ping?x=1", "/emby/System/Ping"] {
            assert_eq!(liveness_response(target).map(|(_, body)| body), Some(&b"\"Jellyfin Server\""[..]), "{target}");
        }
        assert_eq!(liveness_response("/System/Info/Public"), None);
        assert_eq!(liveness_response("/Sessions/Playing/Ping"), None);
    }
}
