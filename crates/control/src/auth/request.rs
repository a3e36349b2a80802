//! Gathers the facts of a request for the access policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{ACCEPT, AUTHORIZATION, FORWARDED, HOST, HeaderMap, HeaderName, ORIGIN, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Uri};

use crate::auth::policy::{FetchSite, HostKind, OriginHeader};

/// Headers that only a proxy adds, besides those beginning with [`FORWARDED_PREFIX`].
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

/// Classifies the requested host. An absolute request target must agree with the header. `is_configured` recognises the
/// configured names.
pub fn host(headers: &HeaderMap, uri: &Uri, is_configured: impl Fn(&str) -> bool) -> HostKind {
    let mut values = headers.get_all(HOST).iter();
    let (Some(header), None) = (values.next(), values.next()) else { return HostKind::Foreign };
    let Some(header) = header.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
        return HostKind::Foreign;
    };
    if header.as_str().contains('@') || uri.authority().is_some_and(|target| *target != header) {
        return HostKind::Foreign;
    }
    let name = header.host();
    if !is_port(&header.as_str()[name.len()..]) {
        return HostKind::Foreign;
    }
    if name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("localhost.") {
        return HostKind::Loopback;
    }
    match parse_ip_literal(name) {
        Some(ip) if ip.is_loopback() => HostKind::Loopback,
        _ if is_configured(name) => HostKind::Named,
        Some(_) => HostKind::Address,
        None if is_local_name(name) => HostKind::LocalName,
        None => HostKind::Foreign,
    }
}

/// Max length of a DNS label (RFC 1035).
const MAX_LABEL_BYTES: usize = 63;
/// Domain of multicast DNS (RFC 6762): names below it are resolved by the local network, never by the public DNS.
const MULTICAST_DOMAIN: &str = ".local";

