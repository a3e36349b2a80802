//! Settings of the remote tier: a Redis or Valkey behind memory and disk.
//!
//! The variables of other tools that share such a store are also read; our own key wins.

use std::path::PathBuf;
use std::time::Duration;

use greenroom_dialect::credential::Secret;

use super::section::Section;
use super::source::ConfigSource;

const MIB: u64 = 1024 * 1024;
/// Default port of Redis.
const PORT: u64 = 6379;
/// Digits of the key that gateways share.
const KEY_DIGITS: usize = 64;
/// Max addresses.
const MAX_NODES: usize = 64;

/// Entries that a gateway serves while it does not receive the invalidations of other gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutageMode {
    /// Nothing that another could have changed, unless the media server is down too.
    Through,
    /// Entries of at most this age.
    Bounded(Duration),
}

impl StoreOutageMode {
    /// Max age of what is served.
    pub fn max_age(self) -> Duration {
        match self {
            Self::Through => Duration::ZERO,
            Self::Bounded(age) => age,
        }
    }
}

/// A Redis or Valkey, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteStoreSettings {
    /// Its address; several are nodes of a Cluster. Addresses may hold a password.
    pub nodes: Vec<Secret>,
    /// User and password, where the address has none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Number of the database.
    pub database: Option<u32>,
    /// Begins every key in the store. Gateways with the same prefix share what is there.
    pub prefix: String,
    /// The key by which gateways hash identities and sign entries; without it the gateway's own.
    pub cluster_key: Option<Secret>,
    /// Authorities that sign the store's certificate, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate to present …
    pub client_cert_file: Option<PathBuf>,
    /// … and its key.
    pub client_key_file: Option<PathBuf>,
    /// Whether the newer of the two protocols is used.
    pub resp3: bool,
    /// Whether other gateways use the same prefix.
    pub shared: bool,
    /// Longest wait of a request for an entry.
    pub read_timeout: Duration,
    /// Longest wait for any answer of the store.
    pub response_timeout: Duration,
    /// A gateway that the store has not heard for this long serves nothing that others could have changed.
    pub peer_timeout: Duration,
    /// Entries that are served while the store cannot be reached.
    pub when_away: StoreOutageMode,
    /// Bodies longer than this are not written to the store.
    pub max_body_bytes: u64,
    /// Entries that wait to be written; beyond, the oldest are dropped.
    pub max_queued_bytes: u64,
}

impl RemoteStoreSettings {
    /// Settings for one store, with all defaults.
    pub fn new(address: &str) -> Self {
        Self {
            nodes: vec![Secret::new(address)],
            user: None,
            password: None,
            database: None,
            prefix: "greenroom".into(),
            cluster_key: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            resp3: true,
            shared: false,
            read_timeout: Duration::from_millis(50),
            response_timeout: Duration::from_millis(250),
            peer_timeout: Duration::from_secs(3),
            when_away: StoreOutageMode::Through,
            max_body_bytes: 4 * MIB,
            max_queued_bytes: 32 * MIB,
        }
    }

