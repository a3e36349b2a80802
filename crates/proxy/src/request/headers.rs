//! Filters headers, in both directions.

use std::net::IpAddr;

use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::ServerKind;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    ORIGIN, RANGE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that clients may send to either server, besides their own kind's: representation, ranges, conditions, CORS.
/// All others are dropped: no client may tell a media server, or a proxy before it, which host, address, path or method
/// is meant. Framing is Greenroom's; cookies and addresses are not forwarded.
const FORWARDED: [HeaderName; 17] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD,
    CACHE_CONTROL,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    ORIGIN,
    RANGE,
    USER_AGENT,
    HeaderName::from_static("last-event-id"),
];
/// Headers of a socket's handshake.
const HANDSHAKE: [HeaderName; 3] = [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION];
/// Prefix of Plex's own headers.
const PLEX_PREFIX: &str = "x-plex-";
/// Legacy headers in which Jellyfin clients describe themselves, credentials aside.
const LEGACY_EMBY_HEADERS: [&str; 4] =
    ["x-emby-client", "x-emby-client-version", "x-emby-device-id", "x-emby-device-name"];
/// Headers with credentials. They are forwarded as parsed, so that the server reads the same credential.
const CREDENTIAL_HEADERS: [&str; 5] =
    ["x-plex-token", "authorization", "x-emby-authorization", "x-emby-token", "x-mediabrowser-token"];
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Context in which a request is forwarded, besides the client's own headers.
#[derive(Debug, Clone, Copy)]
pub struct ForwardContext<'a> {
    /// Kind of the server.
    pub kind: ServerKind,
    /// Credential of the client.
    pub credential: &'a Credential,
    /// Whether legacy forms of credentials are forwarded in the current form.
    pub translate_legacy: bool,
    /// Client address.
    pub address: IpAddr,
}

/// The headers sent to a media server: the allowed ones, the credential as parsed, and the client's address as known
/// here.
pub fn for_server(client: &HeaderMap, context: ForwardContext<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.len() + 1);
    for (name, value) in client.iter().filter(|(name, _)| is_forwarded(context.kind, name)) {
        headers.append(name.clone(), value.clone());
    }
    for (name, value) in context.kind.credential_headers(context.credential, context.translate_legacy) {
        headers.insert(name, value);
    }
    if let Ok(address) = HeaderValue::from_str(&context.address.to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    headers
}

/// Headers of a socket's handshake, which only a socket's request forwards.
pub fn websocket_handshake(client: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
    let header = |name: HeaderName| client.get(&name).cloned().map(|value| (name, value));
    HANDSHAKE.into_iter().filter_map(header)
}

fn is_forwarded(kind: ServerKind, name: &HeaderName) -> bool {
    if CREDENTIAL_HEADERS.contains(&name.as_str()) {
        return false;
    }
    FORWARDED.contains(name)
        || match kind {
            ServerKind::Plex => name.as_str().starts_with(PLEX_PREFIX),
            ServerKind::Jellyfin => LEGACY_EMBY_HEADERS.contains(&name.as_str()),
        }
}

/// Reason why a request's head is contradictory, whatever its target. The message quotes nothing of it.
pub fn conflicting_headers(client: &HeaderMap) -> Option<&'static str> {
    if client.get_all(HOST).iter().nth(1).is_some() {
        return Some("the request has two Host headers");
    }
    let is_keep_alive = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    if client.get_all(CONNECTION).iter().all(is_keep_alive) {
        return None;
    }
    let named = connection_header_names(client);
    let is_relevant = |name: &str| {
        CREDENTIAL_HEADERS.contains(&name)
            || name.starts_with(PLEX_PREFIX)
            || LEGACY_EMBY_HEADERS.contains(&name)
            || matches!(name, "host" | "content-length" | "content-encoding")
            || FORWARDED.iter().any(|sent| sent == name)
    };
    // Dropping a header at one hop that the next hop relies on is an attempt to make the two disagree.
    named
        .iter()
        .any(|name| is_relevant(name))
        .then_some("the Connection header names a header that the server relies on")
}

/// Whether the body is compressed. Such bodies are rejected: to be parsed they would have to be decompressed, and may
/// be a bomb.
pub fn is_compressed(client: &HeaderMap) -> bool {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    client.get_all(http::header::CONTENT_ENCODING).iter().any(|value| !is_identity(value))
}

