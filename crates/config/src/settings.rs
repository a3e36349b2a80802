//! What the values mean: the settings of the process, checked and with every default filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;

use super::control::Control;
use super::jobs::read_at_once;
use super::library::{self, Library};
use super::matching::Matching;
use super::notices::Notice;
use super::playlists::Standing;
use super::server::{Server, read_server};
use super::statistics::Statistics;
use super::takeover::Takeover;
use super::tracing::Tracing;
use super::tree::{Problem, Tree};
use super::{bodies, disk, hygiene};

const MIB: u64 = 1024 * 1024;
/// Nobody waits longer for a disk that does not come to an end.
const MAX_SETTLE_MS: u64 = 60_000;
/// Playbacks that are mirrored unless it is said otherwise, and at most.
const USUAL_HISTORY_ROWS: u64 = 1_000_000;
const MAX_HISTORY_ROWS: u64 = 100_000_000;

/// For so long an answer that takes rights away waits to be durable, unless `state.settle_ms` says otherwise.
pub const SETTLE: Duration = Duration::from_millis(50);

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
    /// How another process takes this one's place.
    pub takeover: Takeover,
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
    /// Bytes of request bodies held for all servers, beside the tier.
    pub max_held_body_bytes: u64,
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
        let takeover = Takeover::read(&mut tree);
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
                takeover,
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
    let max_held_body_bytes = bodies::read_held_by_process(tree);
    Memory { max_bytes, max_entry_bytes, max_partition_bytes, max_held_body_bytes }
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

/// The user's state directory: `$XDG_STATE_HOME/greenroom`, else `~/.local/state/greenroom`.
pub fn default_data_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| Path::new("/var/lib").to_owned())
        .join("greenroom")
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::ask::Kind;

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
    fn two_listeners_on_one_port_are_a_problem() {
        let text = SMALLEST.replace("0.0.0.0:32500", "0.0.0.0:8710");
        assert!(read(&text).expect_err("one port")[0].message.contains("port 8710"));
    }
}
