//! The server's own address in its answers. Clients that believed it would go past us from then on.
//!
//! The list of what is rewritten is closed: in a body the address by which a Jellyfin tells clients to reach it, in a
//! head the place a redirect leads to.

use greenroom_cache::Value;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::jellyfin::public_info_address;
use greenroom_dialect::verdict::Read;
use http::HeaderMap;
use http::header::{HOST, LOCATION};

use crate::request::base_path::below;
use crate::response;
use crate::server::Server;
use crate::visit::Visit;

/// Longest host that is written into a body.
const MAX_HOST: usize = 255;

/// The value with the address that the client used in place of the server's own; `None` if there is none in it.
pub fn rewrite(visit: &Visit, read: &Read, headers: &HeaderMap, value: &Value) -> Option<Value> {
    let settings = &visit.server.origin.settings;
    if settings.kind != Kind::Jellyfin || !is_system_info(&read.target) {
        return None;
    }
    let address = address(settings, headers, visit.is_encrypted)?;
    let body = public_info_address(&value.body, &address)?;
    Some(response::with_body(value, body.into()))
}

/// Where clients find the server: as configured, else as this one found it.
fn address(settings: &greenroom_config::Server, headers: &HeaderMap, is_encrypted: bool) -> Option<String> {
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

/// Makes a redirect that leads to the server lead to us.
pub fn redirect(server: &Server, headers: &mut HeaderMap) {
    let ours = headers
        .get(LOCATION)
        .and_then(|to| to.to_str().ok())
        .and_then(|to| led_to_us(to, &server.origin.settings))
        .and_then(|to| to.parse().ok());
    if let Some(ours) = ours {
        headers.insert(LOCATION, ours);
    }
}

/// The place as clients find it; `None` if it is relative or somebody else's, and stays as it is.
fn led_to_us(to: &str, settings: &greenroom_config::Server) -> Option<String> {
    let origin = settings.origin.to_string();
    let origin = origin.trim_end_matches('/');
    let path =
        to.strip_prefix(origin).filter(|path| path.is_empty() || path.starts_with(['/', '?'])).unwrap_or(to);
    let is_path = path.is_empty() || path.starts_with(['/', '?']) && !path.starts_with("//");
    if !is_path {
        return None;
    }
    let below = below(path, &settings.base_path).unwrap_or_else(|| path.to_owned());
    Some(format!("{}{below}", settings.listen_base_path))
}

/// Name or address, with or without a port: what is not that is not repeated.
fn is_host(host: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_host_is_repeated() {
        assert!(is_host("192.168.1.4:8196"));
        assert!(is_host("[fe80::1]:8196"));
        assert!(!is_host("evil\"/><script>"));
        assert!(!is_host(""));
    }

    #[test]
    fn a_redirect_to_the_server_leads_to_us_and_no_other_does() {
        let settings = |more: &str| {
            let mut tree = greenroom_config::Tree::default();
            let text =
                "[[server]]\nname = \"a\"\nkind = \"jellyfin\"\nurl = \"http://10.0.0.1:8096/media\"\n";
            tree.add_toml("g.toml", &format!("{text}{more}"));
            greenroom_config::Settings::read(tree).expect("it is valid").servers.remove(0)
        };
        let elsewhere = settings("listen_base_path = \"/jellyfin\"\n");
        for (to, expected) in [
            ("/media/web/index.html", Some("/jellyfin/web/index.html")),
            ("http://10.0.0.1:8096/media/web/?a", Some("/jellyfin/web/?a")),
            ("http://10.0.0.1:8096", Some("/jellyfin")),
            ("http://10.0.0.1:80961/media/web/", None),
            ("https://repo.example/media/x", None),
            ("//evil.example/x", None),
            ("web/index.html", None),
        ] {
            assert_eq!(led_to_us(to, &elsewhere).as_deref(), expected, "{to}");
        }
        assert_eq!(led_to_us("/media/web/", &settings("")).as_deref(), Some("/media/web/"));
    }

    #[test]
    fn a_base_path_is_taken_off_whole_or_not_at_all() {
        let cases = [
            ("/jellyfin/Items?a=b", Some("/Items?a=b")),
            ("/jellyfin", Some("/")),
            ("/jellyfin?a=b", Some("/?a=b")),
            ("/jellyfin/jellyfin/Items", Some("/jellyfin/Items")),
            ("/jellyfinx/Items", None),
            ("/Items", None),
        ];
        for (target, expected) in cases {
            assert_eq!(below(target, "/jellyfin").as_deref(), expected, "{target}");
        }
        assert_eq!(below("/Items", ""), None);
    }

    #[test]
    fn only_the_servers_own_info_holds_the_address() {
        assert!(is_system_info("/System/Info/Public"));
        assert!(is_system_info("/system/info?x=1"));
        assert!(!is_system_info("/System/Info/Storage"));
    }
}
