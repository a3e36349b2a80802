//! Addresses: URLs of servers, public URLs, and base paths.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;

use super::source::ConfigSource;

/// Reads a server's URL.
pub(super) fn read_url(tree: &mut ConfigSource, path: &str, name: &str, place: &str) -> Option<(Uri, String)> {
    let Some(leaf) = tree.take(path) else {
        tree.problem(place.into(), format!("server \"{name}\" needs url = \"http://ADDRESS:PORT\""));
        return None;
    };
    let parsed = parse_origin(&leaf.text);
    if parsed.is_none() {
        let message = format!("url must look like http://ADDRESS:PORT or https://ADDRESS:PORT/BASE, not \"{}\"", {
            without_secrets(&leaf.text)
        });
        tree.problem(leaf.place, message);
    }
    parsed
}

/// A URL may contain a token: only the part before the query is repeated in messages.
fn without_secrets(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let start = url.find('@').map_or(0, |at| if at < end { at + 1 } else { 0 });
    &url[start..end]
}

/// A URL as scheme and authority, and the path below it.
pub(crate) fn parse_origin(text: &str) -> Option<(Uri, String)> {
    let uri: Uri = text.trim().parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?.to_owned();
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?.clone();
    if uri.query().is_some() {
        return None;
    }
    let base_path = uri.path().trim_end_matches('/').to_owned();
    let origin = Uri::builder().scheme(scheme.as_str()).authority(authority).path_and_query("/").build().ok()?;
    Some((origin, base_path))
}

/// Reads the URL at which clients reach a server behind a reverse proxy.
pub(super) fn read_public_url(tree: &mut ConfigSource, path: &str) -> Option<String> {
    let leaf = tree.take(path)?;
    let parsed = parse_origin(&leaf.text);
    if parsed.is_none() {
        let message = format!("{path} must look like https://HOST or https://HOST/BASE");
        tree.problem(leaf.place, message);
    }
    parsed.map(|(origin, base)| format!("{}{base}", origin.to_string().trim_end_matches('/')))
}

/// Reads a path such as `/jellyfin`, without a trailing slash; empty for none.
pub(super) fn read_base_path(tree: &mut ConfigSource, path: &str) -> Option<String> {
    let leaf = tree.take(path)?;
    let base = leaf.text.trim().trim_end_matches('/').to_owned();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    let is_path = base.is_empty()
        || base.starts_with('/')
            && base.bytes().all(fits)
            && base.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if !is_path {
        tree.problem(leaf.place, format!("{path} must be a path such as /jellyfin, not \"{}\"", leaf.text));
    }
    Some(base)
}

/// Reads a listening address.
pub(super) fn read_listen(tree: &mut ConfigSource, path: &str, default: SocketAddr) -> SocketAddr {
    tree.parse(path, "an address and a port, such as 0.0.0.0:32500").unwrap_or(default)
}

/// A port on the loopback interface.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn a_token_pasted_into_the_url_is_not_repeated() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "[[server]]\nname=\"a\"\nkind=\"plex\"\nurl=\"http://h/?X-Plex-Token=SECRET\"");
        let problems = Settings::read(tree).expect_err("a query is not allowed");
        assert!(!format!("{problems:?}").contains("SECRET"));
    }

    #[test]
    fn a_base_path_is_split_from_the_origin() {
        let (origin, base) = parse_origin("https://media.example:443/jellyfin/").expect("it parses");
        assert_eq!((origin.to_string().as_str(), base.as_str()), ("https://media.example:443/", "/jellyfin"));
    }
}
