//! Where a question goes: scheme, host, port, and the path before all paths.

use std::net::IpAddr;

use http::Uri;

use crate::address::parse_origin;

/// An address a server is asked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    origin: Uri,
    base_path: String,
}

impl Place {
    /// Where a configured server is.
    pub fn of(server: &crate::Server) -> Self {
        Self { origin: server.origin.clone(), base_path: server.base_path.clone() }
    }

    /// Reads `http://ADDRESS:PORT` or `https://NAME/BASE`; nothing else is an address.
    pub fn parse(text: &str) -> Option<Self> {
        let (origin, base_path) = parse_origin(text)?;
        Some(Self { origin, base_path })
    }

    /// The same with another scheme.
    #[must_use]
    pub fn with_encryption(&self, encrypted: bool) -> Self {
        let scheme = if encrypted { "https" } else { "http" };
        let text = format!("{scheme}://{}/", self.authority());
        Self {
            origin: text.parse().unwrap_or_else(|_| self.origin.clone()),
            base_path: self.base_path.clone(),
        }
    }

    /// The same with another path before all paths.
    #[must_use]
    pub fn with_base_path(&self, base_path: &str) -> Self {
        Self { origin: self.origin.clone(), base_path: base_path.to_owned() }
    }

    /// Whether it is asked with encryption.
    pub fn is_encrypted(&self) -> bool {
        self.origin.scheme_str() == Some("https")
    }

    /// Name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.origin.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether it is this machine itself, or this container.
    pub fn is_loopback(&self) -> bool {
        let by_name = self.host().eq_ignore_ascii_case("localhost");
        by_name || self.host().parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
    }

    /// Port, the scheme's own if none is written.
    pub fn port(&self) -> u16 {
        self.origin.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Host and port as written.
    pub fn authority(&self) -> &str {
        self.origin.authority().map_or("", http::uri::Authority::as_str)
    }

    /// Path before all paths, without a slash at its end.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The whole, as it is configured.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.origin.scheme_str().unwrap_or("http"), self.authority(), self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written() {
        let place = Place::parse("https://media.example/jellyfin/").expect("an address");
        assert_eq!((place.host(), place.port(), place.base_path()), ("media.example", 443, "/jellyfin"));
        assert_eq!(place.url(), "https://media.example/jellyfin");
        assert_eq!(place.with_encryption(false).url(), "http://media.example/jellyfin");
        assert_eq!(place.with_base_path("").url(), "https://media.example");
        let six = Place::parse("http://[::1]:32400").expect("an address");
        assert_eq!((six.host(), six.port()), ("::1", 32400));
        assert_eq!(Place::parse("media.example:32400"), None);
    }
}
