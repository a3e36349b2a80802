//! One media server: where it is, what it speaks, and how its answers are kept.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::{Class, Lifetime};
use greenroom_dialect::credential::Secret;
use greenroom_library::files::PathMaps;
use http::Uri;

use super::account::Account;
use super::address::{read_base_path, read_listen, read_public_url, read_url};
use super::hygiene::Hygiene;
use super::library::Library;
use super::matching::read_path_maps;
use super::networks::Networks;
use super::prefetch::Prefetch;
use super::tls::{Upstream, read_shown};
use super::token::read_token;
use super::tree::Tree;
use crate::Mode;
use crate::certificate_files::Files;

/// Port that stands in for a Plex server.
pub const PLEX_PORT: u16 = 32500;
/// Port that stands in for a Jellyfin server.
pub const JELLYFIN_PORT: u16 = 8196;

const MIB: u64 = 1024 * 1024;
const YEAR_S: u64 = 365 * 24 * 3600;

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

/// Reads one out of a tree.
pub(super) fn read_server(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Problem;

    fn read(more: &str) -> Result<Server, Vec<Problem>> {
        let mut tree = Tree::default();
        let smallest = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        tree.add_toml("g.toml", &format!("{smallest}{more}"));
        crate::Settings::read(tree).map(|settings| settings.servers[0].clone())
    }

    #[test]
    fn a_mode_is_one_of_three_words() {
        let mode = |mode: &str| read(&format!("mode = \"{mode}\"\n"));
        assert_eq!(read("").expect("it is valid").mode, Mode::Cache);
        assert_eq!(mode("observe").expect("it is valid").mode, Mode::Observe);
        let problems = mode("watch").expect_err("no such mode");
        assert!(problems[0].to_string().contains("\"observe\""), "{problems:?}");
    }

    #[test]
    fn a_lifetime_can_be_changed_for_one_class() {
        let server = read("[server.lifetimes.sessions]\nfresh_s = 15\n").expect("it is valid");
        let usual = Class::Sessions.lifetime(Kind::Plex);
        let lifetime = server.lifetime(Class::Sessions, usual);
        assert_eq!((lifetime.fresh_s, lifetime.stale_s), (15, 10));
        let special = Lifetime { stale_s: 3, ..usual };
        assert_eq!(server.lifetime(Class::Sessions, special).stale_s, 3, "only what was written");
    }
}
