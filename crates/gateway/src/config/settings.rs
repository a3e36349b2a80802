//! What the values mean: the settings of the process, checked and with every default filled in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_library::files::PathMaps;
use greenroom_upstream::ask::Kind;
use greenroom_upstream::class::{Class, Lifetime};
use greenroom_upstream::credential::Secret;
use http::Uri;

use super::control::Control;
use super::disk;
use super::hygiene::{self, Hygiene};
use super::jobs::read_at_once;
use super::library::{self, Library};
use super::matching::{Matching, read_path_maps};
use super::networks::Networks;
use super::notices::Notice;
use super::playlists::{Account, Standing};
use super::prefetch::Prefetch;
use super::statistics::Statistics;
use super::tls::{Upstream, read_shown};
use super::tracing::Tracing;
use super::tree::{Problem, Tree};
use crate::mode::Mode;
use crate::state::SETTLE;
use crate::tls::shown::Files;

/// Port of the control plane.
pub const CONTROL_PORT: u16 = 8710;
/// Port that stands in for a Plex server.
pub const PLEX_PORT: u16 = 32500;
/// Port that stands in for a Jellyfin server.
pub const JELLYFIN_PORT: u16 = 8196;

/// A token file that is longer is something else.
const MAX_TOKEN_FILE_BYTES: usize = 16 * 1024;
const MIB: u64 = 1024 * 1024;
/// Nobody waits longer for a disk that does not come to an end.
const MAX_SETTLE_MS: u64 = 60_000;
const YEAR_S: u64 = 365 * 24 * 3600;
/// Playbacks that are mirrored unless it is said otherwise, and at most.
const USUAL_HISTORY_ROWS: u64 = 1_000_000;
const MAX_HISTORY_ROWS: u64 = 100_000_000;

/// Everything the process was told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where state is kept: secrets, proofs, and, unless it is told otherwise, the cache.
    pub data_dir: PathBuf,
    /// How long an answer that takes rights away waits at most to be durable.
    pub settle: Duration,
    /// The control plane.
    pub control: Control,
    /// The memory tier.
    pub memory: Memory,
    /// The disk tier, where there is one.
    pub disk: Option<DiskSettings>,
    /// What the snapshots of all libraries together may take.
    pub library_memory_bytes: u64,
    /// What is remembered of matches.
    pub matching: Matching,
    /// Jobs that run at a time.
    pub jobs_at_once: usize,
    /// Playbacks that are mirrored; none if zero.
    pub history_max_rows: u64,
    /// What is counted.
    pub statistics: Statistics,
    /// The media servers, in the order they were written.
    pub servers: Vec<Server>,
    /// Playlists that are kept in step by themselves.
    pub playlists: Vec<Standing>,
    /// Who is told when something happens.
    pub notices: Vec<Notice>,
    /// Where traces go, if anywhere.
    pub tracing: Option<Tracing>,
}

/// The memory tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of all kept answers together.
    pub max_bytes: u64,
    /// Bytes of one answer.
    pub max_entry_bytes: u64,
    /// Bytes of one identity's answers.
    pub max_partition_bytes: u64,
}

/// One media server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name here: in metrics, on the page, in variables.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Scheme and authority, such as `http://192.168.1.10:32400`.
    pub origin: Uri,
    /// Path before all of the server's paths (`/jellyfin`), or empty.
    pub base_path: String,
    /// Path before all of its paths at our listener; requests without it are understood as well.
    pub listen_base_path: String,
    /// Where clients find it, if that is not the address they asked: behind a reverse proxy.
    pub public_url: Option<String>,
    /// A token of its owner, for the events and for what is done without a client.
    pub token: Option<Secret>,
    /// Further users, whose playlists may be written.
    pub accounts: BTreeMap<String, Account>,
    /// How its certificate is judged, where its url asks for encryption.
    pub tls: Upstream,
    /// Where clients find it.
    pub listen: SocketAddr,
    /// The certificate clients are shown there; without one it is not encrypted.
    pub shown: Option<Files>,
    /// How long one answer may take as a whole.
    pub load_timeout: Duration,
    /// Bytes of a body that is still buffered; longer ones stream through uncached.
    pub max_body_bytes: u64,
    /// Requests at a time, streams and sockets aside.
    pub upstream_concurrency: usize,
    /// Requests that may wait for one of these places; beyond, the least urgent are refused.
    pub max_waiting: usize,
    /// How long the server's yes to a token holds.
    pub auth_ttl: Duration,
    /// How long a yes that held when the server went down still holds while it is down.
    pub offline_auth_ttl: Duration,
    /// Send legacy forms of Jellyfin credentials on in the form that later versions accept.
    pub translate_legacy_auth: bool,
    /// How its reads are answered from the start.
    pub mode: Mode,
    /// What of strangers its listener bears.
    pub hygiene: Hygiene,
    /// What may be loaded before it is asked for.
    pub prefetch: Prefetch,
    /// What is kept whole of its libraries.
    pub library: Library,
    /// How the paths of apps become the server's.
    pub path_maps: PathMaps,
    /// Numbers of a class's lifetime that differ from the default.
    pub lifetimes: BTreeMap<Class, Changed>,
}

