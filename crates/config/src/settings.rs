//! Settings of the process, checked and with all defaults filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;

use super::app_caches::AppCachesSettings;
use super::control::ControlSettings;
use super::folder::FolderSettings;
use super::http_api::{HttpApiSettings, read_http_api};
use super::library::{self, LibrarySettings};
use super::matching::MatchingSettings;
use super::notification_targets::NotificationTargetSettings;
use super::playlists::ScheduledPlaylist;
use super::remote_store::RemoteStoreSettings;
use super::section::Section;
use super::server::{ServerSettings, read_foreign_lifetimes, read_server};
use super::source::{ConfigError, ConfigSource};
use super::statistics::StatisticsSettings;
use super::takeover::TakeoverSettings;
use super::tracing::TracingSettings;
use super::{body_limits, disk, listener_limits};

const MIB: u64 = 1024 * 1024;
/// Default and upper limit of playbacks in the history mirror.
const USUAL_HISTORY_ROWS: u64 = 1_000_000;
const MAX_HISTORY_ROWS: u64 = 100_000_000;

/// Default of `dashboard.refresh_s`: interval at which the statistics of dashboards are recomputed.
pub const DASHBOARD_INTERVAL: Duration = Duration::from_secs(60);
/// Default of `state.settle_ms`: max wait until a response that takes rights away is durable.
pub const SETTLE: Duration = Duration::from_millis(50);
/// Default of `jobs.at_once`: max concurrent jobs.
pub const JOBS_AT_ONCE: usize = 3;

/// All settings of the process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Data directory: secrets, grants, and by default the cache.
    pub data_dir: PathBuf,
    /// Max wait until a response that takes rights away is durable.
    pub settle: Duration,
    /// The control plane.
    pub control: ControlSettings,
    /// The memory tier.
    pub memory: MemorySettings,
    /// The disk tier, if it is on.
    pub disk: Option<DiskSettings>,
    /// The remote tier, if there is one.
    pub remote_store: Option<RemoteStoreSettings>,
    /// Memory limit of all library snapshots together.
    pub library_memory_bytes: u64,
    /// Settings of matching.
    pub matching: MatchingSettings,
    /// Max concurrent jobs.
    pub jobs_at_once: usize,
    /// Settings of a take-over.
    pub takeover: TakeoverSettings,
    /// Max playbacks in the history mirror; 0 turns it off.
    pub history_max_rows: u64,
    /// Interval at which the statistics of dashboards are recomputed.
    pub dashboard_interval: Duration,
    /// Settings of statistics.
    pub statistics: StatisticsSettings,
    /// The media servers, in the order of the file.
    pub servers: Vec<ServerSettings>,
    /// The servers of any HTTP API, in the order of the file.
    pub http_apis: Vec<HttpApiSettings>,
    /// The folders of files.
    pub folders: Vec<FolderSettings>,
    /// The caches for apps.
    pub app_caches: AppCachesSettings,
    /// Scheduled syncs.
    pub playlists: Vec<ScheduledPlaylist>,
    /// Targets of notifications.
    pub notification_targets: Vec<NotificationTargetSettings>,
    /// Trace collector, if any.
    pub tracing: Option<TracingSettings>,
    /// Harmless problems that a person should fix.
    pub remarks: Vec<ConfigError>,
}

/// The memory tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// Max bytes of all cached responses together.
    pub max_bytes: u64,
    /// Max bytes of one response.
    pub max_entry_bytes: u64,
    /// Max bytes of one partition.
    pub max_partition_bytes: u64,
    /// Max bytes of buffered request bodies of all servers, beside the tier.
    pub max_held_body_bytes: u64,
}

