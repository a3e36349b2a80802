//! Network of a client: what limits count as one client.

use std::net::{IpAddr, Ipv6Addr};

/// The client's network: with IPv6 each client has 2^64 addresses.
pub fn client_network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let network = |text: &str| client_network(text.parse().expect("an address")).to_string();
        assert_eq!(network("192.168.1.7"), "192.168.1.7");
        assert_eq!(network("::ffff:192.168.1.7"), "192.168.1.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
