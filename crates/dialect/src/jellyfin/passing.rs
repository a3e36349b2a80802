//! What passes through: media, accounts, and answers that are for this moment only.

use http::header::UPGRADE;
use http::{HeaderMap, Method};

use crate::verdict::StreamReason::{self, Account, Media, Moment};

/// Whether this opens a notification socket: the server takes an upgrade on any path, but only of a GET. A request
/// of another method does what it says, whatever it wants to become.
pub(super) fn is_socket(method: &Method, headers: &HeaderMap, low: &[&str]) -> bool {
    let upgrades = headers.get_all(UPGRADE).iter().any(|value| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
        })
    });
    *method == Method::GET && (upgrades || matches!(low, ["socket" | "embywebsocket"]))
}

/// Why a GET or HEAD of this path is never kept, if it is known to be such.
pub(super) fn of_a_read(low: &[&str]) -> Option<StreamReason> {
    media(low).or_else(|| account(low)).or_else(|| moment(low))
}

/// Why a request of another method changes nothing that is kept: it asks, logs in, or plays.
pub(super) fn of_a_write(low: &[&str]) -> Option<StreamReason> {
    match low {
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

fn media(low: &[&str]) -> Option<StreamReason> {
    match low {
        ["audio", _, "lyrics"] => None,
        ["videos" | "audio" | "livestreams" | "fallbackfont", ..]
        | ["playback", "bitratetest"]
        | ["livetv", "liverecordings" | "livestreamfiles", ..]
        | ["items", _, "download" | "file"] => Some(Media),
        _ => None,
    }
}

/// Paths whose answers hold tokens, passwords or what only administrators may see of them. The lists of devices
/// are among them: their rows have a field for the device's access token.
fn account(low: &[&str]) -> Option<StreamReason> {
    match low {
        ["auth" | "quickconnect" | "backup" | "environment" | "devices", ..]
        | ["users", "public"]
        | ["system", "logs" | "configuration", ..]
        | ["plugins", _, "configuration"]
        | ["plugins", _, _, "configuration"] => Some(Account),
        _ => None,
    }
}

fn moment(low: &[&str]) -> Option<StreamReason> {
    match low {
        ["syncplay" | "livetv" | "getutctime" | "playback" | "clientlog", ..]
        | ["system", "ping" | "endpoint"]
        | [
            "items",
            _,
            "playbackinfo" | "intros" | "instantmix" | "remotesearch" | "remoteimages" | "metadataeditor",
            ..,
        ]
        | ["users", _, "items", _, "intros"]
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
        let is_socket = |headers: &HeaderMap, low: &[&str]| is_socket(&Method::GET, headers, low);
        assert!(is_socket(&headers, &["socket"]));
        assert!(!is_socket(&headers, &["items"]));
        headers.insert(UPGRADE, HeaderValue::from_static("h2c, WebSocket"));
        assert!(is_socket(&headers, &["items"]));
        headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
        assert!(!is_socket(&headers, &["items"]));
    }

    #[test]
    fn lyrics_are_not_media() {
        assert_eq!(of_a_read(&["audio", "1", "lyrics"]), None);
        assert_eq!(of_a_read(&["audio", "1", "universal"]), Some(Media));
    }
}
