//! What may pass, in either direction.

use std::net::IpAddr;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Credential;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, ORIGIN, RANGE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a client may say to either server beside its own words: representation, parts, conditions, the questions
/// of browsers. What is not here is not sent: a media server, or what stands before it, must not be told by a
/// stranger which host, address, path or method is meant. Framing is ours, cookies and addresses are nobody's.
const SENT: [HeaderName; 17] = [
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
/// What belongs to the handshake of a socket.
const HANDSHAKE: [HeaderName; 3] = [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION];
/// How every header of Plex's own begins.
const OF_PLEX: &str = "x-plex-";
/// What clients of Jellyfin say about themselves in the forms of its past, credentials aside.
const OF_JELLYFIN: [&str; 4] =
    ["x-emby-client", "x-emby-client-version", "x-emby-device-id", "x-emby-device-name"];
/// Where credentials are. They are sent on as they were understood, so that the server understands the same.
const CREDENTIALS: [&str; 5] =
    ["x-plex-token", "authorization", "x-emby-authorization", "x-emby-token", "x-mediabrowser-token"];
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What a request is sent as, beside the client's own headers.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The dialect.
    pub kind: Kind,
    /// Who asks.
    pub credential: &'a Credential,
    /// Whether old forms of credentials are sent on in today's.
    pub translate_legacy: bool,
    /// Where the client is.
    pub address: IpAddr,
}

/// The client's headers as a media server may see them: those of the closed list, the credential as we understood
/// it, and our word on where the client is.
pub fn for_server(client: &HeaderMap, sender: Sender<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.len() + 1);
    for (name, value) in client.iter().filter(|(name, _)| is_sent(sender.kind, name)) {
        headers.append(name.clone(), value.clone());
    }
    for (name, value) in sender.kind.credential_headers(sender.credential, sender.translate_legacy) {
        headers.insert(name, value);
    }
    if let Ok(address) = HeaderValue::from_str(&sender.address.to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    headers
}

/// The headers of a socket's handshake, which only a socket's request carries on.
pub fn of_handshake(client: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
    let found = |name: HeaderName| client.get(&name).cloned().map(|value| (name, value));
    HANDSHAKE.into_iter().filter_map(found)
}

fn is_sent(kind: Kind, name: &HeaderName) -> bool {
    if CREDENTIALS.contains(&name.as_str()) {
        return false;
    }
    SENT.contains(name)
        || match kind {
            Kind::Plex => name.as_str().starts_with(OF_PLEX),
            Kind::Jellyfin => OF_JELLYFIN.contains(&name.as_str()),
        }
}

/// Why a request's head cannot be taken at its word, whatever it asks for. The message names nothing of it.
pub fn contradiction(client: &HeaderMap) -> Option<&'static str> {
    if client.get_all(HOST).iter().nth(1).is_some() {
        return Some("there are two hosts");
    }
    let is_usual = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    if client.get_all(CONNECTION).iter().all(is_usual) {
        return None;
    }
    let listed = connection_listed(client);
    let matters = |name: &str| {
        CREDENTIALS.contains(&name)
            || name.starts_with(OF_PLEX)
            || OF_JELLYFIN.contains(&name)
            || matches!(name, "host" | "content-length" | "content-encoding")
            || SENT.iter().any(|sent| sent == name)
    };
    // Whoever makes one hop drop what the next one decides by wants the two to disagree.
    listed
        .iter()
        .any(|name| matters(name))
        .then_some("a header of the request is named as the connection's own")
}

/// Whether the body is packed. Nobody's is: it would have to be unpacked to be understood, and may be a bomb.
pub fn is_packed(client: &HeaderMap) -> bool {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    client.get_all(http::header::CONTENT_ENCODING).iter().any(|value| !is_plain(value))
}

