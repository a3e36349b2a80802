//! Pass-through requests: media, accounts, and responses valid for this moment only.

use http::header::UPGRADE;
use http::{HeaderMap, Method};

use crate::classification::StreamReason::{self, Account, Asset, Media, Moment, Socket, Upgrade};

/// Whether this opens a notification socket, or asks for one: the server upgrades on any path, but only for a GET. A
/// request with another method keeps its meaning whatever upgrade it asks for.
pub(super) fn socket_reason(method: &Method, headers: &HeaderMap, lowercase: &[&str]) -> Option<StreamReason> {
    if *method != Method::GET {
        return None;
    }
    if matches!(lowercase, ["socket" | "embywebsocket"]) {
        return Some(Socket);
    }
    let upgrades = headers.get_all(UPGRADE).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket")))
    });
    upgrades.then_some(Upgrade)
}

/// Reason never to cache a GET or HEAD of this path, if it is on the list.
pub(super) fn pass_reason_for_read(lowercase: &[&str]) -> Option<StreamReason> {
    // A page of a plugin is no file.
    let asset = || matches!(lowercase, ["web", file, ..] if !file.starts_with("configurationpage")).then_some(Asset);
    media(lowercase).or_else(|| account(lowercase)).or_else(|| moment(lowercase)).or_else(asset)
}

/// Reason for which a request with another method changes nothing cached: it is a query, a login, or playback.
pub(super) fn pass_reason_for_write(lowercase: &[&str]) -> Option<StreamReason> {
    match lowercase {
        ["users", "authenticatebyname" | "authenticatewithquickconnect" | "forgotpassword"]
        | ["users", _, "authenticate"]
        | ["quickconnect", ..] => Some(Account),
        ["livestreams", ..] => Some(Media),
        ["clientlog" | "environment" | "syncplay", ..]
        | ["items", _, "playbackinfo"]
        | ["livetv", "programs"]
        | ["sessions", "playing", "ping"]
        | ["system", "ping"]
        | ["user_usage_stats", "submit_custom_query"] => Some(Moment),
        ["items", "remotesearch", kind] if *kind != "apply" => Some(Moment),
        _ => None,
    }
}

fn media(lowercase: &[&str]) -> Option<StreamReason> {
    match lowercase {
        ["audio", _, "lyrics"] => None,
        ["videos" | "audio" | "livestreams" | "fallbackfont", ..]
        | ["playback", "bitratetest"]
        | ["livetv", "liverecordings" | "livestreamfiles", ..]
        | ["items", _, "download" | "file"] => Some(Media),
        _ => None,
    }
}

/// Paths whose responses hold tokens, passwords or administrators' data. Single devices are among them: a device has a
/// field for its access token. The list of devices is a read; with such a field in use it is not stored.
fn account(lowercase: &[&str]) -> Option<StreamReason> {
    match lowercase {
        ["quickconnect", "enabled"] | ["devices"] => None,
        ["auth" | "quickconnect" | "backup" | "environment" | "devices", ..]
        | ["system", "logs" | "configuration", ..]
        | ["plugins", _, "configuration"]
        | ["plugins", _, _, "configuration"] => Some(Account),
        _ => None,
    }
}

/// Responses for this moment only. Among them is what the server draws anew at each request: suggestions,
/// recommendations, and similar items of every kind.
fn moment(lowercase: &[&str]) -> Option<StreamReason> {
    match lowercase {
        ["syncplay" | "livetv" | "getutctime" | "playback" | "clientlog", ..]
        | ["system", "ping"]
        | ["items", _, "playbackinfo" | "instantmix" | "remotesearch" | "remoteimages" | "metadataeditor", ..]
        | ["items" | "artists" | "albums" | "movies" | "shows" | "trailers", _, "similar"]
        | ["items", "suggestions"]
        | ["users", _, "suggestions"]
        | ["movies", "recommendations"]
        | [_, _, "instantmix"]
        | ["artists" | "musicgenres", "instantmix"] => Some(Moment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_upgrade_to_a_socket_is_one_on_any_path() {
        let mut headers = HeaderMap::new();
        let reason = |headers: &HeaderMap, lowercase: &[&str]| socket_reason(&Method::GET, headers, lowercase);
        assert_eq!(reason(&headers, &["socket"]), Some(Socket));
        assert_eq!(reason(&headers, &["items"]), None);
        headers.insert(UPGRADE, HeaderValue::from_static("h2c, WebSocket"));
        assert_eq!(reason(&headers, &["items"]), Some(Upgrade));
        headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
        assert_eq!(reason(&headers, &["items"]), None);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        assert_eq!(socket_reason(&Method::POST, &headers, &["socket"]), None);
    }

    #[test]
    fn lyrics_are_not_media() {
        assert_eq!(pass_reason_for_read(&["audio", "1", "lyrics"]), None);
        assert_eq!(pass_reason_for_read(&["audio", "1", "universal"]), Some(Media));
    }
}
