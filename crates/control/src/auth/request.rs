//! What is known of a request, gathered for the decision of the guard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderMap, HeaderName, ORIGIN, VIA};
use http::uri::Authority;
use subtle::ConstantTimeEq;

use crate::auth::policy::{Host, Origin, Site};

/// Headers that only a proxy adds, beside all that begin with [`FORWARDED_PREFIX`].
const PROXY_HEADERS: [HeaderName; 9] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("fly-client-ip"),
];
const FORWARDED_PREFIX: &str = "x-forwarded";

/// What the request calls us. A request target with a host of its own must say the same as the header.
/// `is_ours` knows the names that were configured.
pub(crate) fn host(headers: &HeaderMap, uri: &Uri, is_ours: impl Fn(&str) -> bool) -> Host {
    let mut said = headers.get_all(HOST).iter();
    let (Some(header), None) = (said.next(), said.next()) else { return Host::Foreign };
    let Some(header) = header.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
        return Host::Foreign;
    };
    if header.as_str().contains('@') || uri.authority().is_some_and(|target| *target != header) {
        return Host::Foreign;
    }
    let name = header.host();
    if !is_port(&header.as_str()[name.len()..]) {
        return Host::Foreign;
    }
    if name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("localhost.") {
        return Host::Loopback;
    }
    match literal(name) {
        Some(ip) if ip.is_loopback() => Host::Loopback,
        _ if is_ours(name) => Host::Named,
        Some(_) => Host::Address,
        None => Host::Foreign,
    }
}

/// Whether this is what may follow a host: nothing, or a port.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

fn literal(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => {
            rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical())
        }
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Whether the connection comes from this machine.
pub(crate) fn is_loopback(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// Whether something says that the request passed a proxy.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(FORWARDED_PREFIX) || PROXY_HEADERS.contains(name))
}

/// Whose page asks: ours is the one that was fetched from the host this request goes to.
pub(crate) fn origin(headers: &HeaderMap) -> Origin {
    let mut said = headers.get_all(ORIGIN).iter();
    let Some(origin) = said.next() else { return Origin::Absent };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let page = origin.to_str().ok();
    let page = page.and_then(|page| page.strip_prefix("http://").or_else(|| page.strip_prefix("https://")));
    match (page, host, said.next()) {
        (Some(page), Some(host), None) if page.eq_ignore_ascii_case(host) => Origin::Own,
        _ => Origin::Foreign,
    }
}

/// What the browser says about the page that asks.
pub(crate) fn site(headers: &HeaderMap) -> Site {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text("sec-fetch-site") {
        None => Site::Absent,
        Some("same-origin" | "none") => Site::Own,
        Some(_) if text("sec-fetch-mode") == Some("navigate") => Site::Followed,
        Some(_) => Site::Foreign,
    }
}

/// The token that was sent as `Authorization: Bearer`. Other schemes are somebody else's, such as a proxy's.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares without telling by its time how much was right.
pub(crate) fn is_same_secret(one: &[u8], other: &[u8]) -> bool {
    blake3::hash(one).as_bytes().ct_eq(blake3::hash(other).as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn host_of(text: &str) -> Host {
        host(&headers(&[("host", text)]), &Uri::from_static("/"), |name| name == "greenroom")
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for text in
            ["localhost", "LocalHost:8710", "127.0.0.1:8710", "127.9.9.9", "[::1]:8710", "[::ffff:127.0.0.1]"]
        {
            assert_eq!(host_of(text), Host::Loopback, "{text}");
        }
    }

    #[test]
    fn an_address_in_numbers_is_an_address() {
        for text in ["192.168.1.2:8710", "[fd00::1]:8710", "0.0.0.0:8710", "8.8.8.8"] {
            assert_eq!(host_of(text), Host::Address, "{text}");
        }
    }

    #[test]
    fn a_configured_name_is_ours_with_any_port_and_no_other_is() {
        assert_eq!(host_of("greenroom"), Host::Named);
        assert_eq!(host_of("greenroom:8710"), Host::Named);
        assert_eq!(host_of("greenroom.evil.example"), Host::Foreign);
        assert_eq!(host_of("localhost"), Host::Loopback);
    }

    #[test]
    fn what_a_name_server_could_point_here_is_foreign() {
        let names = [
            "evil.example:8710",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "2130706433",
            "0x7f.1",
            "127.1",
        ];
        let malformed = [
            "a@localhost",
            "",
            "local host",
            "[::1",
            "::1",
            "[::1]:87x",
            "[::1]x",
            "localhost:",
            "localhost:99999",
        ];
        for text in names.iter().chain(&malformed) {
            assert_eq!(host_of(text), Host::Foreign, "{text}");
        }
    }

    #[test]
    fn two_hosts_are_no_host() {
        let host = |headers: &HeaderMap, uri: &Uri| host(headers, uri, |_| false);
        let both = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(host(&both, &Uri::from_static("/")), Host::Foreign);
        assert_eq!(host(&HeaderMap::new(), &Uri::from_static("/")), Host::Foreign);
        let one = headers(&[("host", "localhost:8710")]);
        assert_eq!(host(&one, &Uri::from_static("http://evil.example/")), Host::Foreign);
        assert_eq!(host(&one, &Uri::from_static("http://localhost:8710/")), Host::Loopback);
    }

    #[test]
    fn a_proxy_is_noticed_by_what_it_adds() {
        for name in ["forwarded", "x-forwarded-for", "X-Forwarded-Proto", "via", "x-real-ip", "x-forwarded"] {
            assert!(is_forwarded(&headers(&[(name, "1")])), "{name}");
        }
        assert!(!is_forwarded(&headers(&[("host", "localhost"), ("user-agent", "curl")])));
    }

    #[test]
    fn our_page_is_the_one_from_this_very_host_and_port() {
        let of = |page: &str| origin(&headers(&[("host", "127.0.0.1:8710"), ("origin", page)]));
        assert_eq!(of("http://127.0.0.1:8710"), Origin::Own);
        assert_eq!(of("https://127.0.0.1:8710"), Origin::Own);
        for page in [
            "http://127.0.0.1:32500",
            "http://localhost:8710",
            "null",
            "http://127.0.0.1",
            "ftp://127.0.0.1:8710",
        ] {
            assert_eq!(of(page), Origin::Foreign, "{page}");
        }
        assert_eq!(origin(&headers(&[("host", "127.0.0.1:8710")])), Origin::Absent);
    }

    #[test]
    fn a_link_is_told_from_a_script() {
        let of = |site_said: &str, mode: &str| {
            site(&headers(&[("sec-fetch-site", site_said), ("sec-fetch-mode", mode)]))
        };
        assert_eq!(of("same-origin", "cors"), Site::Own);
        assert_eq!(of("none", "navigate"), Site::Own);
        assert_eq!(of("cross-site", "navigate"), Site::Followed);
        assert_eq!(of("cross-site", "no-cors"), Site::Foreign);
        assert_eq!(of("same-site", "cors"), Site::Foreign);
        assert_eq!(site(&HeaderMap::new()), Site::Absent);
    }

    #[test]
    fn a_token_is_read_in_any_case_of_its_scheme() {
        assert_eq!(bearer(&headers(&[("authorization", "bEaReR  abc ")])), Some(b"abc".as_slice()));
        assert_eq!(bearer(&headers(&[("authorization", "Basic abcdef")])), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn secrets_are_the_same_only_as_a_whole() {
        assert!(is_same_secret(b"abc", b"abc"));
        assert!(!is_same_secret(b"abc", b"abcd"));
        assert!(!is_same_secret(b"", b"abc"));
    }
}
