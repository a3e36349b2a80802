//! Properties of the headers that pass in either direction, and of the name an app is known by.

use std::net::{IpAddr, SocketAddr};

use greenroom_cache::Timestamp;
use greenroom_config::Networks;
use greenroom_dialect::request::ServerKind;
use greenroom_origin::client_apps::ClientApps;
use greenroom_origin::response_framing::framing_error;
use greenroom_proxy::request::client_ip::client;
use greenroom_proxy::request::headers::{ForwardContext, conflicting_headers, for_client, for_server};
use http::header::CONNECTION;
use http::{HeaderMap, StatusCode};

use super::request::FuzzRequest;

/// Headers that belong to a connection or speak for another address, and never reach a server.
const NEVER_SENT: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "forwarded",
    "x-real-ip",
];

/// Longest name of an app that is shown.
const MAX_NAME: usize = 40;

/// Checks what must hold of the headers of any request (and of the same headers on an answer).
pub fn check(bytes: &[u8]) {
    let request = FuzzRequest::parse(bytes);
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        check_forwarded_headers(kind, &request);
    }
    let handed = for_client(&request.headers);
    for name in ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"] {
        assert!(!handed.contains_key(name), "{name} is handed on");
    }
    assert!(handed.get_all("content-length").iter().count() <= 1, "an answer has one length");
    names_stay_behind(&request.headers, &handed);
    the_client_is_named_by_proxies(&request);
    a_response_has_one_framing(&request.headers);
    an_app_has_a_plain_name(&request);
}

fn check_forwarded_headers(kind: ServerKind, request: &FuzzRequest) {
    let credential = kind.credential(&request.view());
    let address = IpAddr::from([192, 168, 1, 7]);
    let sender = ForwardContext { kind, credential: &credential, translate_legacy: true, address };
    let mut sent = for_server(&request.headers, sender);
    for name in NEVER_SENT {
        assert!(!sent.contains_key(name), "{name} is sent");
    }
    let about_the_client: Vec<_> = sent.iter().filter(|(name, _)| name.as_str().starts_with("x-forwarded-")).collect();
    assert_eq!(about_the_client.len(), 1, "only our own word on where it came from");
    assert_eq!(sent["x-forwarded-for"], "192.168.1.7");
    // The credential is written anew, whatever header it came in.
    for (name, _) in kind.credential_headers(&credential, true) {
        sent.remove(name);
    }
    // A request that names what is sent as the connection's own is refused before.
    if conflicting_headers(&request.headers).is_none() {
        names_stay_behind(&request.headers, &sent);
    }
}

/// The client is the one that the nearest proxies name, as far as each of them is trusted; other names are ignored.
fn the_client_is_named_by_proxies(request: &FuzzRequest) {
    let trusted: Networks = "127.0.0.0/8, 172.16.0.0/12, fd00::/8".parse().expect("networks");
    let (stranger, proxy) = (IpAddr::from([192, 168, 1, 7]), IpAddr::from([127, 0, 0, 1]));
    assert_eq!(client(stranger, &request.headers, &trusted), stranger, "a stranger's word is nothing");
    let found = client(proxy, &request.headers, &trusted);
    let lines = request.headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or_default());
    let lines: Vec<&str> = lines.collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let named: Vec<Option<IpAddr>> = hops.map(|hop| plain_address(hop.trim())).collect();
    let believed = named.iter().position(|hop| hop.is_none_or(|hop| !trusted.contain(hop)));
    let reachable = &named[..believed.map_or(named.len(), |at| at + 1)];
    assert!(found == proxy || reachable.contains(&Some(found)), "no trusted proxy names {found}");
}

fn plain_address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|hop| hop.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// A response without a framing error has one length, or is chunked and nothing else.
fn a_response_has_one_framing(headers: &HeaderMap) {
    if framing_error(StatusCode::OK, headers, false).is_none() && headers.contains_key("transfer-encoding") {
        let encodings: Vec<_> = headers.get_all("transfer-encoding").iter().collect();
        assert!(encodings.len() == 1 && encodings[0].as_bytes().eq_ignore_ascii_case(b"chunked"));
        assert!(!headers.contains_key("content-length"), "a response has two lengths");
    }
}

/// Headers that the connection's header names belong to the connection as well.
fn names_stay_behind(headers: &HeaderMap, passed: &HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    for name in lines.flat_map(|line| line.split(',')).map(str::trim) {
        let is_ours = name.eq_ignore_ascii_case("x-forwarded-for") || name.eq_ignore_ascii_case("close");
        assert!(is_ours || !passed.contains_key(name), "{name} is named by the connection");
    }
}

fn an_app_has_a_plain_name(request: &FuzzRequest) {
    let apps = ClientApps::default();
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let credential = kind.credential(&request.view());
        let app = apps.get_or_insert(&credential, &request.headers, false, Timestamp::UNIX_EPOCH);
        let name = &app.name;
        assert!(!name.is_empty() && name.chars().count() <= MAX_NAME, "{name:?}");
        let is_plain = |letter: char| letter.is_alphanumeric() || " -._()".contains(letter);
        assert!(name.chars().all(is_plain), "{name:?}");
    }
}