/// True if only the local network can give this name an address: a single label, or one below `.local`. It begins with
/// a letter, so that it is no number that a resolver takes for an address.
fn is_local_name(name: &str) -> bool {
    let stem = name.len().saturating_sub(MULTICAST_DOMAIN.len());
    let is_multicast = name.get(stem..).is_some_and(|domain| domain.eq_ignore_ascii_case(MULTICAST_DOMAIN));
    let label = if is_multicast { &name[..stem] } else { name };
    label.len() <= MAX_LABEL_BYTES
        && label.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// True if this address belongs to a private network: loopback, link-local, private (RFC 1918, RFC 4193) or shared
/// (RFC 6598, which overlay networks use).
pub fn is_private(peer: IpAddr) -> bool {
    match peer.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// True if the text may follow a host name: nothing, or a port.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

fn parse_ip_literal(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical()),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// True if the connection comes from this machine.
pub fn is_loopback(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// True if a header shows that the request passed a proxy.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(FORWARDED_PREFIX) || PROXY_HEADERS.contains(name))
}

/// True if a browser opens a page: a plain read that accepts HTML.
pub fn accepts_page(parts: &Parts) -> bool {
    let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    parts.method == Method::GET && accept.contains("text/html")
}

/// Classifies the `Origin` header; our own origin is the host this request goes to.
pub fn origin(headers: &HeaderMap) -> OriginHeader {
    let mut values = headers.get_all(ORIGIN).iter();
    let Some(origin) = values.next() else { return OriginHeader::Absent };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let page = origin.to_str().ok();
    let page = page.and_then(|page| page.strip_prefix("http://").or_else(|| page.strip_prefix("https://")));
    match (page, host, values.next()) {
        (Some(page), Some(host), None) if page.eq_ignore_ascii_case(host) => OriginHeader::Own,
        _ => OriginHeader::Foreign,
    }
}

/// Classifies the `Sec-Fetch-Site` header.
pub fn site(headers: &HeaderMap) -> FetchSite {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text("sec-fetch-site") {
        None => FetchSite::Absent,
        Some("same-origin" | "none") => FetchSite::Own,
        Some(_) if text("sec-fetch-mode") == Some("navigate") => FetchSite::Followed,
        Some(_) => FetchSite::Foreign,
    }
}

/// The token of `Authorization: Bearer`. Other schemes may belong to a proxy and are ignored.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        headers
    }

    fn host_of(text: &str) -> HostKind {
        host(&headers(&[("host", text)]), &Uri::from_static("/"), |name| name == "greenroom")
    }

    #[test]
    fn loopback_is_recognised_by_all_its_names() {
        for text in ["localhost", "LocalHost:8710", "127.0.0.1:8710", "127.9.9.9", "[::1]:8710", "[::ffff:127.0.0.1]"] {
            assert_eq!(host_of(text), HostKind::Loopback, "{text}");
        }
    }

    #[test]
    fn an_ip_address_is_classified_as_an_address() {
        for text in ["192.168.1.2:8710", "[fd00::1]:8710", "0.0.0.0:8710", "8.8.8.8"] {
            assert_eq!(host_of(text), HostKind::Address, "{text}");
        }
    }

    #[test]
    fn a_configured_name_matches_with_any_port() {
        assert_eq!(host_of("greenroom"), HostKind::Named);
        assert_eq!(host_of("greenroom:8710"), HostKind::Named);
        assert_eq!(host_of("greenroom.evil.example"), HostKind::Foreign);
        assert_eq!(host_of("localhost"), HostKind::Loopback);
    }

    #[test]
    fn names_that_dns_could_point_here_are_foreign() {
        let names =
            ["evil.example:8710", "localhost.evil.example", "127.0.0.1.nip.io", "2130706433", "0x7f.1", "127.1"];
        let malformed =
            ["a@localhost", "", "local host", "[::1", "::1", "[::1]:87x", "[::1]x", "localhost:", "localhost:99999"];
        for text in names.iter().chain(&malformed) {
            assert_eq!(host_of(text), HostKind::Foreign, "{text}");
        }
    }

    #[test]
    fn a_name_that_only_the_local_network_can_resolve_is_local() {
        for text in ["nas", "NAS:8710", "nas.local", "my-nas.LOCAL:8710", "media_box"] {
            assert_eq!(host_of(text), HostKind::LocalName, "{text}");
        }
        let long = "n".repeat(MAX_LABEL_BYTES + 1);
        for text in ["a.b.local", ".local", "nas.", "nas.local.", "1nas", "-nas", "nas.lan", "nas.example.local", &long]
        {
            assert_eq!(host_of(text), HostKind::Foreign, "{text}");
        }
    }

    #[test]
    fn private_networks_are_recognised() {
        for text in [
            "127.0.0.1",
            "192.168.1.9",
            "10.0.0.1",
            "172.17.0.1",
            "169.254.1.1",
            "100.64.0.9",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.9",
        ] {
            assert!(is_private(text.parse().expect("an address")), "{text}");
        }
        for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "100.63.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_private(text.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn two_host_headers_or_a_contradicting_target_are_foreign() {
        let host = |headers: &HeaderMap, uri: &Uri| host(headers, uri, |_| false);
        let both = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(host(&both, &Uri::from_static("/")), HostKind::Foreign);
        assert_eq!(host(&HeaderMap::new(), &Uri::from_static("/")), HostKind::Foreign);
        let one = headers(&[("host", "localhost:8710")]);
        assert_eq!(host(&one, &Uri::from_static("http://evil.example/")), HostKind::Foreign);
        assert_eq!(host(&one, &Uri::from_static("http://localhost:8710/")), HostKind::Loopback);
    }

    #[test]
    fn a_proxy_is_detected_by_the_headers_it_adds() {
        for name in ["forwarded", "x-forwarded-for", "X-Forwarded-Proto", "via", "x-real-ip", "x-forwarded"] {
            assert!(is_forwarded(&headers(&[(name, "1")])), "{name}");
        }
        assert!(!is_forwarded(&headers(&[("host", "localhost"), ("user-agent", "curl")])));
    }

    #[test]
    fn the_own_page_is_the_one_from_the_same_host_and_port() {
        let classify = |page: &str| origin(&headers(&[("host", "127.0.0.1:8710"), ("origin", page)]));
        assert_eq!(classify("http://127.0.0.1:8710"), OriginHeader::Own);
        assert_eq!(classify("https://127.0.0.1:8710"), OriginHeader::Own);
        for page in
            ["http://127.0.0.1:32500", "http://localhost:8710", "null", "http://127.0.0.1", "ftp://127.0.0.1:8710"]
        {
            assert_eq!(classify(page), OriginHeader::Foreign, "{page}");
        }
        assert_eq!(origin(&headers(&[("host", "127.0.0.1:8710")])), OriginHeader::Absent);
    }

    #[test]
    fn a_followed_link_is_distinguished_from_a_script() {
        let classify = |site_header: &str, mode: &str| {
            site(&headers(&[("sec-fetch-site", site_header), ("sec-fetch-mode", mode)]))
        };
        assert_eq!(classify("same-origin", "cors"), FetchSite::Own);
        assert_eq!(classify("none", "navigate"), FetchSite::Own);
        assert_eq!(classify("cross-site", "navigate"), FetchSite::Followed);
        assert_eq!(classify("cross-site", "no-cors"), FetchSite::Foreign);
        assert_eq!(classify("same-site", "cors"), FetchSite::Foreign);
        assert_eq!(site(&HeaderMap::new()), FetchSite::Absent);
    }

    #[test]
    fn the_bearer_scheme_is_case_insensitive() {
        assert_eq!(bearer(&headers(&[("authorization", "bEaReR  abc ")])), Some(b"abc".as_slice()));
        assert_eq!(bearer(&headers(&[("authorization", "Basic abcdef")])), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
