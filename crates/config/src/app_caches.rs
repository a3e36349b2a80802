//! Settings of the caches for apps.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;
use super::source::ConfigSource;

/// Max number of configured caches.
const MAX_CONFIGURED: usize = 200;
/// Default and upper limit of caches, configured or made by a token on first use.
const USUAL_MAX_CACHES: u64 = 10_000;
const MAX_CACHES: u64 = 100_000;
/// Keys of a cache.
const KEYS: [&str; 7] = ["name", "max_bytes", "max_entries", "max_value_bytes", "ttl_s", "stale_s", "eviction"];
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const YEAR_S: u64 = 31_536_000;

/// Treatment of a write that would exceed a cache's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// The entries stored longest ago make room.
    LeastRecentlyStored,
    /// The write is refused.
    Off,
}

/// Settings of one cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCacheSettings {
    /// Its name in URLs and tokens.
    pub name: String,
    /// Max bytes of all entries.
    pub max_bytes: u64,
    /// Max entries.
    pub max_entries: u64,
    /// Max bytes of one value.
    pub max_value_bytes: u64,
    /// Fresh time of an entry that is stored without one; `None`: it never expires.
    pub ttl: Option<Duration>,
    /// Stale time of an entry that is stored without one.
    pub stale: Duration,
    /// Treatment of writes when the cache is full.
    pub eviction: EvictionPolicy,
}

/// Settings of all caches for apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCachesSettings {
    /// Unix socket of the caches, if one is wanted.
    pub socket: Option<PathBuf>,
    /// Group that may connect to the socket, by name or number; none: its owner alone.
    pub socket_group: Option<String>,
    /// Max caches.
    pub max_caches: usize,
    /// The configured caches.
    pub caches: Vec<AppCacheSettings>,
}

impl Default for AppCachesSettings {
    fn default() -> Self {
        Self { socket: None, socket_group: None, max_caches: 10_000, caches: Vec::new() }
    }
}

impl AppCachesSettings {
    /// Reads `[apps]` and every `[[app_cache]]`.
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
        let names = tree.names_below("app_cache", &KEYS);
        if names.len() > MAX_CONFIGURED {
            tree.problem(tree.place("app_cache"), format!("there may be at most {MAX_CONFIGURED} configured caches"));
            return Self::default();
        }
        let caches: Vec<_> = names.iter().map(|name| AppCacheSettings::read(tree, name)).collect();
        let mut own = Section::new(tree, "apps");
        let socket_key = own.key("socket");
        let place = own.tree.place(&socket_key);
        let socket = own.tree.take(&socket_key).map(|leaf| PathBuf::from(leaf.text));
        if socket.as_ref().is_some_and(|path| !path.is_absolute()) {
            own.tree.problem(place, "apps.socket must be an absolute path".into());
        }
        let group_key = own.key("socket_group");
        let socket_group = own.tree.take(&group_key).map(|leaf| leaf.text);
        let usual = usize::try_from(USUAL_MAX_CACHES).unwrap_or(usize::MAX);
        Self { socket, socket_group, max_caches: own.count("max_caches", 1..=MAX_CACHES, usual), caches }
    }

    /// Settings of the cache with this name: its own, else the defaults.
    pub fn of(&self, name: &str) -> AppCacheSettings {
        let own = self.caches.iter().find(|cache| cache.name == name);
        own.cloned().unwrap_or_else(|| AppCacheSettings::new(name))
    }
}

impl AppCacheSettings {
    /// A cache with default settings.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            max_bytes: 256 * MIB,
            max_entries: 20_000_000,
            max_value_bytes: 16 * MIB,
            ttl: None,
            stale: Duration::ZERO,
            eviction: EvictionPolicy::LeastRecentlyStored,
        }
    }

    fn read(tree: &mut ConfigSource, name: &str) -> Self {
        let usual = Self::new(name);
        let mut own = Section::new(tree, format!("app_cache.{name}"));
        drop(own.tree.take(&own.key("name")));
        let ttl_s = own.number("ttl_s", 0..=10 * YEAR_S, 0);
        Self {
            max_bytes: own.number("max_bytes", 64 * KIB..=1 << 40, usual.max_bytes),
            max_entries: own.number("max_entries", 1..=1_000_000_000, usual.max_entries),
            max_value_bytes: own.number("max_value_bytes", KIB..=64 * MIB, usual.max_value_bytes),
            ttl: (ttl_s > 0).then(|| Duration::from_secs(ttl_s)),
            stale: own.seconds("stale_s", 0..=10 * YEAR_S, usual.stale),
            eviction: read_eviction(&mut own),
            name: usual.name,
        }
    }
}

fn read_eviction(own: &mut Section<'_>) -> EvictionPolicy {
    let path = own.key("eviction");
    let Some(leaf) = own.tree.take(&path) else { return EvictionPolicy::LeastRecentlyStored };
    match leaf.text.as_str() {
        "least-recently-stored" => EvictionPolicy::LeastRecentlyStored,
        "none" => EvictionPolicy::Off,
        other => {
            let message = format!("{path} must be least-recently-stored or none, not \"{other}\"");
            own.tree.problem(leaf.place, message);
            EvictionPolicy::LeastRecentlyStored
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", text);
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn a_cache_needs_only_a_name_and_no_server() {
        let settings = read("[[app_cache]]\nname = \"worker\"\n").expect("valid").app_caches;
        assert_eq!(settings.caches, [AppCacheSettings::new("worker")]);
        assert_eq!(settings.of("other"), AppCacheSettings::new("other"));
        assert_eq!(settings.max_caches, 10_000);
    }

    #[test]
    fn each_setting_of_a_cache_is_read() {
        let text = "[apps]\nsocket = \"/run/g.sock\"\nsocket_group = \"media\"\nmax_caches = 7\n[[app_cache]]\n\
            name = \"w\"\nmax_bytes = 1048576\nmax_entries = 9\nmax_value_bytes = 2048\nttl_s = 60\nstale_s = 5\n\
            eviction = \"none\"\n";
        let settings = read(text).expect("valid").app_caches;
        assert_eq!((settings.socket, settings.max_caches), (Some("/run/g.sock".into()), 7));
        assert_eq!(settings.socket_group.as_deref(), Some("media"));
        let [cache] = &settings.caches[..] else { panic!("one") };
        assert_eq!((cache.max_bytes, cache.max_entries, cache.max_value_bytes), (1_048_576, 9, 2048));
        assert_eq!((cache.ttl, cache.stale), (Some(Duration::from_secs(60)), Duration::from_secs(5)));
        assert_eq!(cache.eviction, EvictionPolicy::Off);
    }

    #[test]
    fn what_a_cache_must_not_say_is_told_with_its_place() {
        let error = read("[[app_cache]]\nname = \"w\"\neviction = \"random\"\n").expect_err("wrong");
        assert!(error.starts_with("g.toml:3") && error.contains("least-recently-stored"), "{error}");
        let error = read("[apps]\nsocket = \"g.sock\"\n[[app_cache]]\nname = \"w\"\n").expect_err("wrong");
        assert!(error.starts_with("g.toml:2") && error.contains("absolute"), "{error}");
        assert!(read("[[app_cache]]\nname = \"Not A Name\"\n").is_err());
    }
}
