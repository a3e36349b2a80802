//! Control plane: its address and host names, and reads allowed without the token.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::address::{loopback, read_base_path, read_listen};
use super::networks::Networks;
use super::source::ConfigSource;
use super::tls::read_certificate_files;
use crate::certificate_files::CertificateFiles;

/// Port of the control plane.
pub const CONTROL_PORT: u16 = 8710;
/// Settings of the control plane.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// Address of the page, the API and the metrics.
    pub listen: SocketAddr,
    /// Its certificate; without one there is no TLS.
    pub certificate: Option<CertificateFiles>,
    /// Base path, if a reverse proxy adds one; requests without it work as well.
    pub base_path: String,
    /// Accepted host names beside localhost and addresses, in lower case.
    pub hosts: Vec<String>,
    /// Proxies trusted to name the client.
    pub trusted_proxies: Networks,
    /// Concurrent connections.
    pub max_connections: usize,
    /// Concurrent connections of one address; trusted proxies may have more.
    pub max_connections_per_peer: usize,
    /// Paths readable without the token, each with a network.
    pub open_reads: Vec<OpenRead>,
}

/// A path that may be read from some networks without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRead {
    path: String,
    from: Networks,
}

/// The text has no path and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOpenReadError;

impl ControlSettings {
    pub(super) fn read(tree: &mut ConfigSource, trusted_proxies: &Networks) -> Self {
        Self {
            listen: read_listen(tree, "control.listen", loopback(CONTROL_PORT)),
            certificate: read_certificate_files(tree, "control.listen_tls"),
            base_path: read_base_path(tree, "control.base_path").unwrap_or_default(),
            hosts: read_hosts(tree),
            trusted_proxies: trusted_proxies.clone(),
            max_connections: read_count(tree, "control.max_connections", 256),
            max_connections_per_peer: read_count(tree, "control.max_connections_per_peer", 64),
            open_reads: read_list(tree, "control.open_reads", "entries such as \"/metrics from 192.168.1.0/24\""),
        }
    }

    /// Whether this host name is accepted.
    pub fn is_called(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Whether a client at this address may read the path without the token.
    pub fn is_open(&self, path: &str, peer: IpAddr) -> bool {
        self.open_reads.iter().any(|open| open.path == path && open.from.contain(peer))
    }
}

impl FromStr for OpenRead {
    type Err = ParseOpenReadError;

    fn from_str(text: &str) -> Result<Self, ParseOpenReadError> {
        let (path, from) = text.split_once(" from ").ok_or(ParseOpenReadError)?;
        let (path, from) = (path.trim(), from.trim());
        if !path.starts_with('/') || from.is_empty() || path.contains(['?', ' ']) {
            return Err(ParseOpenReadError);
        }
        Ok(Self { path: path.to_owned(), from: from.parse().map_err(|_| ParseOpenReadError)? })
    }
}

fn read_hosts(tree: &mut ConfigSource) -> Vec<String> {
    let place = tree.place("control.hosts");
    let hosts: Vec<String> = read_list(tree, "control.hosts", "names");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    for host in &hosts {
        if !host.bytes().all(fits) {
            tree.problem(
                place.clone(),
                format!(
                    "control.hosts must be names such as media.example, without scheme, port and path, not \"{host}\""
                ),
            );
        }
    }
    hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
}

fn read_count(tree: &mut ConfigSource, path: &str, default: usize) -> usize {
    usize::try_from(tree.number(path, 1, 65_536, default as u64)).unwrap_or(default)
}

/// Reads a comma-separated list.
fn read_list<T: FromStr>(tree: &mut ConfigSource, path: &str, expected: &str) -> Vec<T> {
    let Some(leaf) = tree.take(path) else { return Vec::new() };
    let mut list = Vec::new();
    for text in leaf.text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(value) => list.push(value),
            Err(_) => tree.problem(leaf.place.clone(), format!("{path} must be {expected}, not \"{text}\"")),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::ConfigError;
    use super::*;

    fn read(text: &str) -> Result<ControlSettings, Vec<ConfigError>> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("[control]\n{text}"));
        let control = ControlSettings::read(&mut tree, &Networks::default());
        if tree.errors.is_empty() { Ok(control) } else { Err(tree.errors) }
    }

    #[test]
    fn a_path_is_open_to_the_networks_it_is_opened_to_and_no_other() {
        let control = read(
            "open_reads = [\"/metrics from 192.168.1.0/24\", \"/metrics from 10.0.0.7\", \"/api/v1/servers from ::1\"]",
        )
        .expect("it is valid");
        let cases = [
            ("/metrics", "192.168.1.9", true),
            ("/metrics", "10.0.0.7", true),
            ("/metrics", "::ffff:10.0.0.7", true),
            ("/metrics", "10.0.0.8", false),
            ("/metrics/", "10.0.0.7", false),
            ("/api/v1/servers", "192.168.1.9", false),
        ];
        for (path, peer, expected) in cases {
            assert_eq!(control.is_open(path, peer.parse().expect("an address")), expected, "{path} from {peer}");
        }
        assert!(!read("").expect("it is valid").is_open("/metrics", IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_opens_nothing_certain_is_a_problem() {
        for text in ["/metrics", "metrics from 10.0.0.1", "/metrics from everywhere", "/metrics from ", "/a?b from ::1"]
        {
            let problems = read(&format!("open_reads = [\"{text}\"]")).expect_err(text);
            assert!(problems[0].to_string().starts_with("g.toml:2:14: control.open_reads must be"), "{problems:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_and_no_address_of_a_page() {
        let control = read("hosts = [\"Media.example\", \"greenroom\"]").expect("it is valid");
        assert!(control.is_called("media.EXAMPLE") && control.is_called("greenroom") && !control.is_called("example"));
        for text in ["http://media.example", "media.example/x", "*"] {
            assert!(read(&format!("hosts = \"{text}\"")).is_err(), "{text}");
        }
    }

    #[test]
    fn connections_are_bounded_in_total_and_per_address() {
        let bounds = |text| read(text).map(|control| (control.max_connections, control.max_connections_per_peer));
        assert_eq!(bounds("").expect("it is valid"), (256, 64));
        assert_eq!(bounds("max_connections = 9\nmax_connections_per_peer = 3").expect("it is valid"), (9, 3));
        assert!(bounds("max_connections = 0").is_err());
    }

    #[test]
    fn a_base_path_is_a_path() {
        assert_eq!(read("base_path = \"/greenroom/\"").expect("it is valid").base_path, "/greenroom");
        for text in ["greenroom", "/a//b", "/..", "/a b", "/a?b", "/a;Path=/"] {
            assert!(read(&format!("base_path = \"{text}\"")).is_err(), "{text}");
        }
    }
}
