//! Networks by address and prefix length, as in `trusted_proxies`.

use std::net::IpAddr;
use std::str::FromStr;

/// A set of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Addresses with a common prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// The common bits, at the top.
    start: u128,
    /// Number of common bits.
    length: u8,
    /// Whether it is IPv4.
    is_v4: bool,
}

/// The text is no list of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseNetworksError;

impl Networks {
    /// Whether the address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = bits_of(address);
        self.0.iter().any(|network| network.is_v4 == is_v4 && cut(bits, network.length) == network.start)
    }
}

impl FromStr for Networks {
    type Err = ParseNetworksError;

    /// Comma-separated networks or addresses: `127.0.0.1, 172.16.0.0/12, fd00::/8`.
    fn from_str(text: &str) -> Result<Self, ParseNetworksError> {
        let named = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        named.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = ParseNetworksError;

    fn from_str(text: &str) -> Result<Self, ParseNetworksError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (bits, is_v4) = bits_of(address.parse().map_err(|_| ParseNetworksError)?);
        let most = if is_v4 { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().ok().filter(|length| *length <= most).ok_or(ParseNetworksError)?,
            None => most,
        };
        Ok(Self { start: cut(bits, length), length, is_v4 })
    }
}

/// The address as bits from the top. An IPv4-mapped IPv6 address counts as IPv4.
fn bits_of(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    }
}

fn cut(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(networks: &str, address: &str) -> bool {
        let networks: Networks = networks.parse().expect("networks");
        networks.contain(address.parse().expect("an address"))
    }

    #[test]
    fn an_address_is_in_a_network_by_its_first_bits() {
        for (networks, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("192.168.1.4", "192.168.1.4", true),
            ("192.168.1.4", "192.168.1.5", false),
            ("192.168.1.4/31", "192.168.1.5", true),
            ("127.0.0.1, fd00::/8", "fd12::1", true),
            ("127.0.0.1, fd00::/8", "fe80::1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::/0", "10.1.1.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("", "127.0.0.1", false),
        ] {
            assert_eq!(contain(networks, address), expected, "{address} in {networks}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_as_a_whole() {
        for text in
            ["localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.1 10.0.0.2", "10.0.0.0/8,x"]
        {
            assert_eq!(text.parse::<Networks>(), Err(ParseNetworksError), "{text}");
        }
    }
}
