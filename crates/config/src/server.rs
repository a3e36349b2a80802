//! Settings of one media server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use greenroom_dialect::class::{Class, Lifetime};
use greenroom_dialect::credential::Secret;
use greenroom_dialect::request::ServerKind;
use greenroom_library::files::PathMaps;
use http::Uri;

use super::account::AccountSettings;
use super::address::{read_base_path, read_listen, read_public_url, read_url};
use super::library::LibrarySettings;
use super::listener_limits::ListenerLimits;
use super::matching::read_path_maps;
use super::networks::Networks;
use super::prefetch::PrefetchSettings;
use super::section::Section;
use super::source::ConfigSource;
use super::tls::{UpstreamTls, read_certificate_files};
use crate::CacheMode;
use crate::certificate_files::CertificateFiles;

/// Default port of a Plex server's listener.
pub const PLEX_PORT: u16 = 32500;
/// Default port of a Jellyfin server's listener.
pub const JELLYFIN_PORT: u16 = 8196;

const MIB: u64 = 1024 * 1024;
const DAY_S: u64 = 24 * 3600;
const YEAR_S: u64 = 365 * DAY_S;

/// Settings of one media server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Its name in metrics, on the page, in variables.
    pub name: String,
    /// Plex or Jellyfin.
    pub kind: ServerKind,
    /// Scheme and authority, such as `http://192.168.1.10:32400`.
    pub origin: Uri,
    /// Source of its URL: `--plex`, `GREENROOM_SERVER_HOME_URL`, `greenroom.toml:12:8`.
    pub url_place: String,
    /// Base path of the server (`/jellyfin`), or empty.
    pub base_path: String,
    /// Base path at our listener; requests without it work as well.
    pub listen_base_path: String,
    /// URL at which clients reach it behind a reverse proxy, if that differs from the requested one.
    pub public_url: Option<String>,
    /// Owner token, for events and own requests.
    pub token: Option<Secret>,
    /// Further users, to whom playlists may be written.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// Trust in its certificate, if its URL uses TLS.
    pub tls: UpstreamTls,
    /// Listening address for its clients.
    pub listen: SocketAddr,
    /// Certificate of that listener; without one there is no TLS.
    pub certificate: Option<CertificateFiles>,
    /// Timeout of one complete response.
    pub load_timeout: Duration,
    /// Max bytes of a buffered body; longer ones are streamed uncached.
    pub max_body_bytes: u64,
    /// Max concurrent requests, without media streams, sockets and long bodies on their way.
    pub upstream_concurrency: usize,
    /// Max waiting requests; beyond, the least urgent are refused.
    pub max_waiting: usize,
    /// Lifetime of a grant.
    pub auth_ttl: Duration,
    /// Lifetime during an outage of a grant that was valid at its start.
    pub offline_auth_ttl: Duration,
    /// Max fresh time of what has user state while the server's events were lost and it is up.
    pub feed_lost_fresh: Duration,
    /// Min time between two checks of whether the library or an account's user state changed.
    pub confirmation_interval: Duration,
    /// Interval at which the server is asked what changed while reads are answered from the cache; zero is never.
    pub pulse_interval: Duration,
    /// Converts legacy Jellyfin credentials to the form that later versions accept.
    pub translate_legacy_auth: bool,
    /// Mode of its reads at start.
    pub mode: CacheMode,
    /// Limits on its listener.
    pub listener_limits: ListenerLimits,
    /// Prefetch settings.
    pub prefetch: PrefetchSettings,
    /// Settings of its library indexes.
    pub library: LibrarySettings,
    /// Path maps from apps' paths to the server's.
    pub path_maps: PathMaps,
    /// Configured TTL policy values, by request type.
    pub lifetimes: BTreeMap<Class, LifetimeOverride>,
}

/// Configured values of a TTL policy; the others keep their defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LifetimeOverride {
    /// Seconds served without asking the server.
    pub fresh_s: Option<u32>,
    /// Further seconds served at once, with a background refresh.
    pub stale_s: Option<u32>,
    /// Further seconds served only if the server cannot be asked.
    pub stale_on_error_s: Option<u32>,
}

impl ServerSettings {
    /// A TTL policy with the configured values of its request type.
    pub fn lifetime(&self, class: Class, otherwise: Lifetime) -> Lifetime {
        let changed = self.lifetimes.get(&class).copied().unwrap_or_default();
        Lifetime {
            fresh_s: changed.fresh_s.unwrap_or(otherwise.fresh_s),
            fresh_with_signal_s: changed.fresh_s.unwrap_or(otherwise.fresh_with_signal_s),
            stale_s: changed.stale_s.unwrap_or(otherwise.stale_s),
            stale_on_error_s: changed.stale_on_error_s.unwrap_or(otherwise.stale_on_error_s),
            ..otherwise
        }
    }
}

