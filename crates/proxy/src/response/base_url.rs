//! Rewrites the server's own address in responses. Clients that used it would bypass Greenroom from then on.
//!
//! The list of rewritten fields is closed: in a body the address by which a Jellyfin server tells clients to reach it,
//! in a head the `Location` of a redirect.

use greenroom_cache::Value;
use greenroom_dialect::classification::Read;
use greenroom_dialect::jellyfin::public_info_address;
use greenroom_dialect::request::ServerKind;
use http::HeaderMap;
use http::header::{HOST, LOCATION};

use crate::proxy_request::ProxyRequest;
use crate::request::base_path::strip_base;
use crate::response;
use crate::server::Server;

/// Longest host that is written into a body.
const MAX_HOST: usize = 255;

/// The value with the client's base URL in place of the server's; `None` if it holds none.
pub fn rewrite(request: &ProxyRequest, read: &Read, headers: &HeaderMap, value: &Value) -> Option<Value> {
    let settings = &request.server.origin.settings;
    if !is_rewritten(settings, read) {
        return None;
    }
    let address = address(settings, headers, request.is_encrypted)?;
    let body = public_info_address(&value.body, &address)?;
    Some(response::with_body(value, body.into()))
}

/// Whether responses to this read may hold the server's base URL.
pub fn is_rewritten(settings: &greenroom_config::ServerSettings, read: &Read) -> bool {
    settings.kind == ServerKind::Jellyfin && is_system_info(&read.target)
}

/// Base URL for clients: as configured, else the one this client used.
fn address(settings: &greenroom_config::ServerSettings, headers: &HeaderMap, is_encrypted: bool) -> Option<String> {
    if let Some(public) = &settings.public_url {
        return Some(public.clone());
    }
    let host = headers.get(HOST)?.to_str().ok().filter(|host| is_host(host))?;
    let scheme = if is_encrypted { "https" } else { "http" };
    Some(format!("{scheme}://{host}{}", settings.listen_base_path))
}

fn is_system_info(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.eq_ignore_ascii_case("/System/Info/Public") || path.eq_ignore_ascii_case("/System/Info")
}

/// Rewrites a redirect to the server to point to Greenroom.
pub fn redirect(server: &Server, headers: &mut HeaderMap) {
    let location = headers
        .get(LOCATION)
        .and_then(|target| target.to_str().ok())
        .and_then(|target| rewrite_location(target, &server.origin.settings))
        .and_then(|target| target.parse().ok());
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
}

/// The rewritten location; `None` to leave it: relative, or on another host.
fn rewrite_location(target: &str, settings: &greenroom_config::ServerSettings) -> Option<String> {
    let origin = settings.origin.to_string();
    let origin = origin.trim_end_matches('/');
    let path =
        target.strip_prefix(origin).filter(|path| path.is_empty() || path.starts_with(['/', '?'])).unwrap_or(target);
    let is_path = path.is_empty() || path.starts_with(['/', '?']) && !path.starts_with("//");
    if !is_path {
        return None;
    }
    let path_in_server = strip_base(path, &settings.base_path).unwrap_or_else(|| path.to_owned());
    Some(format!("{}{path_in_server}", settings.listen_base_path))
}

/// Whether it is a name or an address, with or without a port; anything else is not repeated.
fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_host_is_repeated() {
        assert!(is_host("192.168.1.4:8196"));
        assert!(is_host("[fe80::1]:8196"));
        assert!(!is_host("evil\"/><script>"));
        assert!(!is_host(""));
    }

    #[test]
    fn only_redirects_to_the_server_are_rewritten() {
        let settings = |extra: &str| {
            let mut source = greenroom_config::ConfigSource::default();
            let text = "[[server]]\nname = \"a\"\nkind = \"jellyfin\"\nurl = \"http://10.0.0.1:8096/media\"\n";
            source.add_toml("g.toml", &format!("{text}{extra}"));
            greenroom_config::Settings::read(source).expect("valid configuration").servers.remove(0)
        };
        let with_base_path = settings("listen_base_path = \"/jellyfin\"\n");
        for (target, expected) in [
            ("/media/web/index.html", Some("/jellyfin/web/index.html")),
            ("http://10.0.0.1:8096/media/web/?a", Some("/jellyfin/web/?a")),
            ("http://10.0.0.1:8096", Some("/jellyfin")),
            ("http://10.0.0.1:80961/media/web/", None),
            ("https://repo.example/media/x", None),
            ("//evil.example/x", None),
            ("web/index.html", None),
        ] {
            assert_eq!(rewrite_location(target, &with_base_path).as_deref(), expected, "{target}");
        }
        assert_eq!(rewrite_location("/media/web/", &settings("")).as_deref(), Some("/media/web/"));
    }

    #[test]
    fn only_a_whole_base_path_is_stripped() {
        let cases = [
            ("/jellyfin/Items?a=b", Some("/Items?a=b")),
            ("/jellyfin", Some("/")),
            ("/jellyfin?a=b", Some("/?a=b")),
            ("/jellyfin/jellyfin/Items", Some("/jellyfin/Items")),
            ("/jellyfinx/Items", None),
            ("/Items", None),
        ];
        for (target, expected) in cases {
            assert_eq!(strip_base(target, "/jellyfin").as_deref(), expected, "{target}");
        }
        assert_eq!(strip_base("/Items", ""), None);
    }

    #[test]
    fn only_system_info_responses_hold_the_base_url() {
        assert!(is_system_info("/System/Info/Public"));
        assert!(is_system_info("/system/info?x=1"));
        assert!(!is_system_info("/System/Info/Storage"));
    }
}
