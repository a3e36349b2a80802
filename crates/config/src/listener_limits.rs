//! Limits on a listener's clients, and proxies it trusts.

use super::body_limits::BodyLimits;
use super::networks::Networks;
use super::section::Section;
use super::source::ConfigSource;

/// Limits on one server's listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// Reverse proxies trusted to name the client.
    pub trusted_proxies: Networks,
    /// Concurrent client connections.
    pub max_connections: usize,
    /// Concurrent connections of one address; trusted proxies may have more.
    pub max_connections_per_peer: usize,
    /// Concurrent notification sockets and event streams.
    pub max_sockets: usize,
    /// The same for one identity.
    pub max_sockets_per_identity: usize,
    /// Concurrent media streams, downloads and other long responses, beside `upstream_concurrency`.
    pub max_streams: usize,
    /// The same for one identity.
    pub max_streams_per_identity: usize,
    /// Of them, those without a token that the server has accepted.
    pub max_streams_unproven: usize,
    /// Of those, the ones of one address.
    pub max_streams_unproven_per_peer: usize,
    /// Limits on the bodies of writes.
    pub bodies: BodyLimits,
    /// Jellyfin: its `KnownProxies` contains this machine, so it decides by the client's own address.
    pub known_proxy: bool,
    /// Jellyfin: cached images are served without a token, as the server itself does.
    pub public_images: bool,
    /// Whether a repeated request with a fresh response in memory is answered before it is parsed.
    pub fast_path: bool,
}

/// Reads the trusted proxies, which are the same for all servers.
pub(super) fn read_trusted_proxies(tree: &mut ConfigSource) -> Networks {
    tree.parse("trusted_proxies", "networks such as 127.0.0.1 or 172.16.0.0/12").unwrap_or_default()
}

impl ListenerLimits {
    /// Reads the limits of one server.
    pub(super) fn read(tree: &mut ConfigSource, server: &str, trusted_proxies: &Networks) -> Self {
        let mut own = Section::new(tree, format!("server.{server}"));
        Self {
            trusted_proxies: trusted_proxies.clone(),
            max_connections: own.count("max_connections", 1..=65_536, 1024),
            max_connections_per_peer: own.count("max_connections_per_peer", 1..=65_536, 256),
            max_sockets: own.count("max_sockets", 1..=65_536, 256),
            max_sockets_per_identity: own.count("max_sockets_per_identity", 1..=65_536, 32),
            max_streams: own.count("max_streams", 1..=65_536, 256),
            max_streams_per_identity: own.count("max_streams_per_identity", 1..=65_536, 128),
            max_streams_unproven: own.count("max_streams_unproven", 1..=65_536, 64),
            max_streams_unproven_per_peer: own.count("max_streams_unproven_per_peer", 1..=65_536, 32),
            bodies: BodyLimits::read(&mut own),
            known_proxy: own.flag("known_proxy", false),
            public_images: own.flag("public_images", false),
            fast_path: own.flag("fast_path", true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigSource, Settings};

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", text);
        tree.add_environment(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        let settings = read(HOME, &[]).expect("it is valid");
        let hygiene = &settings.servers[0].listener_limits;
        assert!(!hygiene.trusted_proxies.contain("127.0.0.1".parse().expect("an address")));
        assert!(!hygiene.known_proxy && !hygiene.public_images && hygiene.fast_path);
        assert_eq!((hygiene.max_connections, hygiene.max_connections_per_peer), (1024, 256));
        assert_eq!((hygiene.max_sockets, hygiene.max_sockets_per_identity), (256, 32));
        assert_eq!((hygiene.max_streams, hygiene.max_streams_unproven), (256, 64));
        assert_eq!((hygiene.max_streams_per_identity, hygiene.max_streams_unproven_per_peer), (128, 32));
    }

    #[test]
    fn trusted_proxies_are_a_list_or_one_text_or_a_variable() {
        for (text, environment) in [
            (format!("trusted_proxies = [\"10.0.0.1\", \"fd00::/8\"]\n{HOME}"), vec![]),
            (format!("trusted_proxies = \"10.0.0.1, fd00::/8\"\n{HOME}"), vec![]),
            (HOME.to_owned(), vec![("GREENROOM_TRUSTED_PROXIES", "10.0.0.1,fd00::/8")]),
        ] {
            let settings = read(&text, &environment).expect("it is valid");
            let trusted = &settings.servers[0].listener_limits.trusted_proxies;
            assert!(trusted.contain("fd00::7".parse().expect("an address")));
            assert!(!trusted.contain("10.0.0.2".parse().expect("an address")));
        }
    }

    #[test]
    fn a_name_is_no_network() {
        let problem = read(&format!("trusted_proxies = [\"proxy.lan\"]\n{HOME}"), &[]).expect_err("a name");
        assert!(problem.starts_with("g.toml:1:19: trusted_proxies must be networks"), "{problem}");
    }

    #[test]
    fn every_bound_is_a_variable() {
        let variables = [
            ("GREENROOM_SERVER_HOME_MAX_CONNECTIONS", "3"),
            ("GREENROOM_SERVER_HOME_MAX_CONNECTIONS_PER_PEER", "2"),
            ("GREENROOM_SERVER_HOME_MAX_SOCKETS", "5"),
            ("GREENROOM_SERVER_HOME_MAX_SOCKETS_PER_IDENTITY", "4"),
            ("GREENROOM_SERVER_HOME_MAX_STREAMS", "7"),
            ("GREENROOM_SERVER_HOME_MAX_STREAMS_PER_IDENTITY", "8"),
            ("GREENROOM_SERVER_HOME_MAX_STREAMS_UNPROVEN", "6"),
            ("GREENROOM_SERVER_HOME_MAX_STREAMS_UNPROVEN_PER_PEER", "5"),
            ("GREENROOM_SERVER_HOME_KNOWN_PROXY", "true"),
            ("GREENROOM_SERVER_HOME_PUBLIC_IMAGES", "true"),
        ];
        let settings = read(HOME, &variables).expect("it is valid");
        let hygiene = &settings.servers[0].listener_limits;
        assert_eq!((hygiene.max_connections, hygiene.max_connections_per_peer), (3, 2));
        assert_eq!((hygiene.max_sockets, hygiene.max_sockets_per_identity), (5, 4));
        assert_eq!((hygiene.max_streams, hygiene.max_streams_unproven), (7, 6));
        assert_eq!((hygiene.max_streams_per_identity, hygiene.max_streams_unproven_per_peer), (8, 5));
        assert!(hygiene.known_proxy && hygiene.public_images);
    }
}
