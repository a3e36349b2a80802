//! The commented file that `greenroom config init` writes.

/// Every key with its default, commented out where the default is right for most.
pub const TEMPLATE: &str = r#"# Greenroom. Every key is also an environment variable: control.listen is GREENROOM_CONTROL_LISTEN, and a server's
# url is GREENROOM_SERVER_<NAME>_URL. Check this file with: greenroom config check FILE

# Where the control token and the key that hides identities are kept. Default: your state directory.
# data_dir = "/var/lib/greenroom"

# Reverse proxies whose word on a client's address counts. From anybody else it is not even passed on.
# trusted_proxies = ["127.0.0.1", "172.16.0.0/12"]

[control]
# The page, the API and /metrics. Reads without the control token are answered on loopback only.
listen = "127.0.0.1:8710"

[memory]
# max_bytes = 268435456            # all kept answers together
# max_entry_bytes = 33554432       # one answer
# max_partition_bytes = 134217728  # the answers of one identity

[[server]]
name   = "home"
kind   = "plex"                        # or "jellyfin"
url    = "http://192.168.1.10:32400"   # a base path is allowed: https://media.example/jellyfin
listen = "0.0.0.0:32500"               # point your apps here
# A token of the owner lets Greenroom follow the server's events. Without it everything works, only a change made
# on the server itself is noticed later.
# token = "..."
# token_file = "/run/secrets/plex-token"
# load_timeout_s = 30
# max_body_bytes = 33554432
# upstream_concurrency = 8             # requests at a time; streams and sockets do not count
# max_waiting = 1000                   # requests that may wait for one of these
# auth_ttl_s = 300                     # how long the server's yes to a token holds
# offline_auth_ttl_s = 86400           # how long that yes holds on while the server is down
# translate_legacy_auth = true         # Jellyfin: send old forms of credentials on in the new form
# max_connections = 1024               # of apps at a time
# max_connections_per_peer = 256       # from one address; trusted proxies may have more
# max_sockets = 256                    # notification sockets and event streams at a time
# max_sockets_per_identity = 32
# known_proxy = false                  # Jellyfin: its KnownProxies names this machine
# public_images = false                # Jellyfin: show kept images to whoever asks, as the server itself does

# Lifetimes of a class of answers, in seconds. The three windows add up.
# [server.lifetimes.sessions]
# fresh_s = 10
# stale_s = 10
# stale_on_error_s = 86400
"#;

#[cfg(test)]
mod tests {
    use super::super::{Settings, Tree};
    use super::TEMPLATE;

    #[test]
    fn the_template_is_valid_as_it_stands() {
        let mut tree = Tree::default();
        tree.add_toml("template", TEMPLATE);
        assert!(Settings::read(tree).is_ok());
    }

    #[test]
    fn every_key_of_the_template_is_known() {
        let uncommented: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest)
                    if rest.contains(" = ") && !rest.ends_with('.') && !rest.contains("token_file") =>
                {
                    rest
                }
                Some(rest) if rest.starts_with("[server.") => rest,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let mut tree = Tree::default();
        tree.add_toml("template", &uncommented);
        assert_eq!(Settings::read(tree).map(|_| ()), Ok(()));
    }
}