/// A server's response headers as a client may see them.
pub fn for_client(server: &HeaderMap) -> HeaderMap {
    let listed = connection_listed(server);
    let mut headers = HeaderMap::with_capacity(server.len());
    for (name, value) in server {
        let of_the_connection = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HOST].contains(name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "proxy-authenticate")
            || listed.contains(&name.as_str().to_owned());
        if *name == CONTENT_LENGTH {
            // Said twice, in one line or two, it is the same; the client gets it once.
            let once =
                value.to_str().ok().and_then(|value| value.split(',').next()?.trim().parse::<u64>().ok());
            if let Some(length) = once {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
        } else if !of_the_connection {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Whether a header of a kept answer is worth keeping.
pub fn is_kept(name: &HeaderName) -> bool {
    [
        CONTENT_TYPE,
        CONTENT_LANGUAGE,
        CONTENT_DISPOSITION,
        ETAG,
        LAST_MODIFIED,
        ACCEPT_RANGES,
        CACHE_CONTROL,
        VARY,
    ]
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

fn connection_listed(headers: &HeaderMap) -> Vec<String> {
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
    use greenroom_dialect::credential::{Form, Secret};

    use super::*;

    fn sent(kind: Kind, client: &[(&'static str, &'static str)], token: Option<&str>) -> HeaderMap {
        let client: HeaderMap = client
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let form = if kind == Kind::Plex { Form::PlexHeader } else { Form::Authorization };
        let credential = Credential { token: token.map(Secret::new), form, ..Credential::default() };
        let address = "192.168.1.7".parse().expect("it is an address");
        for_server(&client, Sender { kind, credential: &credential, translate_legacy: true, address })
    }

    #[test]
    fn what_is_not_on_the_list_is_not_sent() {
        let strangers = [
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
        for kind in [Kind::Plex, Kind::Jellyfin] {
            let sent = sent(kind, &strangers, None);
            assert_eq!(sent.len(), 1, "{sent:?}");
            assert_eq!(sent["x-forwarded-for"], "192.168.1.7");
        }
    }

    #[test]
    fn what_players_say_is_sent_in_their_own_dialect_only() {
        let said = [("x-plex-session-identifier", "s"), ("x-emby-device-id", "d"), ("range", "bytes=0-")];
        let plex = sent(Kind::Plex, &said, None);
        assert!(plex.contains_key("x-plex-session-identifier") && plex.contains_key("range"));
        assert!(!plex.contains_key("x-emby-device-id"));
        let jellyfin = sent(Kind::Jellyfin, &said, None);
        assert!(
            jellyfin.contains_key("x-emby-device-id") && !jellyfin.contains_key("x-plex-session-identifier")
        );
    }

    #[test]
    fn the_credential_is_sent_as_it_was_understood() {
        let said = [("x-plex-token", "other"), ("authorization", "Basic eHg6eXk=")];
        let plex = sent(Kind::Plex, &said, Some("understood"));
        assert_eq!(plex["x-plex-token"], "understood");
        assert!(!plex.contains_key("authorization"));
        let jellyfin =
            sent(Kind::Jellyfin, &[("authorization", "MediaBrowser Token=\"other\"")], Some("understood"));
        assert_eq!(jellyfin["authorization"], "MediaBrowser Token=\"understood\"");
        assert!(!sent(Kind::Plex, &said, None).contains_key("x-plex-token"), "none is none");
    }

    #[test]
    fn a_connection_may_not_claim_what_the_server_decides_by() {
        let said =
            |value: &'static str| [(CONNECTION, HeaderValue::from_static(value))].into_iter().collect();
        for honest in
            ["close", "keep-alive", "Upgrade", "keep-alive, TE", "X-Whatever", "Upgrade, HTTP2-Settings"]
        {
            assert_eq!(contradiction(&said(honest)), None, "{honest}");
        }
        for claimed in
            ["X-Plex-Token", "close, authorization", "Range", "Host", "content-length", "X-Emby-Token"]
        {
            assert!(contradiction(&said(claimed)).is_some(), "{claimed}");
        }
    }
}