    /// Reads the settings; `None` without a store.
    pub(super) fn read(tree: &mut ConfigSource) -> Option<Self> {
        let foreign = read_foreign(tree);
        let mut own = Section::new(tree, "store.redis");
        let is_on = own.flag("enabled", true);
        let usual = Self::new("");
        let text = |own: &mut Section<'_>, key: &str| own.tree.take(&own.key(key)).map(|leaf| leaf.text);
        let certificate = text(&mut own, "client_cert_file").map(PathBuf::from);
        let certificate_key = text(&mut own, "client_key_file").map(PathBuf::from);
        let database = own.number("database", 0..=65_535, u64::MAX);
        let settings = Self {
            nodes: read_nodes(&mut own),
            user: text(&mut own, "user"),
            password: own.token("password"),
            database: u32::try_from(database).ok(),
            prefix: read_prefix(&mut own, &usual.prefix),
            cluster_key: read_key(&mut own),
            ca_file: text(&mut own, "ca_file").map(PathBuf::from),
            client_cert_file: certificate,
            client_key_file: certificate_key,
            resp3: own.flag("resp3", usual.resp3),
            shared: own.flag("shared", usual.shared),
            read_timeout: own.millis("read_timeout_ms", 1..=10_000, usual.read_timeout),
            response_timeout: own.millis("response_timeout_ms", 10..=60_000, usual.response_timeout),
            peer_timeout: own.millis("peer_timeout_ms", 500..=60_000, usual.peer_timeout),
            when_away: read_when_away(&mut own),
            max_body_bytes: own.number("max_body_bytes", 1024..=512 * MIB, usual.max_body_bytes),
            max_queued_bytes: own.number("max_queued_bytes", MIB..=1 << 40, usual.max_queued_bytes),
        };
        let nodes = if settings.nodes.is_empty() { foreign } else { settings.nodes.clone() };
        if nodes.is_empty() || !is_on {
            return None;
        }
        if settings.shared && settings.cluster_key.is_none() {
            let place = tree.place("store.redis.shared");
            let message = "gateways that share a store need one key: make it with `greenroom cluster key`, and give it \
                           to each as store.redis.cluster_key_file";
            tree.problem(place, message.into());
        }
        Some(Self { nodes, ..settings })
    }
}

/// Addresses, separated by commas.
fn read_nodes(own: &mut Section<'_>) -> Vec<Secret> {
    let path = own.key("url");
    let Some(leaf) = own.tree.take(&path) else { return Vec::new() };
    let nodes: Vec<&str> = leaf.text.split(',').map(str::trim).filter(|node| !node.is_empty()).collect();
    let schemes = ["redis://", "rediss://", "unix:", "redis+unix:"];
    let is_address = |node: &&str| schemes.iter().any(|scheme| node.starts_with(scheme));
    if nodes.is_empty() || nodes.len() > MAX_NODES || !nodes.iter().all(is_address) {
        // The address may hold a password, so the message does not repeat it.
        let message =
            format!("{path} must be redis://HOST:PORT, rediss://HOST:PORT or unix:/PATH, several for a Cluster");
        own.tree.problem(leaf.place, message);
        return Vec::new();
    }
    nodes.into_iter().map(Secret::new).collect()
}

fn read_prefix(own: &mut Section<'_>, usual: &str) -> String {
    let path = own.key("prefix");
    let Some(leaf) = own.tree.take(&path) else { return usual.into() };
    let is_valid = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    if leaf.text.is_empty() || leaf.text.len() > 64 || !leaf.text.chars().all(is_valid) {
        own.tree.problem(leaf.place, format!("{path} may have up to 64 letters, digits, '-', '_', '.' and ':'"));
    }
    leaf.text
}

fn read_key(own: &mut Section<'_>) -> Option<Secret> {
    let place = own.tree.place(&own.key("cluster_key"));
    let key = own.token("cluster_key")?;
    let text = key.expose();
    if text.len() == KEY_DIGITS && text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Some(key);
    }
    own.tree.problem(place, "the cluster key has 64 hexadecimal digits; make one with `greenroom cluster key`".into());
    None
}

fn read_when_away(own: &mut Section<'_>) -> StoreOutageMode {
    let age = own.seconds("bounded_s", 1..=86_400, Duration::from_secs(10));
    let path = own.key("when_away");
    let Some(leaf) = own.tree.take(&path) else { return StoreOutageMode::Through };
    match leaf.text.as_str() {
        "through" => StoreOutageMode::Through,
        "bounded" => StoreOutageMode::Bounded(age),
        _ => {
            own.tree.problem(leaf.place, format!("{path} must be \"through\" or \"bounded\""));
            StoreOutageMode::Through
        }
    }
}