/// A server's response headers as sent to a client.
pub fn for_client(server: &HeaderMap) -> HeaderMap {
    let named = connection_header_names(server);
    let mut headers = HeaderMap::with_capacity(server.len());
    for (name, value) in server {
        let is_hop_by_hop = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HOST].contains(name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "proxy-authenticate")
            || named.contains(&name.as_str().to_owned());
        if *name == CONTENT_LENGTH {
            // A value repeated, in one line or two, is sent once.
            let length = value.to_str().ok().and_then(|value| value.split(',').next()?.trim().parse::<u64>().ok());
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
        } else if !is_hop_by_hop {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Whether a header of a cached response is stored.
pub fn is_storable(name: &HeaderName) -> bool {
    [CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_DISPOSITION, ETAG, LAST_MODIFIED, ACCEPT_RANGES, CACHE_CONTROL, VARY]
        .contains(name)
        || matches!(
            name.as_str(),
            "x-plex-protocol"
                | "x-plex-container-start"
                | "x-plex-container-total-size"
                | "x-plex-container-size"
                | "x-application-version"
        )
}

fn connection_header_names(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| name != "close")
        .collect()
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::credential::{Secret, TokenForm};

    use super::*;

    fn sent(kind: ServerKind, client: &[(&'static str, &'static str)], token: Option<&str>) -> HeaderMap {
        let client: HeaderMap = client
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let form = if kind == ServerKind::Plex { TokenForm::PlexHeader } else { TokenForm::Authorization };
        let credential = Credential { token: token.map(Secret::new), form, ..Credential::default() };
        let address = "192.168.1.7".parse().expect("an IP address");
        for_server(&client, ForwardContext { kind, credential: &credential, translate_legacy: true, address })
    }

    #[test]
    fn headers_that_are_not_listed_are_not_forwarded() {
        let unlisted = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-host", "evil"),
            ("x-original-url", "/evil"),
            ("x-http-method-override", "DELETE"),
            ("host", "evil"),
            ("cookie", "a=b"),
            ("transfer-encoding", "chunked"),
            ("referer", "http://h/?X-Plex-Token=abc"),
            ("x-unheard-of", "1"),
        ];
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            let sent = sent(kind, &unlisted, None);
            assert_eq!(sent.len(), 1, "{sent:?}");
            assert_eq!(sent["x-forwarded-for"], "192.168.1.7");
        }
    }

    #[test]
    fn player_headers_are_forwarded_to_their_own_kind_of_server_only() {
        let client_headers = [("x-plex-session-identifier", "s"), ("x-emby-device-id", "d"), ("range", "bytes=0-")];
        let plex = sent(ServerKind::Plex, &client_headers, None);
        assert!(plex.contains_key("x-plex-session-identifier") && plex.contains_key("range"));
        assert!(!plex.contains_key("x-emby-device-id"));
        let jellyfin = sent(ServerKind::Jellyfin, &client_headers, None);
        assert!(jellyfin.contains_key("x-emby-device-id") && !jellyfin.contains_key("x-plex-session-identifier"));
    }

    #[test]
    fn the_credential_is_forwarded_as_parsed() {
        let client_headers = [("x-plex-token", "other"), ("authorization", "Basic eHg6eXk=")];
        let plex = sent(ServerKind::Plex, &client_headers, Some("understood"));
        assert_eq!(plex["x-plex-token"], "understood");
        assert!(!plex.contains_key("authorization"));
        let jellyfin =
            sent(ServerKind::Jellyfin, &[("authorization", "MediaBrowser Token=\"other\"")], Some("understood"));
        assert_eq!(jellyfin["authorization"], "MediaBrowser Token=\"understood\"");
        assert!(!sent(ServerKind::Plex, &client_headers, None).contains_key("x-plex-token"), "no token, no header");
    }

    #[test]
    fn the_connection_header_may_not_name_headers_the_server_relies_on() {
        let client_headers =
            |value: &'static str| [(CONNECTION, HeaderValue::from_static(value))].into_iter().collect();
        for harmless in ["close", "keep-alive", "Upgrade", "keep-alive, TE", "X-Whatever", "Upgrade, HTTP2-Settings"] {
            assert_eq!(conflicting_headers(&client_headers(harmless)), None, "{harmless}");
        }
        for harmful in ["X-Plex-Token", "close, authorization", "Range", "Host", "content-length", "X-Emby-Token"] {
            assert!(conflicting_headers(&client_headers(harmful)).is_some(), "{harmful}");
        }
    }
}