/// Reads the settings of one server.
pub(super) fn read_server(
    tree: &mut ConfigSource,
    name: &str,
    place: &str,
    (trusted, library, lifetimes): (&Networks, &LibrarySettings, &ForeignLifetimes),
) -> Option<ServerSettings> {
    let key = |last: &str| format!("server.{name}.{last}");
    let mut own = Section::new(tree, format!("server.{name}"));
    let kind = read_kind(own.tree, &key("kind"), name, place);
    let url_place = own.tree.place(&key("url"));
    let (origin, base_path) = read_url(own.tree, &key("url"), name, place).unzip();
    let port = if kind == Some(ServerKind::Jellyfin) { JELLYFIN_PORT } else { PLEX_PORT };
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let is_encrypted = origin.as_ref().is_none_or(|origin| origin.scheme() == Some(&http::uri::Scheme::HTTPS));
    Some(ServerSettings {
        name: name.to_owned(),
        url_place,
        token: own.token("token"),
        accounts: AccountSettings::read_all(own.tree, name, kind),
        listen: read_listen(own.tree, &key("listen"), everywhere),
        load_timeout: own.seconds("load_timeout_s", 1..=600, Duration::from_secs(30)),
        max_body_bytes: own.number("max_body_bytes", 64 * 1024..=1 << 32, 32 * MIB),
        upstream_concurrency: own.count("upstream_concurrency", 2..=1000, 8),
        max_waiting: own.count("max_waiting", 1..=100_000, 1000),
        auth_ttl: own.seconds("auth_ttl_s", 1..=DAY_S, Duration::from_secs(300)),
        offline_auth_ttl: own.seconds("offline_auth_ttl_s", 0..=30 * DAY_S, Duration::from_secs(DAY_S)),
        feed_lost_fresh: own.seconds("feed_lost_fresh_s", 0..=3600, Duration::from_secs(10)),
        confirmation_interval: own.seconds("confirmation_interval_s", 1..=3600, Duration::from_secs(30)),
        pulse_interval: own.seconds("pulse_interval_s", 0..=3600, Duration::from_secs(5)),
        translate_legacy_auth: own.flag("translate_legacy_auth", true),
        mode: read_mode(own.tree, &key("mode")),
        listener_limits: ListenerLimits::read(own.tree, name, trusted),
        prefetch: PrefetchSettings::read(own.tree, name),
        library: LibrarySettings::read_for_server(own.tree, name, kind, library),
        tls: UpstreamTls::read(own.tree, name, is_encrypted),
        certificate: read_certificate_files(own.tree, &key("listen_tls")),
        path_maps: read_path_maps(own.tree, name),
        lifetimes: read_lifetimes(own.tree, name, lifetimes),
        public_url: read_public_url(own.tree, &key("public_url")),
        // What may be missing comes last, when all else was read.
        listen_base_path: read_base_path(own.tree, &key("listen_base_path")).or_else(|| base_path.clone())?,
        base_path: base_path?,
        origin: origin?,
        kind: kind?,
    })
}

fn read_kind(tree: &mut ConfigSource, path: &str, name: &str, place: &str) -> Option<ServerKind> {
    let Some(leaf) = tree.take(path) else {
        tree.problem(place.into(), format!("server \"{name}\" needs kind = \"plex\", \"jellyfin\" or \"http\""));
        return None;
    };
    match leaf.text.as_str() {
        "plex" => Some(ServerKind::Plex),
        "jellyfin" => Some(ServerKind::Jellyfin),
        "emby" => {
            tree.problem(leaf.place, "Emby is not supported yet; kind may be \"plex\" or \"jellyfin\"".into());
            None
        }
        other => {
            tree.problem(leaf.place, format!("kind must be \"plex\", \"jellyfin\" or \"http\", not \"{other}\""));
            None
        }
    }
}

fn read_mode(tree: &mut ConfigSource, path: &str) -> CacheMode {
    let Some(leaf) = tree.take(path) else { return CacheMode::default() };
    CacheMode::parse(leaf.text.trim()).unwrap_or_else(|| {
        let message = format!("mode must be \"cache\", \"observe\" or \"bypass\", not \"{}\"", leaf.text);
        tree.problem(leaf.place, message);
        CacheMode::default()
    })
}

