//! Class of a request, and whether it is a write. The method does not tell: several writes are GETs.

use http::Method;

use greenroom_simulator_backend::class::RequestClass;

/// Whether a request is a write.
pub(super) fn writes(method: &Method, path: &[&str]) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    matches!(
        path,
        [":", "scrobble" | "unscrobble" | "progress" | "timeline" | "rate"]
            | ["actions", ..]
            | ["status", "sessions", "terminate"]
            | ["library", "sections", _, "refresh"]
    )
}

/// Whether a request subscribes to notifications.
pub(super) fn is_subscription(path: &[&str]) -> bool {
    matches!(path, [":", "websockets" | "websocket" | "eventsource", "notifications"])
}

/// The class of a request.
pub(super) fn classify(method: &Method, path: &[&str], searches: bool) -> RequestClass {
    if is_subscription(path) {
        return RequestClass::Socket;
    }
    if writes(method, path) {
        return RequestClass::Write;
    }
    match path {
        ["identity"] => RequestClass::Identity,
        []
        | ["library" | "accounts" | "devices" | "clients" | "servers" | "butler"]
        | ["updater" | "media" | "system", ..]
        | [":", "prefs"] => RequestClass::Server,
        ["library", "sections"] | ["library", "sections", "all" | _] => RequestClass::Sections,
        ["library", "metadata" | "collections", _, "thumb" | "art" | "composite" | "banner" | "theme", ..]
        | ["library", "sections", _, "composite" | "thumb" | "art", ..]
        | ["playlists", _, "composite", ..]
        | ["photo", ..]
        | [":", "resources", _]
        | ["accounts", _, "thumb"] => RequestClass::Image,
        ["library", "parts", ..] => RequestClass::Media,
        ["library", "metadata", ..] => RequestClass::Metadata,
        ["library" | "hubs", "search"] | ["search"] | ["library", "sections", _, "search"] => RequestClass::Search,
        ["library", "onDeck"] | ["library", "sections", _, "onDeck"] | ["hubs", ..] => RequestClass::Hubs,
        ["library", "sections", _, "all"] | ["library", "all"] if searches => RequestClass::Search,
        ["library", ..] => RequestClass::List,
        ["playlists", ..] => RequestClass::Playlists,
        ["status", "sessions", "history", ..] => RequestClass::History,
        ["status", "sessions", ..] | ["transcode", "sessions"] => RequestClass::Sessions,
        ["activities"] => RequestClass::Activities,
        ["statistics", ..] => RequestClass::Statistics,
        _ => RequestClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_by_get_are_writes() {
        for path in
            [&[":", "scrobble"][..], &["library", "sections", "1", "refresh"], &["status", "sessions", "terminate"]]
        {
            assert_eq!(classify(&Method::GET, path, false), RequestClass::Write, "{path:?}");
        }
        assert_eq!(classify(&Method::GET, &["library", "sections", "1", "all"], false), RequestClass::List);
        assert_eq!(classify(&Method::PUT, &["library", "sections", "1", "all"], false), RequestClass::Write);
    }
}
