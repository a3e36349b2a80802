//! Address of the client: the connection's peer, or the address that a trusted proxy there names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderMap;

use greenroom_config::Networks;

/// The only header in which a proxy may name addresses: each hop appends its peer's.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Header with the scheme of the client's connection to the proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Longer chains are ignored.
const MAX_HOPS: usize = 32;

/// The client: the nearest address on the way here that is no trusted proxy. Entries further left are unverified.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut nearest = peer.to_canonical();
    if !trusted.contain(nearest) {
        return nearest;
    }
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(MAX_HOPS) {
        let Some(address) = address(hop.trim()) else { return nearest };
        nearest = address;
        if !trusted.contain(nearest) {
            return nearest;
        }
    }
    nearest
}

/// Whether a trusted proxy reports that the client's connection to it is encrypted.
pub fn is_forwarded_https(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> bool {
    let is_https = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
    is_https && trusted.contain(peer)
}

/// Whether an address is of this machine or of a private network, which media servers trust.
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Parses an address as proxies write it: bare, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = unbracketed
        .unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    // The unspecified address is no client's.
    address.ok().map(|address| address.to_canonical()).filter(|address| *address != Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_reports_the_scheme() {
        let trusted: Networks = "127.0.0.1".parse().expect("networks");
        let is_https = |peer: &str, scheme: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(FORWARDED_PROTO),
                HeaderValue::from_static(scheme),
            )]);
            is_forwarded_https(peer.parse().expect("an address"), &headers, &trusted)
        };
        assert!(is_https("127.0.0.1", "https") && is_https("::ffff:127.0.0.1", "HTTPS"));
        assert!(!is_https("127.0.0.1", "http") && !is_https("192.168.1.9", "https"));
    }

    fn client_of(peer: &str, lines: &[&str]) -> String {
        let trusted: Networks = "127.0.0.1, 172.16.0.0/12, fd00::/8".parse().expect("networks");
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).expect("a header value"));
        }
        client(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn an_untrusted_peer_cannot_name_another_address() {
        assert_eq!(client_of("203.0.113.9", &["192.168.1.7"]), "203.0.113.9");
        assert_eq!(client_of("192.168.1.7", &["127.0.0.1, 172.16.0.1"]), "192.168.1.7");
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_a_trusted_proxy() {
        for (lines, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["192.168.1.7, 203.0.113.9"], "203.0.113.9"),
            (&["192.168.1.7, 203.0.113.9, 172.17.0.3"], "203.0.113.9"),
            (&["192.168.1.7", "203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9", "172.17.0.3,fd00::9"], "203.0.113.9"),
            (&["203.0.113.9:1234"], "203.0.113.9"),
            (&["[2001:db8::1]:1234"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["172.17.0.9, 172.17.0.3"], "172.17.0.9"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(client_of("127.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn an_invalid_address_ends_the_chain() {
        for lines in [
            &["192.168.1.7, unknown, 172.17.0.3"][..],
            &["192.168.1.7, , 172.17.0.3"],
            &["192.168.1.7, _hidden, 172.17.0.3"],
            &["192.168.1.7, 0.0.0.0, 172.17.0.3"],
        ] {
            assert_eq!(client_of("127.0.0.1", lines), "172.17.0.3", "{lines:?}");
        }
        let long_chain = vec!["172.17.0.3"; MAX_HOPS + 1].join(",");
        assert_eq!(client_of("127.0.0.1", &[&format!("203.0.113.9,{long_chain}")]), "172.17.0.3");
    }

    #[test]
    fn local_addresses_are_those_no_router_forwards() {
        for local in [
            "127.0.0.1",
            "192.168.1.7",
            "10.0.0.1",
            "172.31.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_local(local.parse().expect("an address")), "{local}");
        }
        for public in ["203.0.113.9", "172.32.0.1", "100.64.0.1", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"]
        {
            assert!(!is_local(public.parse().expect("an address")), "{public}");
        }
    }
}