/// The numbers of a lifetime that were configured; the others stay what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// Answered without asking the server.
    pub fresh_s: Option<u32>,
    /// Then answered at once while one refresh runs behind.
    pub stale_s: Option<u32>,
    /// Then answered only if the server cannot be asked.
    pub stale_on_error_s: Option<u32>,
}

impl Server {
    /// A lifetime with what was configured for its class laid over it.
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

impl Settings {
    /// Reads the settings out of a tree.
    ///
    /// # Errors
    /// All problems at once, each with its place.
    pub fn read(mut tree: Tree) -> Result<Self, Vec<Problem>> {
        let data_dir = tree.take("data_dir").map_or_else(default_data_dir, |leaf| PathBuf::from(leaf.text));
        let usual_ms = u64::try_from(SETTLE.as_millis()).unwrap_or(MAX_SETTLE_MS);
        let settle = Duration::from_millis(tree.number("state.settle_ms", 1, MAX_SETTLE_MS, usual_ms));
        let trusted_proxies = hygiene::read_trusted_proxies(&mut tree);
        let control = Control::read(&mut tree, &trusted_proxies);
        let memory = read_memory(&mut tree);
        let disk = disk::read(&mut tree, &data_dir);
        let matching = Matching::read(&mut tree);
        let jobs_at_once = read_at_once(&mut tree);
        let history_max_rows = tree.number("history.max_rows", 0, MAX_HISTORY_ROWS, USUAL_HISTORY_ROWS);
        let statistics = Statistics::read(&mut tree);
        let library = Library::read(&mut tree);
        let library_memory_bytes = library::read_memory_limit(&mut tree);
        let mut servers = Vec::new();
        for (name, place) in tree.servers() {
            servers.extend(read_server(&mut tree, &name, &place, (&trusted_proxies, &library)));
        }
        check_listeners(&mut tree, &control, &servers);
        let playlists = Standing::read_all(&mut tree, &servers);
        let notices = Notice::read_all(&mut tree);
        let tracing = Tracing::read(&mut tree);
        if servers.is_empty() && tree.servers().is_empty() {
            tree.problem(
                "configuration".into(),
                "no media server: add a [[server]], or start with --plex URL or --jellyfin URL".into(),
            );
        }
        tree.reject_unknown();
        if tree.problems.is_empty() {
            Ok(Self {
                data_dir,
                settle,
                control,
                memory,
                disk,
                library_memory_bytes,
                matching,
                jobs_at_once,
                history_max_rows,
                statistics,
                servers,
                playlists,
                notices,
                tracing,
            })
        } else {
            Err(tree.problems)
        }
    }
}

fn read_memory(tree: &mut Tree) -> Memory {
    let max_bytes = tree.number("memory.max_bytes", MIB, 1 << 40, 256 * MIB);
    let max_entry_bytes =
        tree.number("memory.max_entry_bytes", 1024, max_bytes, (max_bytes / 8).min(32 * MIB));
    let max_partition_bytes = tree.number("memory.max_partition_bytes", 1024, max_bytes, max_bytes / 2);
    Memory { max_bytes, max_entry_bytes, max_partition_bytes }
}

fn read_server(
    tree: &mut Tree,
    name: &str,
    place: &str,
    (trusted, library): (&Networks, &Library),
) -> Option<Server> {
    let key = |last: &str| format!("server.{name}.{last}");
    let kind = read_kind(tree, &key("kind"), name, place);
    let url = read_url(tree, &key("url"), name, place);
    let token = read_token(tree, &key("token"), &key("token_file"));
    let accounts = Account::read_all(tree, name, kind);
    let port = if kind == Some(Kind::Jellyfin) { JELLYFIN_PORT } else { PLEX_PORT };
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let listen = read_listen(tree, &key("listen"), everywhere);
    let load_timeout = Duration::from_secs(tree.number(&key("load_timeout_s"), 1, 600, 30));
    let max_body_bytes = tree.number(&key("max_body_bytes"), 64 * 1024, 1 << 32, 32 * MIB);
    let concurrency = tree.number(&key("upstream_concurrency"), 2, 1000, 8);
    let max_waiting = tree.number(&key("max_waiting"), 1, 100_000, 1000);
    let auth_ttl = Duration::from_secs(tree.number(&key("auth_ttl_s"), 1, 24 * 3600, 300));
    let offline_auth_ttl =
        Duration::from_secs(tree.number(&key("offline_auth_ttl_s"), 0, 30 * 24 * 3600, 24 * 3600));
    let translate_legacy_auth = tree.parse(&key("translate_legacy_auth"), "true or false").unwrap_or(true);
    let mode = read_mode(tree, &key("mode"));
    let hygiene = Hygiene::read(tree, name, trusted);
    let prefetch = Prefetch::read(tree, name);
    let library = Library::of_server(tree, name, kind, library);
    let is_encrypted =
        url.as_ref().is_none_or(|(origin, _)| origin.scheme() == Some(&http::uri::Scheme::HTTPS));
    let tls = Upstream::read(tree, name, is_encrypted);
    let shown = read_shown(tree, &key("listen_tls"));
    let path_maps = read_path_maps(tree, name);
    let lifetimes = read_lifetimes(tree, name);
    let public_url = read_public_url(tree, &key("public_url"));
    let listen_base_path = read_base_path(tree, &key("listen_base_path"));
    let (origin, base_path) = url?;
    Some(Server {
        name: name.to_owned(),
        kind: kind?,
        origin,
        listen_base_path: listen_base_path.unwrap_or_else(|| base_path.clone()),
        base_path,
        public_url,
        token,
        accounts,
        tls,
        listen,
        shown,
        load_timeout,
        max_body_bytes,
        upstream_concurrency: usize::try_from(concurrency).unwrap_or(8),
        max_waiting: usize::try_from(max_waiting).unwrap_or(1000),
        auth_ttl,
        offline_auth_ttl,
        translate_legacy_auth,
        mode,
        hygiene,
        prefetch,
        library,
        path_maps,
        lifetimes,
    })
}

fn read_kind(tree: &mut Tree, path: &str, name: &str, place: &str) -> Option<Kind> {
    let Some(leaf) = tree.take(path) else {
        tree.problem(place.into(), format!("server \"{name}\" needs kind = \"plex\" or kind = \"jellyfin\""));
        return None;
    };
    match leaf.text.as_str() {
        "plex" => Some(Kind::Plex),
        "jellyfin" => Some(Kind::Jellyfin),
        "emby" => {
            tree.problem(
                leaf.place,
                "Emby is not supported yet; kind may be \"plex\" or \"jellyfin\"".into(),
            );
            None
        }
        other => {
            tree.problem(leaf.place, format!("kind must be \"plex\" or \"jellyfin\", not \"{other}\""));
            None
        }
    }
}

fn read_mode(tree: &mut Tree, path: &str) -> Mode {
    let Some(leaf) = tree.take(path) else { return Mode::default() };
    Mode::named(leaf.text.trim()).unwrap_or_else(|| {
        let message = format!("mode must be \"cache\", \"observe\" or \"bypass\", not \"{}\"", leaf.text);
        tree.problem(leaf.place, message);
        Mode::default()
    })
}

fn read_url(tree: &mut Tree, path: &str, name: &str, place: &str) -> Option<(Uri, String)> {
    let Some(leaf) = tree.take(path) else {
        tree.problem(place.into(), format!("server \"{name}\" needs url = \"http://ADDRESS:PORT\""));
        return None;
    };
    let parsed = parse_origin(&leaf.text);
    if parsed.is_none() {
        let message =
            format!("url must look like http://ADDRESS:PORT or https://ADDRESS:PORT/BASE, not \"{}\"", {
                without_secrets(&leaf.text)
            });
        tree.problem(leaf.place, message);
    }
    parsed
}

/// A URL may have been pasted with a token in it: only what stands before the query is repeated.
fn without_secrets(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let start = url.find('@').map_or(0, |at| if at < end { at + 1 } else { 0 });
    &url[start..end]
}

pub(crate) fn parse_origin(text: &str) -> Option<(Uri, String)> {
    let uri: Uri = text.trim().parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?.to_owned();
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?.clone();
    if uri.query().is_some() {
        return None;
    }
    let base_path = uri.path().trim_end_matches('/').to_owned();
    let origin =
        Uri::builder().scheme(scheme.as_str()).authority(authority).path_and_query("/").build().ok()?;
    Some((origin, base_path))
}

fn read_public_url(tree: &mut Tree, path: &str) -> Option<String> {
    let leaf = tree.take(path)?;
    let parsed = parse_origin(&leaf.text);
    if parsed.is_none() {
        let message = format!("{path} must look like https://HOST or https://HOST/BASE");
        tree.problem(leaf.place, message);
    }
    parsed.map(|(origin, base)| format!("{}{base}", origin.to_string().trim_end_matches('/')))
}

/// A path such as `/jellyfin`, without a slash at its end; empty for none.
pub(super) fn read_base_path(tree: &mut Tree, path: &str) -> Option<String> {
    let leaf = tree.take(path)?;
    let base = leaf.text.trim().trim_end_matches('/').to_owned();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    let is_path = base.is_empty()
        || base.starts_with('/')
            && base.bytes().all(fits)
            && base.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if !is_path {
        tree.problem(leaf.place, format!("{path} must be a path such as /jellyfin, not \"{}\"", leaf.text));
    }
    Some(base)
}

/// What is in a file, up to a little more than a token may be long: a device has no end.
fn read_short(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(MAX_TOKEN_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

pub(super) fn read_token(tree: &mut Tree, token: &str, token_file: &str) -> Option<Secret> {
    let from_file = tree.take(token_file).and_then(|leaf| match read_short(&leaf.text) {
        Ok(text) if text.len() > MAX_TOKEN_FILE_BYTES => {
            tree.problem(leaf.place, format!("the token file {} is longer than a token is", leaf.text));
            None
        }
        Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Ok(_) => {
            tree.problem(leaf.place, format!("the token file {} is empty", leaf.text));
            None
        }
        Err(error) => {
            tree.problem(leaf.place, format!("the token file {} cannot be read: {error}", leaf.text));
            None
        }
    });
    let text = tree.take(token).map(|leaf| leaf.text.trim().to_owned()).or(from_file)?;
    if text.is_empty() { None } else { Some(Secret::new(text)) }
}

pub(super) fn read_listen(tree: &mut Tree, path: &str, default: SocketAddr) -> SocketAddr {
    tree.parse(path, "an address and a port, such as 0.0.0.0:32500").unwrap_or(default)
}

fn read_lifetimes(tree: &mut Tree, server: &str) -> BTreeMap<Class, Changed> {
    let mut lifetimes = BTreeMap::new();
    for class in Class::EVERY {
        let mut number = |key: &str| {
            let path = format!("server.{server}.lifetimes.{}.{key}", class.name());
            let is_set = tree.has(&path);
            let number = tree.number(&path, 0, YEAR_S, 0);
            u32::try_from(number).ok().filter(|_| is_set)
        };
        let changed = Changed {
            fresh_s: number("fresh_s"),
            stale_s: number("stale_s"),
            stale_on_error_s: number("stale_on_error_s"),
        };
        if changed != Changed::default() {
            lifetimes.insert(class, changed);
        }
    }
    lifetimes
}

fn check_listeners(tree: &mut Tree, control: &Control, servers: &[Server]) {
    let mut taken = vec![("the control plane".to_owned(), control.listen)];
    for server in servers {
        let own = server.listen;
        if own.port() != 0
            && let Some((other, _)) = taken.iter().find(|(_, address)| address.port() == own.port())
        {
            let message =
                format!("server \"{}\" and {other} both listen on port {}", server.name, own.port());
            tree.problem(format!("server.{}.listen", server.name), message);
        }
        taken.push((format!("server \"{}\"", server.name), own));
    }
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The user's state directory: `$XDG_STATE_HOME/greenroom`, else `~/.local/state/greenroom`.
pub(crate) fn default_data_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| Path::new("/var/lib").to_owned())
        .join("greenroom")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Vec<Problem>> {
        let mut tree = Tree::default();
        tree.add_toml("g.toml", text);
        Settings::read(tree)
    }

    const SMALLEST: &str = r#"
data_dir = "/var/lib/greenroom"

[control]
listen = "127.0.0.1:8710"

[[server]]
name   = "home"
kind   = "plex"
url    = "http://192.168.1.10:32400"
token  = "abc"
listen = "0.0.0.0:32500"
"#;

    #[test]
    fn the_smallest_useful_file_is_enough() {
        let settings = read(SMALLEST).expect("it is valid");
        let server = &settings.servers[0];
        assert_eq!(server.kind, Kind::Plex);
        assert_eq!(server.origin.to_string(), "http://192.168.1.10:32400/");
        assert!(server.lifetimes.is_empty());
        assert_eq!(server.base_path, "");
    }

    #[test]
    fn all_problems_come_together_with_their_places() {
        let problems = read(
            "colour = 1\n[[server]]\nname = \"a\"\nkind = \"emby\"\nurl = \"ftp://x\"\n[[server]]\nname = \"b\"\n",
        )
        .expect_err("it is not valid");
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|line| line == "g.toml:1: unknown key colour"), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("g.toml:4: Emby")), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("g.toml:5: url must")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("server \"b\" needs kind")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("server \"b\" needs url")), "{text:?}");
    }

    #[test]
    fn a_token_file_without_an_end_is_not_read_to_it() {
        let problems = read(&format!("{SMALLEST}token_file = \"/dev/zero\"\n")).expect_err("no token");
        assert!(problems[0].message.contains("longer than a token"), "{problems:?}");
    }

    #[test]
    fn a_token_pasted_into_the_url_is_not_repeated() {
        let problems = read("[[server]]\nname=\"a\"\nkind=\"plex\"\nurl=\"http://h/?X-Plex-Token=SECRET\"")
            .expect_err("a query is not allowed");
        assert!(!format!("{problems:?}").contains("SECRET"));
    }

    #[test]
    fn a_base_path_is_split_from_the_origin() {
        let (origin, base) = parse_origin("https://media.example:443/jellyfin/").expect("it parses");
        assert_eq!((origin.to_string().as_str(), base.as_str()), ("https://media.example:443/", "/jellyfin"));
    }

    #[test]
    fn two_listeners_on_one_port_are_a_problem() {
        let text = SMALLEST.replace("0.0.0.0:32500", "0.0.0.0:8710");
        assert!(read(&text).expect_err("one port")[0].message.contains("port 8710"));
    }

    #[test]
    fn a_mode_is_one_of_three_words() {
        let mode = |mode: &str| read(&format!("{SMALLEST}\nmode = \"{mode}\"\n"));
        assert_eq!(read(SMALLEST).expect("it is valid").servers[0].mode, Mode::Cache);
        assert_eq!(mode("observe").expect("it is valid").servers[0].mode, Mode::Observe);
        let problems = mode("watch").expect_err("no such mode");
        assert!(problems[0].to_string().contains("\"observe\""), "{problems:?}");
    }

    #[test]
    fn a_lifetime_can_be_changed_for_one_class() {
        let text = format!("{SMALLEST}\n[server.lifetimes.sessions]\nfresh_s = 15\n");
        let settings = read(&text).expect("it is valid");
        let usual = Class::Sessions.lifetime(Kind::Plex);
        let lifetime = settings.servers[0].lifetime(Class::Sessions, usual);
        assert_eq!((lifetime.fresh_s, lifetime.stale_s), (15, 10));
        let special = Lifetime { stale_s: 3, ..usual };
        assert_eq!(
            settings.servers[0].lifetime(Class::Sessions, special).stale_s,
            3,
            "only what was written"
        );
    }
}
