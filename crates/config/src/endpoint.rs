//! Endpoint of requests: scheme, host, port and base path.

use std::net::IpAddr;

use http::Uri;

use crate::address::parse_origin;

/// Endpoint of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    origin: Uri,
    base_path: String,
}

impl Endpoint {
    /// Endpoint of a configured server.
    pub fn from_server(server: &crate::ServerSettings) -> Self {
        Self { origin: server.origin.clone(), base_path: server.base_path.clone() }
    }

    /// The address of a server of any HTTP API.
    pub fn from_http_api(server: &crate::HttpApiSettings) -> Self {
        Self { origin: server.origin.clone(), base_path: server.base_path.clone() }
    }

    /// Parses `http://ADDRESS:PORT` or `https://NAME/BASE`.
    pub fn parse(text: &str) -> Option<Self> {
        let (origin, base_path) = parse_origin(text)?;
        Some(Self { origin, base_path })
    }

    /// The endpoint with the other scheme.
    #[must_use]
    pub fn with_encryption(&self, encrypted: bool) -> Self {
        let scheme = if encrypted { "https" } else { "http" };
        let text = format!("{scheme}://{}/", self.authority());
        Self { origin: text.parse().unwrap_or_else(|_| self.origin.clone()), base_path: self.base_path.clone() }
    }

    /// The endpoint with another base path.
    #[must_use]
    pub fn with_base_path(&self, base_path: &str) -> Self {
        Self { origin: self.origin.clone(), base_path: base_path.to_owned() }
    }

    /// Whether it uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.origin.scheme_str() == Some("https")
    }

    /// Name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.origin.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether it is this machine or container itself.
    pub fn is_loopback(&self) -> bool {
        let by_name = self.host().eq_ignore_ascii_case("localhost");
        by_name || self.host().parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
    }

    /// Port, the scheme's default if none is given.
    pub fn port(&self) -> u16 {
        self.origin.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Host and port as written.
    pub fn authority(&self) -> &str {
        self.origin.authority().map_or("", http::uri::Authority::as_str)
    }

    /// Base path, without a trailing slash.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The complete URL, as in the configuration.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.origin.scheme_str().unwrap_or("http"), self.authority(), self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written() {
        let place = Endpoint::parse("https://media.example/jellyfin/").expect("an address");
        assert_eq!((place.host(), place.port(), place.base_path()), ("media.example", 443, "/jellyfin"));
        assert_eq!(place.url(), "https://media.example/jellyfin");
        assert_eq!(place.with_encryption(false).url(), "http://media.example/jellyfin");
        assert_eq!(place.with_base_path("").url(), "https://media.example");
        let six = Endpoint::parse("http://[::1]:32400").expect("an address");
        assert_eq!((six.host(), six.port()), ("::1", 32400));
        assert_eq!(Endpoint::parse("media.example:32400"), None);
    }
}
