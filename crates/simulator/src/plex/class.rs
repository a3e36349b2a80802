//! Which class a request is of, and whether it writes. The method does not say: several writes are GETs.

use http::Method;

use crate::class::Class;

/// Whether a request changes something.
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

/// Whether a request wants to be told of changes.
pub(super) fn follows(path: &[&str]) -> bool {
    matches!(path, [":", "websockets" | "websocket" | "eventsource", "notifications"])
}

/// The class of a request.
pub(super) fn of(method: &Method, path: &[&str], searches: bool) -> Class {
    if follows(path) {
        return Class::Socket;
    }
    if writes(method, path) {
        return Class::Write;
    }
    match path {
        ["identity"] => Class::Identity,
        []
        | ["library" | "accounts" | "devices" | "clients" | "servers" | "butler"]
        | ["updater" | "media" | "system", ..]
        | [":", "prefs"] => Class::Server,
        ["library", "sections"] | ["library", "sections", "all" | _] => Class::Sections,
        [
            "library",
            "metadata" | "collections",
            _,
            "thumb" | "art" | "composite" | "banner" | "theme",
            ..,
        ]
        | ["library", "sections", _, "composite" | "thumb" | "art", ..]
        | ["playlists", _, "composite", ..]
        | ["photo", ..]
        | [":", "resources", _]
        | ["accounts", _, "thumb"] => Class::Image,
        ["library", "parts", ..] => Class::Media,
        ["library", "metadata", ..] => Class::Metadata,
        ["library" | "hubs", "search"] | ["search"] | ["library", "sections", _, "search"] => Class::Search,
        ["library", "onDeck"] | ["library", "sections", _, "onDeck"] | ["hubs", ..] => Class::Hubs,
        ["library", "sections", _, "all"] | ["library", "all"] if searches => Class::Search,
        ["library", ..] => Class::List,
        ["playlists", ..] => Class::Playlists,
        ["status", "sessions", "history", ..] => Class::History,
        ["status", "sessions", ..] | ["transcode", "sessions"] => Class::Sessions,
        ["activities"] => Class::Activities,
        ["statistics", ..] => Class::Statistics,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_by_get_are_writes() {
        for path in [
            &[":", "scrobble"][..],
            &["library", "sections", "1", "refresh"],
            &["status", "sessions", "terminate"],
        ] {
            assert_eq!(of(&Method::GET, path, false), Class::Write, "{path:?}");
        }
        assert_eq!(of(&Method::GET, &["library", "sections", "1", "all"], false), Class::List);
        assert_eq!(of(&Method::PUT, &["library", "sections", "1", "all"], false), Class::Write);
    }
}