/// The address that the variables of other tools name, if they enable it.
fn read_foreign(tree: &mut ConfigSource) -> Vec<Secret> {
    let is_on = tree.foreign_flag("REDIS_ENABLED").unwrap_or(false);
    let port = tree.foreign_number("REDIS_PORT", (1, 65_535)).unwrap_or(PORT);
    let database = tree.foreign_number("REDIS_DB", (0, 65_535)).unwrap_or(0);
    let host = tree.foreign("REDIS_HOST").map_or_else(|| "127.0.0.1".to_owned(), |leaf| leaf.text.trim().to_owned());
    let password = tree.foreign("REDIS_PASSWORD").map(|leaf| format!(":{}@", percent_encode(leaf.text.trim())));
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let address = format!("redis://{}{host}:{port}/{database}", password.unwrap_or_default());
    is_on.then(|| Secret::new(address)).into_iter().collect()
}

/// Encodes everything that could end the password of an address.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
    const KEY: &str = "cluster_key = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n";

    fn read(said: &str, variables: &[(&str, &str)]) -> Result<Option<RemoteStoreSettings>, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{HOME}[store.redis]\n{said}"));
        tree.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map(|settings| settings.remote_store).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn without_an_address_there_is_no_remote_tier() {
        assert_eq!(read("", &[]), Ok(None));
        assert_eq!(read("enabled = false\nurl = \"redis://cache:6379\"\n", &[]), Ok(None));
    }

    #[test]
    fn one_address_is_enough_and_several_are_a_cluster() {
        let one = read("url = \"redis://cache:6379\"\n", &[]).expect("valid").expect("on");
        assert_eq!(one, RemoteStoreSettings::new("redis://cache:6379"));
        let three = read("url = \"redis://a:1, redis://b:2,redis://c:3\"\n", &[]).expect("valid").expect("on");
        assert_eq!(three.nodes.len(), 3);
        assert!(read("url = \"http://cache\"\n", &[]).expect_err("no store").contains("redis://"));
    }

    #[test]
    fn gateways_that_share_a_store_need_a_key() {
        let said = "url = \"redis://cache\"\nshared = true\n";
        assert!(read(said, &[]).expect_err("no key").contains("greenroom cluster key"));
        assert!(read(&format!("{said}{KEY}"), &[]).expect("valid").expect("on").shared);
        assert!(read(&format!("{said}cluster_key = \"abc\"\n"), &[]).expect_err("short").contains("64"));
    }

    #[test]
    fn what_is_served_while_the_store_is_away_can_be_bounded() {
        let said = "url = \"redis://cache\"\nwhen_away = \"bounded\"\nbounded_s = 4\n";
        let settings = read(said, &[]).expect("valid").expect("on");
        assert_eq!(settings.when_away.max_age(), Duration::from_secs(4));
        assert!(read("url = \"redis://cache\"\nwhen_away = \"never\"\n", &[]).is_err());
    }

    #[test]
    fn the_variables_of_other_tools_count_where_ours_are_not_said() {
        let theirs = [
            ("REDIS_ENABLED", "true"),
            ("REDIS_HOST", "cache"),
            ("REDIS_PORT", "7000"),
            ("REDIS_DB", "2"),
            ("REDIS_PASSWORD", "p@ss/word"),
        ];
        let settings = read("", &theirs).expect("valid").expect("on");
        assert_eq!(settings.nodes[0].expose(), "redis://:p%40ss%2Fword@cache:7000/2");
        assert_eq!(read("", &theirs[1..]), Ok(None), "they must be enabled");
        let ours = read("url = \"redis://ours\"\n", &theirs).expect("valid").expect("on");
        assert_eq!(ours.nodes[0].expose(), "redis://ours");
    }

    #[test]
    fn a_prefix_has_no_braces_because_they_would_move_every_key_to_one_node() {
        assert!(read("url = \"redis://cache\"\nprefix = \"{a}\"\n", &[]).is_err());
    }
}