/// Fresh times by request type, in seconds.
pub(super) type ForeignLifetimes = BTreeMap<Class, u32>;

/// Fresh times that variables of another dashboard gateway name. The configuration of a server wins.
pub(super) fn read_foreign_lifetimes(tree: &mut ConfigSource) -> ForeignLifetimes {
    const VARIABLES: [(&str, &[Class]); 3] = [
        ("CACHE_ACTIVITIES_TTL", &[Class::Activities, Class::Sessions]),
        ("CACHE_WATCH_HISTORY_TTL", &[Class::History]),
        ("CACHE_LIBRARY_TTL", &[Class::Sections, Class::Counts]),
    ];
    let mut lifetimes = BTreeMap::new();
    for (variable, classes) in VARIABLES {
        let seconds = tree.foreign_number(variable, (0, YEAR_S)).and_then(|seconds| u32::try_from(seconds).ok());
        lifetimes.extend(classes.iter().filter_map(|class| Some((*class, seconds?))));
    }
    lifetimes
}

fn read_lifetimes(
    tree: &mut ConfigSource,
    server: &str,
    foreign: &ForeignLifetimes,
) -> BTreeMap<Class, LifetimeOverride> {
    let mut lifetimes = BTreeMap::new();
    for class in Class::EVERY {
        let mut number = |key: &str| {
            let path = format!("server.{server}.lifetimes.{}.{key}", class.name());
            let is_set = tree.has(&path);
            let number = tree.number(&path, 0, YEAR_S, 0);
            u32::try_from(number).ok().filter(|_| is_set)
        };
        let changed = LifetimeOverride {
            fresh_s: number("fresh_s").or_else(|| foreign.get(&class).copied()),
            stale_s: number("stale_s"),
            stale_on_error_s: number("stale_on_error_s"),
        };
        if changed != LifetimeOverride::default() {
            lifetimes.insert(class, changed);
        }
    }
    lifetimes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ConfigError;

    fn read(more: &str) -> Result<ServerSettings, Vec<ConfigError>> {
        let mut tree = ConfigSource::default();
        let smallest = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        tree.add_toml("g.toml", &format!("{smallest}{more}"));
        crate::Settings::read(tree).map(|settings| settings.servers[0].clone())
    }

    #[test]
    fn variables_of_another_gateway_set_fresh_times_and_the_configuration_wins() {
        let read = |more: &str, value: &str| {
            let mut tree = ConfigSource::default();
            let smallest = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
            tree.add_toml("g.toml", &format!("{smallest}{more}"));
            tree.add_environment([("CACHE_ACTIVITIES_TTL".to_owned(), value.to_owned())].into_iter());
            crate::Settings::read(tree).map(|settings| settings.servers[0].lifetimes.clone())
        };
        let lifetimes = read("[server.lifetimes.sessions]\nfresh_s = 15\n", "7").expect("it is valid");
        assert_eq!((lifetimes[&Class::Activities].fresh_s, lifetimes[&Class::Sessions].fresh_s), (Some(7), Some(15)));
        assert_eq!(lifetimes.get(&Class::History), None);
        let second = "[[server]]\nname = \"den\"\nkind = \"plex\"\nurl = \"http://192.168.1.11:32400\"\nlisten = \"127.0.0.1:1\"\n";
        let problems = read(second, "soon").expect_err("it is no number");
        assert_eq!(problems.len(), 1, "told once for all servers: {problems:?}");
        assert!(problems[0].to_string().starts_with("CACHE_ACTIVITIES_TTL: must be a whole number"), "{}", problems[0]);
    }

    #[test]
    fn a_mode_is_one_of_three_words() {
        let mode = |mode: &str| read(&format!("mode = \"{mode}\"\n"));
        assert_eq!(read("").expect("it is valid").mode, CacheMode::Cache);
        assert_eq!(mode("observe").expect("it is valid").mode, CacheMode::Observe);
        let problems = mode("watch").expect_err("no such mode");
        assert!(problems[0].to_string().contains("\"observe\""), "{problems:?}");
    }

    #[test]
    fn a_lifetime_can_be_changed_for_one_class() {
        let server = read("[server.lifetimes.sessions]\nfresh_s = 15\n").expect("it is valid");
        let usual = Class::Sessions.lifetime(ServerKind::Plex);
        let lifetime = server.lifetime(Class::Sessions, usual);
        assert_eq!((lifetime.fresh_s, lifetime.stale_s), (15, 10));
        let special = Lifetime { stale_s: 3, ..usual };
        assert_eq!(server.lifetime(Class::Sessions, special).stale_s, 3, "only what was written");
    }
}
