//! What may pass, in either direction.

use std::net::SocketAddr;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    HOST, LAST_MODIFIED, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of a connection, not of a message (RFC 9110 7.6.1), and those that speak for the client's address or
/// for another host: a media server must not take them from strangers.
const NEVER_SENT: [&str; 22] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
];
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's headers as a media server may see them: end-to-end ones, with our word on where they came from.
pub fn for_server(client: &HeaderMap, peer: SocketAddr) -> HeaderMap {
    let listed = connection_listed(client);
    let mut headers = HeaderMap::with_capacity(client.len() + 1);
    for (name, value) in client {
        let hidden = NEVER_SENT.contains(&name.as_str())
            || *name == X_FORWARDED_FOR
            || name.as_str().starts_with("x-forwarded-")
            || listed.contains(&name.as_str().to_owned());
        if !hidden {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Ok(address) = HeaderValue::from_str(&peer.ip().to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    headers
}

/// A server's response headers as a client may see them.
pub fn for_client(server: &HeaderMap) -> HeaderMap {
    let listed = connection_listed(server);
    let mut headers = HeaderMap::with_capacity(server.len());
    for (name, value) in server {
        let of_the_connection = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HOST].contains(name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "proxy-authenticate")
            || listed.contains(&name.as_str().to_owned());
        let is_again = *name == http::header::CONTENT_LENGTH && headers.contains_key(name);
        if !of_the_connection && !is_again {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Whether a header of a kept answer is worth keeping.
pub fn is_kept(name: &HeaderName) -> bool {
    [CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_DISPOSITION, ETAG, LAST_MODIFIED, ACCEPT_RANGES, CACHE_CONTROL]
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
    use super::*;

    fn peer() -> SocketAddr {
        "192.168.1.7:5000".parse().expect("it is an address")
    }

    #[test]
    fn a_client_cannot_speak_for_another_address_or_host() {
        let mut client = HeaderMap::new();
        for name in
            ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "x-original-url", "host"]
        {
            client.insert(HeaderName::from_static(name), HeaderValue::from_static("evil"));
        }
        let sent = for_server(&client, peer());
        assert_eq!(sent.len(), 1);
        assert_eq!(sent["x-forwarded-for"], "192.168.1.7");
    }

    #[test]
    fn headers_named_by_connection_stay_behind() {
        let mut client = HeaderMap::new();
        client.insert(CONNECTION, HeaderValue::from_static("close, X-Secret-Hop"));
        client.insert(HeaderName::from_static("x-secret-hop"), HeaderValue::from_static("1"));
        client.insert(HeaderName::from_static("x-plex-token"), HeaderValue::from_static("t"));
        let sent = for_server(&client, peer());
        assert!(!sent.contains_key("x-secret-hop"));
        assert!(sent.contains_key("x-plex-token"));
    }
}