impl Settings {
    /// Reads the settings from a source.
    ///
    /// # Errors
    /// All errors at once, each with its place.
    pub fn read(mut tree: ConfigSource) -> Result<Self, Vec<ConfigError>> {
        let data_dir = tree.take("data_dir").map_or_else(default_data_dir, |leaf| PathBuf::from(leaf.text));
        let settle = Section::new(&mut tree, "state").millis("settle_ms", 1..=60_000, SETTLE);
        let trusted_proxies = listener_limits::read_trusted_proxies(&mut tree);
        let control = ControlSettings::read(&mut tree, &trusted_proxies);
        let mut settings = Self {
            settle,
            control,
            memory: read_memory(&mut tree),
            disk: disk::read(&mut tree, &data_dir),
            remote_store: RemoteStoreSettings::read(&mut tree),
            matching: MatchingSettings::read(&mut tree),
            jobs_at_once: Section::new(&mut tree, "jobs").count("at_once", 1..=32, JOBS_AT_ONCE),
            takeover: TakeoverSettings::read(&mut tree),
            history_max_rows: tree.number("history.max_rows", 0, MAX_HISTORY_ROWS, USUAL_HISTORY_ROWS),
            dashboard_interval: read_dashboard_interval(&mut tree),
            statistics: StatisticsSettings::read(&mut tree),
            data_dir,
            library_memory_bytes: 0,
            servers: Vec::new(),
            http_apis: Vec::new(),
            folders: Vec::new(),
            app_caches: AppCachesSettings::default(),
            playlists: Vec::new(),
            notification_targets: Vec::new(),
            tracing: None,
            remarks: Vec::new(),
        };
        let library = LibrarySettings::read(&mut tree);
        settings.library_memory_bytes = library::read_memory_limit(&mut tree);
        let lifetimes = read_foreign_lifetimes(&mut tree);
        for (name, place) in tree.servers() {
            if tree.is_http_api(&name) {
                settings.http_apis.extend(read_http_api(&mut tree, &name, &place, &trusted_proxies));
                continue;
            }
            settings.servers.extend(read_server(&mut tree, &name, &place, (&trusted_proxies, &library, &lifetimes)));
        }
        check_listeners(&mut tree, &settings);
        settings.folders = FolderSettings::read_all(&mut tree);
        settings.app_caches = AppCachesSettings::read(&mut tree);
        settings.playlists = ScheduledPlaylist::read_all(&mut tree, &settings.servers);
        settings.notification_targets = NotificationTargetSettings::read_all(&mut tree);
        settings.tracing = TracingSettings::read(&mut tree);
        let serves_others = !settings.folders.is_empty() || !settings.app_caches.caches.is_empty();
        if settings.servers.is_empty() && tree.servers().is_empty() && !serves_others {
            tree.problem(
                "configuration".into(),
                "no media server, no folder and no cache for apps: add a [[server]], a [[folder]] or an [[app_cache]], or start with --plex URL or --jellyfin URL".into(),
            );
        }
        tree.reject_unknown();
        if tree.errors.is_empty() { Ok(Self { remarks: tree.remarks, ..settings }) } else { Err(tree.errors) }
    }
}

/// The setting wins over the variable of another dashboard gateway.
fn read_dashboard_interval(tree: &mut ConfigSource) -> Duration {
    let foreign = tree.foreign_number("STATS_REFRESH_INTERVAL", (5, 3600)).map(Duration::from_secs);
    Section::new(tree, "dashboard").seconds("refresh_s", 5..=3600, foreign.unwrap_or(DASHBOARD_INTERVAL))
}

fn read_memory(tree: &mut ConfigSource) -> MemorySettings {
    let mut own = Section::new(tree, "memory");
    let max_bytes = own.number("max_bytes", MIB..=1 << 40, 256 * MIB);
    MemorySettings {
        max_bytes,
        max_entry_bytes: own.number("max_entry_bytes", 1024..=max_bytes, (max_bytes / 8).min(32 * MIB)),
        max_partition_bytes: own.number("max_partition_bytes", 1024..=max_bytes, max_bytes / 2),
        max_held_body_bytes: body_limits::read_held_by_process(tree),
    }
}

fn check_listeners(tree: &mut ConfigSource, settings: &Settings) {
    let mut taken = vec![("the control plane".to_owned(), settings.control.listen)];
    let media = settings.servers.iter().map(|server| (&server.name, server.listen));
    let apis = settings.http_apis.iter().map(|server| (&server.name, server.listen));
    for (name, own) in media.chain(apis) {
        if own.port() != 0
            && let Some((other, _)) = taken.iter().find(|(_, address)| address.port() == own.port())
        {
            let message = format!("server \"{}\" and {other} both listen on port {}", name, own.port());
            tree.problem(format!("server.{name}.listen"), message);
        }
        taken.push((format!("server \"{name}\""), own));
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
    use greenroom_dialect::request::ServerKind;

    use super::*;

    fn read(text: &str) -> Result<Settings, Vec<ConfigError>> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", text);
        Settings::read(tree)
    }

    #[test]
    fn a_setting_that_was_removed_is_told_with_what_replaced_it_and_does_no_harm() {
        let settings = read(&format!("{SMALLEST}\n[disk]\nshared_lag_ms = 20\n")).expect("it is valid");
        let remarks: Vec<String> = settings.remarks.iter().map(ToString::to_string).collect();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert!(
            remarks[0]
                .starts_with("g.toml:15:17: disk.shared_lag_ms was removed and counts for nothing: one process owns"),
            "{remarks:?}"
        );
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", SMALLEST);
        let said = ("GREENROOM_DISK_SHARED_LAG_MS".to_owned(), "20".to_owned());
        tree.add_environment(std::iter::once(said));
        let remarks = Settings::read(tree).expect("it is valid").remarks;
        assert_eq!(remarks[0].place, "GREENROOM_DISK_SHARED_LAG_MS");
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
        assert_eq!(server.kind, ServerKind::Plex);
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
        assert!(text.iter().any(|line| line == "g.toml:1:10: unknown key colour"), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("g.toml:4:8: Emby")), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("g.toml:5:7: url must")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("server \"b\" needs kind")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("server \"b\" needs url")), "{text:?}");
    }

    #[test]
    fn two_listeners_on_one_port_are_a_problem() {
        let text = SMALLEST.replace("0.0.0.0:32500", "0.0.0.0:8710");
        assert!(read(&text).expect_err("one port")[0].message.contains("port 8710"));
    }
}
